# SPDX-License-Identifier: Apache-2.0
"""A machine room in a box: guests that boot real systemd, on one bridge, held by one process.

    with Room(["head", "w1", "w2"], image, repo, logs) as room:
        room["head"].install("raycluster", "raycluster-engine")
        room["head"].enable("ray-head")

A guest is a container with its own pid, mount, network, uts, ipc and cgroup namespaces, booted from
an overlay on the base image. What the guest sees of a machine is real except for the kernel, which
is the host's, and resource control: cgroup controllers are not there.

Everything hangs on the leader (tests/room/leader). When it is gone the kernel has removed guests,
mounts and network; close() then only removes empty cgroup folders.
"""
import contextlib
import json
import os
import pathlib
import re
import secrets
import select
import shutil
import signal
import subprocess
import time

from timeline import Timeline

HERE = pathlib.Path(__file__).resolve().parent.parent
GATEWAY = "10.77.0.1"
DOMAIN = "room.example"
STATE = pathlib.Path("/run/raycluster-room")
GUEST_ENV = ["env", "-i", "-C", "/", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
             "LANG=C.UTF-8", "TERM=dumb", "DEBIAN_FRONTEND=noninteractive", "SYSTEMD_PAGER=",
             "HOME=/root"]


class Failed(AssertionError):
    """What a scenario expected did not happen; the text says what was awaited and what was seen."""


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


def message_ids(name):
    """The MESSAGE_IDs of this name in daemon/base/messages.h; WAITING are all that a worker waits with."""
    text = (HERE.parent.parent / "daemon/base/messages.h").read_text()
    pattern = r"WAIT_\w+|WORKER_WAITING" if name == "WAITING" else name
    ids = set(re.findall(rf'X\((?:{pattern}),\s*"([0-9a-f]{{32}})"', text))
    if not ids:
        raise KeyError(name)
    return ids


def stamp(entry):
    """When a journal entry was written, in seconds; all guests have the host's clock."""
    return int(entry["__REALTIME_TIMESTAMP"]) / 1e6


def wait_until(what, test, timeout, every=0.2):
    """Call test() until it is true; for facts that nothing announces. Returns what test() gave."""
    end = time.monotonic() + timeout
    while True:
        value = test()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {timeout} s")
        time.sleep(every)


def cgroup_mounts():
    """Mount points of every cgroup hierarchy, v1 and v2."""
    mounts = []
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        if right.split()[0] in ("cgroup", "cgroup2"):
            mounts.append(pathlib.Path(left.split()[4]))
    return mounts


def remove_cgroups(name, patience=0.0):
    """Remove a room's cgroup folders; the kernel takes a moment to bury the last processes."""
    end = time.monotonic() + patience
    while True:
        left = False
        for mount in cgroup_mounts():
            for path, _, _ in os.walk(mount / name, topdown=False):
                try:
                    os.rmdir(path)
                except OSError:
                    left = True
        if not left or time.monotonic() > end:
            return
        time.sleep(0.02)


def remove_stale():
    """Empty cgroup folders and run folders of rooms whose driver was killed."""
    for mount in cgroup_mounts():
        for path in mount.glob("raycluster-room-*"):
            if not os.path.exists(f"/proc/{path.name.split('-')[2]}"):
                remove_cgroups(path.name)
    for path in pathlib.Path("/run").glob("raycluster-room-*"):
        if not os.path.exists(f"/proc/{path.name.split('-')[2]}"):
            shutil.rmtree(path, ignore_errors=True)
    for path in STATE.glob("*"):
        if not os.path.exists(f"/proc/{path.read_text().strip()}"):
            path.unlink(missing_ok=True)


class Guest:
    """One machine. All paths and commands are inside the guest unless said."""

    def __init__(self, room, name, index):
        self.room, self.name = room, name
        self.address = f"10.77.0.{10 + index}"
        self.fqdn = f"{name}.{DOMAIN}"
        self.dir = room.dir / name            # as seen in the leader's mount namespace
        self.process = None                   # systemd-nspawn, below an nsenter
        self.init = 0                         # host pid of the guest's PID 1
        self.boots = 0

    def say(self, text):
        self.room.timeline.say(self.name, text)

    # Life -----------------------------------------------------------------------------------

    def prepare(self):
        """Mount the overlay and write what makes this machine itself."""
        d = self.dir
        self.room.inside(f"""
            mkdir -p {d}/up {d}/work {d}/root
            mount -t overlay -o lowerdir={self.room.image},upperdir={d}/up,workdir={d}/work \
                overlay {d}/root
            cd {d}/root
            echo {self.name} >etc/hostname
            printf '127.0.0.1\\tlocalhost\\n127.0.1.1\\t{self.fqdn} {self.name}\\n' >etc/hosts
            printf 'search {DOMAIN}\\nnameserver {GATEWAY}\\noptions timeout:2 attempts:2\\n' \
                >etc/resolv.conf
            : >etc/machine-id
            cat >etc/systemd/network/10-host0.network <<END
[Match]
Name=host0
[Network]
Address={self.address}/24
Gateway={GATEWAY}
LinkLocalAddressing=ipv6
IPv6AcceptRA=no
LLMNR=no
MulticastDNS=no
END
            """)

    def start(self):
        """Start booting; wait_running() waits for the end of it."""
        paths = []
        for mount in cgroup_mounts():
            path = mount / self.room.id / self.name
            path.mkdir(parents=True, exist_ok=True)
            if mount.name == "cpuset":        # v1: empty sets let nobody in
                for level in (path.parent, path):
                    for knob in ("cpuset.cpus", "cpuset.mems"):
                        value = (level.parent / knob).read_text()
                        (level / knob).write_text(value)
            paths.append(str(path / "cgroup.procs"))
        nspawn = ["systemd-nspawn", "-q", "-D", f"{self.dir}/root", "-M", self.name,
                  f"--hostname={self.name}", "--boot", "--register=no", "--keep-unit",
                  "--network-bridge=br0", "--resolv-conf=off", "--timezone=off",
                  "--link-journal=no", "--console=pipe", "--kill-signal=SIGRTMIN+3",
                  f"--bind-ro={self.room.repo.path}:/srv/repo", *self.room.nspawn_args]
        script = 'n=$1; shift; while [ $n -gt 0 ]; do echo 0 >"$1"; shift; n=$((n - 1)); done; ' \
                 'exec "$@"'
        console = open(self.room.logs / f"console-{self.name}.log", "ab")
        self.process = subprocess.Popen(
            [*self.room.enter(), "env", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1", "sh", "-c", script,
             "sh", str(len(paths)), *paths, *nspawn],
            stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True)
        console.close()
        self.boots += 1
        self.say("power on")

    def wait_running(self, timeout=60):
        end = time.monotonic() + timeout
        self.init = wait_until(f"{self.name}: PID 1", self.find_init, timeout)
        while True:
            left = max(1, int(end - time.monotonic()))
            r = self.run("systemctl is-system-running --wait", check=False, timeout=left,
                         quiet=True)
            state = r.out.strip()
            if state in ("running", "degraded"):
                break
            if time.monotonic() > end:
                raise Failed(f"{self.name}: boot ends in state '{state}' {r.err.strip()}")
            time.sleep(0.1)
        if state == "degraded":
            failed = self.run("systemctl --failed --no-legend --plain", quiet=True).out
            self.say(f"degraded: {failed}")
        self.run("mount -o remount,size=50% /dev/shm", quiet=True)
        if self.room.public:
            STATE.mkdir(exist_ok=True)
            (STATE / self.name).write_text(f"{self.init}\n")
        self.say(f"running ({state})")

    def find_init(self):
        if self.process.poll() is not None:
            raise Failed(f"{self.name}: did not boot, see {self.room.logs}/console-{self.name}.log")
        mark = f"/{self.room.id}/{self.name}/"
        for status in pathlib.Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                ns = re.search(r"^NSpid:\s+(.*)$", status.read_text(), re.M).group(1).split()
                if len(ns) >= 3 and ns[-1] == "1":
                    if mark in (status.parent / "cgroup").read_text():
                        return int(status.parent.name)
        return 0

    def boot(self, timeout=60):
        self.start()
        self.wait_running(timeout)

    def ended(self, timeout):
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name}: still up after {timeout} s") from None
        self.init = 0

    def power_off(self, timeout=120):
        """Orderly: as the power button does."""
        self.say("power off, orderly")
        os.kill(self.init, signal.SIGRTMIN + 4)
        self.ended(timeout)
        self.say("is off")

    def power_cut(self):
        """At once. The link goes with the machine, sooner than behind a real switch."""
        self.say("power cut")
        os.kill(self.init, signal.SIGKILL)
        self.ended(20)

    def reboot(self, pause=0.0, timeout=120):
        self.say("reboot")
        os.kill(self.init, signal.SIGRTMIN + 4)
        self.ended(timeout)
        time.sleep(pause)
        self.boot()

    def cut_link(self):
        """No frame comes through any more; the machine's own carrier stays, as behind a switch."""
        self.say("link cut")
        self.room.inside(f"bridge link set dev vb-{self.name} state 0")

    def restore_link(self):
        self.say("link restored")
        self.room.inside(f"bridge link set dev vb-{self.name} state 3")

    def pull_cable(self):
        """The machine sees it: no carrier, and networkd takes the address away."""
        self.say("network cable out")
        self.room.inside(f"ip link set vb-{self.name} down")

    def plug_cable(self):
        self.say("network cable in")
        self.room.inside(f"ip link set vb-{self.name} up")

    # Commands -------------------------------------------------------------------------------

    def enter(self, user=None):
        args = ["nsenter", "-t", str(self.init), "-m", "-u", "-i", "-n", "-p", "-C", "--",
                *GUEST_ENV]
        if user:
            args += [f"HOME=/home/{user}", f"USER={user}", "setpriv", f"--reuid={user}",
                     f"--regid={user}", "--init-groups"]
        return args

    def spawn(self, cmd, user=None, **kwargs):
        """Start a command and return its Popen; it dies with the guest."""
        argv = ["sh", "-c", cmd] if isinstance(cmd, str) else list(cmd)
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen([*self.enter(user), *argv], start_new_session=True, **kwargs)

    def run(self, cmd, check=True, timeout=60, user=None, stdin=None, quiet=False):
        """Run a shell line (or an argv) and return its Result. Not zero raises, unless told."""
        argv = ["sh", "-c", cmd] if isinstance(cmd, str) else list(cmd)
        bounded = ["timeout", "-k", "5", str(timeout), *argv]
        if not quiet:
            self.say("$ " + (cmd if isinstance(cmd, str) else " ".join(cmd)).strip())
        began = time.monotonic()
        p = subprocess.run([*self.enter(user), *bounded], input=stdin, capture_output=True,
                           text=True, errors="replace", timeout=timeout + 15,
                           start_new_session=True,
                           **({} if stdin is not None else {"stdin": subprocess.DEVNULL}))
        took = time.monotonic() - began
        if not quiet and (p.returncode or took > 1):
            self.say(f"  exit {p.returncode} after {took:.2f} s")
        if check and p.returncode:
            tail = (p.stdout + p.stderr)[-1500:]
            raise Failed(f"{self.name}: exit {p.returncode}: {cmd}\n{tail}")
        return Result(p.returncode, p.stdout, p.stderr)

    def out(self, cmd, **kwargs):
        return self.run(cmd, **kwargs).out.strip()

    def write(self, path, text, mode="0644", owner="root:root"):
        self.say(f"writes {path}")
        self.run(f"mkdir -p $(dirname {path}); cat >{path}.new && chmod {mode} {path}.new && "
                 f"chown {owner} {path}.new && mv {path}.new {path}", stdin=text, quiet=True)

    def read(self, path):
        return self.run(f"cat {path}", quiet=True).out

    def conf(self, text):
        """Set this machine's raycluster configuration, as an overlay of the shipped file."""
        self.write("/etc/raycluster.conf.d/50-room.conf", text)

    def add_user(self, name, *groups):
        self.run(f"useradd -m -s /bin/bash {'-G ' + ','.join(groups) if groups else ''} {name}")

    # Packages and units ---------------------------------------------------------------------

    def install(self, *packages, options=""):
        self.run("apt-get -q update", timeout=60)
        return self.run(f"apt-get -q -y {options} install {' '.join(packages)}", timeout=300)

    def enable(self, *units):
        self.run(f"systemctl enable --now {' '.join(units)}", timeout=120)

    def show(self, unit, prop):
        return self.out(f"systemctl show -p {prop} --value {unit}", quiet=True)

    def state(self, unit):
        return self.show(unit, "ActiveState")

    def wait_state(self, unit, state, timeout):
        wait_until(f"{self.name}: {unit} to be {state}", lambda: self.state(unit) == state, timeout)

    def main_pid(self, unit):
        return int(self.show(unit, "MainPID"))

    # Processes ------------------------------------------------------------------------------

    def pids(self, pattern):
        """Pids, as the guest counts them, whose command line matches; ours that ask are not meant."""
        found = []
        for line in self.run(["ps", "-eo", "pid,args", "--no-headers", "-ww"],
                             quiet=True).out.splitlines():
            pid, _, args = line.strip().partition(" ")
            if re.search(pattern, args) and not args.startswith(("timeout ", "ps ")):
                found.append(int(pid))
        return found

    def pid(self, pattern):
        pids = self.pids(pattern)
        if len(pids) != 1:
            raise Failed(f"{self.name}: {len(pids)} processes match {pattern}, expected one")
        return pids[0]

    def kill(self, pid, sig="KILL"):
        name = self.run(["cat", f"/proc/{pid}/comm"], check=False, quiet=True).out.strip()
        self.say(f"SIG{sig} to {name} ({pid})")
        self.run(["kill", f"-{sig}", str(pid)], quiet=True)

    # Journal --------------------------------------------------------------------------------

    def cursor(self):
        """A place in the journal: everything after it is new."""
        r = self.run("journalctl --sync; journalctl -n 0 --show-cursor -q", quiet=True)
        return r.out.split("-- cursor: ")[1].strip()

    def journal(self, after=None, unit=None, output="short-precise", lines=None):
        args = ["journalctl", "--no-pager", "-q", "-o", output]
        args += ["--after-cursor", after] if after else []
        args += ["-u", unit] if unit else []
        args += ["-n", str(lines)] if lines else []
        return self.run(args, check=False, quiet=True).out

    def wait_journal(self, pattern, after, timeout=30, unit=None, message_ids=None):
        """Wait for a journal entry newer than the cursor `after` whose text matches; returns it.

        With message_ids only entries of these MESSAGE_IDs count (hex, no dashes).
        """
        # No match on the command line: with one, --after-cursor of systemd 252 skips the first
        # entry that matches, even when it is not the cursor's.
        args = ["journalctl", "-f", "--no-tail", "-q", "-a", "-o", "json", "--after-cursor", after]
        wanted = re.compile(pattern)
        end = time.monotonic() + timeout
        p = self.spawn(args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        seen, rest = [], b""
        try:
            while True:
                left = end - time.monotonic()
                ready = left > 0 and select.select([p.stdout], [], [], left)[0]
                chunk = os.read(p.stdout.fileno(), 1 << 16) if ready else b""
                if not chunk:
                    last = "\n    ".join(seen[-8:])
                    raise Failed(f"{self.name}: no journal entry like '{pattern}' in {timeout} s; "
                                 f"seen:\n    {last}")
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    entry = json.loads(line)
                    if message_ids and entry.get("MESSAGE_ID") not in message_ids:
                        continue
                    if unit and unit not in (entry.get("_SYSTEMD_UNIT"), entry.get("UNIT")):
                        continue
                    text = entry.get("MESSAGE")
                    if isinstance(text, list):
                        text = bytes(text).decode(errors="replace")
                    seen.append(f"{entry.get('SYSLOG_IDENTIFIER')}: {text}")
                    if wanted.search(text or ""):
                        self.say(f"journal: {text}")
                        return entry
        finally:
            for child in children(p.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            p.kill()
            p.wait()
            p.stdout.close()

    def wait_message(self, name, after, timeout=30, pattern="", unit=None):
        """Wait for an entry with the MESSAGE_ID of this name in daemon/base/messages.h."""
        try:
            return self.wait_journal(pattern, after, timeout, unit, message_ids(name))
        except Failed as e:
            last = "\n    ".join(self.journal(after, lines=15).split("\n"))
            raise Failed(f"{self.name}: no {name} in {timeout} s ({e})\n  journal:\n    "
                         f"{last}") from None

    def count_messages(self, name, after):
        """How many entries with this MESSAGE_ID came after the cursor."""
        out = self.journal(after, output="json")
        return sum(json.loads(line).get("MESSAGE_ID") in message_ids(name)
                   for line in out.splitlines())

    # raycluster's own interface ---------------------------------------------------------------

    def role(self):
        return "Head" if self.state("ray-head.service") == "active" else "Worker"

    def prop(self, name):
        """A D-Bus property of the daemon that runs here."""
        role = self.role()
        r = self.run(["busctl", "--json=short", "get-property", f"org.raycluster1.{role}",
                      f"/org/raycluster1/{role}", f"org.raycluster1.{role}", name],
                     check=False, quiet=True)
        return json.loads(r.out)["data"] if r.code == 0 else None

    def nodes(self):
        """The cluster's nodes as this machine's daemon hears them from the GCS."""
        role = self.role()
        r = self.run(["busctl", "--json=short", "call", f"org.raycluster1.{role}",
                      f"/org/raycluster1/{role}", f"org.raycluster1.{role}", "GetNodes"],
                     check=False, quiet=True)
        if r.code:
            return []
        keys = ("id", "hostname", "address", "state", "group", "is_head", "idle_ms", "started_ms",
                "resources", "why_dead")
        return [dict(zip(keys, n)) for n in json.loads(r.out)["data"][1]]

    def wait_prop(self, name, test, timeout=30, what=""):
        """Wait until test(value) of a property is true; returns the value."""
        seen = []

        def probe():
            seen.append(self.prop(name))
            return seen[-1] is not None and test(seen[-1]) and [seen[-1]]
        try:
            return wait_until(what or name, probe, timeout, 0.1)[0]
        except Failed as e:
            raise Failed(f"{self.name}: {e}; it is {seen[-1]!r}, reason: "
                         f"{self.prop('Reason')!r}") from None

    def save_journal(self):
        """Put the journal of the units that matter beside the timeline; for after a failure."""
        path = self.room.logs / f"journal-{self.name}.log"
        args = "journalctl --no-pager -q -o short-precise"
        if self.init and self.process.poll() is None:
            with contextlib.suppress(Exception):
                path.write_text(self.run(args, check=False, quiet=True, timeout=30).out)
        else:
            r = self.room.inside(f"{args} --root={self.dir}/root", check=False)
            path.write_text(r.stdout)
        return path


def children(pid):
    """Host pids of a process's children."""
    with contextlib.suppress(OSError):
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(p) for p in text.split()]
    return []


class Room:
    """Guests, bridge, name server. A context manager; leaving it removes everything."""

    def __init__(self, names, image, repo, logs, echo=False, nspawn_args=(),
                 public=False):
        self.public = public                  # tests/room/shell finds its guests
        self.id = f"raycluster-room-{os.getpid()}-{secrets.token_hex(2)}"
        self.image, self.repo = image, repo
        self.logs = pathlib.Path(logs)
        self.logs.mkdir(parents=True, exist_ok=True)
        self.timeline = Timeline(self.logs / "timeline.log", echo)
        self.nspawn_args = list(nspawn_args)
        self.dir = pathlib.Path("/run") / self.id
        self.guests = {name: Guest(self, name, i) for i, name in enumerate(names)}
        self.holder = None                    # setpriv -> unshare, whose child is the leader
        self.leader = 0
        self.dns_server = None

    def __getitem__(self, name):
        return self.guests[name]

    def __enter__(self):
        remove_stale()
        try:
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc):
        self.close()

    def open(self):
        self.dir.mkdir(mode=0o755)
        self.holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "-m", "-p", "-n", "--fork",
             "--kill-child=SIGKILL", "--mount-proc", str(HERE / "leader"), str(self.dir)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        if self.holder.stdout.readline() != b"ready\n":
            raise Failed("the room's leader did not start; is this root, with namespaces allowed?")
        self.leader = children(self.holder.pid)[0]
        self.dns()
        for guest in self.guests.values():
            guest.prepare()
            guest.start()
        for guest in self.guests.values():
            guest.wait_running()

    def close(self):
        """May be called at any time and twice."""
        if self.holder:
            if self.leader:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.leader, signal.SIGKILL)
            self.holder.kill()
            self.holder.wait()
            self.holder.stdin.close()
            self.holder.stdout.close()
            self.holder = None
            self.timeline.say("room", "closed")
        for p in [g.process for g in self.guests.values()] + [self.dns_server]:
            if p:
                p.wait()
        for g in self.guests.values() if self.public else ():
            (STATE / g.name).unlink(missing_ok=True)
        remove_cgroups(self.id, patience=10)
        shutil.rmtree(self.dir, ignore_errors=True)
        with contextlib.suppress(OSError):
            STATE.rmdir()

    def enter(self):
        return ["nsenter", "-t", str(self.leader), "-m", "-n", "-p", "--"]

    def inside(self, script, check=True, timeout=60):
        """Run a shell script among the guests: on the bridge, beside the overlays."""
        p = subprocess.run([*self.enter(), "sh", "-ec", script], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=timeout)
        if check and p.returncode:
            raise Failed(f"in the room: exit {p.returncode}: {script.strip()}\n{p.stderr}")
        return p

    def dns(self, *options):
        """(Re)start the name server with these dnsmasq options; without any it knows nothing."""
        if self.dns_server:
            for child in children(self.dns_server.pid):
                os.kill(child, signal.SIGKILL)
            self.dns_server.wait()
        conf = ["no-resolv", "no-hosts", "bind-interfaces", f"listen-address={GATEWAY}",
                "cache-size=0", "user=root", f"local=/{DOMAIN}/", "log-queries",
                f"log-facility={self.logs}/dns.log", "pid-file=", "local-ttl=1", *options]
        path = self.logs / "dnsmasq.conf"
        path.write_text("\n".join(conf) + "\n")
        if options:
            self.timeline.say("dns", " ".join(options))
        self.dns_server = subprocess.Popen(
            [*self.enter(), "dnsmasq", "-k", "-C", str(path)], stdin=subprocess.DEVNULL,
            start_new_session=True)
        wait_until("name server", lambda: self.inside(
            f"ss -Hlun 'src {GATEWAY}:53'", check=False).stdout or self.dns_server.poll(), 5, 0.05)
        if self.dns_server.poll() is not None:
            raise Failed(f"the name server refuses {path}")

    def all(self, call):
        """Do call(guest) on all guests at once; raises the first error when all have ended."""
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(len(self.guests)) as pool:
            jobs = [pool.submit(call, g) for g in self.guests.values()]
        return [j.result() for j in jobs]

    def save_journals(self):
        return [g.save_journal() for g in self.guests.values()]
