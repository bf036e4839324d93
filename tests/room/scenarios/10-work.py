# SPDX-License-Identifier: Apache-2.0
"""(f) What people do with a cluster: big objects, clients, jobs, drivers, prints, environments."""
import re

import story
from story import expect, expect_in

ROOM = {"nspawn_args": ["--bind=/dev/fuse"]}


def setup(room):
    story.start_cluster(room)
    room["head"].add_user("alice", "ray")
    room["head"].add_user("bob")


def scenario_big_object_between_workers(room):
    """An array of 128 MiB made on w1 is read on w2."""
    out = story.driver(room["head"], '''
import numpy as np, ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On
ray.init()
ids = {n["NodeManagerHostname"]: n["NodeID"] for n in ray.nodes() if n["Alive"]}

@ray.remote(num_cpus=0)
def make():
    return np.full(128 << 20, 7, dtype=np.uint8)

@ray.remote(num_cpus=0)
def total(a):
    import socket
    return socket.gethostname(), int(a.sum())

a = make.options(scheduling_strategy=On(ids["w1"], soft=False)).remote()
print(ray.get(total.options(scheduling_strategy=On(ids["w2"], soft=False)).remote(a), timeout=90))
''').out
    expect_in(out, f"('w2', {7 * (128 << 20)})", "sum on w2")


def scenario_driver_by_ordinary_user_of_group_ray(room):
    """alice, in group ray, runs ray.init() with the environment that raycluster env gives."""
    out = story.driver(room["head"], '''
import getpass, os, ray
ray.init()
print("driver", getpass.getuser())

@ray.remote
def who():
    return getpass.getuser()

print("task", ray.get(who.remote(), timeout=60))
''', user="alice").out
    expect_in(out, "driver alice", "the driver's user")
    expect_in(out, "task ray", "the task's user")


def speak(room, words):
    """A task on w1 prints the words; returns what its driver printed."""
    out = story.driver(room["head"], f'''
import ray, time
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On
ray.init()

@ray.remote(num_cpus=0)
def speak():
    print("{words}")

ray.get(speak.options(scheduling_strategy=On("{story.node_of(room, "w1")}", soft=False)).remote(), timeout=60)
time.sleep(3)   # the driver prints what the log monitor sends it, after the task has ended
''')
    return out.out + out.err


def scenario_prints_reach_driver_and_journal(room):
    """What a task prints is seen by its driver, and by journalctl on the machine it ran on."""
    w1 = room["w1"]
    cursor = w1.cursor()
    expect_in(speak(room, "hello from a task on w1"), "hello from a task on w1", "the driver's output")
    entry = w1.wait_journal("hello from a task on w1", cursor, 15)
    expect(entry.get("_SYSTEMD_UNIT") == "ray-engine@worker.service",
           f"the line belongs to {entry.get('_SYSTEMD_UNIT')}")
    expect(entry.get("RAY_COMPONENT"), "the line has no field RAY_COMPONENT")


def scenario_jobs_api_on_8265(room):
    """POST /api/jobs/ from the head, by a user of group ray, runs a job."""
    head = room["head"]
    story.wait_jobs_api(head)
    out = story.submit(head, story.NAMES_JOB, user="alice")
    for name in room.guests:
        expect_in(out, f"this task ran on {name}", "the job's output")
    jobs = head.out(f"curl -fsS {story.BEARER} http://127.0.0.1:8265/api/jobs/")
    expect_in(jobs, "SUCCEEDED", "the list of jobs")


def scenario_ray_client_on_10001(room):
    """ray.init("ray://head:10001") from another machine of the room."""
    out = story.driver(room["w2"], '''
import ray
ray.init("ray://10.77.0.10:10001")

@ray.remote
def one():
    return 41 + 1

print("answer", ray.get(one.remote(), timeout=60))
''').out
    expect_in(out, "answer 42", "the client's output")
    # with gRPC's fork handlers a session's server dies at its birth, now and then
    said = room["head"].out("cat /var/lib/ray/tmp/session_latest/logs/ray_client_server.err")
    expect_in(said, "SpecificServer started", "the log of Ray Client's proxy")
    expect("fork() handlers" not in said, f"gRPC's fork handlers are on:\n{said[-1500:]}")


def scenario_runtime_env_with_working_dir(room):
    """A module beside the driver is there in tasks on every machine."""
    head = room["head"]
    head.write("/tmp/wd/helper_of_job.py", "def word():\n    return 'from the working dir'\n")
    out = story.driver(head, '''
import ray
ray.init(runtime_env={"working_dir": "/tmp/wd", "env_vars": {"COLOUR": "blue"}})

@ray.remote(scheduling_strategy="SPREAD")
def use():
    import os, socket, helper_of_job
    return socket.gethostname(), helper_of_job.word(), os.environ["COLOUR"]

got = set(ray.get([use.remote() for _ in range(12)], timeout=120))
print(sorted(got))
''').out
    expect_in(out, "'from the working dir', 'blue'", "the tasks' answers")


def scenario_sandbox_lets_ray_work(room):
    """In a task: a device node opens, a page becomes executable (JIT), /home can be read."""
    w1 = room["w1"]
    w1.run("chmod 666 /dev/fuse; mkdir -p /home/shared; echo data >/home/shared/file")
    out = story.driver(room["head"], '''
import ctypes, mmap, os, ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On
ray.init()
ids = {n["NodeManagerHostname"]: n["NodeID"] for n in ray.nodes() if n["Alive"]}

@ray.remote(num_cpus=0)
def look():
    os.close(os.open("/dev/fuse", os.O_RDWR))
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(b"\\xb8\\x2a\\x00\\x00\\x00\\xc3")           # mov eax, 42; ret
    f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    home = os.environ["HOME"]
    with open(os.path.join(home, "cache-of-a-jit"), "w") as cache:
        cache.write("x")
    return f(), open("/home/shared/file").read().strip(), home

print(ray.get(look.options(scheduling_strategy=On(ids["w1"], soft=False)).remote(), timeout=60))
''').out
    expect_in(out, "(42, 'data', '/var/lib/ray/home')", "the task's answers")


def scenario_killed_task_ends_no_unit(room):
    """A task that is killed, as the kernel does for memory, is one lost task and nothing else."""
    w1 = room["w1"]
    pids = story.Pids(w1)
    expect(w1.show("ray-engine@worker.service", "OOMPolicy") == "continue", "OOMPolicy")
    out = story.driver(room["head"], '''
import os, ray, signal
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On
ray.init()
ids = {n["NodeManagerHostname"]: n["NodeID"] for n in ray.nodes() if n["Alive"]}

@ray.remote(num_cpus=0, max_retries=0)
def die():
    os.kill(os.getpid(), signal.SIGKILL)

try:
    ray.get(die.options(scheduling_strategy=On(ids["w1"], soft=False)).remote(), timeout=60)
except ray.exceptions.WorkerCrashedError:
    print("one task lost")
''').out
    expect_in(out, "one task lost", "the driver's output")
    pids.expect_same("a killed task")
    story.wait_alive(room, room.guests, 5)


def scenario_engine_user_may_not_control_units(room):
    """User ray runs strangers' code: it may neither stop the engine nor change the cluster."""
    w1 = room["w1"]
    for verb in ("stop ray-engine@worker", "restart ray-worker", "kill ray-engine@worker"):
        r = w1.run(f"systemctl --no-ask-password {verb}", user="ray", check=False)
        expect(r.code, f"user ray could systemctl {verb}")
    r = w1.run("busctl call org.raycluster1.Worker /org/raycluster1/Worker org.raycluster1.Worker "
               "RestartEngine", user="ray", check=False)
    expect(r.code, "user ray could call RestartEngine")


def scenario_listens_on_planned_ports_only(room):
    """Every listener of Ray that others can reach is a port of the plan, as in the firewall profiles.

    On loopback Ray Client starts a server for each client, on a port of its own choice.
    """
    plan = {6379, 6380, 6381, 6382, 6383, 6384, 6385, 6386, 6387, 6388, 8265, 10001}
    for guest in room.guests.values():
        for line in guest.out("ss -Hltnp").split("\n"):
            host, port = line.split()[3].rsplit(":", 1)
            port = int(port)
            if "127.0.0.1" in host:  # Ray Client: one server a session, from 23000 up, on loopback
                continue
            ours = "ray" in line or "gcs_server" in line or "python" in line
            expect(not ours or port in plan or 10002 <= port <= 19999,
                   f"{guest.name}: not in the plan: {line}")


def log_ray(room, where):
    """Ray on w1 runs anew with its log there; returns its log folder and a place in the journal."""
    w1 = room["w1"]
    cursor = w1.cursor()
    w1.conf(f'log: {{ ray = "{where}"; }};\n')
    w1.run("systemctl reload ray-worker")
    w1.wait_prop("RestartDue", lambda due: due == ["log.ray"], 15)
    w1.run("raycluster restart-engine", timeout=120)
    w1.wait_prop("RestartDue", lambda due: due == [], 60)
    story.node_of(room, "w1")
    return w1.out("readlink -f /var/lib/ray/tmp/session_latest/logs"), cursor


def scenario_log_ray_files(room):
    """With log.ray = "files" Ray's lines stay in its files; a driver still sees prints."""
    w1 = room["w1"]
    folder, cursor = log_ray(room, "files")
    expect_in(speak(room, "hello from a file"), "hello from a file", "the driver's output")
    w1.run(f"grep -q 'hello from a file' {folder}/worker-*.out")
    expect("hello from a file" not in w1.journal(cursor), "the print is in the journal")


def scenario_log_ray_stderr(room):
    """With log.ray = "stderr" Ray writes to its unit's stderr, which is the journal, and no files."""
    w1 = room["w1"]
    logs = "ls /var/lib/ray/tmp/session_latest/logs/raylet*"
    before = w1.out(logs)
    _, cursor = log_ray(room, "stderr")
    said = speak(room, "hello from stderr")
    expect("hello from stderr" not in said, "the manual says that the driver does not see it")
    entry = w1.wait_journal("hello from stderr", cursor, 15)
    expect(entry.get("_SYSTEMD_UNIT") == "ray-engine@worker.service",
           f"the line belongs to {entry.get('_SYSTEMD_UNIT')}")
    w1.wait_journal("Initializing NodeManager", cursor, 15)
    expect(w1.out(logs) == before, f"files of the raylet: {w1.out(logs)}, before: {before}")
