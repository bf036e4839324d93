#!/usr/bin/env python3
"""ray-probe against every way that a network can keep a worker from its head (probe.md tables A and B)."""
import re, sys

from lab import Case, main

PORT = "tcp dport 6379"


def nft(who, hook, *rules, **kw):
    return lambda lab, f: lab.nft(who, hook, *rules, **kw)


def ip(who, *lines):
    """Lines for `ip -batch`; {…} are the addresses of the family, -F the family's own switch."""
    from lab import NET
    return lambda lab, f: lab.ip(who, *(f"-{f} " + l.format(**NET[f]) for l in lines))


def both(*steps):
    def go(lab, f):
        for s in steps:
            s(lab, f)
    return go


def link(who, dev, state):
    return lambda lab, f: lab.ip(who, f"link set {dev} {state}")


def warm(lab, f):
    """The neighbour is known before it dies."""
    lab.probe("--deadline", "500ms", {4: "10.77.1.1", 6: "fd77:1::1"}[f])


def server(lab, f):
    lab.serve("head", "silent", "6379")


def reject(code4, code6):
    return lambda lab, f: lab.nft("head", "input", f"{PORT} reject with icmp{'v6' if f == 6 else ''} {code4 if f == 4 else code6}")


def reject_router(code4, code6):
    return lambda lab, f: lab.nft("router", "forward", f"{PORT} reject with icmp{'v6' if f == 6 else ''} {code4 if f == 4 else code6}")


def reject_own(code4, code6):
    return lambda lab, f: lab.nft("worker", "output", f"{PORT} reject with icmp{'v6' if f == 6 else ''} {code4 if f == 4 else code6}")


def vanish(lab, f):
    """The head's machine is gone, its link stays: on-link neighbours get no answer."""
    lab.ip("head", "addr flush dev h0", "-6 addr flush dev h0")


def router_gone(lab, f):
    lab.ip("router", "addr flush dev r0", "-6 addr flush dev r0")


def few_syns(lab, f):
    text = lab.run("head", "nft", "list", "table", "inet", "t").stdout
    n = int(re.search(r"counter packets (\d+)", text)[1])
    return "" if 0 < n <= 40 else f"{n} SYNs at the head"


def nothing_left(lab, f):
    sockets = lab.run("worker", "ss", "-Htuan").stdout.strip()
    return f"sockets left: {sockets}" if "LISTEN" in sockets or "SYN-SENT" in sockets else ""


FILTERED = dict(verdict="FILTERED_SILENTLY", confidence="likely", where="head")
LIKELY_SILENT = dict(verdict="HOST_SILENT", confidence="likely", where="head")

CASES = [
    # --- table A: the connect fails
    Case("A1 port closed", "PORT_CLOSED", where="head", within=1, says="answers on port 6379 with a refusal: Ray is not running there"),
    Case("A2 head rejects with tcp reset", "PORT_CLOSED", setup=nft("head", "input", f"{PORT} reject with tcp reset"), within=1),
    Case("A3 router rejects with tcp reset", "PORT_CLOSED", setup=nft("router", "forward", f"{PORT} reject with tcp reset"), within=1),
    Case("A4 head rejects (port-unreachable)", "REFUSED_BY_FIREWALL", setup=nft("head", "input", f"{PORT} reject"), where="head", within=1),
    Case("A5 router rejects (port-unreachable)", "REFUSED_BY_FIREWALL", setup=nft("router", "forward", f"{PORT} reject"), where="router", within=1),
    Case("A6 own firewall rejects with tcp reset", "LOCAL_FIREWALL", "likely", setup=nft("worker", "output", f"{PORT} reject with tcp reset"), within=2),
    Case("A7 own firewall rejects (port-unreachable)", "LOCAL_FIREWALL", setup=nft("worker", "output", f"{PORT} reject"), within=1),
    Case("A7 own firewall rejects (admin-prohibited)", "LOCAL_FIREWALL", setup=reject_own("type admin-prohibited", "type admin-prohibited"), within=1),
    Case("A8 head rejects (admin-prohibited)", "REJECTED_AT_HEAD", setup=reject("type admin-prohibited", "type admin-prohibited"), where="head", within=1),
    Case("A8 head rejects (host-prohibited)", "REJECTED_AT_HEAD", setup=reject("type host-prohibited", "type policy-fail"), where="head", within=1),
    Case("A9 router rejects (admin-prohibited)", "REJECTED_ON_PATH", setup=reject_router("type admin-prohibited", "type admin-prohibited"), where="router", within=1),
    Case("A9 router has a prohibit route", "REJECTED_ON_PATH", setup=ip("router", "route add prohibit {head}"), where="router", within=1),
    Case("A10 head rejects (net-unreachable)", "REJECTED_AT_HEAD", setup=reject("type net-unreachable", "type no-route"), where="head", within=1),
    Case("A10 head rejects (net-prohibited)", "REJECTED_AT_HEAD", setup=reject("type net-prohibited", "type reject-route"), where="head", within=1),
    Case("A10 head rejects (protocol-unreachable)", "REJECTED_AT_HEAD", setup=reject("type prot-unreachable", "type addr-unreachable"), where="head", within=1),
    Case("A11 router has no route", "NO_ROUTE_REMOTE", target="{elsewhere}", where="router", within=1),
    Case("A12 router has an unreachable route", "NO_ROUTE_REMOTE", "likely proven", setup=ip("router", "route add unreachable {head}"), where="router", within=1.5),
    Case("A12 router has no route, says a rule (net-unreachable)", "REJECTED_ON_PATH", setup=reject_router("type net-unreachable", "type no-route"), where="router", within=1.5),
    Case("A12 router has no neighbour, says a rule (host-unreachable)", "REJECTED_ON_PATH", setup=reject_router("type host-unreachable", "type addr-unreachable"), where="router", within=1.5),
    Case("A13 no route here", "NO_ROUTE_LOCAL", setup=ip("worker", "route del default"), within=1),
    Case("A13 link switched off", "LINK_DOWN", setup=link("worker", "w0", "down"), within=1, says="w0"),
    Case("A14 blackhole route here", "ROUTE_FORBIDS", setup=ip("worker", "route add blackhole {head}"), within=1, says="blackhole"),
    Case("A14 unreachable route here", "ROUTE_FORBIDS", setup=ip("worker", "route add unreachable {head}"), within=1, says="unreachable"),
    Case("A14 prohibit route here", "ROUTE_FORBIDS", setup=ip("worker", "route add prohibit {head}"), within=1, says="prohibit"),
    Case("A14 throw route here", "NO_ROUTE_LOCAL", setup=ip("worker", "route add throw {head}"), families=(4,), within=1),
    Case("A15 dead host behind the router", "HOST_DOWN_REMOTE", target="{far}", where="router2 router".split()[1], within=4),
    Case("A16 dead host on the link", "NEIGHBOUR_DEAD", target="{near}", where="near", within=4),
    Case("A16 dead gateway", "GATEWAY_DEAD", setup=router_gone, where="router", within=4),
    Case("A16 no carrier", "LINK_DOWN", setup=link("router", "r0", "down"), within=1, says="no carrier"),
    Case("A18 host died, neighbour cached", {"HOST_SILENT", "NEIGHBOUR_DEAD", "FILTERED_SILENTLY"}, "likely", target="{router}",
         setup=both(warm, router_gone)),
    Case("A19 own ports exhausted", "LOCAL_RESOURCES", setup=lambda lab, f: (
        lab.serve("head", "silent", "6379"),
        lab.sysctl("worker", "net.ipv4.ip_local_port_range=40000 40000"),
        lab.serve("worker", "hold", {4: "10.77.2.2", 6: "fd77:2::2"}[f], "6379")), within=1, tells=("1 of 1 local ports (40000 to 40000) are in use",)),
    Case("A21 link-local address without its interface", "SCOPE_MISSING", target="fe80::1", families=(6,), within=1),
    # --- table B: silence
    Case("B1 head drops the port", setup=nft("head", "input", f"{PORT} drop"), within=4, **FILTERED),
    Case("B1 head drops everything, behind a router", setup=nft("head", "input", "meta l4proto { tcp, udp, icmp } drop", "tcp dport 1-65535 drop"), within=5, **LIKELY_SILENT),
    Case("B2 router drops the port", setup=nft("router", "forward", f"{PORT} drop"), within=4, **FILTERED),
    Case("B3 own firewall drops the address", "LOCAL_FIREWALL", setup=lambda lab, f: lab.nft("worker", "output", f"ip{'6' if f == 6 else ''} daddr {({4: '10.77.2.2', 6: 'fd77:2::2'})[f]} drop"), within=3),
    Case("B3 own firewall drops the TCP port", "LOCAL_FIREWALL", "likely", setup=nft("worker", "output", f"{PORT} drop"), within=4),
    Case("B4 own firewall drops the answers", {"FILTERED_SILENTLY"}, "likely", setup=both(server, nft("worker", "input", "tcp sport 6379 drop")), within=4),
    Case("B5 router drops the answers", {"FILTERED_SILENTLY"}, "likely", setup=both(server, nft("router", "forward", "tcp sport 6379 drop")), within=4),
    Case("B6 head has no route back", setup=both(server, ip("head", "route del default")), within=5, **LIKELY_SILENT),
    Case("B8 rp_filter at the head", setup=both(server, lambda lab, f: (lab.sysctl("head", "net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.h0.rp_filter=1"),
         lab.ip("head", "route add 10.77.1.0/24 dev lo"))), families=(4,), within=5, **LIKELY_SILENT),
    Case("B9 accept queue full", {"FILTERED_SILENTLY"}, "likely", setup=lambda lab, f: lab.serve("head", "full", "6379"), within=4),
    Case("B10 router has a blackhole route", setup=ip("router", "route add blackhole {head}"), within=5, **LIKELY_SILENT),
    # --- what it leaves behind
    Case("at most 40 SYNs to a silent head", "HOST_SILENT", "likely", setup=nft("head", "input", "tcp flags & (syn|ack) == syn counter drop", "meta l4proto udp drop"), after=few_syns, within=5),
    Case("no socket is left", "PORT_CLOSED", after=nothing_left, within=1),
    # --- what is asked for
    Case("--from an interface", "PORT_CLOSED", args=("--from", "w0"), within=1),
    Case("--from an address", "PORT_CLOSED", args=("--from", "{worker}"), within=1),
    Case("--from an interface that is not there", "WRONG_INTERFACE", args=("--from", "eth9"), within=1, says="eth9"),
    Case("--from an address of another machine", "WRONG_INTERFACE", args=("--from", "{near}"), within=1),
    Case("a deadline too short to know", "INCONCLUSIVE", "inconclusive", setup=nft("head", "input", f"{PORT} drop"), args=("--deadline", "1s"), within=1.6),
    Case("as root", "PORT_CLOSED", root=True, within=1),
    Case("on the head itself", "PORT_CLOSED", who="head", where="head", within=1),
]

if __name__ == "__main__":
    sys.exit(main(CASES))
