#!/usr/bin/env python3
"""ray-engine with a fake `ray`: its own binary, real processes and signals, faults on command."""
import atexit, os, pathlib, shutil, signal, socket, subprocess, sys, tempfile, time
from lab import *

ROOT = pathlib.Path(tempfile.mkdtemp(prefix="rv", dir="/tmp"))
atexit.register(shutil.rmtree, ROOT, True)


def make_venv(name, ray="2.60.0"):
    """An environment with the fake ray; ray: version, None = none is installed."""
    venv = ROOT / name
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--symlinks", venv], check=True)
    for link in ("gcs_server", "raylet"):
        (venv / link).symlink_to(FAKE_GCS)
    (venv / "agent").symlink_to(shutil.which("sleep"))
    shutil.copy(HERE / "fake-ray", venv / "bin" / "ray")
    if ray:
        next(venv.glob("lib/python3*/site-packages")).joinpath(f"ray-{ray}.dist-info").mkdir()
    return venv


PYTHON = "%d.%d.%d" % sys.version_info[:3]


def engine(role, mode="good", venv=None, **values):
    e = Engine(role, venv or make_venv(f"{mode}-{role}-{time.monotonic_ns()}"), **values)
    e.env = {"FAKE_MODE": mode, "FAKE_DIR": str(e.dir), "FAKE_NODE_ID": NODE_ID}
    return e


class Gcs:
    """A head somewhere else, for a worker."""

    def __init__(self, **settings):
        args = [x for k, v in settings.items() for x in (f"--{k}", str(v))]
        self.process = subprocess.Popen([FAKE_GCS, "--python", PYTHON, "--node", f"id={NODE_ID},instance=machine-1",
                                         *args], stdout=subprocess.PIPE, text=True)
        self.address = "127.0.0.1:" + self.process.stdout.readline().split()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def find(e, name):
    pids = [p for p, line in descendants(e.process.pid).items() if name in line.split(" ")[0]]
    check(pids, f"no {name} below ray-engine\n{e.text()}")
    return pids[0]


def gone(e):
    end = time.monotonic() + 3
    while e.leftovers() and time.monotonic() < end:
        time.sleep(0.02)
    check(not e.leftovers(), "processes are left")


def test_head_ready_stop():
    with engine("head") as e:
        e.start().ready()
        check(e.seen("STATUS=starting: waiting for the GCS", "notify"), e.text())
        check(e.seen("STATUS=registering:", "notify"), e.text())
        check(e.status().startswith("running: Ray 2.60.0, node 5d5d5d5d5d5d"), e.text())
        before = time.monotonic()
        e.signal(signal.SIGTERM)
        e.exit(0)
        check(time.monotonic() - before < 2, e.text())
        check(e.seen("^STOPPING=1", "notify") and e.seen("EXTEND_TIMEOUT_USEC=", "notify"), e.text())
        check((e.dir / "signals").read_text() == "SIGTERM\n", "not SIGTERM")
        gone(e)


def test_environment_is_clean():
    with engine("head", GCS_STORE="rocksdb") as e:
        e.start().ready()
        env = dict(x.split("=", 1) for x in (e.dir / "env").read_text().splitlines() if "=" in x)
        for key in ("SECRET_OF_THE_CALLER", "NOTIFY_SOCKET", "STATE_DIRECTORY", "RAY_ADDRESS", "JOURNAL_STREAM"):
            check(key not in env, f"{key} got through")
        check(env["RAY_AUTH_MODE"] == "disabled" and env["HOME"] == f"{e.state}/home", str(env))
        check(env["RAY_gcs_storage_path"] == f"{e.state}/gcs" and (e.state / "gcs").is_dir(), str(env))
        argv = (e.dir / "argv").read_text().splitlines()
        check(f"--node-manager-port={e.ports['NODE_MANAGER']}" in argv and "--block" in argv, str(argv))


def test_logs_are_carried():
    with engine("head") as e:
        e.start().ready()
        e.wait(r"^ray-worker: hello from a task", kind="line")
        e.wait(r"^raylet: main.cc:1: \[state-dump\] NodeManager: \(\+1 lines\)", kind="line")
        e.wait(r"^raylet: main.cc:2: something broke", kind="line")
        check(not e.seen("ray-start: scripts.py"), "advice was carried\n" + e.text())


def test_logs_in_files_only():
    with engine("head", LOG_RAY="files") as e:
        e.start().ready()
        e.signal(signal.SIGTERM)
        e.exit(0)
        check(not e.seen("hello from a task"), e.text())


def lost(name, title):
    with engine("head") as e:
        e.start().ready()
        e.wait("raylet: main.cc:2")
        time.sleep(1.2 if name == "agent" else 0)  # the agents' numbers are asked once a second
        pid = find(e, name)
        before = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        e.exit(LOST)
        took = time.monotonic() - before
        check(took < 1, f"{took:.2f} s")
        check(e.status() == f"{title} (pid {pid}) was killed by SIGKILL", e.status())
        gone(e)


def test_raylet_killed():
    lost("raylet", "raylet")


def test_gcs_server_killed():
    lost("gcs_server", "gcs_server")


def test_dashboard_agent_killed():
    lost("agent", "dashboard agent")


def test_log_monitor_killed():
    with engine("head") as e:
        e.start().ready()
        pid = next(p for p, line in descendants(e.process.pid).items() if "log_monitor.py" in line)
        os.kill(pid, signal.SIGKILL)
        e.exit(LOST)
        check(e.status() == f"log monitor (pid {pid}) was killed by SIGKILL", e.status())


def test_ray_start_killed():
    with engine("head") as e:
        e.start().ready()
        pid = next(p for p, line in descendants(e.process.pid).items() if "bin/ray start" in line)
        os.kill(pid, signal.SIGKILL)
        e.exit(LOST)
        check(e.status().startswith(f"ray start (pid {pid}) was killed by SIGKILL"), e.status())
        gone(e)


def test_start_fails_with_its_reason():
    with engine("head", "dies") as e:
        e.start().exit(START)
        check("ray start" in e.status() and "exit status 1: RuntimeError: no luck today" in e.status(), e.status())


def test_start_ends_with_0():
    with engine("head", "ends") as e:
        e.start().exit(START)
        check("ended with exit status 0" in e.status(), e.status())


def test_gcs_dies_at_start():
    with engine("head", "gcs-dies") as e:
        took = e.start().exit(START)
        check("gcs_server" in e.status() and "exit status 1" in e.status(), e.status())
        check(took < 3, f"{took:.1f} s")


def test_node_dead():
    with engine("head", "node-dead") as e:
        e.start().exit(START)
        check("calls this node dead: no reason" in e.status(), e.status())


def test_deadline_of_the_node():
    with engine("head", "node-missing") as e:
        took = e.start().exit(START, 80)
        check("this node is not ALIVE in the GCS after 1min" in e.status(), e.status())
        check(60 < took < 66, f"{took:.1f} s")
        gone(e)


def test_deadline_of_the_head():
    with Gcs(mode="silent") as gcs, engine("worker", HEAD_ADDRESS=gcs.address) as e:
        took = e.start().exit(START, 50)
        check(f"no answer from the GCS at {gcs.address} within 35s" in e.status(), e.status())
        check(34 < took < 38, f"{took:.1f} s")


def test_stop_while_registering():
    with engine("head", "node-missing") as e:
        e.start().wait("STATUS=registering", kind="notify")
        e.signal(signal.SIGTERM)
        e.exit(0)
        gone(e)


def signals_are(e, want):
    """What the fake ray got, in the end."""
    path, got, end = e.dir / "signals", "", time.monotonic() + 5
    while got != want and time.monotonic() < end:
        time.sleep(0.02)
        got = path.read_text() if path.exists() else ""
    check(got == want, f"{got!r}, not {want!r}")


def test_impatient_stop():
    with engine("head", "deaf") as e:
        e.start().ready()
        e.signal(signal.SIGTERM)
        signals_are(e, "SIGTERM\n")
        e.signal(signal.SIGINT)
        signals_are(e, "SIGTERM\nSIGINT\n")


def test_stop_while_starting():
    with engine("head", "hangs") as e:
        e.start().wait("STATUS=starting", kind="notify")
        e.signal(signal.SIGTERM)
        e.exit(0)
        gone(e)


def test_stop_ignored():
    with engine("head", "deaf", DRAIN_USEC=0) as e:
        e.start().ready()
        before = time.monotonic()
        e.signal(signal.SIGTERM)
        e.exit(0, 25)
        took = time.monotonic() - before
        check(14 < took < 18, f"{took:.1f} s")
        check(len([1 for x in e.events if "EXTEND_TIMEOUT" in x[2]]) > 10, e.text())
        check(e.seen("did not stop in time and is killed"), e.text())
        gone(e)


def test_frozen_raylet():
    with engine("head") as e:
        e.start().ready()
        pid = find(e, "raylet")
        before = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        e.exit(FROZEN, 40)
        took = time.monotonic() - before
        check(20 < took < 35, f"{took:.1f} s")
        check(e.status().startswith(f"raylet (pid {pid}) has not answered for 2"), e.status())
        gone(e)


def test_frozen_gcs():
    with engine("head") as e:
        e.start().ready()
        pid = find(e, "gcs_server")
        os.kill(pid, signal.SIGSTOP)
        e.exit(FROZEN, 40)
        check(e.status().startswith(f"gcs_server (pid {pid}) has not answered for 2"), e.status())


def test_worker_ready_and_stop_without_head():
    with Gcs() as gcs, engine("worker", HEAD_ADDRESS=gcs.address, CLUSTER_ID=CLUSTER_ID) as e:
        e.start().ready()
        gcs.process.kill()
        gcs.process.wait()
        time.sleep(0.3)
        check(e.process.poll() is None, "a head's end ended the worker\n" + e.text())
        e.signal(signal.SIGTERM)
        e.exit(0)
        # SIGTERM would let Ray ask the head for half a minute
        check((e.dir / "signals").read_text() == "SIGINT\n", "not SIGINT")


def refused(status, want, role="worker", **settings):
    with Gcs(**settings) as gcs, engine(role, HEAD_ADDRESS=gcs.address) as e:
        e.start().exit(status)
        check(want in e.status(), e.status())
        check(not (e.dir / "argv").exists(), "Ray was started all the same")


def test_other_ray():
    refused(VERSIONS, "the head runs Ray 2.59.0, this machine has Ray 2.60.0", version="2.59.0")


def test_other_python():
    refused(VERSIONS, f"the head runs Python 3.9.1, this machine has Python {PYTHON}", python="3.9.1")


def test_other_token():
    refused(BLOCKED, "the GCS at 127.0.0.1:", token="secret")


def test_other_cluster():
    with Gcs() as gcs, engine("worker", HEAD_ADDRESS=gcs.address, CLUSTER_ID="bb" * 28) as e:
        e.start().exit(START)
        check("is of cluster aaaa" in e.status(), e.status())


def test_gcs_garbage():
    with Gcs(mode="garbage") as gcs, engine("worker", HEAD_ADDRESS=gcs.address) as e:
        e.start().wait("STATUS=checking: the GCS at", kind="notify")
        e.signal(signal.SIGTERM)
        e.exit(0)


def blocked(e, *want):
    with e:
        e.start().exit(BLOCKED)
        for w in want:
            check(w in e.status(), e.status())
        check(not (e.dir / "argv").exists(), "Ray was started all the same")


def test_venv_without_ray():
    blocked(engine("head", venv=make_venv("none", ray=None)), "and no Ray for it", "install raycluster-engine")


def test_no_venv():
    blocked(engine("head", venv="/nonexistent"), "no Ray in /nonexistent", "install raycluster-engine")


def test_broken_python():
    venv = make_venv("broken")
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").write_text("#!/bin/sh\necho 'ImportError: no module named encodings'\nexit 1\n")
    (venv / "bin" / "python").chmod(0o755)
    blocked(engine("head", venv=venv), "does not run: ImportError: no module named encodings")


def test_long_temp_dir():
    blocked(engine("head", TEMP_DIR="/tmp/" + "x" * 40), "has 45 characters: at most 39")


def test_temp_dir_is_a_file():
    e = engine("head")
    e.temp.write_text("")
    e.values["TEMP_DIR"] = str(e.temp / "x")
    blocked(e, "cannot make engine.temp_dir", "Not a directory")


def test_port_taken():
    with socket.socket() as s:
        e = engine("head")
        s.bind(("127.0.0.1", e.ports["NODE_MANAGER"]))
        s.listen()
        blocked(e, f"port {e.ports['NODE_MANAGER']} (ports.node_manager) is taken by", "python3", f"pid {os.getpid()}")


def full_disk(e, size, script=":"):
    """The temp dir is a file system of its own, for this engine alone (root)."""
    e.temp.mkdir()
    return e.start(prefix=["unshare", "-m", "sh", "-c", f"mount -t tmpfs -o size={size} tmpfs {e.temp} && cd {e.temp} && "
                           f"{script} && cd / && exec \"$@\"", "sh"])


def test_disk_full():
    with engine("head") as e:
        full_disk(e, "20M").exit(BLOCKED)
        check(f"the disk of {e.temp} has " in e.status() and "make room" in e.status(), e.status())


def test_disk_full_of_old_sessions():
    with engine("head") as e:
        old = "session_2026-01-01_00-00-00_000000_1"
        full_disk(e, "600M", f"mkdir {old} && head -c 150M /dev/zero >{old}/x && touch -d 2026-01-01 {old}/x {old}").ready()
        check(not pathlib.Path(f"/proc/{e.process.pid}/root{e.temp}/{old}").exists(), "still there")


def test_token_unreadable():
    blocked(engine("head", TOKEN_PATH="/nonexistent/token"), "cannot read Ray's token /nonexistent/token")


def test_damaged_args():
    with engine("head") as e:
        e.write_args()
        damaged = e.dir / "damaged"
        damaged.write_text(e.args.read_text().replace("PORT_GCS=", "PORT_GSC="))
        e.start(args=damaged).exit(EXIT_CONF)
        check("line 18: PORT_GSC: no such key" in e.status() and "ray-head.service" in e.status(), e.status())


def test_args_of_the_other_role():
    with engine("head", ROLE="worker") as e:
        e.start().exit(EXIT_CONF)
        check("it is for the worker, and this is the head" in e.status(), e.status())


def test_no_args():
    with engine("head") as e:
        e.start(args="/nonexistent").exit(EXIT_CONF)
        check("No such file" in e.status(), e.status())


def test_stale_cluster_file():
    with engine("head") as e:
        e.temp.mkdir()
        stale = e.temp / "ray_current_cluster"
        stale.write_text("127.0.0.1:1")
        e.start().ready()
        check(not stale.exists(), "still there")


if __name__ == "__main__":
    tests = [v for k, v in list(globals().items()) if k.startswith("test_")]
    if os.geteuid() != 0:
        print("SKIP disk full: a file system of its own wants root")
        tests = [t for t in tests if "disk_full" not in t.__name__]
    # the long ones first
    tests.sort(key=lambda t: not any(x in t.__name__ for x in ("frozen", "ignored", "deadline")))
    run_tests("engine-fake", tests, parallel=6)
