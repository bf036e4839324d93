"""A control group that forbids its processes the network, as IPAddressDeny= and a sandbox's connect hook do: two
instructions of BPF, attached to a cgroup of its own."""
import ctypes, itertools, os, pathlib, platform, struct

NR_BPF = {"x86_64": 321, "aarch64": 280}.get(platform.machine())
PROG_LOAD, PROG_ATTACH = 5, 8
# (program type, expected attach type)
EGRESS = (8, 1)  # CGROUP_SKB, INET_EGRESS: what IPAddressDeny= makes
CONNECT = {4: (18, 10), 6: (18, 11)}  # CGROUP_SOCK_ADDR, INET4_CONNECT and INET6_CONNECT
FORBID = struct.pack("<BBhi", 0xb7, 0, 0, 0) + struct.pack("<BBhi", 0x95, 0, 0, 0)  # r0 = 0; exit
_count = itertools.count()


class Unsupported(Exception):
    pass


def _bpf(cmd, attr):
    buf = ctypes.create_string_buffer(attr, len(attr))
    r = ctypes.CDLL(None, use_errno=True).syscall(NR_BPF, cmd, buf, len(attr))
    if r < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return r


def _mount():
    for line in open("/proc/self/mounts"):
        _, where, kind = line.split()[:3]
        if kind == "cgroup2":
            return pathlib.Path(where)
    raise Unsupported("no cgroup2 is mounted")


def forbid(what):
    """A new cgroup with this hook; its folder. Its owner removes it when nothing is in it any more."""
    if not NR_BPF:
        raise Unsupported("the number of bpf(2) is not known here")
    group = _mount() / f"rayprobe-{os.getpid()}-{next(_count)}"
    group.mkdir()
    kind, attach = what
    code, licence = ctypes.create_string_buffer(FORBID, len(FORBID)), ctypes.create_string_buffer(b"GPL")
    try:
        load = struct.pack("<IIQQIIQII16sII", kind, 2, ctypes.addressof(code), ctypes.addressof(licence), 0, 0, 0, 0, 0,
                           b"", 0, attach)
        prog = _bpf(PROG_LOAD, load)
        fd = os.open(group, os.O_RDONLY | os.O_DIRECTORY)
        _bpf(PROG_ATTACH, struct.pack("<IIII", fd, prog, attach, 0))
        os.close(fd)
        os.close(prog)
    except OSError as e:
        group.rmdir()
        raise Unsupported(f"the kernel attaches no BPF program to a cgroup: {e.strerror}") from e
    return group
