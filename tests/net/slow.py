"""A slow line between two network namespaces: slow.py NS1 ADDRESSES NS2 ADDRESSES MILLISECONDS. One TUN device in each,
"slow0"; each packet arrives that much later."""
import ctypes, fcntl, heapq, os, select, struct, subprocess, sys, time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 1, 0x1000


def end(ns, addresses):
    fd = os.open(f"/run/netns/{ns}", os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(fd, 0x40000000) < 0:  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "setns")
    os.close(fd)
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"slow0", IFF_TUN | IFF_NO_PI))
    for a in addresses.split(","):
        subprocess.run(["ip", "addr", "add", a, "dev", "slow0", *(["nodad"] if ":" in a else [])], check=True)
    subprocess.run(["ip", "link", "set", "slow0", "up"], check=True)
    return tun


ns1, addresses1, ns2, addresses2, ms = sys.argv[1:]
ends = [end(ns1, addresses1), end(ns2, addresses2)]
other = dict(zip(ends, reversed(ends)))
print("READY", flush=True)
waiting = []
while True:
    timeout = max(0, waiting[0][0] - time.monotonic()) if waiting else None
    for fd in select.select(ends, [], [], timeout)[0]:
        packet = os.read(fd, 65536)
        heapq.heappush(waiting, (time.monotonic() + int(ms) / 1000, len(waiting), other[fd], packet))
    while waiting and waiting[0][0] <= time.monotonic():
        _, _, to, packet = heapq.heappop(waiting)
        try:
            os.write(to, packet)
        except OSError:
            pass
