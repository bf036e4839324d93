"""Machines of one room for a test: network namespaces on one bridge, each with its own host name, /etc/hosts,
resolv.conf, D-Bus and avahi-daemon as far as it is given them. TAP output. Runs under tests/net/run, whose
namespaces end everything that is started here."""
import os, pathlib, queue, re, socket, struct, subprocess, sys, tempfile, threading, time

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("BUILD", HERE.parent.parent / "build")).resolve()
TOOL = str(BUILD / "tests/fake/disco-tool")
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="false"/><allow receive_sender="*"/><allow own="*"/>
<allow user="*"/></policy></busconfig>
"""
AVAHI = "[server]\nuse-ipv4=yes\nuse-ipv6=yes\nratelimit-interval-usec=1000000\nratelimit-burst=1000\n[publish]\n[rlimits]\n"


def sh(*argv, **kw):
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60, **kw)


class Lines:
    """A running program and the lines it prints; wait() takes them in order."""

    def __init__(self, argv, name):
        self.p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, errors="replace")
        self.name, self.seen, self.lines = name, [], queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.p.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def wait(self, pattern, timeout=10):
        """The first line from here on that matches; None when it does not come in time."""
        end = time.monotonic() + timeout
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                return None
            if line is None:
                self.lines.put(None)
                return None
            self.seen.append(line)
            m = re.search(pattern, line)
            if m:
                return m

    def tell(self, text):
        self.p.stdin.write(text + "\n")
        self.p.stdin.flush()

    def stop(self, how="terminate"):
        if self.p.poll() is None:
            getattr(self.p, how)()
        self.p.wait(10)


class Machine:
    def __init__(self, room, name, number):
        self.room, self.name, self.number = room, name, number
        self.ip4, self.ip6 = f"10.66.0.{number}", f"fd66::{number}"
        self.ns, self.programs, self._dbus, self._avahi = f"n-{name}", [], None, None
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-"))
        for f, text in (("hosts", "127.0.0.1 localhost\n"), ("resolv.conf", "nameserver 10.66.0.99\n"), ("bus.conf", BUS),
                        ("avahi.conf", AVAHI)):
            (self.dir / f).write_text(text)
        sh("ip", "netns", "add", self.ns)
        self.exec_host("sysctl", "-q", "-w", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0")
        self.cable("e0", room.bridge)
        self.ip("addr", "add", f"{self.ip4}/24", "dev", "e0")
        self.ip("addr", "add", f"{self.ip6}/64", "dev", "e0", "nodad")
        self.ip("link", "set", "lo", "up")
        hold = (f"hostname {name}; mkdir -p /run/dbus /run/avahi-daemon; mount -t tmpfs tmpfs /run/dbus;"
                f"mount -t tmpfs tmpfs /run/avahi-daemon; for f in hosts resolv.conf; do mount --bind {self.dir}/$f /etc/$f;"
                "done; echo ready; exec sleep infinity")
        self.holder = subprocess.Popen(["ip", "netns", "exec", self.ns, "unshare", "--mount", "--uts", "sh", "-c", hold],
                                       stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "ready\n", f"{name} does not come up"

    def exec_host(self, *argv):
        return sh("ip", "netns", "exec", self.ns, *argv)

    def cable(self, dev, bridge):
        far = f"{dev}-{self.name}"[:15]
        sh("ip", "link", "add", far, "type", "veth", "peer", "name", dev, "netns", self.ns)
        sh("ip", "link", "set", far, "master", bridge, "up")
        self.ip("link", "set", dev, "up")

    def ip(self, *argv):
        return sh("ip", "-n", self.ns, *argv)

    def argv(self, *argv):
        return ["nsenter", "-t", str(self.holder.pid), "-m", "-u", "-n", *argv]

    def run(self, *argv):
        return subprocess.run(self.argv(*argv), capture_output=True, text=True, timeout=60)

    def start(self, *argv):
        lines = Lines(self.argv(*argv), f"{self.name}: {argv[0]}")
        self.programs.append(lines)
        return lines

    def tool(self, *argv):
        return self.start(TOOL, *argv)

    def own(self, *argv):
        p = self.run(TOOL, "own", *argv)
        return (p.stdout + p.stderr).strip()

    def file(self, name, text):
        """Writes in place: the file is bound over the one in /etc."""
        (self.dir / name).write_text(text)

    def dbus(self):
        self._dbus = self.start("dbus-daemon", f"--config-file={self.dir}/bus.conf", "--nofork", "--nopidfile",
                                "--print-address=1", "--nosyslog")
        assert self._dbus.wait("unix:path", 10), f"{self.name}: no D-Bus"
        return self

    def dbus_stop(self):
        self._dbus.stop("kill")
        self.run("rm", "-f", "/run/dbus/system_bus_socket")

    def avahi(self):
        self._avahi = self.start("avahi-daemon", "--no-drop-root", "--no-chroot", "-f", f"{self.dir}/avahi.conf")
        assert self._avahi.wait("Server startup complete", 15), f"{self.name}: no avahi: {self._avahi.seen}"
        return self

    def avahi_stop(self, how="terminate"):
        self._avahi.stop(how)
        self.run("rm", "-f", "/run/avahi-daemon/pid", "/run/avahi-daemon/socket")

    def dnsmasq(self, *options):
        p = self.start("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
                       "--log-facility=-", "--bind-interfaces", "--pid-file=", "--local=/lab.example/", *options)
        assert p.wait("started", 10), f"dnsmasq: {p.seen}"
        return p

    def dns_server(self, behaviour):
        """A name server that only ever does one thing: an rcode, or "silent"."""
        p = self.start(sys.executable, "-I", str(HERE / "machines.py"), "dns-server", behaviour)
        assert p.wait("READY", 10)
        return p

    def stop_programs(self):
        for p in self.programs:
            p.stop("kill")
        self.programs.clear()


class Room:
    def __init__(self):
        self.bridge, self.machines = self.add_bridge("br0"), {}

    def add_bridge(self, name):
        sh("ip", "link", "add", name, "type", "bridge", "mcast_snooping", "0")
        sh("ip", "link", "set", name, "up")
        return name

    def machine(self, name, number):
        self.machines[name] = Machine(self, name, number)
        return self.machines[name]


# --- TAP ---------------------------------------------------------------------------------------------

class Tap:
    def __init__(self):
        self.n = self.failed = 0

    def check(self, ok, what, *detail):
        self.n += 1
        self.failed += not ok
        print(f"{'ok' if ok else 'not ok'} {self.n} - {what}")
        for d in detail if not ok or os.environ.get("V") == "1" else ():
            for line in d.seen[-25:] if isinstance(d, Lines) else str(d).splitlines():
                print(f"#   {line}")
        sys.stdout.flush()
        return bool(ok)

    def done(self):
        print(f"1..{self.n}")
        return 1 if self.failed else 0


def run_cases(cases):
    """Each case is a function of Tap; one that breaks is a failure and does not keep the others from running."""
    tap = Tap()
    only = os.environ.get("ONLY", "")
    for case in cases:
        if only not in case.__name__:
            continue
        try:
            case(tap)
        except Exception as e:
            tap.check(False, f"{case.__name__} runs", repr(e), getattr(e, "stderr", "") or "")
    return tap.done()


def dns_server(behaviour):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", 53))
    print("READY", flush=True)
    rcode = {"SERVFAIL": 2, "REFUSED": 5}.get(behaviour)
    while True:
        q, peer = s.recvfrom(4096)
        if rcode is not None:
            s.sendto(q[:2] + struct.pack(">H", 0x8180 | rcode) + q[4:6] + bytes(6) + q[12:], peer)


if __name__ == "__main__" and sys.argv[1:2] == ["dns-server"]:
    dns_server(sys.argv[2])
