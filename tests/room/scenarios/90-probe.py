# SPDX-License-Identifier: Apache-2.0
"""(k) ray-probe on both sides of a running cluster, on machines with a real systemd."""
import re
import subprocess

import story
from story import expect, expect_in

ROOM = {"guests": ["head", "w1"]}

# What a careful person writes first, and wonders why Ray does not work.
CLOSED = """#!/usr/sbin/nft -f
flush ruleset
table inet filter {
        chain input {
                type filter hook input priority 0; policy drop;
                iif lo accept
                ct state established,related accept
                meta l4proto { 1, 58 } accept
                udp dport 5353 accept
        }
}
"""


def setup(room):
    story.start_cluster(room)
    room["head"].add_user("alice")


class Server:
    """ray-probe --serve by an ordinary user of the head, for as long as it is used."""

    def __init__(self, head):
        self.head = head
        self.process = head.spawn("exec ray-probe --serve", user="alice", stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)
        self.line = ""
        while not self.line.startswith("ray-probe --code "):
            line = self.process.stdout.readline()
            expect(line, "ray-probe --serve ended")
            self.line = line.strip()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        """Ctrl-C. The process here is only the way into the guest, and ends with the one there."""
        self.head.kill(self.head.pid("ray-probe --serve"), "INT")
        expect(self.process.wait(timeout=10) == 0, "ray-probe --serve did not end well")


def probe(guest, server):
    """What it says is to be typed, typed."""
    return guest.run(server.line, check=False)


def scenario_both_ways(room):
    """With Ray running on both machines: OK, and nothing is left behind."""
    w1 = room["w1"]
    ports = "ss -Hltn | awk '{print $4}' | sort"
    before = w1.out(ports)
    with Server(room["head"]) as server:
        p = probe(w1, server)
    expect(p.code == 0, f"exit {p.code}: {p.out}{p.err}")
    expect_in(p.out, "OK ", "the verdict")
    expect(w1.out(ports) == before, "a listener was left, or Ray lost one")
    story.wait_alive(room, room.guests, 10)


def scenario_blocked_by_nftables_service(room):
    """The worker's firewall lets nobody in: which one it is, and the line for it."""
    w1 = room["w1"]
    w1.write("/etc/nftables.conf", CLOSED, mode="0755")
    w1.run("systemctl start nftables")
    with Server(room["head"]) as server:
        p = probe(w1, server)
        expect(p.code == 74, f"exit {p.code}: {p.out}{p.err}")
        expect_in(p.out, "REVERSE_BLOCKED", "the verdict")
        expect(re.search(r"^Try: .*\bnft ", p.out, re.M), f"no line of nft: {p.out}")
    w1.run("systemctl stop nftables")
    with Server(room["head"]) as server:  # another one, since each tests once in ten seconds
        p = probe(w1, server)
    expect(p.code == 0, f"mended, and exit {p.code}: {p.out}{p.err}")
