# SPDX-License-Identifier: Apache-2.0
"""Certificates that live for seconds: members renew them by the dozen, and nobody notices."""
import json
import time

import story
from room import wait_until
from story import LongTask, Pids, expect

# Members look every three seconds whether it is time: below 11 s some renew after the end, too.
LIFE = "6s"
RENEWALS = 50    # of both workers together
DROP_IN = "/etc/systemd/system/ray-head.service.d/life.conf"


def setup(room):
    room["head"].write(DROP_IN, f"[Service]\nEnvironment=RAYCLUSTER_CERT_LIFE={LIFE}\n")
    room["head"].run("systemctl daemon-reload")
    story.start_cluster(room)


def ends(head):
    """When the certificate of each member ends, by name."""
    out = head.run("raycluster node list --json", quiet=True).out
    return {m["name"]: m["not_after_usec"] for m in json.loads(out)}


class Count:
    """Each later certificate that the head has given since."""

    def __init__(self, head):
        self.head, self.seen = head, ends(head)
        self.renewals = dict.fromkeys(self.seen, 0)

    def look(self):
        for name, end in ends(self.head).items():
            self.renewals[name] += end != self.seen[name]
            self.seen[name] = end
        return sum(self.renewals.values())


def scenario_renewals_under_load(room):
    """Fifty renewals while a job runs: no connection is lost, no task, no process of Ray."""
    head = room["head"]
    cursors = {g: g.cursor() for g in room.guests.values()}
    pids = [Pids(g) for g in room.guests.values()]
    tasks = [LongTask(room, name) for name in ("w1", "w2")]
    count = Count(head)
    wait_until(f"{RENEWALS} renewals", lambda: count.look() >= RENEWALS, 400)
    room.timeline.say("room", f"renewals: {count.renewals}")
    expect(min(count.renewals.values()) >= RENEWALS // 3, f"renewals: {count.renewals}")
    for guest, names in ((head, ("MEMBER_LOST", "MEMBER_HERE", "MEMBER_REFUSED", "MEMBER_COPIED")),
                         (room["w1"], ("CONTROL_LOST", "CONTROL_REFUSED")),
                         (room["w2"], ("CONTROL_LOST", "CONTROL_REFUSED"))):
        for name in names:
            expect(guest.count_messages(name, cursors[guest]) == 0, f"{guest.name} says {name}")
    for task in tasks:
        task.finish()
    for p in pids:
        p.expect_same("renewals")


def scenario_renewal_after_the_end(room):
    """A worker whose daemon was off until its certificate was over gets the next one by its key."""
    head, w1 = room["head"], room["w1"]
    before = w1.read("/var/lib/raycluster/identity.pem")
    w1.kill(w1.main_pid("ray-worker.service"), "STOP")
    end = ends(head)["w1"]
    wait_until("the certificate to be over", lambda: time.time() * 1e6 > end, 30)
    cursor = head.cursor()
    w1.run("systemctl kill -s KILL ray-worker")
    head.wait_message("MEMBER_HERE", cursor, 30, "^w1 is here")
    expect(ends(head)["w1"] > end, "its certificate is the old one")
    expect(w1.read("/var/lib/raycluster/identity.pem") != before, "its certificate is the old one")
    expect(head.count_messages("MEMBER_ENROLLED", cursor) == 0, "it was enrolled anew")
