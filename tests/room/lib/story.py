# SPDX-License-Identifier: Apache-2.0
"""Steps that the main story and the scenarios share: what a person would type, and real jobs."""
import json
import shlex

from image import SOURCE
from room import Failed, wait_until

CLUSTER_TIMEOUT = 120

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


def start_cluster(room, head="head", timeout=CLUSTER_TIMEOUT):
    """Head on one machine, worker on all others, and wait for Ray on all of them."""
    room[head].enable("ray-head")
    workers = [g for g in room.guests.values() if g.name != head]
    for guest in workers:
        guest.enable("ray-worker")
    wait_cluster(room, len(workers), timeout, on=head)


def status(guest):
    """`raycluster status --json` as a dict."""
    return json.loads(guest.run("raycluster status --json", check=False, quiet=True).out)


def submit(guest, script, timeout=180, user=None, options="", name="job.py"):
    """Submit a script with its folder by the Jobs API, wait, return what it printed."""
    folder = f"/tmp/submit-{user or 'root'}"
    guest.run(f"mkdir -p {folder} && chmod 755 {folder}", quiet=True)
    guest.write(f"{folder}/{name}", script)
    return guest.run(f"cd {folder} && raycluster ray job submit {options} --working-dir . -- "
                     f"python {name}", timeout=timeout, user=user).out


def wait_jobs_api(guest, timeout=60):
    wait_until("the Jobs API", lambda: guest.run(
        "curl -fsS -m 5 http://127.0.0.1:8265/api/version", check=False, quiet=True).code == 0,
        timeout, 0.5)


def driver(guest, script, user="root", timeout=180, check=True, args=""):
    """Run a driver (ray.init()) on this machine with the environment raycluster gives."""
    guest.write("/tmp/driver.py", script)
    return guest.run(f'eval "$(raycluster env)"; exec {engine(guest)}/bin/python /tmp/driver.py '
                     f"{args}", user=user, timeout=timeout, check=check)


def engine(guest):
    """Folder of the newest engine that is installed."""
    return guest.run("ls -d /usr/lib/raycluster-engine/*/ | sort -V | tail -1",
                     quiet=True).out.strip().rstrip("/")


def expect(condition, text):
    if not condition:
        raise Failed(text)


def expect_in(text, part, what):
    if part not in text:
        raise Failed(f"{what}: expected {shlex.quote(part)} in:\n{text[-1500:]}")
