# SPDX-License-Identifier: Apache-2.0
"""(d) The network cable of a worker is pulled."""
import time

import story
from room import stamp
from story import LongTask, Pids, expect


def setup(room):
    story.start_cluster(room)


def pause(room, seconds):
    """The length of an outage is what the scenario is about: here time itself is the event."""
    room.timeline.say("room", f"{seconds} s pass")
    time.sleep(seconds)


def scenario_link_cut_for_20_s(room):
    """Work goes on, the node is never doubled, Ray's processes stay."""
    w1 = room["w1"]
    pids = Pids(w1)
    before = [n["id"] for n in room["head"].nodes() if n["hostname"] == "w1"]
    task = LongTask(room, "w1")
    w1.cut_link()
    pause(room, 20)
    w1.restore_link()
    task.finish()
    pids.expect_same("20 s without network")
    after = [n["id"] for n in room["head"].nodes() if n["hostname"] == "w1"]
    expect(after == before, f"the node was {before} and is {after}")
    story.wait_alive(room, room.guests, 10)


def scenario_cable_out_for_20_s(room):
    """The same with the machine's own cable, which takes its address away for that time."""
    w1 = room["w1"]
    pids = Pids(w1)
    before = [n["id"] for n in room["head"].nodes() if n["hostname"] == "w1"]
    cursor = w1.cursor()
    w1.pull_cable()
    pause(room, 20)
    w1.plug_cable()
    w1.wait_message("WORKER_JOINED", cursor, 15)
    pids.expect_same("20 s without cable")
    after = [n["id"] for n in room["head"].nodes() if n["hostname"] == "w1"]
    expect(after == before, f"the node was {before} and is {after}")


def scenario_link_cut_for_90_s(room):
    """Ray has declared the node dead: it rejoins as a new one within 15 s, and says so."""
    w1 = room["w1"]
    cursor = w1.cursor()
    w1.cut_link()
    pause(room, 90)
    w1.restore_link()
    mended = time.time()
    joined = stamp(w1.wait_message("WORKER_JOINED", cursor, 60))
    # 15 s in all on an idle machine; on two loaded cores Ray's own start is not counted as ours.
    ray = stamp(w1.wait_journal("^Ray .* serves after", cursor, 5)) - stamp(
        w1.wait_journal("^Started Ray", cursor, 5))
    room.timeline.say("w1", f"joined {joined - mended:.1f} s after mending, {ray:.1f} s of it Ray's "
                      "own start")
    expect(joined - mended - ray <= 10, f"joined {joined - mended:.1f} s after mending, {ray:.1f} s "
           "of it Ray's own start")
    story.wait_alive(room, room.guests, 20)


def scenario_worker_power_cut(room):
    """A worker that loses power and comes back is one node again."""
    w1 = room["w1"]
    cursor = w1.cursor()
    w1.power_cut()
    w1.boot()
    w1.wait_message("WORKER_JOINED", cursor, 60)
    story.wait_alive(room, room.guests, 60)
