# SPDX-License-Identifier: Apache-2.0
"""What raycluster costs and how fast it is, against plain Ray, in the same room, in one run.

The machines these run on are noisy: what counts is the ratio of medians of interleaved runs, beside the spread. Absolute times say
nothing about other machines.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "room" / "lib"))

import page  # noqa: E402
import setup  # noqa: E402
import story  # noqa: E402
from room import Failed, stamp, wait_until  # noqa: E402

IN_GUEST = HERE / "in_guest.py"


class Table:
    """Rows of the report: name, our numbers, the peer's, the goal and whether it is met."""

    def __init__(self, runs, minutes):
        self.runs, self.minutes = runs, minutes
        self.rows = []

    def add(self, what, ours, peer=None, unit="s", goal=None, met=None, ratio=None):
        row = {"what": what, "ours": spread(ours, unit), "peer": spread(peer, unit) if peer else "",
               "ratio": f"{ratio:.2f}" if ratio is not None else "", "goal": goal or "",
               "met": {True: "yes", False: "**no**", None: ""}[met]}
        self.rows.append(row)
        print("  {what}: {ours}  {peer}  {ratio}  {goal} {met}".format(**row), flush=True)

    def write(self, path):
        lines = ["## The cluster against plain Ray", "",
                 "Written by `sudo tests/bench/run`. Median (least–most) of interleaved runs in one room of three booted guests on",
                 "two shared cores. Ratios hold across machines; absolute times do not.", "",
                 f"Commit {page.commit()}, {self.runs} runs each, idle figures over {self.minutes:g} minutes.", "",
                 *page.table(["what", "raycluster", "peer", "ratio", "goal", "met"],
                             ([r[k] for k in ("what", "ours", "peer", "ratio", "goal", "met")] for r in self.rows))]
        page.replace(path, "room", lines)


def spread(values, unit):
    digits = 0 if unit in ("kB", "%") and max(values) >= 100 else 3
    m, lo, hi = statistics.median(values), min(values), max(values)
    return f"{m:.{digits}f} {unit} ({lo:.{digits}f}–{hi:.{digits}f})"


def medians_ratio(a, b):
    return statistics.median(a) / statistics.median(b)


def usec(guest, unit, prop):
    return int(guest.show(unit, prop)) / 1e6


def in_guest(guest, verb, *args, timeout=900):
    """Run a function of in_guest.py in the guest; its JSON."""
    words = " ".join(str(a) for a in args)
    out = guest.run(f"python3 /srv/bench/in_guest.py {verb} {words}", timeout=timeout, quiet=True).out
    return json.loads(out)


def give_scripts(room):
    for g in room.guests.values():
        g.write("/srv/bench/in_guest.py", IN_GUEST.read_text())


# --- the benchmarks: each gets a room with a running cluster and the table ------------------------


def bench_start(room, table):
    """What raycluster adds to the start of a worker, and the whole against raw `ray start`."""
    w1 = room["w1"]
    ours, raw, before, after = [], [], [], []
    for _ in range(table.runs):
        w1.run("raycluster restart-engine", timeout=120, quiet=True)
        wait_until("engine up", lambda: w1.state("ray-engine@worker.service") == "active", 120)
        unit = "ray-engine@worker.service"
        begin, ready = usec(w1, unit, "InactiveExitTimestampMonotonic"), usec(w1, unit, "ActiveEnterTimestampMonotonic")
        ray = in_guest(w1, "ray_start_exec", w1.main_pid(unit))
        node = json.loads(w1.run("raycluster status --json", quiet=True).out)
        ours.append(ready - begin)
        before.append(max(0.0, ray["monotonic"] - begin))
        registered = max((n["started_ms"] for n in node["nodes"] if n["hostname"] == "w1" and n["state"] == "alive"), default=0)
        ready_real = in_guest(w1, "real_of_monotonic", ready)["real"]
        after.append(max(0.0, ready_real - registered / 1000))
        command = ray["argv"]
        w1.run("systemctl stop ray-worker", timeout=120, quiet=True)
        raw.append(in_guest(w1, "raw_start", json.dumps(json.dumps({"argv": command, "env": ray["env"]})))["seconds"])
        w1.run("systemctl start ray-worker", timeout=60, quiet=True)
        story.wait_cluster(room, 2)
    table.add("worker: systemd job to exec of `ray start`", before, goal="≤ 0.3 s with the next row")
    table.add("worker: node registered in the GCS to READY", after,
              goal="≤ 0.3 s with the row above", met=statistics.median(before) + statistics.median(after) <= 0.3)
    ratio = medians_ratio(ours, raw)
    table.add("worker start against raw `ray start`", ours, raw, ratio=ratio, goal="≤ 1.03×", met=ratio <= 1.03)


def bench_status(room, table):
    """`raycluster status` against `ray status`."""
    head = room["head"]
    r = in_guest(head, "status", table.runs * 2, story.engine(head))
    for kind in ("wall", "cpu"):
        ours, peer = r["ours"][kind], r["peer"][kind]
        ratio = medians_ratio(peer, ours)
        table.add(f"`raycluster status` against `ray status`, {kind}", ours, peer, ratio=ratio, goal="≥ 100× less", met=ratio >= 100)


def bench_idle(room, table):
    """Memory and CPU of the idle daemons."""
    jobs = {"ray-headd": ("head", "ray-head.service"), "ray-workerd": ("w1", "ray-worker.service"),
            "ray-engine (head)": ("head", "ray-engine@head.service"), "ray-engine (worker)": ("w1", "ray-engine@worker.service")}
    first = {n: in_guest(room[g], "usage", room[g].main_pid(u)) for n, (g, u) in jobs.items()}
    began = time.monotonic()
    time.sleep(table.minutes * 60)  # the measure itself: CPU over a stretch of time
    took = time.monotonic() - began
    for name, (g, u) in jobs.items():
        last = in_guest(room[g], "usage", room[g].main_pid(u))
        dirty, pss = last["private_dirty_kb"], last["pss_kb"]
        cpu = (last["cpu"] - first[name]["cpu"]) / took * 100
        worker = name == "ray-workerd"
        table.add(f"{name}: private dirty", [dirty], unit="kB", goal="≤ 3 MB" if worker else None, met=dirty <= 3072 if worker else None)
        table.add(f"{name}: PSS", [pss], unit="kB")
        table.add(f"{name}: CPU of one core, idle", [cpu], unit="%", goal="≤ 0.1 %", met=cpu <= 0.1)


def found_after(room, way):
    """Seconds from the head's GCS port accepting to the start of the worker's engine."""
    head, w1 = room["head"], room["w1"]
    room.all(lambda g: g.run(f"systemctl stop {'ray-head' if g is head else 'ray-worker'}", timeout=150, quiet=True))
    line = 'cluster: { head = "10.77.0.10"; };\n' if way == "static" else \
        'discovery: { order = ["dns"]; };\n' if way == "dns" else 'discovery: { order = ["mdns"]; };\n'
    w1.conf(line)
    if way == "dns":
        room.dns("srv-host=_raycluster._tcp.room.example,head.room.example,6388,0,0", f"address=/head.room.example/{head.address}")
    w1.run("systemctl start ray-worker", quiet=True)
    wait_until("the worker waits", lambda: "waiting" in w1.out("raycluster status --json", check=False, quiet=True), 30)
    watch = w1.spawn(["python3", "/srv/bench/in_guest.py", "port_opens", head.address, "6379"], stdout=subprocess.PIPE)
    head.run("systemctl start ray-head", quiet=True)
    out, _ = watch.communicate(timeout=90)
    opened = json.loads(out)["monotonic"]
    unit = "ray-engine@worker.service"
    wait_until("the engine starts", lambda: w1.state(unit) in ("activating", "active"), 60, 0.05)
    return usec(w1, unit, "InactiveExitTimestampMonotonic") - opened


def bench_discovery(room, table):
    """Head serving to the worker's engine started."""
    for way, goal in (("static", 1.0), ("dns", 1.0), ("mdns", 2.5)):
        values = []
        for _ in range(max(3, table.runs // 2)):
            values.append(found_after(room, way))
        table.add(f"GCS port open to worker's engine started, {way}", values, goal=f"≤ {goal} s", met=statistics.median(values) <= goal)
    room["w1"].run("rm -f /etc/raycluster.conf.d/50-room.conf; systemctl restart ray-worker", quiet=True)
    room["w2"].run("systemctl start ray-worker", quiet=True)
    story.wait_cluster(room, 2)


def back_after(guest, deed):
    """Seconds from a deed to the guest's own raylet being ALIVE in the GCS again."""
    cursor = guest.cursor()
    began = time.time()
    deed()
    return stamp(guest.wait_message("WORKER_JOINED", cursor, 120)) - began


def bench_recovery(room, table):
    """Recovery times of the events of the design."""
    head, w1 = room["head"], room["w1"]
    killed, frozen, gcs, restart = [], [], [], []
    for _ in range(3):
        killed.append(back_after(w1, lambda: w1.kill(story.raylet(w1))))
        frozen.append(back_after(w1, lambda: w1.kill(story.raylet(w1), "STOP")))

        cursor = head.cursor()
        began = time.time()
        head.kill(story.gcs_server(head))
        gcs.append(stamp(head.wait_message("HEAD_SERVING", cursor, 60)) - began)
        story.wait_alive(room, room.guests, 90)

        began = time.monotonic()
        w1.run("systemctl restart ray-worker", quiet=True)
        restart.append(time.monotonic() - began)
    for what, values, goal in (("raylet killed to node ALIVE again", killed, 30), ("raylet frozen to node ALIVE again", frozen, 60),
                               ("gcs_server killed to serving", gcs, 15), ("daemon restarted to READY", restart, 5)):
        table.add(what, values, goal=f"≤ {goal} s", met=max(values) <= goal)


BENCHES = {name.removeprefix("bench_"): f for name, f in list(globals().items()) if name.startswith("bench_")}


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wanted", nargs="*", help="only these")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--runs", type=int, default=5, help="runs of each side (5)")
    parser.add_argument("--minutes", type=float, default=10, help="length of the idle measurement (10)")
    parser.add_argument("--out", default=str(HERE / "RESULTS.md"))
    args = parser.parse_args()
    if args.list:
        for name, f in BENCHES.items():
            print(f"{name:12} {f.__doc__}")
        return 0
    setup.catch_signals()
    table = Table(args.runs, args.minutes)
    try:
        with setup.Site("bench") as site, site.room(["head", "w1", "w2"], site.logs / "room", installed=True) as room:
            give_scripts(room)
            story.start_cluster(room)
            for name, f in BENCHES.items():
                if args.wanted and name not in args.wanted:
                    continue
                print(name, flush=True)
                try:
                    f(room, table)
                except Failed:
                    room.save_journals()
                    raise
    except setup.Interrupted as e:
        print(f"{e}: the room is gone", file=sys.stderr)
        return 130
    table.write(args.out)
    print(f"written: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
