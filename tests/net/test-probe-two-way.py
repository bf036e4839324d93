#!/usr/bin/env python3
"""ray-probe with a reflector at the head: what only the other side sees (probe.md 3.1, tables A and B)."""
import importlib, sys

from lab import NET, Case, main

path = importlib.import_module("test-probe-path")
service = importlib.import_module("test-probe-service")
nft, ip, both, server, gcs = path.nft, path.ip, path.both, path.server, service.gcs
PORT = path.PORT
PLAN = "{ 6380-6387, 10002-19999 }"  # of a worker: what Ray listens on there


class TwoWay(Case):
    """with_code(lab, f) gives the code to use, or None."""

    def __init__(self, name, verdict, *a, with_code=lambda lab, f: lab.reflector(), **kw):
        super().__init__(name, verdict, *a, **kw)
        self.with_code = with_code

    def words(self, lab, f):
        target, port, args = super().words(lab, f)
        return target, port, [*args, "--code", self.with_code(lab, f)]


class Merged(Case):
    """No port for a reflector: each machine examines the other, and the two reports are joined."""
    joins = True

    def words(self, lab, f):
        for name, who, to, port in (("worker", "worker", "head", "6379"), ("head", "head", "worker", "6380")):
            lab.file(f"{name}.json", lab.probe("--json", NET[f][to], port, who=who)[1])
        return lab.files["worker"], lab.files["head"], ["--merge"]


def established_only(who, dev):
    return nft(who, "input", "ct state established,related accept", "meta l4proto icmpv6 accept", f"iifname {dev} drop")


def nat(*chains):
    """Translation at the router: (hook, priority, rule), in which {…} are addresses of the family."""
    def go(lab, f):
        text = "\n".join(f"chain {hook} {{ type nat hook {hook} priority {prio};\n{rule}\n}}" for hook, prio, rule in chains)
        for name, addr in NET[f].items():
            text = text.replace("{%s}" % name, addr)
        lab.nft_text("router", f"table {'ip6' if f == 6 else 'ip'} nat {{\n{text}\n}}\n")
    return go


SNAT = ("postrouting", 100, "oifname r1 masquerade")
no_route_back = ip("head", "route del default")


def box_service(lab, f):
    """The translator itself answers on the ports of a worker."""
    lab.serve("router", "ssh", "7000")


def no_return_route(lab, f):
    """Answers of the head's GCS have no route; those of the reflector have."""
    server(lab, f)
    lab.ip("head", f"-{f} rule add sport 6379 ipproto tcp pref 10 unreachable")


def rp_filter(lab, f):
    """Answers of the head's GCS would go by another interface."""
    server(lab, f)
    lab.ip("head", "-4 rule add sport 6379 ipproto tcp lookup 100 pref 10", "-4 route add 10.77.1.0/24 dev lo table 100")
    lab.sysctl("head", "net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.h0.rp_filter=1")


def loopback_only(lab, f):
    gcs(address={4: "127.0.0.1", 6: "::1"}[f])(lab, f)


def other_machine(lab, f):
    """New connections to the worker's address end at another machine."""
    gcs()(lab, f)
    lab.serve("router", "ssh", "7000")
    nat(("prerouting", -100, f"iifname r1 tcp dport {PLAN} redirect to :7000"))(lab, f)


def node_address(lab, f):
    """Ray here announces an address of a network that the head does not know."""
    gcs()(lab, f)
    lab.ip("worker", "-4 addr add 192.168.50.7/32 dev lo", "-6 addr add fd50::7/128 dev lo nodad")
    no_route = {4: "192.168.50.0/24", 6: "fd50::/64"}[f]
    lab.ip("head", f"-{f} route add unreachable {no_route}")
    lab.conf('node: { address = "%s"; };\n' % {4: "192.168.50.7", 6: "fd50::7"}[f])


def hole(rule):
    """Large packets of the reflector alone vanish. Only whole segments are sent, as on a wire."""
    def go(lab, f):
        gcs()(lab, f)
        for who, dev in (("head", "h0"), ("worker", "w0"), ("router", "r0"), ("router", "r1")):
            lab.ip(who, f"link set {dev} gso_max_segs 1")
        lab.nft("router", "forward", f"{rule} meta length > 1000 drop")
    return go


def nothing_left(lab, f):
    text = lab.run("worker", "ss", "-Htan").stdout
    left = [line for line in text.splitlines() if line.startswith(("LISTEN", "SYN-SENT", "ESTAB")) or
            (line.startswith("TIME-WAIT") and not line.split()[4].endswith((":6379", ":6388")))]
    return f"left: {left}" if left else ""


def wrong_code(lab, f):
    """Another code of the same form: it is of a server that has ended."""
    code = lab.reflector("router", "6388")
    lab.reflector()
    return code


def five_wrong(lab, f):
    """Others try wrong codes until the reflector ends, which is after five; then the right code is no good either."""
    code = lab.reflector()
    server = lab.children[-1]
    wrong = lab.reflector("router", "6388")
    for n in range(20):
        if server.poll() is not None:
            break
        lab.probe("--code", wrong, NET[f]["head"])
    if n < 5 or server.wait(5) != 1:
        raise RuntimeError(f"it ended after {n} wrong tries, {server.poll()}")
    return code


def nobody_serves(lab, f):
    return lab.reflector("router", "6388")


def blocked_reflector(lab, f):
    lab.nft("head", "input", "tcp dport 6388 drop", name="r")
    return lab.reflector()


def late(setup):
    """The first SYN to the reflector is lost: it is met when some of those to the GCS are out already."""
    def go(lab, f):
        setup(lab, f)
        lab.nft("router", "forward", "tcp dport 6388 quota 100 bytes drop", name="late")
    return go


def between(setup, ms):
    """On a line of that delay each way: the reflector begins to count after a SYN to the GCS went out, and before its answer is here."""
    def go(lab, f):
        setup(lab, f)
        lab.serve(None, lab.ns["worker"], "10.98.0.1/24,fd98::1/64", lab.ns["head"], "10.98.0.2/24,fd98::2/64", str(ms), script="slow.py")
    return go


BACK = dict(direction="back")
HALF = dict(verdict="INCONCLUSIVE", confidence="inconclusive", within=3)

for _f, _a in {4: "10.98.0.2", 6: "fd98::2"}.items():
    NET[_f]["slow"] = _a

CASES = [
    # --- the way back, of a GCS that serves: probe.md 3.1
    TwoWay("no translation", "OK", setup=gcs(), where="head", within=2, says="can connect to this machine", after=nothing_left),
    TwoWay("the worker lets in only what it began", "REVERSE_BLOCKED", setup=both(gcs(), established_only("worker", "w0")), role="local", within=4, after=nothing_left, **BACK),
    TwoWay("the worker rejects (admin-prohibited)", "REVERSE_BLOCKED", setup=both(gcs(), nft("worker", "input", f"tcp dport {PLAN} reject with icmpx admin-prohibited")), where="worker", role="local", within=4, **BACK),
    TwoWay("the worker rejects with resets", "REVERSE_BLOCKED", "likely", setup=both(gcs(), nft("worker", "input", f"tcp dport {PLAN} reject with tcp reset")), role="local", within=4, **BACK),
    TwoWay("the router rejects the way back", "REVERSE_BLOCKED", setup=both(gcs(), nft("router", "forward", "iifname r1 ct state new meta l4proto tcp reject with icmpx admin-prohibited")), where="router2", role="router", within=4, **BACK),
    TwoWay("the router drops the way back", "REVERSE_BLOCKED", setup=both(gcs(), nft("router", "forward", "iifname r1 ct state new meta l4proto tcp drop")), role="path", within=4, **BACK),
    TwoWay("the head rejects its own", "REVERSE_BLOCKED", setup=both(gcs(), nft("head", "output", f"tcp dport {PLAN} reject with icmpx admin-prohibited")), role="head", within=4, **BACK),
    TwoWay("the worker blocks the range", "REVERSE_PORTS_PARTIAL", setup=both(gcs(), nft("worker", "input", "tcp dport 10002-19999 drop")), role="local", within=4, says="10002-19999", **BACK),
    TwoWay("the worker blocks the fixed ports", "REVERSE_PORTS_PARTIAL", setup=both(gcs(), nft("worker", "input", "tcp dport 6380-6387 reject with icmpx admin-prohibited")), where="worker", within=4, says="6380-6385", **BACK),
    TwoWay("SNAT, the worker's network is routable", "NAT_ONE_WAY", setup=both(gcs(), nat(SNAT)), within=4, says="{worker}", **BACK),
    TwoWay("SNAT, routable, and the worker rejects", "REVERSE_BLOCKED", setup=both(gcs(), nat(SNAT), nft("worker", "input", f"tcp dport {PLAN} reject with icmpx admin-prohibited")), where="worker", role="local", within=4, **BACK),
    TwoWay("SNAT, routable, and the worker lets in only what it began", "REVERSE_BLOCKED", "likely", setup=both(gcs(), nat(SNAT), established_only("worker", "w0")), role="local", within=4, **BACK),
    TwoWay("SNAT, not routable", "NAT_NO_WAY_BACK", setup=both(gcs(), nat(SNAT), no_route_back), within=4, **BACK),
    TwoWay("SNAT, and the translator has a service there", "NAT_NO_WAY_BACK", setup=both(gcs(), box_service, nat(SNAT, ("prerouting", -100, f"iifname r1 tcp dport {PLAN} redirect to :7000")), no_route_back), within=4, **BACK),
    TwoWay("SNAT with forwarded ports", "NAT_FORWARDED", setup=both(gcs(), nat(SNAT, ("prerouting", -100, f"iifname r1 tcp dport {PLAN} dnat to {{worker}}")), no_route_back), within=4, says="{router2}", **BACK),
    TwoWay("the head is behind DNAT", "HEAD_BEHIND_DNAT", setup=both(gcs(), nat(("prerouting", -100, "iifname r0 tcp dport { 6379, 6388 } dnat to {head}"))), target="{router}", where="head", role="head", direction="out", within=4),
    TwoWay("another machine answers in the worker's place", "WRONG_PEER", setup=other_machine, within=4, **BACK),
    TwoWay("Ray announces an address that the head does not reach", "WRONG_INTERFACE", setup=node_address, role="local", direction="local", within=4),
    TwoWay("large packets of the head vanish", "MTU_HOLE_IN", setup=hole("tcp sport 6388"), within=4, **BACK),
    TwoWay("large packets of the head vanish, and there is little time", "INCONCLUSIVE", "inconclusive", setup=hole("tcp sport 6388"), args=("--deadline", "1s"), within=1.5,
           says="whether large packets pass was not found out in time"),
    TwoWay("large packets to the head vanish", "MTU_HOLE_OUT", setup=hole("tcp dport 6388"), direction="out", within=4),
    TwoWay("a name of two addresses, the first has no way", "OK", setup=both(service.dns, gcs(), service.reject_first), target="second.lab.test", where="head", within=2, says="can connect to this machine"),
    # --- the connect fails: tables A and B with the other side's view
    TwoWay("A1 port closed", "PORT_CLOSED", where="head", within=1, says="nothing listens on port 6379"),
    TwoWay("A2 head rejects with tcp reset", "REFUSED_BY_FIREWALL", "likely", setup=both(server, nft("head", "input", f"{PORT} reject with tcp reset")), role="head", where="head", direction="out", within=1.5),
    TwoWay("A3 router rejects with tcp reset", "REFUSED_BY_FIREWALL", "likely", setup=both(server, nft("router", "forward", f"{PORT} reject with tcp reset")), role="path", direction="out", within=1.5),
    TwoWay("A4 head rejects (port-unreachable)", "REFUSED_BY_FIREWALL", setup=nft("head", "input", f"{PORT} reject"), where="head", within=1.5),
    TwoWay("B1 head drops the port", "FILTERED_SILENTLY", "likely", setup=both(server, nft("head", "input", f"{PORT} drop")), role="head", where="head", direction="out", within=4),
    TwoWay("B2 router drops the port", "FILTERED_SILENTLY", "likely", setup=both(server, nft("router", "forward", f"{PORT} drop")), role="path", direction="out", within=4),
    TwoWay("B3 own firewall drops the TCP port", "LOCAL_FIREWALL", "likely", setup=both(server, nft("worker", "output", f"{PORT} drop")), within=4),
    TwoWay("B4 own firewall drops the answers", "REPLIES_LOST", setup=both(server, nft("worker", "input", "tcp sport 6379 drop")), role="local", within=4, **BACK),
    TwoWay("B5 router drops the answers", "REPLIES_LOST", setup=both(server, nft("router", "forward", "tcp sport 6379 drop")), role="path", within=4, **BACK),
    TwoWay("B6 head has no route for the answers", "HEAD_NO_RETURN_ROUTE", "likely", setup=no_return_route, where="head", role="head", within=4, **BACK),
    TwoWay("B8 rp_filter at the head", "HEAD_RPFILTER", "likely", setup=rp_filter, families=(4,), where="head", role="head", direction="out", within=4),
    TwoWay("B9 accept queue full", "BACKLOG_FULL", setup=lambda lab, f: lab.serve("head", "full", "6379"), where="head", role="head", direction="out", within=4),
    TwoWay("Ray listens on loopback only", "HEAD_LOOPBACK_ONLY", setup=loopback_only, where="head", role="head", direction="out", within=1.5),
    # --- the same, where the reflector answers late
    TwoWay("no translation, and a late reflector", "OK", setup=late(gcs()), where="head", within=2, says="can connect to this machine"),
    TwoWay("A1 port closed, and a late reflector", "PORT_CLOSED", setup=late(lambda lab, f: None), where="head", within=1, says="nothing listens on port 6379"),
    TwoWay("A2 head rejects with tcp reset, and a late reflector", "REFUSED_BY_FIREWALL", "likely", setup=late(both(server, nft("head", "input", f"{PORT} reject with tcp reset"))), role="head", where="head", direction="out", within=1.5),
    TwoWay("A3 router rejects with tcp reset, and a late reflector", "REFUSED_BY_FIREWALL", "likely", setup=late(both(server, nft("router", "forward", f"{PORT} reject with tcp reset"))), role="path", direction="out", within=1.5),
    TwoWay("A2 head rejects with tcp reset, the reflector is met meanwhile, 4 ms", "REFUSED_BY_FIREWALL", "likely", setup=between(both(server, nft("head", "input", f"{PORT} reject with tcp reset")), 4), target="{slow}", role="head", direction="out", within=1.5),
    TwoWay("A2 head rejects with tcp reset, the reflector is met meanwhile, 8 ms", "REFUSED_BY_FIREWALL", "likely", setup=between(both(server, nft("head", "input", f"{PORT} reject with tcp reset")), 8), target="{slow}", role="head", direction="out", within=1.5),
    TwoWay("A4 head rejects, and a late reflector", "REFUSED_BY_FIREWALL", setup=late(nft("head", "input", f"{PORT} reject")), where="head", within=1.5),
    TwoWay("Ray listens on loopback only, and a late reflector", "HEAD_LOOPBACK_ONLY", setup=late(loopback_only), where="head", role="head", direction="out", within=1.5),
    TwoWay("B1 head drops the port, and a late reflector", "FILTERED_SILENTLY", "likely", setup=late(both(server, nft("head", "input", f"{PORT} drop"))), role="head", where="head", direction="out", within=4),
    TwoWay("B2 router drops the port, and a late reflector", "FILTERED_SILENTLY", "likely", setup=late(both(server, nft("router", "forward", f"{PORT} drop"))), role="path", direction="out", within=4),
    TwoWay("B5 router drops the answers, and a late reflector", "REPLIES_LOST", setup=late(both(server, nft("router", "forward", "tcp sport 6379 drop"))), role="path", within=4, **BACK),
    TwoWay("B6 head has no route for the answers, and a late reflector", "HEAD_NO_RETURN_ROUTE", "likely", setup=late(no_return_route), where="head", role="head", within=4, **BACK),
    # --- two one-sided reports
    Merged("both ways are rejected", "REJECTED_AT_HEAD", setup=both(nft("head", "input", "meta l4proto tcp reject with icmpx admin-prohibited"), nft("worker", "input", "meta l4proto tcp reject with icmpx admin-prohibited")), where="head", direction="both", says="neither does"),
    Merged("both ways are dropped by the router", "FILTERED_SILENTLY", "likely", setup=nft("router", "forward", "tcp dport { 6379, 6380, 6388 } drop"), direction="both", says="neither does", within=9),
    Merged("only the way back is rejected by the router", "REVERSE_BLOCKED", setup=both(gcs(), nft("router", "forward", "iifname r1 ct state new meta l4proto tcp reject with icmpx admin-prohibited")), where="router2", role="router", says="the head does not reach the worker", **BACK),
    Merged("only the way there is dropped", "FILTERED_SILENTLY", "likely", setup=nft("head", "input", f"{PORT} drop"), direction="out", says="the worker does not reach the head", within=9),
    Merged("translated, and not routable", "NAT_NO_WAY_BACK", "likely", setup=both(gcs(), nat(SNAT), no_route_back), **BACK),
    # --- the reflector itself
    TwoWay("a wrong code", setup=gcs(), with_code=wrong_code, says="the code is another one", **HALF),
    TwoWay("a wrong code, and the port is closed", "PORT_CLOSED", with_code=wrong_code, where="head", within=2),
    TwoWay("the code died of five wrong tries", setup=gcs(), with_code=five_wrong, **HALF),
    TwoWay("nobody serves", setup=gcs(), with_code=nobody_serves, says="Connection refused", **HALF),
    TwoWay("the reflector's port is blocked", setup=gcs(), with_code=blocked_reflector, says="no reflector answers", **HALF),
    TwoWay("a wrong code, and large packets vanish", "MTU_HOLE_OUT", setup=service.mtu_hole, with_code=wrong_code, within=4),
    TwoWay("the reflector's port is blocked, and the GCS's", "FILTERED_SILENTLY", "likely", setup=nft("head", "input", f"{PORT} drop"), with_code=blocked_reflector, within=5.5),
    TwoWay("a deadline too short for the way back", "INCONCLUSIVE", "inconclusive", setup=both(gcs(), established_only("worker", "w0")), args=("--deadline", "500ms"), within=1.5, after=nothing_left),
]

if __name__ == "__main__":
    sys.exit(main(CASES))
