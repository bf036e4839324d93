# SPDX-License-Identifier: Apache-2.0
"""The half of a measurement that must happen inside a guest: `in_guest.py VERB ARG...` prints JSON."""
import json
import os
import pathlib
import socket
import subprocess
import sys
import time


def tree(pid):
    """Descendants of a process, itself first."""
    todo, seen = [int(pid)], []
    while todo:
        p = todo.pop()
        seen.append(p)
        for task in pathlib.Path(f"/proc/{p}/task").glob("*/children"):
            todo += [int(c) for c in task.read_text().split()]
    return seen


def ray_start_exec(pid):
    """When the supervisor's `ray start` was forked, and with what command line and environment."""
    for p in tree(pid):
        argv = pathlib.Path(f"/proc/{p}/cmdline").read_bytes().decode().split("\0")[:-1]
        if "start" in argv and any(a.endswith("/ray") for a in argv):
            ticks = int(pathlib.Path(f"/proc/{p}/stat").read_text().rsplit(")", 1)[1].split()[19])
            env = pathlib.Path(f"/proc/{p}/environ").read_bytes().decode().split("\0")[:-1]
            return {"monotonic": ticks / os.sysconf("SC_CLK_TCK"), "argv": argv[1:] if "python" in argv[0] else argv, "env": env}
    raise SystemExit(f"no `ray start` below {pid}")


def real_of_monotonic(monotonic):
    return {"real": time.time() - time.monotonic() + float(monotonic)}


def raw_start(spec):
    """`ray start` with the same arguments in a bare unit, to the line that says it runs."""
    spec = json.loads(spec)
    env = [f"--setenv={e}" for e in spec["env"] if not e.startswith(("NOTIFY_SOCKET", "INVOCATION_ID", "JOURNAL_STREAM", "MAINPID"))]
    name = f"raw-{os.getpid()}.service"
    began = time.monotonic()
    subprocess.run(["systemd-run", "-q", f"--unit={name}", "-p", "User=ray", "-p", "UMask=0007", "-p", "LimitNOFILE=65536", "-p",
                    "KillMode=control-group", *env, "--setenv=PYTHONUNBUFFERED=1", *spec["argv"]], check=True)
    log = subprocess.Popen(["journalctl", "-f", "--no-tail", "-q", "-o", "cat", "-u", name], stdout=subprocess.PIPE, text=True)
    seconds = None
    for line in log.stdout:
        if "Ray runtime started" in line:
            seconds = time.monotonic() - began
            break
        if time.monotonic() - began > 90:
            break
    log.kill()
    log.wait()
    subprocess.run(["systemctl", "stop", name], check=False)
    subprocess.run(["systemctl", "reset-failed", name], check=False, stderr=subprocess.DEVNULL)
    if seconds is None:
        raise SystemExit("raw `ray start` did not come up")
    return {"seconds": seconds}


def timed(argv, env=None):
    began = time.monotonic()
    pid = os.posix_spawn(argv[0], argv, env or os.environ,
                         file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0), (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)])
    _, code, usage = os.wait4(pid, 0)
    if code:
        raise SystemExit(f"{argv} ended with {code}")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime


def status(runs, engine):
    lines = subprocess.run(["raycluster", "env"], capture_output=True, text=True, check=True).stdout
    env = dict(os.environ, **{k: v.strip("'\"") for k, _, v in (line.removeprefix("export ").partition("=") for line in lines.splitlines())})
    ours, peer = ["/usr/bin/raycluster", "status"], [f"{engine}/bin/ray", "status"]
    r = {"ours": {"wall": [], "cpu": []}, "peer": {"wall": [], "cpu": []}}
    timed(ours), timed(peer, env)
    for _ in range(int(runs)):
        for name, argv in (("ours", ours), ("peer", peer)):
            wall, cpu = timed(argv, env)
            r[name]["wall"].append(wall)
            r[name]["cpu"].append(cpu)
    return r


def usage(pid):
    fields = dict(line.split(":") for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return {"private_dirty_kb": int(fields["Private_Dirty"].split()[0]), "pss_kb": int(fields["Pss"].split()[0]),
            "cpu": (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")}


def port_opens(host, port):
    end = time.monotonic() + 80
    while time.monotonic() < end:
        try:
            socket.create_connection((host, int(port)), 1).close()
            return {"monotonic": time.monotonic()}
        except OSError:
            time.sleep(0.01)
    raise SystemExit(f"{host}:{port} did not open")


print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
