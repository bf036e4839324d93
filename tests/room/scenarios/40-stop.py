# SPDX-License-Identifier: Apache-2.0
"""(d) Stop, reboot, a new cluster; (e) purge."""
import time

import story
from room import stamp
from story import LongTask, Pids, expect, expect_in


def setup(room):
    story.start_cluster(room)


def scenario_stop_drains(room):
    """systemctl stop waits for the running task, then both units are inactive, not failed."""
    w1 = room["w1"]
    task = LongTask(room, "w1")
    cursor = w1.cursor()
    stop = w1.spawn("systemctl stop ray-worker")
    w1.wait_message("DRAINING", cursor, 15)
    expect(stop.poll() is None, "systemctl stop did not wait for the drain")
    expect(w1.pids(story.RAYLET), "the raylet was gone before the task had ended")
    task.finish()
    expect(stop.wait(60) == 0, "systemctl stop failed")
    for unit in ("ray-worker.service", "ray-engine@worker.service"):
        expect(w1.state(unit) == "inactive", f"{unit} is {w1.state(unit)} after stop")
        expect(w1.show(unit, "Result") == "success", f"{unit}: {w1.show(unit, 'Result')}")
    story.wait_alive(room, ["head", "w2"], 10)
    w1.run("systemctl start ray-worker")
    story.wait_cluster(room, 2)


def scenario_worker_reboots(room):
    """A worker that is rebooted leaves in order and joins again without anybody's help."""
    w1 = room["w1"]
    others = [Pids(room["w2"]), Pids(room["head"])]
    cursor = w1.cursor()
    w1.reboot()
    w1.wait_message("WORKER_JOINED", cursor, 60)
    story.wait_alive(room, room.guests, 60)
    for p in others:
        p.expect_same("the reboot of w1")
    last = w1.run("journalctl -b -1 -q --no-pager -u ray-engine@worker -u ray-worker").out
    expect("Failed with result" not in last, f"a unit failed at shutdown:\n{last[-1500:]}")


ACTOR = '''
import sys, os, ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On
ray.init(namespace="kept", log_to_driver=False)
ids = {n["NodeManagerHostname"]: n["NodeID"] for n in ray.nodes() if n["Alive"]}

@ray.remote(num_cpus=0)
class Counter:
    def __init__(self):
        self.n = 0

    def add(self):
        self.n += 1
        return self.n, os.getpid()

if sys.argv[1] == "make":
    a = Counter.options(name="c", lifetime="detached",
                        scheduling_strategy=On(ids["w1"], soft=False)).remote()
else:
    a = ray.get_actor("c")
print("counter", *ray.get(a.add.remote(), timeout=60))
'''


def scenario_head_reboots(room):
    """The head machine reboots: same cluster, workers and their actors go on."""
    head = room["head"]
    workers = [Pids(room["w1"]), Pids(room["w2"])]
    before = head.prop("ClusterId")
    first = story.driver(head, ACTOR, args="make").out.split()[-2:]
    cursor = head.cursor()
    head.reboot()
    up = time.time()
    took = stamp(head.wait_message("HEAD_SERVING", cursor, 60)) - up
    room.timeline.say("head", f"serving {took:.1f} s after userspace was up")
    expect(took <= 20, f"serving {took:.1f} s after userspace was up")
    story.wait_cluster(room, 2)
    expect(head.prop("ClusterId") == before, "the cluster id changed")
    for p in workers:
        p.expect_same("the reboot of the head")
    second = story.driver(head, ACTOR, args="again").out.split()[-2:]
    expect(second == [str(int(first[0]) + 1), first[1]],
           f"the actor was {first} and is {second}: not the same process and count")


def scenario_new_cluster_id(room):
    """The head's store is lost: workers leave the old cluster and are in the new one soon."""
    head = room["head"]
    before = head.prop("ClusterId")
    head.run("systemctl stop ray-head", timeout=120)
    head.run("rm -rf /var/lib/ray/gcs/*")
    cursors = {g: g.cursor() for g in room.guests.values()}
    head.run("systemctl start ray-head")
    served = stamp(head.wait_message("HEAD_SERVING", cursors[head], 60))
    for guest in (room["w1"], room["w2"]):
        guest.wait_message("CLUSTER_CHANGED", cursors[guest], 30)
        joined = stamp(guest.wait_message("WORKER_JOINED", cursors[guest], 60))
        # 15 s in all on an idle machine, where Ray itself takes 4 to 6 s to start (ray-facts 8).
        # Here three machines start it on two cores, so Ray's own part is taken off both sides.
        started = stamp(guest.wait_journal("^Started Ray", cursors[guest], 5))
        ray = stamp(guest.wait_journal("^Ray .* serves after", cursors[guest], 5)) - started
        room.timeline.say(guest.name, f"joined the new cluster {joined - served:.1f} s after it "
                          f"served, {ray:.1f} s of it Ray's own start")
        expect(joined - served - ray <= 10, f"{guest.name}: joined {joined - served:.1f} s after "
               f"serving, {ray:.1f} s of it Ray's own start")
    expect(head.prop("ClusterId") != before, "the cluster id is the same")
    story.wait_alive(room, room.guests, 20)


def scenario_status_without_daemon(room):
    """Without a daemon `raycluster status` says so and why."""
    w2 = room["w2"]
    w2.run("systemctl stop ray-worker", timeout=120)
    r = w2.run("raycluster status", check=False)
    expect_in(r.out + r.err, "ray-worker", "raycluster status without a daemon")
    w2.run("systemctl start ray-worker")
    story.wait_cluster(room, 2)


def scenario_purge_leaves_only_the_users(room):
    """(e) apt-get purge with the role running: drained, and nothing stays but users and groups."""
    w2 = room["w2"]
    w2.run("apt-get -q -y purge raycluster ray-probe raycluster-engine 'raycluster-engine-2*'",
           timeout=180)
    left = w2.out("find / -xdev \\( -path /proc -o -path /sys -o -path /var/log/journal -o "
                  "-path /tmp \\) -prune -o \\( -name '*raycluster*' -o -name 'ray-*' -o "
                  "-path '*/lib/ray*' -o -path '/run/ray*' \\) -print | "
                  "grep -vE '^/(var/lib/apt/lists|etc/apt/sources.list.d|var/log|srv)' || true")
    expect(not left, f"left after purge:\n{left}")
    ours = w2.out("ps -eo user:20,args --no-headers | grep -E '^(ray|raycluster) ' || true")
    expect(not ours, f"processes after purge:\n{ours}")
    loaded = w2.out("systemctl list-units --all --no-legend 'ray*' || true")
    expect(not loaded, f"units after purge:\n{loaded}")
    users = w2.out("getent passwd ray raycluster | cut -d: -f1")
    expect(users.split() == ["ray", "raycluster"], f"users after purge: {users}")
    story.wait_alive(room, ["head", "w1"], 15)
