# SPDX-License-Identifier: Apache-2.0
"""(k) ray-probe on both sides of a running cluster, on machines with a real systemd."""
import json
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

# Nobody, without a capability, who may read and talk to the network. A system call beyond the filter is the end (SIGSYS):
# no errno hides it.
SANDBOX = ["User=nobody", "Group=nogroup", "CapabilityBoundingSet=", "AmbientCapabilities=", "NoNewPrivileges=yes",
           "SystemCallFilter=@system-service", "SystemCallArchitectures=native", "ProtectSystem=strict", "ProtectHome=yes",
           "ReadOnlyPaths=/", "PrivateDevices=yes", "RestrictNamespaces=yes", "MemoryDenyWriteExecute=yes", "LockPersonality=yes",
           "RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX", "UMask=0777"]
EPERM = ["SystemCallErrorNumber=EPERM"]
TOKEN_REQUIRED = 66


def in_sandbox(*argv, unit="in-a-sandbox", more=()):
    properties = [w for p in [*SANDBOX, *more] for w in ("-p", p)]
    return ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", f"--unit={unit}", *properties, *argv]


def setup(room):
    story.start_cluster(room)
    room["head"].add_user("alice")


class Server:
    """ray-probe --serve by an ordinary user of the head, or in a sandbox, for as long as it is used."""

    def __init__(self, head, sandbox=False):
        self.head, self.sandbox = head, sandbox
        self.process = head.spawn(in_sandbox("ray-probe", "--serve", unit="serve-in-a-sandbox") if sandbox else "exec ray-probe --serve",
                                  user=None if sandbox else "alice", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.line = ""
        while not self.line.startswith("ray-probe --code "):
            line = self.process.stdout.readline()
            expect(line, "ray-probe --serve ended")
            self.line = line.strip() + f" --token-file {story.RAY_TOKEN}"

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        """Ctrl-C. The process here is only the way into the guest, and ends with the one there."""
        if self.sandbox:
            self.head.run("systemctl kill --signal=INT serve-in-a-sandbox")
        else:
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


def scenario_in_a_sandbox(room):
    """Nobody without a capability, under the filter of system services: the same verdicts, nothing written."""
    head, w1 = room["head"], room["w1"]
    head.run("nft -f -", stdin="table inet sandbox { chain c { type filter hook input priority 0; tcp dport 6399 drop; }; }\n")
    with Server(head, sandbox=True) as server:
        code = server.line.split()[2]
        # nobody may read Ray's token: all else is in order
        for args, expected in (([head.address], TOKEN_REQUIRED), ([head.address, "6398"], 50), ([head.address, "6399"], 43),
                               (["--all", head.address], TOKEN_REQUIRED), (["--discover", head.address], TOKEN_REQUIRED),
                               (["nobody.room.example"], 10), (["--code", code, head.address], TOKEN_REQUIRED)):
            p = w1.run(in_sandbox("ray-probe", "--json", *args), check=False)
            expect(p.code == expected, f"{args}: exit {p.code}: {p.out[:600]}{p.err}")
            expect(json.loads(p.out)["code"] == expected, f"{args}: {p.out[:600]}")
            expect(not p.err, f"{args}: {p.err}")
    for args, expected in (([head.address], TOKEN_REQUIRED), ([head.address, "6398"], 50)):
        p = w1.run(in_sandbox("ray-probe", *args, more=EPERM), check=False)
        expect(p.code == expected, f"with EPERM, {args}: exit {p.code}: {p.out}{p.err}")
    status = w1.out(in_sandbox("cat", "/proc/self/status"))
    for line in ("Uid:\t65534\t65534\t65534\t65534", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
        expect_in(status, line, "the sandbox itself")
    # 125 would be chroot's own; a killed command is 255 here
    expect(w1.run(in_sandbox("chroot", "/", "true"), check=False).code == 255, "a system call beyond the filter did not kill")
    head.run("nft delete table inet sandbox")
