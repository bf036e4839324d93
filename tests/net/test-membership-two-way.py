#!/usr/bin/env python3
"""Both daemons on two machines with a router between them: a worker that joins, and what the head makes of the way back
before Ray starts; what a member may have the head connect to; ray-probe of any user there."""
import atexit, json, os, pathlib, re, shutil, subprocess, sys, tempfile, time

from lab import BUILD, HERE, NOBODY, Lab, clock_ahead, each, program, same

TOP = HERE.parent.parent
ENGINES = pathlib.Path("/usr/lib/raycluster-engine")
HEAD, WORKER, FAR = "10.77.2.2", "10.77.1.2", "10.77.2.9"
PATIENCE = 15
BUS = """<busconfig><type>system</type><listen>{listen}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><deny own="*"/><deny send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/>
<allow receive_type="signal"/><allow send_destination="org.freedesktop.DBus"/></policy>
<policy user="root"><allow own="*"/><allow send_destination="*"/></policy>
<include>{policy}</include></busconfig>"""


class Machine:
    """A daemon with a bus, a systemd and, on the head, a GCS that its engine unit runs."""

    def __init__(self, lab, role, venv=True, **more):
        self.lab, self.who, self.role = lab, role.lower(), role
        # Ray's sockets must fit below it, whether there are any or not
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="rc-", dir="/tmp"))
        atexit.register(shutil.rmtree, self.dir, True)
        self.dir.chmod(0o755)
        self.bus = f"unix:path={self.dir}/bus"
        self.env = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.bus, RAYCLUSTER_RUN_DIR=str(self.dir),
                        STATE_DIRECTORY=str(self.dir))
        (self.dir / "venv/bin").mkdir(parents=True)
        (self.dir / "venv/bin/ray").write_text("")
        (self.dir / "venv/bin/ray").chmod(0o755)
        (self.dir / "conf").write_text(f'cluster: {{ name = "lab1"; head = "{HEAD}"; }};\nauth: {{ mode = "auto"; }};\n'
                                       f'engine: {{ {f"""venv = "{self.dir}/venv";""" if venv else ""} temp_dir = "{self.dir}"; }};\n')
        (self.dir / "gcs").write_text("# nothing\n")
        (self.dir / "bus.conf").write_text(BUS.format(listen=self.bus, policy=TOP / "units/dbus/org.raycluster1.conf"))
        self.start("dbus-daemon", "--nofork", "--nopidfile", "--print-address=1", f"--config-file={self.dir}/bus.conf")
        engine = [BUILD / "tests/fake/fake-gcs", "--port", "6379", "--address", HEAD, "--control", self.dir / "gcs", "--node",
                  f"id=01,hostname=h,address={HEAD},head=1"] if role == "Head" else []
        self.start(BUILD / "tests/fake/fake-systemd", f"ray-engine@{self.who}.service", f"ray-{self.who}.service", *engine)
        self.log = self.dir / "log"
        lab.start(self.who, BUILD / f"bin/ray-{self.who}d", "--config", self.dir / "conf", "--log-target=stderr", env=dict(self.env, **more),
                  stdout=subprocess.DEVNULL, stderr=open(self.log, "w"))

    def start(self, *argv):
        p = self.lab.start(self.who, *map(str, argv), env=self.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if not p.stdout.readline():
            raise RuntimeError(f"{argv[0]} did not start")

    def run(self, *argv, check=True):
        return subprocess.run(["ip", "netns", "exec", self.lab.ns[self.who], *map(str, argv)], env=self.env, check=check,
                              capture_output=True, text=True, timeout=60)

    def busctl(self, *argv, check=True):
        return self.run("busctl", f"--address={self.bus}", *argv, check=check)

    def get(self, name):
        p = self.busctl("--json=short", "get-property", f"org.raycluster1.{self.role}", f"/org/raycluster1/{self.role}",
                        f"org.raycluster1.{self.role}", name, check=False)
        return json.loads(p.stdout)["data"] if p.returncode == 0 else ""

    def starts(self):
        """Of the engine unit, so far."""
        return int(self.busctl("call", "org.freedesktop.systemd1", "/", "org.raycluster1.Fake", "Count").stdout.split()[1])

    def wait(self, what, test, patience=PATIENCE):
        end = time.monotonic() + patience
        while not test():
            if time.monotonic() > end:
                raise AssertionError(f"{what}; the daemon said:\n{self.log.read_text()}")
            time.sleep(0.05)


class Room:
    def __init__(self, lab, **worker):
        self.head = Machine(lab, "Head")
        self.head.wait("the GCS does not serve", lambda: self.head.starts() == 1)
        self.head.wait("the control port is not open", lambda: "no members" in self.head.get("Membership"))
        # from now on nobody is let in who has not Ray's token, as a member has it
        self.token = self.head.run(program("raycluster"), "ray-token").stdout.strip()
        (self.head.dir / "gcs").write_text(f"token {self.token}\n")
        self.worker = Machine(lab, "Worker", **worker)
        self.worker.wait("no daemon", lambda: self.worker.get("State"))

    def join(self):
        """What `raycluster join` prints."""
        out = self.head.run(program("raycluster"), "token", "create").stdout
        token = re.search(r"rc1-\S+", out)[0].rstrip("'")
        p = self.worker.run(program("raycluster"), "join", "--head", HEAD, token, check=False)
        assert p.returncode == 0, p.stdout + p.stderr
        return p.stdout + p.stderr


def ask(machine, data):
    """Ask over D-Bus, as bytes; the answer's fields of wire/reflect.proto."""
    import reflect
    p = machine.busctl("--json=short", "call", "org.raycluster1.Worker", "/org/raycluster1/Worker", "org.raycluster1.Reflector",
                       "Ask", "ay", len(data), *data)
    return reflect.fields(bytes(json.loads(p.stdout)["data"][0]))


def request(addr, port):
    """BACK without nonce."""
    import socket
    from reflect import field
    back = field(10, field(1, port))
    return field(1, 3) + field(2, 1) + (field(5, field(1, socket.inet_aton(addr))) if addr else b"") + back


# --- cases


def both_ways(lab):
    room = Room(lab)
    said = room.join()
    assert "can connect to this machine" in said and "Ray starts by itself" in said, said
    room.worker.wait("Ray is not started", lambda: room.worker.starts() == 1)
    assert "asked for a two-way test; connected back:" in room.head.log.read_text()

    # nobody's ray-probe asks the head by the daemon; the head has to be left alone for ten seconds first
    def probe():
        p = room.worker.run("env", "RAY_AUTH_MODE=token", f"RAY_AUTH_TOKEN={room.token}", *NOBODY, program(), "--json", HEAD, check=False)
        return json.loads(p.stdout)
    report = probe()
    assert "reflector=yes" in report["facts"] and f"observed={WORKER}" in report["facts"], report
    assert "asked too soon" in report["because"], report["because"]
    same(report["verdict"], "OK")
    room.worker.wait("the head does not connect back", lambda: "can connect to this machine" in probe()["sentence"], 30)


def blocked_ports(lab):
    """A firewall on the worker; when it is opened, Ray starts."""
    room = Room(lab)
    lab.nft("worker", "input", "ct state established,related accept", "iifname w0 drop", name="wall")
    said = room.join()
    assert "Ray is not started" in said and "Try:" in said, said
    same(room.worker.get("Verdict"), "REVERSE_BLOCKED")
    same(room.worker.get("State"), "blocked")
    assert room.worker.get("Remedy")
    room.worker.wait("nothing in the journal", lambda: "blocked: " in room.worker.log.read_text())
    same(room.worker.starts(), 0)
    lab.run("worker", "nft", "delete", "table", "inet", "wall")
    room.worker.wait("not tested again", lambda: room.worker.starts() == 1, 40)


def no_way_back(lab):
    """Address translation, and no route to what is behind it."""
    room = Room(lab)
    lab.ip("head", "route del default")
    lab.nft_text("router", "table ip nat { chain p { type nat hook postrouting priority 100;\noifname r1 masquerade\n}\n}\n")
    said = room.join()
    assert "Ray is not started" in said, said
    same(room.worker.get("Verdict"), "NAT_NO_WAY_BACK")
    same(room.worker.starts(), 0)


def other_machine(lab):
    """Another machine answers at the worker's address."""
    room = Room(lab)
    lab.serve("router", "ssh", "7000")
    lab.nft_text("router", "table ip nat { chain p { type nat hook prerouting priority -100;\n"
                 "iifname r1 tcp dport { 6380-6387, 10002-19999 } redirect to :7000\n}\n}\n")
    said = room.join()
    assert "Ray is not started" in said, said
    same(room.worker.get("Verdict"), "WRONG_PEER")
    same(room.worker.starts(), 0)


def engines():
    """A folder of our own in the place where engines are, in this test's mount namespace."""
    if not ENGINES.is_dir():
        layer = pathlib.Path(tempfile.mkdtemp())
        atexit.register(shutil.rmtree, layer, True)
        layer.chmod(0o755)
        (layer / ENGINES.name).mkdir()
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={layer}:{ENGINES.parent}", ENGINES.parent], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", ENGINES], check=True)


def install(version):
    """By name alone, and at once, as a package manager does it."""
    new = ENGINES / f".{version}"
    (new / "bin").mkdir(parents=True)
    (new / "bin/ray").touch()
    (new / "lib/python3.11").mkdir(parents=True)
    new.rename(ENGINES / version)


def another_ray(lab):
    """The way is fine, and this machine has not the head's Ray; when it has, Ray starts."""
    engines()
    install("2.59.0")
    room = Room(lab, venv=False)
    said = room.join()
    assert "the head runs Ray 2.60.0, this machine has Ray 2.59.0" in said, said
    assert "Ray is not started" in said and "apt install raycluster-engine-2.60" in said, said
    same(room.worker.get("Verdict"), "VERSION_MISMATCH")
    same(room.worker.get("State"), "blocked")
    same(room.worker.starts(), 0)
    install("2.60.0")
    room.worker.wait("not tested again", lambda: room.worker.starts() == 1, 40)


def another_time(lab):
    """The worker's clock is three minutes ahead: certificates do, and Ray is not started."""
    room = Room(lab, LD_PRELOAD=clock_ahead(), CLOCK_AHEAD_MS="180000", ASAN_OPTIONS="verify_asan_link_order=0")
    said = room.join()
    assert f"the clock of this machine is 3min ahead of that of head {HEAD}" in said, said
    assert "Ray is not started" in said and "Try:" in said, said
    same(room.worker.get("Verdict"), "CLOCK_SKEW")
    same(room.worker.starts(), 0)


def foreign(lab):
    """A member that wants the head to look at others, and at ports that are none of Ray's."""
    room = Room(lab)
    room.join()
    room.worker.wait("Ray is not started", lambda: room.worker.starts() == 1)
    lab.ip("head", f"neigh add {FAR} lladdr 02:00:00:00:00:99 dev h0 nud permanent")
    lab.nft_text("head", "table inet spy { chain c { type filter hook output priority -500;\n"
                 f"ip daddr {FAR} counter\nip daddr {WORKER} tcp dport {{ 22, 6379 }} counter\n}}\n}}\n")

    def sent():
        text = lab.run("head", "nft", "list", "table", "inet", "spy").stdout
        return [int(n) for n in re.findall(r"packets (\d+)", text)]
    lines = lambda: room.head.log.read_text().count("that was not done")
    before = lines()
    same(ask(room.worker, request(None, 22))[1], [3], "FORBIDDEN")
    room.head.wait("the port is not told of", lambda: "port 22 is no port of the plan" in room.head.log.read_text())
    ask(room.worker, request(FAR, 10002))
    room.head.wait("the address is not told of", lambda: f"{FAR} is not in the certificate" in room.head.log.read_text())
    same(lines() - before, 2)
    time.sleep(3)  # as long as a test lasts: that nothing is sent cannot be waited for
    same(sent(), [0, 0])
    assert "is here" in room.head.get("Membership")


CASES = [both_ways, blocked_ports, no_way_back, other_machine, another_ray, another_time, foreign]

if __name__ == "__main__":
    sys.exit(each((c.__name__, c) for c in CASES))
