#!/usr/bin/env python3
"""Discovery by the configuration's name, by DNS SRV and by memory, against dnsmasq and bad name servers."""
import re, sys

from machines import Room, run_cases

room = Room()
w = room.machine("worker", 2)
ns = room.machine("ns", 99)
RECORDS = [
    "--srv-host=_raycluster._tcp.lab.example,compute04.lab.example,6388,10,0",
    "--srv-host=_raycluster._tcp.lab.example,compute05.lab.example,6399,20,0",
    "--txt-record=_raycluster._tcp.lab.example,txtvers=1,gcs=6400,cluster=default,id=abc123",
    "--host-record=compute04.lab.example,10.66.0.4,fd66::4",
    "--host-record=compute05.lab.example,10.66.0.5",
    "--host-record=six.lab.example,fd66::6",
    "--srv-host=_raycluster._tcp.plain.lab.example,compute05.lab.example,6388",
    "--srv-host=_raycluster._tcp.lost.lab.example,gone.lab.example,6388",
    "--srv-host=_raycluster._tcp.other.lab.example,compute05.lab.example,6388",
    "--txt-record=_raycluster._tcp.other.lab.example,cluster=physics",
    "--host-record=self.lab.example,127.0.1.1",
]


def fresh(search="search lab.example\nnameserver 10.66.0.99\n", hosts=""):
    w.stop_programs()
    w.file("resolv.conf", search)
    w.file("hosts", "127.0.0.1 localhost\n" + hosts)


def best(tool, timeout=6):
    return tool.wait(r"^ *(\d+) best (.*)$", timeout)


def names(tap):
    server = ns.dnsmasq(*RECORDS)
    fresh()
    t = w.tool("find", "head=compute04.lab.example")
    m = best(t)
    tap.check(m and "name=compute04.lab.example addrs=10.66.0.4:6379,[fd66::4]:6379 control=6388" in m[2]
              and "how=cluster.head (DNS)" in m[2], "a name: A and AAAA, IPv4 first", t)
    tap.check(m and int(m[1]) < 100, "a name is there within a tenth of a second", t)
    tap.check(not any("dns" in line and "asking" in line for line in t.seen), "with cluster.head set nothing else is asked", t)

    fresh()
    t = w.tool("find", "head=compute05")
    m = best(t)
    tap.check(m and "addrs=10.66.0.5:6379" in m[2], "a short name by the search list", t)
    t = w.tool("find", "head=six")
    m = best(t)
    tap.check(m and "addrs=[fd66::6]:6379" in m[2], "a name with IPv6 only", t)
    t = w.tool("find", "head=10.66.0.7")
    m = best(t)
    tap.check(m and "addrs=10.66.0.7:6379" in m[2] and "how=cluster.head" in m[2], "a literal address", t)
    t = w.tool("find", "head=nobody.lab.example")
    tap.check(t.wait("static nothing: no address for nobody.lab.example: NXDOMAIN from DNS server 10.66.0.99"),
              "NXDOMAIN is said with the server's name", t)
    t = w.tool("find", "head=compute04.local", "timeout=1s")
    tap.check(t.wait(r"static failed: compute04.local cannot be looked up: .*need it|static asking"), ".local waits for Avahi", t)

    fresh(hosts="127.0.1.1 compute04.lab.example compute04\n")
    t = w.tool("find", "head=compute04")
    tap.check(t.wait("static failed: compute04 resolves to 127.0.1.1 by this machine's /etc/hosts, which is this machine and "
                     "not the head"), "the 127.0.1.1 of /etc/hosts is a mistake with a name", t)
    w.file("hosts", "127.0.0.1 localhost\n10.66.0.44 compute04\n")
    t.tell("refresh")
    m = best(t)
    tap.check(m and "addrs=10.66.0.44:6379" in m[2] and "(/etc/hosts)" in m[2], "a mended /etc/hosts counts at the next round", t)
    t = w.tool("find", "head=self.lab.example")
    tap.check(t.wait("self.lab.example resolves to 127.0.1.1 by DNS"), "a loopback out of DNS is the same mistake", t)

    fresh()
    t = w.tool("find", "head=compute04", "timeout=1s")
    best(t)
    server.stop("kill")
    w.file("resolv.conf", "search lab.example\nnameserver 10.66.0.98\n")
    t.tell("refresh")
    tap.check(t.wait("static found: compute04 cannot be looked up: DNS server 10.66.0.98 gave no answer within 1s|"
                     "static found: compute04 cannot be looked up: DNS server 10.66.0.98 cannot be reached"),
              "a lost name server takes no head away, and resolv.conf is read anew", t)


def srv(tap):
    server = ns.dnsmasq(*RECORDS)
    fresh()
    t = w.tool("find", "order=dns")
    m = best(t)
    tap.check(m and "dns name=compute04.lab.example addrs=10.66.0.4:6400,[fd66::4]:6400 control=6388 cluster=default id=abc123 "
              "how=DNS SRV _raycluster._tcp.lab.example" in m[2], "SRV, TXT and addresses make a candidate", t)
    tap.check(m and int(m[1]) < 100, "SRV is there within a tenth of a second", t)
    t.tell("refresh")
    m = best(t)
    tap.check(m and "name=compute05.lab.example" in m[2] and "control=6399" in m[2],
              "a head that did not serve: the next one by priority", t)
    t.tell("refresh")
    m = best(t)
    tap.check(m and "name=compute04.lab.example" in m[2], "and around again", t)
    t.tell("remember")
    t.wait("remembered")
    t.tell("refresh")
    tap.check(t.wait("best", 0.5) is None, "a head that served stays", t)

    t = w.tool("find", "order=dns", "domain=plain.lab.example")
    m = best(t)
    tap.check(m and "addrs=10.66.0.5:6379 control=6388 cluster= id=" in m[2], "discovery.domain; without TXT the configured ports", t)
    t = w.tool("find", "order=dns", "domain=none.lab.example")
    tap.check(t.wait(r"dns nothing: no SRV record _raycluster._tcp.none.lab.example \(NXDOMAIN\)"), "no SRV record", t)
    t = w.tool("find", "order=dns", "domain=lost.lab.example")
    tap.check(t.wait("SRV _raycluster._tcp.lost.lab.example names gone.lab.example, which has no address: NXDOMAIN"),
              "SRV that points nowhere", t)
    t = w.tool("find", "order=dns", "domain=other.lab.example")
    tap.check(t.wait('dns nothing: SRV _raycluster._tcp.other.lab.example belongs to cluster "physics", not to "default"'),
              "SRV of another cluster", t)

    fresh("search empty.lab.example lab.example\nnameserver 10.66.0.99\n")
    t = w.tool("find", "order=dns")
    m = best(t)
    tap.check(m and "how=DNS SRV _raycluster._tcp.lab.example" in m[2], "the search list in its order", t)
    fresh("nameserver 10.66.0.99\n", hosts="127.0.1.1 worker.plain.lab.example worker\n")
    t = w.tool("find", "order=dns")
    m = best(t)
    tap.check(m and "_raycluster._tcp.plain.lab.example" in m[2], "the domain of the host's own name", t)
    fresh("nameserver 10.66.0.99\n")
    t = w.tool("find", "order=dns")
    tap.check(t.wait("dns nothing: this machine has no DNS domain"), "no domain at all", t)
    server.stop("kill")


def questions(server, pattern, *last):
    """Who was asked for; the log of the name server comes a little later than its answers."""
    for name in last:
        server.wait(rf"query\[\w+\] {name} ")
    return {m[1] for line in [*server.seen, *list(server.lines.queue)] if (m := re.search(pattern, line or ""))}


def limits(tap):
    """What a name server or a search list can make us ask is bounded."""
    many = [f"--srv-host=_raycluster._tcp.many.lab.example,t{i}.lab.example,6388,{i},0" for i in range(1, 13)]
    server = ns.dnsmasq(*RECORDS, *many, "--host-record=t8.lab.example,10.66.0.8", "--log-queries")
    fresh()
    t = w.tool("find", "order=dns", "domain=many.lab.example")
    m = best(t)
    tap.check(m and "name=t8.lab.example" in m[2], "twelve SRV records: the eighth is still asked for", t)
    asked = questions(server, r"query\[A\] (t\d+)", "t8.lab.example")
    tap.check("t8" in asked and not asked & {"t9", "t10", "t11", "t12"}, "and no more than eight", sorted(asked))
    server.stop("kill")

    server = ns.dnsmasq(*RECORDS, "--log-queries")
    fresh("search " + " ".join(f"d{i}.lab.example" for i in range(1, 7)) + " plain.lab.example\nnameserver 10.66.0.99\n")
    t = w.tool("find", "order=dns")
    tap.check(t.wait(r"dns nothing: no SRV record .*_raycluster._tcp.d6.lab.example \(NXDOMAIN\)"),
              "a search list of seven: six are asked", t)
    asked = questions(server, r"query\[SRV\] (\S+)", "_raycluster._tcp.d6.lab.example")
    tap.check(len(asked) == 6 and "_raycluster._tcp.plain.lab.example" not in asked, "and no more than six", sorted(asked))
    server.stop("kill")


def bad_servers(tap):
    for behaviour, says in (("SERVFAIL", "DNS server 10.66.0.99 answered SERVFAIL"),
                            ("REFUSED", "DNS server 10.66.0.99 refused to answer"),
                            ("silent", "DNS server 10.66.0.99 gave no answer within 1s")):
        server = ns.dns_server(behaviour)
        fresh()
        t = w.tool("find", "order=dns", "timeout=1s")
        tap.check(t.wait("dns failed: SRV _raycluster._tcp.lab.example cannot be looked up: " + says), f"{behaviour}: SRV", t)
        t = w.tool("find", "head=compute04", "timeout=1s")
        tap.check(t.wait("static failed: compute04 cannot be looked up: " + says), f"{behaviour}: name", t)
        server.stop("kill")
    fresh()
    t = w.tool("find", "order=dns", "timeout=1s")
    tap.check(t.wait("DNS server 10.66.0.99 cannot be reached, or nothing listens on port 53 there", 3), "no server on the port: SRV", t)
    t = w.tool("find", "head=compute04", "timeout=3s")
    tap.check(t.wait("DNS server 10.66.0.99 cannot be reached, or nothing listens on port 53 there", 2.5), "and a name", t)
    fresh("search lab.example\nnameserver 10.66.0.98\n")
    t = w.tool("find", "order=dns", "timeout=1s")
    tap.check(t.wait("dns failed: .*DNS server 10.66.0.98 (gave no answer|cannot be reached)", 3), "a server that is off", t)
    fresh("search lab.example\nnameserver 10.99.0.1\n")
    t = w.tool("find", "order=dns", "timeout=1s")
    tap.check(t.wait("dns failed: .*DNS server 10.99.0.1 cannot be reached", 3), "a server without a route", t)
    good = ns.dnsmasq(*RECORDS)
    fresh("search lab.example\nnameserver 10.66.0.98\nnameserver 10.66.0.99\n")
    t = w.tool("find", "order=dns")
    tap.check(best(t), "the first server is off: the second is asked in time", t)
    good.stop("kill")


def memory(tap):
    fresh("search lab.example\nnameserver 10.66.0.99\n")
    last = str(w.dir / "last-known")
    server = ns.dnsmasq(*RECORDS)
    t = w.tool("find", "order=dns,last-known", f"file={last}")
    tap.check(t.wait("last-known nothing: no head has served this machine yet"), "nothing to remember at first", t)
    best(t)
    t.tell("remember")
    tap.check(t.wait("remembered ok"), "the head that served is remembered", t)
    server.stop("kill")
    t = w.tool("find", "order=dns,last-known", f"file={last}", "timeout=1s")
    m = best(t)
    tap.check(m and "last-known name=compute04.lab.example addrs=10.66.0.4:6400,[fd66::4]:6400 control=6388 cluster=default "
              "id=abc123 how=last known good" in m[2], "and used when nobody else knows", t)
    t = w.tool("find", "order=last-known", f"file={last}", "cluster=physics")
    tap.check(t.wait('belongs to cluster "default", not to "physics"'), "not for another cluster", t)
    (w.dir / "last-known").write_bytes(b"raycluster-last-known=1\nname=\xff\0")
    t = w.tool("find", "order=last-known", f"file={last}")
    tap.check(t.wait("last-known failed: .*last-known is damaged; it is written anew when a head serves"), "a damaged file is said", t)


def own_address(tap):
    fresh()
    says = w.own("head")
    tap.check(says == "address 10.66.0.2", "head: the only address", says)
    says = w.own("worker", "head=10.66.0.4")
    tap.check(says == "address 10.66.0.2", "worker: the source of the route to the head", says)
    says = w.own("worker", "head=fd66::4")
    tap.check(says == "address fd66::2", "worker: the same for an IPv6 head", says)
    says = w.own("worker", "head=10.99.0.1")
    tap.check(says.startswith("why this machine has no route to the head 10.99.0.1"), "worker: no route", says)
    w.ip("route", "add", "blackhole", "10.98.0.0/16")
    says = w.own("worker", "head=10.98.0.1")
    tap.check(says.startswith("why a blackhole route of this machine forbids the head 10.98.0.1"), "worker: a blackhole", says)

    w.ip("link", "add", "mgmt", "type", "veth", "peer", "name", "mgmt-far")
    w.ip("link", "set", "mgmt-far", "up")
    w.ip("link", "set", "mgmt", "up")
    says = w.own("head", "interface=mgmt")
    tap.check(says.startswith("why node.interface: mgmt has no address; give it one"), "an interface without address", says)
    w.ip("addr", "add", "192.168.50.7/24", "dev", "mgmt")
    says = w.own("head")
    tap.check(says.startswith("why this machine has 2 addresses (10.66.0.2 on e0, 192.168.50.7 on mgmt)"), "head: two, and no hint", says)
    says = w.own("head", "head=10.66.0.2")
    tap.check(says == "address 10.66.0.2", "head: what cluster.head resolves to", says)
    says = w.own("head", "interface=mgmt")
    tap.check(says == "address 192.168.50.7", "node.interface", says)
    says = w.own("head", "address=192.168.50.7")
    tap.check(says == "address 192.168.50.7", "node.address", says)
    says = w.own("head", "address=10.66.0.77")
    tap.check(says.startswith("why node.address: 10.66.0.77 is not an address of this machine (it has 10.66.0.2 on e0,"),
              "node.address of somebody else", says)
    says = w.own("worker", "interface=eth7")
    tap.check(says.startswith("why node.interface: there is no interface eth7 on this machine (it has "), "no such interface", says)
    w.ip("link", "set", "mgmt-far", "down")
    says = w.own("head")
    tap.check(says == "address 10.66.0.2", "an interface without carrier is no choice", says)

    t = w.tool("watch")
    t.wait("watching")
    w.ip("addr", "add", "192.168.50.8/24", "dev", "mgmt")
    tap.check(t.wait("changed address", 2), "a new address is told", t)
    w.ip("link", "set", "mgmt-far", "up")
    tap.check(t.wait("changed", 2), "a link is told", t)
    w.ip("route", "add", "10.97.0.0/16", "via", "10.66.0.1")
    tap.check(t.wait("changed route", 2), "a route is told", t)
    w.ip("link", "del", "mgmt")


sys.exit(run_cases([names, srv, limits, bad_servers, memory, own_address]))
