# SPDX-License-Identifier: Apache-2.0
"""Membership: who is in the cluster and who is not, told by both journals; and another head."""
import base64
import json
import secrets
import time

import story
from room import stamp, wait_until
from story import Pids, expect, expect_in

ROOM = {"guests": ["head", "w1", "w2", "spare"]}
STATE = "/var/lib/raycluster"
IDENTITY = f"{STATE}/identity.pem"


def setup(room):
    """spare has no role: it is another head, and then the next one."""
    room["head"].enable("ray-head")
    for name in ("w1", "w2"):
        room[name].enable("ray-worker")
    story.join(room, [room["w1"], room["w2"]])
    story.wait_cluster(room, 2)


def members(head):
    """The head's roster, by name."""
    out = head.run("raycluster node list --json", quiet=True).out
    return {m["name"]: m for m in json.loads(out)}


def tokens(head):
    """The head's tokens, by id."""
    out = head.run("raycluster token list --json", quiet=True).out
    return {t["id"]: t for t in json.loads(out)}


def create(head, options=""):
    """A new token's text and id."""
    text = head.run(f"raycluster token create {options}", quiet=True).out.strip()
    return text, text.split("-")[2]


def is_member(guest):
    return guest.run(f"test -e {IDENTITY}", check=False, quiet=True).code == 0


def outsider(room, name):
    """This machine, which is no member from here on."""
    guest = room[name]
    if is_member(guest):
        guest.run("raycluster leave")
    return guest


def let_in(room, guest):
    """A member again, and Ray runs there."""
    cursor = guest.cursor()
    story.join(room, [guest])
    guest.wait_message("WORKER_JOINED", cursor, 60)


def stopping(guest, unit, cursor):
    """When the daemon began to go, by the journal."""
    return stamp(guest.wait_journal("^Stopping", cursor, 10, unit=unit))


def here_again(room, name, cursor, since, bound):
    """By the head's journal the member is here so many seconds after `since`."""
    entry = room["head"].wait_message("MEMBER_HERE", cursor, 30, f"^{name} is here")
    took = stamp(entry) - since
    room.timeline.say(name, f"here again after {took:.2f} s")
    expect(took <= bound, f"{name} is here after {took:.1f} s, {bound} s are allowed")


def scenario_one_token_two_members(room):
    """Both joined by one token, which is used up; both journals and the head's lists say so."""
    head = room["head"]
    listed = members(head)
    expect({n: m["state"] for n, m in listed.items()} == {"w1": "here", "w2": "here"},
           f"the members are {listed}")
    words = [m["words"] for m in listed.values()]
    expect(len(set(words)) == 2 and all(len(w.split()) >= 3 for w in words), f"keys are {words}")
    out = head.out("raycluster node list")
    for name in ("w1", "w2"):
        expect_in(out, listed[name]["words"], "raycluster node list")
        expect_in(out, room[name].address, "raycluster node list")
        expect(room[name].count_messages("ENROLLED", None) == 1, f"{name} does not say it is in")
    expect(head.count_messages("MEMBER_ENROLLED", None) == 2, "the head does not name two members")
    used = [t for t in tokens(head).values() if t["uses"] == 2]
    expect([(t["state"], t["left"]) for t in used] == [("used-up", 0)], f"the token is {used}")


def scenario_job_with_token(room):
    """A job runs on all three, with Ray's token that only members have."""
    head = room["head"]
    story.wait_jobs_api(head)
    out = story.submit(head, story.NAMES_JOB)
    for name in ("head", "w1", "w2"):
        expect_in(out, f"this task ran on {name}", "the job's output")


def scenario_head_daemon_restart(room):
    """All members are attached again within 5 s, and Ray's processes stay."""
    head = room["head"]
    pids, cursor = [Pids(room[n]) for n in ("head", "w1", "w2")], head.cursor()
    head.run("systemctl restart ray-head")
    since = stopping(head, "ray-head.service", cursor)
    for name in ("w1", "w2"):
        here_again(room, name, cursor, since, 5)
    for p in pids:
        p.expect_same("a restart of the head's daemon")


def scenario_worker_daemon_restart(room):
    """The same for a restart of a worker's daemon."""
    head, w1 = room["head"], room["w1"]
    pids, cursor, mine = Pids(w1), head.cursor(), w1.cursor()
    w1.run("systemctl restart ray-worker")
    here_again(room, "w1", cursor, stopping(w1, "ray-worker.service", mine), 5)
    pids.expect_same("a restart of the worker's daemon")


def scenario_lost_worker_is_seen(room):
    """The head sees within 10 s that a worker's link is cut, and that it is mended."""
    head, w1 = room["head"], room["w1"]
    cursor, mine = head.cursor(), w1.cursor()
    w1.cut_link()
    cut = time.time()
    took = stamp(head.wait_message("MEMBER_LOST", cursor, 20, "^w1 ")) - cut
    room.timeline.say("head", f"w1 was missed after {took:.2f} s")
    expect(took <= 10, f"the head missed w1 after {took:.1f} s")
    expect(members(head)["w1"]["state"] == "away", "the head lists w1 as if it were here")
    w1.wait_message("CONTROL_LOST", mine, 20)
    w1.restore_link()
    here_again(room, "w1", cursor, time.time(), 20)
    w1.wait_message("CONTROL_JOINED", mine, 5)


def scenario_control_port_held_by_systemd(room):
    """With the example's socket unit a member that dials starts the daemon, and a restart of the
    daemon is as short as without it."""
    head = room["head"]
    example, unit = "/usr/share/doc/raycluster/examples/ray-head.socket", "ray-head.socket"
    head.run("systemctl stop ray-head", timeout=120)
    cursor = head.cursor()
    head.run(f"cp {example} /etc/systemd/system && systemctl enable --now {unit}")
    for name in ("w1", "w2"):
        head.wait_message("MEMBER_HERE", cursor, 30, f"^{name} is here")
    expect(head.state("ray-head.service") == "active", "no member has started ray-head")
    expect_in(head.out("ss -Hltnp sport = :6388"), "systemd", "who has the control port")
    wait_until("the head's raylet", lambda: head.pids(story.RAYLET), 60)
    story.wait_alive(room, ["head", "w1", "w2"], 60)
    scenario_head_daemon_restart(room)
    cursor = head.cursor()
    head.run(f"systemctl disable --now {unit}; rm /etc/systemd/system/{unit}; "
             "systemctl daemon-reload; systemctl restart ray-head")
    for name in ("w1", "w2"):
        head.wait_message("MEMBER_HERE", cursor, 30, f"^{name} is here")


def scenario_leave(room):
    """Ray is drained and stopped there, nothing that makes it a member is left, its name is free.
    """
    head, w2 = room["head"], room["w2"]
    cursor, mine = head.cursor(), w2.cursor()
    w2.run("raycluster leave")
    head.wait_message("MEMBER_LEFT", cursor, 5, "^w2 ")
    w2.wait_message("LEFT", mine, 5)
    w2.wait_message("ENGINE_STOPPED", mine, 60)
    expect(not is_member(w2), f"{IDENTITY} is still there")
    expect("w2" not in members(head), "the head still lists w2")
    w2.wait_message("WAIT_ACCESS", mine, 45, "raycluster join")
    expect(w2.count_messages("ENGINE_STARTED", mine) == 0, "Ray was started for no member")
    expect(w2.state("ray-engine@worker.service") != "active", "Ray runs on a machine that left")


def scenario_group_of_a_token(room):
    """A machine that joins with a token of a group is in it, for the head and for Ray."""
    head, w2 = room["head"], outsider(room, "w2")
    token, _ = create(head, "--group gpu")
    mine = w2.cursor()
    w2.run("raycluster join -", stdin=token, timeout=100)
    w2.wait_message("WORKER_JOINED", mine, 60)
    expect(members(head)["w2"]["group"] == "gpu", "the head does not know w2's group")
    expect_in(w2.out("raycluster config --effective | grep group"), '"gpu"', "w2's configuration")

    def groups():
        nodes = json.loads(head.out("raycluster status --json", quiet=True))["nodes"]
        return {n["hostname"]: n["group"] for n in nodes if n["state"] == "alive"}
    wait_until("Ray to have w2 in its group", lambda: groups().get("w2") == "gpu", 30)
    expect(groups()["w1"] == "", f"the groups are {groups()}")


def refused(room, guest, token, words, refusal):
    """Typed by a user, a token has exit status 1 and one sentence with a remedy; who refused it?"""
    head = room["head"]
    cursor = head.cursor()
    r = guest.run("raycluster join -", stdin=token + "\n", check=False, timeout=100)
    lines = r.err.strip().split("\n")
    expect(r.code == 1 and len(lines) == 1 and not r.out, f"exit {r.code}: {r.out}{r.err}")
    for part in words:
        expect_in(lines[0], part, "what raycluster join says")
    expect(not is_member(guest), "it is a member all the same")
    if refusal:
        entry = head.wait_message("MEMBER_REFUSED", cursor, 5)
        expect(entry["RAYCLUSTER_REFUSAL"] == refusal, f"refused as {entry['RAYCLUSTER_REFUSAL']}")
        expect(entry["RAYCLUSTER_NODE"] == guest.name, f"refused was {entry['RAYCLUSTER_NODE']}")
    else:
        expect(head.count_messages("MEMBER_REFUSED", cursor) == 0, "something was sent to the head")


def scenario_tokens_mangled_and_of_others(room):
    """Cut, mistyped, of another head: said before anything is sent."""
    head, spare, w2 = room["head"], room["spare"], outsider(room, "w2")
    token, _ = create(head)
    refused(room, w2, token[:70], ["cut off", "copy all of it again"], None)
    wrong = token[:-9] + ("a" if token[-9] != "a" else "b") + token[-8:]
    refused(room, w2, wrong, ["checksum", "copy it again"], None)
    refused(room, w2, "kubeadm join", ["rc1-", "copy all of it again"], None)
    spare.conf('cluster: { name = "other"; };\n')
    spare.run("systemctl start ray-head")
    wait_until("a token of the other head", lambda: spare.run(
        "raycluster token create", check=False, quiet=True).code == 0, 20)
    foreign, _ = create(spare)
    refused(room, w2, foreign, ["not the head that made this token", "nothing was sent",
                                "take a token of this head"], None)
    spare.run("systemctl stop ray-head", timeout=120)
    let_in(room, w2)


def scenario_tokens_not_good(room):
    """Used up, expired, revoked, for another subnet or name: refused by the head, which tells."""
    head, w2 = room["head"], outsider(room, "w2")
    remedy = "raycluster token create on the head makes another"
    once, _ = create(head)
    w2.run("raycluster join -", stdin=once, timeout=100)
    w2.run("raycluster leave")
    refused(room, w2, once, ["is used up", remedy], "token-used")
    short, number = create(head, "--ttl 1s")
    wait_until("the token to be over", lambda: tokens(head)[number]["state"] == "expired", 10)
    refused(room, w2, short, ["has expired", remedy], "token-expired")
    revoked, number = create(head)
    head.run(f"raycluster token revoke {number}")
    expect(tokens(head)[number]["state"] == "revoked", "the token is not shown as revoked")
    refused(room, w2, revoked, ["was revoked", remedy], "token-expired")
    there, _ = create(head, "--subnet 10.99.0.0/24")
    refused(room, w2, there, ["10.99.0.0/24", w2.address, remedy], "token-scope")
    named, _ = create(head, "--name 'gpu*'")
    refused(room, w2, named, ["gpu*", "w2", remedy], "token-scope")
    let_in(room, w2)


def scenario_pasted_token_is_nowhere(room):
    """Read from standard input, a token is afterwards in no journal, process or file of either."""
    head, w2 = room["head"], outsider(room, "w2")
    token, _ = create(head)
    secret = token.rsplit("-", 1)[1]
    w2.run("raycluster join -", stdin=token, timeout=100)
    looks = {"journal": "journalctl --no-pager -q -a -o export",
             "command lines": "cat /proc/[0-9]*/cmdline",
             "environments": "cat /proc/[0-9]*/environ",
             "state": f"find {STATE} /run/raycluster /run/systemd -type f -exec cat {{}} +"}
    for guest in (head, w2):
        guest.write("/root/secret", secret + "\n")
        for what, cmd in looks.items():
            r = guest.run(f"({cmd}) 2>/dev/null | tee /root/seen | grep -acF -f /root/secret",
                          check=False, quiet=True)
            expect(int(guest.out("stat -c %s /root/seen", quiet=True)) > 100,
                   f"{guest.name}: {what} is empty")
            expect(r.out.strip() == "0", f"{guest.name}: the token is in {what}")
        guest.run("rm /root/seen /root/secret")


def scenario_revoke(room):
    """Cut off at once and not let back in; forgotten, and with a new token, it is."""
    head, w2 = room["head"], room["w2"]
    cursor, mine = head.cursor(), w2.cursor()
    head.run("raycluster node revoke w2")
    head.wait_message("MEMBER_REVOKED", cursor, 5, "^w2 ")
    head.wait_message("MEMBER_LOST", cursor, 5, "^w2 .*revoked")
    w2.wait_message("CONTROL_REFUSED", mine, 20, "revoked")
    expect(members(head)["w2"]["state"] == "revoked", "the head does not list w2 as revoked")
    expect_in(w2.out("raycluster status"), "revoked", "raycluster status on w2")
    outsider(room, "w2")
    head.run("raycluster node forget w2")
    let_in(room, w2)
    expect(members(head)["w2"]["state"] == "here", "w2 is not here")


def scenario_stolen_identity(room):
    """The key of w1 on a second machine: the head names both addresses."""
    head, w1, w2 = room["head"], room["w1"], room["w2"]
    cursor = head.cursor()
    w2.run(f"mv {IDENTITY} {IDENTITY}.own")
    w2.write(IDENTITY, w1.read(IDENTITY), mode="0600", owner="raycluster:raycluster")
    w2.run("systemctl restart ray-worker")
    text = head.wait_message("MEMBER_COPIED", cursor, 30)["MESSAGE"]
    for part in (w1.address, w2.address, "raycluster node revoke w1"):
        expect_in(text, part, "what the head says of a copied key")
    cursor = head.cursor()
    w2.run(f"mv {IDENTITY}.own {IDENTITY}; systemctl restart ray-worker")
    for name in ("w1", "w2"):
        wait_until(f"{name} to be here", lambda n=name: members(head)[n]["state"] == "here", 30)
        expect(members(head)[name]["address"] == room[name].address,
               f"the head takes {members(head)[name]['address']} for {name}")


def drain_of(guest):
    """engine.drain as it holds here, with where it comes from."""
    out = guest.run("raycluster config --effective", quiet=True).out
    return next(line for line in out.split("\n") if line.startswith("engine.drain "))


def scenario_settings_of_the_head(room):
    """A setting of the head's file holds on a worker that has none, also after it starts alone."""
    head, w1 = room["head"], room["w1"]
    expect(w1.run("ls /etc/raycluster.conf.d", check=False).out.strip() == "", "w1 has a file")
    head.write("/etc/raycluster.conf.d/60-drain.conf", 'engine: { drain = "7s"; };\n')
    head.run("systemctl reload ray-head")
    wait_until("the setting on w1", lambda: '"7s"' in drain_of(w1), 15)
    expect("head" in drain_of(w1).split("//")[1], f"it comes from {drain_of(w1)}")
    w1.cut_link()
    mine = w1.cursor()
    w1.run("systemctl restart ray-worker")
    w1.wait_message("ENGINE_READOPTED", mine, 15)
    expect('"7s"' in drain_of(w1), f"alone it has {drain_of(w1)}")
    w1.restore_link()
    w1.wait_message("CONTROL_JOINED", mine, 30)
    head.run("rm /etc/raycluster.conf.d/60-drain.conf; systemctl reload ray-head")
    wait_until("the setting to be gone", lambda: "default" in drain_of(w1), 15)


def scenario_another_machine_becomes_the_head(room):
    """What backup wrote makes spare the head: the workers follow with the keys that they have."""
    head, spare = room["head"], room["spare"]
    workers = [room["w1"], room["w2"]]
    before, keys = members(head), [w.read(IDENTITY) for w in workers]
    secret = secrets.token_hex(16) + "\n"
    head.run("raycluster backup --passphrase-file=- /root/head.backup", stdin=secret)
    backup = head.out("base64 /root/head.backup", quiet=True)
    spare.run("base64 -d >/root/head.backup", stdin=backup)
    head.run("systemctl disable --now ray-head", timeout=120)
    head.power_off()
    spare.run("rm -f /etc/raycluster.conf.d/50-room.conf; systemctl stop ray-head", timeout=120)
    spare.run("raycluster restore --force --passphrase-file=- /root/head.backup", stdin=secret)
    cursors = [w.cursor() for w in workers]
    spare.enable("ray-head")
    for worker, cursor in zip(workers, cursors):
        worker.wait_message("CONTROL_JOINED", cursor, 60, spare.address)
    story.wait_cluster(room, 2, on="spare")
    story.wait_alive(room, ["spare", "w1", "w2"], 60, on="spare")
    after = members(spare)
    for worker, key in zip(workers, keys):
        expect(after[worker.name]["state"] == "here", f"{worker.name} is {after[worker.name]}")
        expect(after[worker.name]["words"] == before[worker.name]["words"], "another key")
        expect(worker.read(IDENTITY) == key, f"{worker.name} has another certificate")
