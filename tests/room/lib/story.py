# SPDX-License-Identifier: Apache-2.0
"""Steps that the main story and the scenarios share: what a person would type, and real jobs."""
import json
import os
import re
import select
import shlex
import subprocess
import time

from image import SOURCE
from room import Failed, wait_until

CLUSTER_TIMEOUT = 120
RAY_TOKEN = "/run/raycluster/ray-token"
# For curl, by root: the Jobs API asks for Ray's token.
BEARER = f'-H "Authorization: Bearer $(cat {RAY_TOKEN})"'
RAYLET = r"^\S*/raylet/raylet "
GCS_SERVER = r"^\S*/gcs/gcs_server "
DASHBOARD_AGENT = r"^(ray::DashboardAgent|\S*python\S* \S*dashboard/agent\.py)"

NAMES_JOB = '''\
"""Prints the name of every machine of the cluster, each said by a task that ran there."""
import socket

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On

ray.init()


@ray.remote(num_cpus=0)
def name():
    return socket.gethostname()


nodes = [n["NodeID"] for n in ray.nodes() if n["Alive"]]
there = [name.options(scheduling_strategy=On(node, soft=False)).remote() for node in nodes]
for line in sorted(ray.get(there, timeout=120)):
    print("this task ran on", line)
'''


def use_repository(guest):
    guest.write("/etc/apt/sources.list.d/room.sources", SOURCE)


def install(guest):
    use_repository(guest)
    guest.install("raycluster", "raycluster-engine")


def install_all(room):
    room.all(install)


def wait_cluster(room, workers, timeout=CLUSTER_TIMEOUT, on="head"):
    return room[on].run(f"raycluster wait --workers {workers} --timeout {timeout}",
                        timeout=timeout + 15)


def join(room, workers, head="head", options=""):
    """Each of these guests becomes a member; the head's and their daemons run."""
    token = room[head].run(f"raycluster token create --uses {len(workers)}", quiet=True).out
    for guest in workers:
        guest.run(f"raycluster join {options} -", stdin=token, timeout=100)


def start_cluster(room, head="head", timeout=CLUSTER_TIMEOUT, options=""):
    """Head on one machine, worker on all others, joined, and wait for Ray on all of them."""
    room[head].enable("ray-head")
    workers = [g for g in room.guests.values() if g.name != head]
    for guest in workers:
        guest.enable("ray-worker")
    join(room, workers, head, options)
    wait_cluster(room, len(workers), timeout, on=head)


def leave(guest):
    """It is no member any more, the head was told, and its daemon runs."""
    guest.run("systemctl start ray-worker")
    guest.wait_prop("Membership", lambda v: v.startswith("member, connected"), 30)
    guest.run("raycluster leave", timeout=60)


def enrol(room, head="head"):
    """All others become members of the head's cluster; then every daemon is off, as before."""
    workers = [g for g in room.guests.values() if g.name != head]
    room[head].run("systemctl start ray-head")
    wait_cluster(room, 0, on=head)
    for guest in workers:
        guest.run("systemctl start ray-worker")
    join(room, workers, head)
    for guest in workers:
        guest.run("systemctl stop ray-worker; rm -f /var/lib/raycluster/last-known-head", timeout=120)
    room[head].run("systemctl stop ray-head", timeout=120)


def status(guest):
    """`raycluster status --json` as a dict."""
    return json.loads(guest.run("raycluster status --json", check=False, quiet=True).out)


def engine_unit(guest):
    return f"ray-engine@{guest.role().lower()}.service"


def alive(room, on="head"):
    """Host names of the nodes that are ALIVE, one entry a node: a name twice is a doubled node."""
    return sorted(n["hostname"] for n in room[on].nodes() if n["state"] in ("alive", "ALIVE"))


def wait_alive(room, names, timeout, on="head"):
    """Wait until exactly these machines are ALIVE, each once."""
    want = sorted(names)
    seen = []

    def probe():
        seen.append(alive(room, on))
        return seen[-1] == want
    try:
        wait_until("nodes", probe, timeout)
    except Failed:
        raise Failed(f"ALIVE after {timeout} s: {seen[-1]}, expected {want}") from None


def raylet(guest):
    return guest.pid(RAYLET)


def gcs_server(guest):
    return guest.pid(GCS_SERVER)


class Pids:
    """The processes of Ray on a machine, to see later that they are still the same."""

    def __init__(self, guest):
        self.guest = guest
        self.unit = engine_unit(guest)
        self.now = self.read()

    def read(self):
        found = {"supervisor": [self.guest.main_pid(self.unit)],
                 "raylet": self.guest.pids(RAYLET)}
        if self.unit.startswith("ray-engine@head"):
            found["gcs_server"] = self.guest.pids(GCS_SERVER)
        return found

    def expect_same(self, after):
        now = self.read()
        expect(now == self.now, f"{self.guest.name}: after {after} Ray's processes are {now}, "
                                f"they were {self.now}")


# A task on the node whose id argv gives runs until a line comes on stdin; then its result is shown.
LONG_TASK = '''\
import asyncio
import os
import sys

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On

ray.init(log_to_driver=False)
there = On(sys.argv[1], soft=False)


@ray.remote(num_cpus=0, max_restarts=0)
class Gate:
    def __init__(self):
        self.event, self.there = asyncio.Event(), asyncio.Event()

    async def passed(self):
        self.there.set()
        await self.event.wait()

    async def waiting(self):
        await self.there.wait()

    async def open(self):
        self.event.set()


@ray.remote(num_cpus=0, max_retries=0)
def task(gate):
    ray.get(gate.passed.remote())
    return os.getpid()


gate = Gate.options(scheduling_strategy=there).remote()
result = task.options(scheduling_strategy=there).remote(gate)
ray.get(gate.waiting.remote(), timeout=60)
print("RUNNING", flush=True)
sys.stdin.readline()
while True:
    try:
        ray.get(gate.open.remote(), timeout=60)
        break
    except ray.exceptions.ActorUnavailableError:
        pass       # Ray's word for "the connection broke, ask again"
print("RESULT", ray.get(result, timeout=60), flush=True)
'''


def node_of(room, name, on="head"):
    """Ray's id of the raylet that runs on the machine, once the node table that `on` shows has it.

    After a fault the table still has the old node as alive, and a cached table has only that one.
    """
    def alive():
        found = re.search(r"node ([0-9a-f]+)", room[name].prop("EngineStatus"))
        return found and [n["id"] for n in room[on].nodes()
                          if n["state"] == "alive" and n["id"].startswith(found[1])]
    return wait_until(f"{name}'s raylet in the node table", alive, 20)[0]


class LongTask:
    """A task on one machine that runs until finish(); lost means that Ray lost it."""

    def __init__(self, room, on, driver_on="head"):
        self.guest = room[driver_on]
        self.on = on
        self.guest.write("/tmp/long-task.py", LONG_TASK)
        self.guest.say(f"starts a long task on {on}")
        node = node_of(room, on)
        self.process = self.guest.spawn(
            f'eval "$(raycluster env)"; exec {engine(self.guest)}/bin/python '
            f"/tmp/long-task.py {node}", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        said = self.said_until("RUNNING", 120)
        if said is not None:
            self.process.kill()
            raise Failed(f"the long task did not start: {said}{self.process.stderr.read()}")

    def said_until(self, word, timeout):
        """Read what the driver says until a line with just this word: None; else all it said."""
        end, said, fd = time.monotonic() + timeout, b"", self.process.stdout.fileno()
        while word.encode() not in said.split(b"\n")[:-1]:
            left = end - time.monotonic()
            byte = os.read(fd, 1) if left > 0 and select.select([fd], [], [], left)[0] else b""
            if not byte:
                return said.decode(errors="replace")
            said += byte
        return None

    def finish(self, timeout=90):
        out, err = self.process.communicate("go\n", timeout=timeout)
        if "RESULT" not in out:
            raise Failed(f"the long task on {self.on} was lost:\n{err[-1500:]}")
        self.guest.say(f"the long task on {self.on} ended well")


def submit(guest, script, timeout=180, user=None, options="", name="job.py"):
    """Submit a script with its folder by the Jobs API, wait, return what it printed."""
    folder = f"/tmp/submit-{user or 'root'}"
    guest.run(f"mkdir -p {folder} && chmod 755 {folder}", quiet=True)
    guest.write(f"{folder}/{name}", script)
    return guest.run(f"cd {folder} && raycluster ray job submit {options} --working-dir . -- "
                     f"python {name}", timeout=timeout, user=user).out


def wait_jobs_api(guest, timeout=60):
    wait_until("the Jobs API", lambda: guest.run(
        f"curl -fsS -m 5 {BEARER} http://127.0.0.1:8265/api/version", check=False, quiet=True).code == 0,
        timeout, 0.5)


def engine(guest):
    """Folder of the engine that runs here, else of the newest one that is installed."""
    return guest.prop("EnginePath") or guest.run("ls -d /usr/lib/raycluster-engine/*/ | sort -V | tail -1",
                     quiet=True).out.strip().rstrip("/")


def driver(guest, script, user=None, timeout=180, check=True, args=""):
    """Run a driver (ray.init()) on this machine with the environment raycluster gives."""
    guest.write("/tmp/driver.py", script)
    return guest.run(f'eval "$(raycluster env)"; exec {engine(guest)}/bin/python /tmp/driver.py '
                     f"{args}", user=user, timeout=timeout, check=check)


def expect(condition, text):
    if not condition:
        raise Failed(text)


def expect_in(text, part, what):
    if part not in text:
        raise Failed(f"{what}: expected {shlex.quote(part)} in:\n{text[-1500:]}")
