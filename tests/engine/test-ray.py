#!/usr/bin/env python3
"""ray-engine with real Ray, in a network namespace with 10.99.0.1 and 10.99.0.2 on lo: test-ray.py PREFIX [TEST…]"""
import os, pathlib, signal, subprocess, sys, time
from lab import *

VENV = pathlib.Path(sys.argv.pop(1))
HEAD = "10.99.0.1"
WORKER = "10.99.0.2"


def engine(role, **values):
    first = 6379 if role == "head" else 7379
    address = HEAD if role == "head" else WORKER
    ports = list(range(first, first + 10)) + ([8265, 10001] if role == "head" else [9265, 11001])
    e = Engine(role, VENV, address, ports, **{"HEAD_ADDRESS": f"{HEAD}:6379", "CPUS": 2, "LOG_LEVEL": "info",
                                              "OBJECT_STORE_MEMORY": 100 << 20, "NODE_ID": f"{role}-1", **values})
    if role == "worker":
        e.values["WORKER_PORTS"] = "20000-20999"
    return e


def below(e, what):
    """Pid of Ray's own process, by its command line."""
    found = [p for p, line in descendants(e.process.pid).items() if what in line]
    check(found, f"no {what} below ray-engine\n{e.text()}")
    return found[0]


def driver(code, timeout=60):
    p = subprocess.run([VENV / "bin" / "python", "-c", f"import ray; ray.init('{HEAD}:6379', log_to_driver=True)\n{code}"],
                       env={"PATH": os.environ["PATH"], "RAY_AUTH_MODE": "disabled", "HOME": "/root"},
                       capture_output=True, text=True, timeout=timeout)
    check(p.returncode == 0, p.stdout + p.stderr)
    return p.stdout + p.stderr


def test_head():
    """READY, prints to driver and log, status, stop."""
    with engine("head", GCS_STORE="rocksdb") as e:
        e.start().ready(60)
        out = driver("import time\n"
                     "@ray.remote\ndef f(): print('hello from a task')\n"
                     "ray.get(f.remote()); time.sleep(2)")
        check("hello from a task" in out, out)
        e.wait("^ray-worker: hello from a task$", 5, "line")
        e.wait("^ray-gcs_server: ", 5, "line")
        e.wait("^raylet: ", 5, "line")
        p = subprocess.run([VENV / "bin" / "ray", "status", "--address", f"{HEAD}:6379"], capture_output=True, text=True,
                           env={"PATH": os.environ["PATH"], "RAY_AUTH_MODE": "disabled"}, timeout=60)
        check(p.returncode == 0 and "Total Usage" in p.stdout and "2.0 CPU" in p.stdout, p.stdout + p.stderr)
        before = time.monotonic()
        e.signal(signal.SIGTERM)
        e.exit(0, 20)
        print(f"# head: READY after {e.seen('^READY')[0]:.1f} s, stop {time.monotonic() - before:.1f} s", flush=True)
        check(not e.leftovers(), "processes are left")


def lost(e, pid, title, status=LOST):
    before = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    e.exit(status, 10)
    took = time.monotonic() - before
    print(f"# {title}: unit ended after {took:.2f} s: {e.status()}", flush=True)
    check(e.status() == f"{title} (pid {pid}) was killed by SIGKILL", e.status())
    check(took < 1, f"{took:.2f} s")


def test_raylet_killed():
    with engine("head") as e:
        e.start().ready(60)
        lost(e, below(e, "/raylet/raylet "), "raylet")


def test_helpers_killed():
    for what, title in (("log_monitor.py", "log monitor"), ("dashboard/dashboard.py", "dashboard")):
        with engine("head") as e:
            e.start().ready(60)
            time.sleep(1.5)
            lost(e, below(e, what), title)


def test_gcs_server_killed_and_taken_up():
    """With a store the second start has the first one's cluster and session."""
    with engine("head", GCS_STORE="rocksdb") as e:
        e.start().ready(60)
        first = (e.temp / "session_latest").resolve()
        lost(e, below(e, "/gcs_server "), "gcs_server")
        carried = len([1 for x in e.events if x[2].startswith("raylet: ")])
        e.events.clear()
        e.start().ready(60)
        check((e.temp / "session_latest").resolve() == first, "another session")
        e.wait("^raylet: ", 5, "line")
        check(carried > 0, "nothing of raylet was carried")
        e.signal(signal.SIGTERM)
        e.exit(0, 20)


def test_worker():
    """Agents named, head's death survived, stop without a head, frozen raylet."""
    with engine("head") as h, engine("worker") as w:
        h.start().ready(60)
        w.start().ready(60)
        time.sleep(2)
        pid = below(w, "ray::DashboardAgent")
        before = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        w.exit(LOST, 10)
        print(f"# dashboard agent: unit ended after {time.monotonic() - before:.2f} s: {w.status()}", flush=True)
        check(w.status().startswith(f"dashboard agent (pid {pid}) "), w.status())

        w.events.clear()
        w.start().ready(60)
        pid = below(w, "/raylet/raylet ")
        os.kill(pid, signal.SIGSTOP)
        before = time.monotonic()
        w.exit(FROZEN, 40)
        print(f"# frozen raylet: {time.monotonic() - before:.1f} s: {w.status()}", flush=True)
        check(w.status().startswith(f"raylet (pid {pid}) has not answered for"), w.status())

        w.events.clear()
        w.start().ready(60)
        os.kill(below(h, "/gcs_server "), signal.SIGKILL)
        h.exit(LOST, 10)
        time.sleep(5)
        check(w.process.poll() is None, "the head's end ended the worker\n" + w.text())
        before = time.monotonic()
        w.signal(signal.SIGTERM)
        w.exit(0, 40)
        took = time.monotonic() - before
        print(f"# worker stopped without a head after {took:.1f} s", flush=True)
        check(took < 8, f"{took:.1f} s")


def test_drain():
    """A running task has its time; then the node goes."""
    with engine("head", DRAIN_USEC=20000000) as e:
        e.start().ready(60)
        p = subprocess.Popen([VENV / "bin" / "python", "-c",
                              f"import ray, time; ray.init('{HEAD}:6379')\n"
                              "@ray.remote\ndef f():\n    print('begun', flush=True); time.sleep(6); return 'the whole time'\n"
                              "print(ray.get(f.remote()), flush=True)"], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             env={"PATH": os.environ["PATH"], "RAY_AUTH_MODE": "disabled", "HOME": "/root"})
        e.wait("^ray-worker: begun", 30, "line")
        before = time.monotonic()
        e.signal(signal.SIGTERM)
        e.exit(0, 40)
        took = time.monotonic() - before
        out = p.communicate(timeout=60)[0]
        print(f"# drained a task of 6 s in {took:.1f} s", flush=True)
        check("the whole time" in out, out)
        check(4 < took < 15, f"{took:.1f} s")


if __name__ == "__main__":
    run_tests("engine-ray", [v for k, v in list(globals().items()) if k.startswith("test_")], parallel=1)
