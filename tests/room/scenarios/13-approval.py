# SPDX-License-Identifier: Apache-2.0
"""Machines without a token: an admin's word in its place; and another token of Ray for all."""
import re

import story
from room import wait_until
from story import RAY_TOKEN, expect, expect_in

ROOM = {"guests": ["head", "w1"]}
IDENTITY = "/var/lib/raycluster/identity.pem"


def setup(room):
    room["head"].enable("ray-head")
    story.wait_cluster(room, 0)
    room["w1"].enable("ray-worker")


def ask(guest):
    """The head's key and its own, as words, as the machine shows them."""
    out = guest.out("raycluster join --ask", timeout=100)
    return [re.search(rf"{whose} key: +(.+)", out)[1] for whose in ("head's", "machine's")]


def outsider(room):
    w1 = room["w1"]
    if w1.run(f"test -e {IDENTITY}", check=False, quiet=True).code == 0:
        cursor = w1.cursor()
        w1.run("raycluster leave")
        w1.wait_message("ENGINE_STOPPED", cursor, 60)
    return w1


def scenario_approved(room):
    """Both screens show the same words; nothing is given before the admin's yes, then all of it."""
    head, w1 = room["head"], room["w1"]
    cursor, mine = head.cursor(), w1.cursor()
    words_head, words_own = ask(w1)
    expect_in(head.wait_message("MEMBER_PENDING", cursor, 5, "^w1 ")["MESSAGE"], words_own,
              "what the head says of it")
    pending = head.out("raycluster node list --pending")
    for words in (words_head, words_own):
        expect_in(pending, words, "raycluster node list --pending")
    expect_in(w1.out("raycluster status"), "raycluster node approve w1", "raycluster status")
    expect(w1.run(f"ls {IDENTITY} {RAY_TOKEN}", check=False).out == "", "it was given something")
    head.run("raycluster node approve w1")
    head.wait_message("MEMBER_ENROLLED", cursor, 30, "^w1 ")
    w1.wait_message("ENROLLED", mine, 5)
    w1.wait_message("WORKER_JOINED", mine, 60)


def scenario_auto_approve(room):
    """While its subnet is approved, a machine whose file says so is in by itself; but not one that
    was told to leave."""
    head, w1 = room["head"], outsider(room)
    head.run("raycluster node auto-approve --subnet 10.77.0.0/24 --for 5min")
    w1.conf('auth: { enrol = "ask"; };\n')
    w1.run("systemctl reload ray-worker")
    expect_in(w1.run("raycluster status", check=False).out, "this machine has left",
              "raycluster status")
    mine = w1.cursor()
    w1.run("systemctl stop ray-worker; rm /var/lib/raycluster/left")  # as if newly installed
    w1.run("systemctl start ray-worker")
    w1.wait_message("WORKER_JOINED", mine, 60)
    head.run("raycluster node auto-approve --subnet 10.77.0.0/24 --for 0s")
    w1.run("rm /etc/raycluster.conf.d/50-room.conf; systemctl reload ray-worker")


def scenario_denied(room):
    """The admin's no is told to the machine; with a token it is let in all the same."""
    head, w1 = room["head"], outsider(room)
    ask(w1)
    cursor, mine = head.cursor(), w1.cursor()
    head.run("raycluster node deny w1")
    expect(head.wait_message("MEMBER_REFUSED", cursor, 30)["RAYCLUSTER_REFUSAL"] == "denied",
           "it was refused for another reason")
    wait_until("status to say so",
               lambda: "denied" in w1.run("raycluster status", check=False, quiet=True).out, 5)
    expect(w1.count_messages("ENROLLED", mine) == 0, "it is a member")
    story.join(room, [w1])
    w1.wait_message("WORKER_JOINED", mine, 60)


def jobs_api(guest, token):
    """The HTTP status that the Jobs API has for this token, as text."""
    return guest.run("curl -sS -m 5 -H @- -o /dev/null -w '%{http_code}' "
                     "http://10.77.0.10:8265/api/version", check=False, quiet=True,
                     stdin=f"Authorization: Bearer {token}").out.strip()


def scenario_another_ray_token(room):
    """Both machines have the new token and Ray runs with it; the old one is good for nothing."""
    head, w1 = room["head"], room["w1"]
    old = head.read(RAY_TOKEN).strip()
    cursor, mine = head.cursor(), w1.cursor()
    head.run("raycluster ray-token --rotate")
    head.wait_message("TOKEN_ROTATED", cursor, 5)
    head.wait_message("HEAD_SERVING", cursor, 60)
    w1.wait_message("WORKER_JOINED", mine, 90)
    story.wait_alive(room, room.guests, 30)
    new = head.read(RAY_TOKEN).strip()
    expect(new != old and w1.read(RAY_TOKEN).strip() == new, "the tokens are not one new token")
    wait_until("the Jobs API", lambda: jobs_api(w1, new) == "200", 60, 0.5)
    code = jobs_api(w1, old)
    expect(code in ("401", "403"), f"the Jobs API says {code} to the old token")
    out = story.submit(head, story.NAMES_JOB)
    for name in room.guests:
        expect_in(out, f"this task ran on {name}", "the job's output")
