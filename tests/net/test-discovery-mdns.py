#!/usr/bin/env python3
"""Discovery by mDNS between machines with real avahi-daemons: found, moved, doubled, gone, and Avahi itself gone."""
import sys, time

from machines import Room, run_cases

room = Room()
head = room.machine("compute04", 4)
w = room.machine("worker", 2)
TXT = ["txtvers=1", "cluster=default", "id=abc123", "role=head", "gcs=6379", "ray=2.60.0", "py=3.11.2", "auth=off"]
for m in (head, w):
    m.dbus().avahi()


def best(tool, timeout=6):
    return tool.wait(r"^ *(\d+) best (.*)$", timeout)


def publish(machine=head, name="default head on compute04", port="6388", txt=TXT):
    p = machine.tool("publish", name, port, *txt)
    assert p.wait("published published as", 10), p.seen
    return p


def story(tap):
    t = w.tool("find", "order=mdns,last-known", "timeout=4s")
    tap.check(t.wait("mdns nothing: nothing heard by mDNS; no head announces itself here, or a firewall blocks UDP port 5353", 6),
              "nobody there is said, with the doubt about firewalls", t)
    began = time.monotonic()
    p = head.tool("publish", "default head on compute04", "6388", *TXT)
    m = best(t)
    took = time.monotonic() - began
    tap.check(m and "mdns name=compute04.local addrs=10.66.0.4:6379,[fd66::4]:6379 control=6388 cluster=default id=abc123 "
              "how=mDNS on e0" in (m[2] if "[fd66" in m[2] else best(t)[2]), "a head that comes later is heard, IPv4 first", t)
    tap.check(took < 1.5, f"within 1.5 s of publishing ({took:.2f} s)", t)
    tap.check(not any("fe80" in line for line in t.seen), "no link-local address is offered", t)
    tap.check(p.wait("published published as 'default head on compute04' on port 6388"), "the head says how it is published", p)

    t2 = w.tool("find", "order=mdns")
    m = best(t2)
    tap.check(m and int(m[1]) < 1000, "a worker that comes later hears it within a second", t2)

    p.tell("ray=2.60.1")
    p.wait("set")
    tap.check(t.wait("best", 2) is None, "a TXT record that changes nothing for us is no change", t, p)
    p.tell("withdraw")
    began = time.monotonic()
    tap.check(t.wait("none", 5) and time.monotonic() - began < 2, "withdrawn: the candidate is gone at once", t)
    p.tell("again")
    tap.check(best(t), "published again: there again", t)
    p.stop("kill")
    began = time.monotonic()
    tap.check(t.wait("none", 5) and time.monotonic() - began < 2, "a killed publisher takes its announcement with it", t)


def txt_update(tap):
    t = w.tool("find", "order=mdns", "cluster=lab1")
    p = publish(txt=["txtvers=1"])
    tap.check(t.wait('heard 1 head of other clusters \\("" on compute04.local\\), none of "lab1"', 6), "a head that says no cluster is not ours", t)
    p.tell("cluster=lab1")
    m = best(t)
    tap.check(m and "cluster=lab1" in m[2], "a TXT record that changes is followed", t, p)
    tap.check(p.wait("registering|being", 0.3) is None, "without withdrawing the service", p)
    p.stop("kill")
    t.wait("none", 5)


def two_heads(tap):
    a = publish()
    t = w.tool("find", "order=mdns")
    m = best(t)
    tap.check(m is not None, "one head", t)
    other = room.machine("compute09", 9).dbus().avahi()
    b = publish(other, "default head on compute09", txt=[x if not x.startswith("id=") else "id=ffff" for x in TXT])
    tap.check(t.wait('ambiguous 2 heads answer to cluster "default": compute0.* and compute0.*; say which one by cluster.head, or join with a token'),
              "two heads of one name are both shown", t)
    tap.check(t.wait("none", 2), "and neither is joined", t)
    t2 = w.tool("find", "order=mdns")
    tap.check(t2.wait("ambiguous", 6) and not any(" best " in x for x in t2.seen), "a worker that comes later never takes one", t2)
    b.tell("withdraw")
    tap.check(best(t) is not None, "one withdraws: the other is joined", t)
    a.tell("withdraw")
    t.wait("none", 5)
    c = publish(other, "physics head", txt=["cluster=physics", "role=head"])
    tap.check(t.wait('mdns nothing: heard 1 head of other clusters \\("physics" on compute09.local\\), none of "default"', 6),
              "heads of other clusters are named and left alone", t)
    for x in (a, b, c):
        x.stop("kill")


def collision(tap):
    other = room.machines["compute09"]
    a = publish(name="the head")
    b = other.tool("publish", "the head", "6388", *TXT)
    tap.check(b.wait("published published as 'the head #2' on port 6388"), "a taken name: published under the next", b)
    t = w.tool("find", "order=mdns")
    m = best(t)
    tap.check(m and m[2].count("10.66.0.") == 2, "same id: one head with both addresses", t)
    a.stop("kill"), b.stop("kill")


def interfaces(tap):
    bridge = room.add_bridge("br1")
    for m, ip in ((head, "10.67.0.4/24"), (w, "10.67.0.2/24")):
        m.cable("e1", bridge)
        m.ip("addr", "add", ip, "dev", "e1")
    t = w.tool("find", "order=mdns")
    p = publish()
    ok = t.wait(r"best mdns .*addrs=(?=[^ ]*10\.66\.0\.4)(?=[^ ]*10\.67\.0\.4).*how=mDNS on e[01], e[01]", 10)
    tap.check(ok, "heard on two interfaces: one head with all its addresses, and where it was heard", t)
    head.ip("link", "del", "e1")
    p.stop("kill")


def restarts(tap):
    p = publish()
    t = w.tool("find", "order=mdns")
    tap.check(best(t), "a head", t)
    w.avahi_stop()
    tap.check(t.wait("mdns failed: avahi-daemon is not running", 3), "avahi-daemon stops on the worker: said", t)
    w.avahi()
    tap.check(best(t, 8), "it comes back: the head is heard again", t)
    w.avahi_stop("kill")
    w.avahi()
    tap.check(best(t, 8), "killed and back: the same", t)

    head.avahi_stop()
    tap.check(p.wait("not published: avahi-daemon is not running", 3), "avahi-daemon stops on the head: said", p)
    tap.check(t.wait("none", 5), "and the worker sees it go", t)
    head.avahi()
    tap.check(p.wait("published published as", 8), "it comes back: published again", p)
    tap.check(best(t, 8), "and heard again", t)

    w.dbus_stop()
    tap.check(t.wait("mdns failed: the system bus cannot be reached", 5), "the bus goes: said", t)
    w.avahi_stop("kill")
    w.dbus()
    w.avahi()
    tap.check(best(t, 15), "bus and Avahi come back: the head is heard again", t)
    p.stop("kill")


def absent(tap):
    bare = room.machine("bare", 7)
    t = bare.tool("find", "order=mdns", "timeout=1s")
    tap.check(t.wait("mdns failed: the system bus cannot be reached", 5), "no bus at all", t)
    p = bare.tool("publish", "x", "6388", *TXT)
    p.tell("again")
    tap.check(p.wait("set not published: the system bus cannot be reached", 5), "publishing without a bus is a text", p)
    bare.dbus()
    tap.check(t.wait("mdns failed: avahi-daemon is not running", 8), "a bus without Avahi", t)
    tap.check(p.wait("not published: avahi-daemon is not running", 8), "publishing without Avahi is a text", p)
    bare.avahi()
    tap.check(p.wait("published published as 'x' on port 6388", 8), "Avahi is installed later: published", p)
    tap.check(best(t, 8), "and browsed", t)
    p.stop("kill")


def local_names(tap):
    t = w.tool("find", "head=compute04.local")
    m = best(t)
    tap.check(m and "static name=compute04.local addrs=10.66.0.4:6379" in m[2] and "how=cluster.head (mDNS)" in m[2],
              ".local names go through Avahi", t)
    t = w.tool("find", "head=nobody.local", "timeout=2s")
    tap.check(t.wait("static nothing: nobody answers to nobody.local by mDNS", 5), ".local that is not there", t)


def frozen(tap):
    """avahi-daemon on the bus and not answering."""
    w._avahi.p.send_signal(19)
    t = w.tool("find", "order=mdns,last-known", "timeout=1s")
    tap.check(t.wait("mdns failed: avahi-daemon does not answer", 4), "a frozen avahi-daemon is said", t)
    tap.check(t.wait("last-known nothing", 1) and t.wait("none", 1), "and the next source is asked", t)
    w._avahi.p.send_signal(18)
    t.stop("kill")


sys.exit(run_cases([story, txt_update, two_heads, collision, interfaces, restarts, absent, local_names, frozen]))
