# SPDX-License-Identifier: Apache-2.0
"""(b) Heads found by name and by DNS SRV; (c) workers that were there first."""
import time

import story
from room import stamp
from story import expect

NAME = "compute04.berkeley.edu"
SRV = ["host-record=head.room.example,10.77.0.10",
       "srv-host=_raycluster._tcp.room.example,head.room.example,6388,0,100"]


def setup(room):
    story.enrol(room)


def restart_workers(room):
    for guest in (room["w1"], room["w2"]):
        guest.run("systemctl stop ray-worker", timeout=120)
        guest.run("systemctl start ray-worker")


def scenario_workers_first_by_mdns(room):
    """(c) Both workers wait for a minute, say why, and start Ray within 2.5 s of the head's word."""
    workers = [room["w1"], room["w2"]]
    cursors = {g: g.cursor() for g in room.guests.values()}
    for guest in workers:
        guest.enable("ray-worker")
        guest.wait_message("WAITING", cursors[guest], 20)
    room.timeline.say("room", "a minute passes")
    time.sleep(60)
    for guest in workers:
        expect(guest.state("ray-engine@worker.service") == "inactive", "Ray runs without a head")
        expect(guest.prop("Reason"), "no reason given while waiting")
        expect(guest.show("ray-worker.service", "StatusText"), "STATUS= is empty while waiting")
    head = room["head"]
    head.enable("ray-head")
    serving = stamp(head.wait_message("HEAD_SERVING", cursors[head], 60))
    for guest in workers:
        started = stamp(guest.wait_message("ENGINE_STARTED", cursors[guest], 30))
        room.timeline.say(guest.name, f"started Ray {started - serving:.2f} s after the head served")
        expect(started - serving <= 2.5, f"{guest.name}: {started - serving:.2f} s after serving")
        expect(guest.prop("HeadSource") == "mdns", f"found by {guest.prop('HeadSource')}")
    story.wait_cluster(room, 2)


def scenario_dns_srv(room):
    """(b) SRV _raycluster._tcp of the machine's own search domain."""
    room["head"].enable("ray-head")
    room.dns(*SRV)
    for guest in (room["w1"], room["w2"]):
        guest.conf('discovery: { order = [ "dns" ]; };\n')
    restart_workers(room)
    story.wait_cluster(room, 2)
    for guest in (room["w1"], room["w2"]):
        expect(guest.prop("HeadSource") == "dns", f"found by {guest.prop('HeadSource')}")


def scenario_plain_name(room):
    """(b) cluster.head = "compute04.berkeley.edu", the same file on every machine."""
    room.dns(f"host-record={NAME},10.77.0.10")
    for guest in room.guests.values():
        guest.conf(f'cluster: {{ head = "{NAME}"; }};\n')
    room["head"].run("systemctl restart ray-head")
    restart_workers(room)
    story.wait_cluster(room, 2)
    for guest in (room["w1"], room["w2"]):
        expect(guest.prop("HeadSource") == "static", f"found by {guest.prop('HeadSource')}")
        expect(NAME in guest.prop("Head"), f"Head is {guest.prop('Head')}")


def scenario_name_not_there_then_there(room):
    """A name that does not exist is said; when it appears the worker goes on by itself."""
    w1 = room["w1"]
    room.dns()
    # a member knows the address that its head has proved, whatever becomes of the name
    room["head"].run("systemctl start ray-head")
    story.leave(w1)
    w1.run("systemctl stop ray-worker", timeout=120)
    cursor = w1.cursor()
    w1.run("systemctl start ray-worker")
    w1.wait_message("WAITING", cursor, 20, NAME.split(".", maxsplit=1)[0])
    reason = w1.prop("Reason")
    expect(NAME in reason, f"the reason does not name {NAME}: {reason}")
    room.dns(f"host-record={NAME},10.77.0.10")
    story.join(room, [w1])
    w1.wait_message("WORKER_JOINED", cursor, 60)


def scenario_head_later_by_name(room):
    """With the name known, Ray is started within a second of the head's word."""
    head, w1 = room["head"], room["w1"]
    for guest in (w1, room["w2"]):
        guest.run("systemctl stop ray-worker", timeout=120)
    head.run("systemctl stop ray-head", timeout=120)
    cursors = {g: g.cursor() for g in room.guests.values()}
    w1.run("systemctl start ray-worker")
    w1.wait_message("WAITING", cursors[w1], 20)
    head.run("systemctl start ray-head")
    serving = stamp(head.wait_message("HEAD_SERVING", cursors[head], 60))
    started = stamp(w1.wait_message("ENGINE_STARTED", cursors[w1], 30))
    room.timeline.say("w1", f"started Ray {started - serving:.2f} s after the head served")
    expect(started - serving <= 1.0, f"{started - serving:.2f} s after serving")
