#!/usr/bin/env python3
"""ray-probe --discover between machines with real avahi-daemons: heard, not heard, not to be heard (probe.md 5.2, 84)."""
import json, sys

from machines import BUILD, Room, run_cases

room = Room()
head, w = room.machine("compute04", 4), room.machine("worker", 2)
TXT = ["txtvers=1", "cluster=default", "id=abc123", "role=head", "gcs=6379", "ray=2.60.0", "py=3.11.2", "auth=off"]
for m in (head, w):
    m.dbus().avahi()
for address in (head.ip4, head.ip6):
    gcs = head.start(str(BUILD / "tests/fake/fake-gcs"), "--port", "6379", "--address", address)
    assert gcs.wait("port", 10), gcs.seen


def probe(*argv):
    p = w.run(str(BUILD / "bin/ray-probe"), "--json", "--discover", *argv)
    try:
        r = json.loads(p.stdout)
    except ValueError:
        raise RuntimeError(f"no JSON: {p.stdout!r} {p.stderr!r}") from None
    return r, sum(s["t_ms"] for s in r["steps"])


def tell(r, ms):
    return f"{r['verdict']} {r['confidence']} in {ms:.0f} ms: {r['sentence']} | {r['because']} | {r['hint']}"


def publish(machine=head, name="default head on compute04"):
    p = machine.tool("publish", name, "6388", *TXT)
    assert p.wait("published published as", 10), p.seen
    return p


def heard(tap):
    p = publish()
    for address in (head.ip4, head.ip6):
        r, ms = probe(address)
        tap.check(r["verdict"] == "OK" and "it is heard by mDNS" in r["because"] and "mdns=heard" in r["facts"],
                  f"{address}: a head that announces itself is heard", tell(r, ms))
        tap.check(ms < 1500, f"and nobody waits for more ({ms:.0f} ms)", tell(r, ms))
    p.stop("kill")


def not_heard(tap):
    r, ms = probe(head.ip4)
    tap.check(r["verdict"] == "DISCOVERY_BLIND" and r["confidence"] == "likely" and "a firewall blocks UDP port 5353" in r["sentence"],
              "a head that serves and is not heard: the doubt is said, never that no head is there", tell(r, ms))
    tap.check("nothing heard in two seconds" in r["because"], "what was heard is said", tell(r, ms))
    tap.check(1900 < ms < 3000, f"after two seconds ({ms:.0f} ms)", tell(r, ms))


def another_heard(tap):
    other = room.machine("compute09", 9).dbus().avahi()
    p = publish(other, "lab2 head on compute09")
    r, ms = probe(head.ip4)
    tap.check(r["verdict"] == "DISCOVERY_BLIND" and '1 other head heard ("lab2 head on compute09")' in r["because"],
              "another head that is heard is told", tell(r, ms))
    p.stop("kill")
    other.stop_programs()


RULES = """table inet t { chain c { type filter hook input priority 0
ct state established,related accept
iif lo accept
meta l4proto icmpv6 accept
drop
}
}
"""


def firewall(tap):
    p = publish()
    w.avahi_stop()
    w.file("rules.nft", RULES)
    n = w.run("nft", "-f", str(w.dir / "rules.nft"))
    tap.check(n.returncode == 0, "a default-deny firewall stands", n.stderr)
    w.avahi()
    r, ms = probe(head.ip4)
    tap.check(r["verdict"] == "DISCOVERY_BLIND" and "5353" in r["hint"], "behind a default-deny firewall nothing is heard", tell(r, ms))
    w.run("nft", "delete", "table", "inet", "t")
    p.stop("kill")


def deaf(tap):
    w.avahi_stop()
    r, ms = probe(head.ip4)
    tap.check(r["verdict"] == "DISCOVERY_BLIND" and r["confidence"] == "proven" and "avahi-daemon is not running" in r["sentence"],
              "without avahi-daemon that is said", tell(r, ms))
    tap.check(ms < 1500, f"at once ({ms:.0f} ms)", tell(r, ms))
    w.dbus_stop()
    r, ms = probe(head.ip4)
    tap.check(r["verdict"] == "DISCOVERY_BLIND" and "system bus" in r["sentence"], "without a system bus, too", tell(r, ms))
    r, ms = probe(head.ip4, "6400")
    tap.check(r["verdict"] == "PORT_CLOSED" and ms < 1000, "a head that does not serve has other troubles", tell(r, ms))


if __name__ == "__main__":
    sys.exit(run_cases([not_heard, heard, another_heard, firewall, deaf]))
