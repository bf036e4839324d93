#!/usr/bin/env python3
"""Ray's TLS from nothing: both daemons on two machines, real Ray under the real supervisor, auth.tls set on the head
alone. A worker joins with a token, gets its certificate over the control port, and its node comes up in TLS.
RAY=/path/to/ray, else the engine's package out of the cache."""
import glob, json, os, pathlib, subprocess, sys, tempfile, time

from machines import BUILD, Room, Tap

CACHE = os.environ.get("RAYCLUSTER_CACHE", "/var/cache/raycluster-tests")
FAKE = BUILD / "tests/fake/fake-systemd"
CALL = str(BUILD / "tests/fake/gcs-call")
# seconds for Ray to come up on a busy machine; the fake systemd calls it ready at once, so that a daemon may think that it
# has to be repaired, and start it again, when it takes longer than 20
LIMIT = 180
TEMP = "/mnt"  # a short path, one for both as the head's settings hold for all, and mounted on each machine
NAMES = {"head": "ray-headd", "worker": "ray-workerd"}


def find_venv(scratch):
    """The folder of Ray; (None, why) when there is none."""
    if ray := os.environ.get("RAY"):
        return pathlib.Path(ray).resolve().parent.parent, ""
    debs = sorted(glob.glob(f"{CACHE}/engine/2.60.*/raycluster-engine-2.60_*.deb"), key=os.path.getmtime)
    if not debs:
        return None, f"no RAY= given and no engine built in {CACHE}"
    subprocess.run(["dpkg-deb", "-x", debs[-1], scratch / "e"], check=True)
    venv = pathlib.Path(glob.glob(f"{scratch}/e/usr/lib/raycluster-engine/*")[0])
    ray = venv / "bin/ray"  # its first line is for where the package lies
    ray.write_text(f"#!{venv}/bin/python\n" + ray.read_text().split("\n", 1)[1])
    return venv, ""


class Node:
    def __init__(self, room, role, number, venv, more):
        self.m, self.role = room.machine(role, number).dbus(), role
        self.state, self.run_dir, self.ray = (self.m.dir / d for d in ("state", "run", "ray"))
        for d in (self.state, self.run_dir, self.ray, self.ray / "home", self.ray / "gcs"):
            d.mkdir()
        self.m.file("machine-id", f"{number:032x}\n")
        self.m.file("conf", f'cluster: {{ name = "lab1"; head = "10.66.0.1"; }};\nnode: {{ address = "{self.m.ip4}"; }};\n'
                            f'engine: {{ venv = "{venv}"; temp_dir = "{TEMP}"; }};\n{more}\n')
        self.must("mount", "--bind", f"{self.m.dir}/machine-id", "/etc/machine-id")
        self.must("mount", "-t", "tmpfs", "tmpfs", TEMP)
        unit = [f"ray-engine@{role}.service", f"ray-{role}.service"]
        self.systemd = self.start(self.ray, FAKE, *unit, BUILD / "bin/ray-engine",
                                  f"--args={self.run_dir}/engine-{role}.args", role)
        assert self.systemd.wait("ready"), self.systemd.seen
        self.daemon = self.start(self.state, BUILD / "bin" / NAMES[role], "--config", self.m.dir / "conf", "--log-target=stderr")

    def must(self, *argv):
        p = self.m.run(*map(str, argv))
        assert p.returncode == 0, p.stderr
        return p.stdout

    def start(self, state, *argv):
        return self.m.start("env", f"STATE_DIRECTORY={state}", f"RAYCLUSTER_RUN_DIR={self.run_dir}", *map(str, argv))

    def call(self, interface, method, *args):
        name = self.role.capitalize()
        return json.loads(self.must("busctl", "--json=short", "call", f"org.raycluster1.{name}", f"/org/raycluster1/{name}",
                                    f"org.raycluster1.{interface}", method, *args) or "null")

    def get(self, name):
        role = self.role.capitalize()
        p = self.m.run("busctl", "--json=short", "get-property", f"org.raycluster1.{role}", f"/org/raycluster1/{role}",
                       f"org.raycluster1.{role}", name)
        return json.loads(p.stdout)["data"] if p.returncode == 0 else ""

    def wait(self, name, begins):
        """False also when the daemon ends."""
        end = time.monotonic() + LIMIT
        while not self.get(name).startswith(begins):
            if time.monotonic() > end or self.daemon.p.poll() is not None:
                for lines in (self.daemon, self.systemd):
                    lines.wait("\0", 1)  # takes what they said
                return False
            time.sleep(0.3)  # each look is a call of D-Bus
        return True

    def gcs(self, *argv, tls=True):
        files = [f"--{f}={self.run_dir}/ray-tls/{f}.pem" for f in ("ca", "cert", "key")] if tls else []
        token = (self.run_dir / "ray-token").read_text().strip()
        p = self.m.run(CALL, *(w for f in files for w in f.split("=", 1)), "--token", token, *argv)
        return (p.stdout + p.stderr).strip()


def run(tap, venv):
    room = Room()
    head = Node(room, "head", 1, venv, 'auth: { tls = "on"; };')
    if not tap.check(head.wait("State", "serving"), "the head serves", head.get("Reason"), head.daemon, head.systemd):
        return
    worker = Node(room, "worker", 2, venv, "")
    worker.wait("Membership", "no member")
    tap.check(worker.get("State") != "joined", "who is no member does not get in", worker.get("Reason"))
    token = head.call("Members", "CreateToken", "utsss", "1", "0", "", "", "")["data"][1]
    worker.call("Membership", "Join", "sas", token, "1", "10.66.0.1:6388")
    tap.check(worker.wait("State", "joined"), "a member has its certificate, and its node comes up", worker.get("Reason"),
              worker.daemon, worker.systemd)
    nodes = worker.gcs("10.66.0.1:6379", "nodes")
    tap.check(nodes.endswith(" alive 2"), "both nodes are alive, by TLS", nodes)
    tap.check(head.gcs("10.66.0.2:6380", "health") == "ok", "the worker's raylet answers the head by TLS",
              head.gcs("10.66.0.2:6380", "health"))
    clear = worker.gcs("10.66.0.1:6379", "alive", tls=False)
    tap.check("may want TLS" in clear, "nothing is said in clear", clear)


def main():
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="tj"))
    venv, why = find_venv(scratch)
    if not venv:
        print(f"1..0 # SKIP {why}")
        return 0
    tap = Tap()
    run(tap, venv)
    return tap.done()


sys.exit(main())
