#!/usr/bin/env python3
"""ray-probe on ways that work badly (probe.md C4 to C7, 5.2: 80 to 84), and on what only a closer look at the own machine
and the way tells: dying neighbours, strange source addresses, hooks below netfilter, the last hop that answers."""
import importlib, re, sys

import cgroup
from lab import NET, Case, Lab, Missing, main

path, service, two_way = (importlib.import_module(f"test-probe-{n}") for n in ("path", "service", "two-way"))
both, ip, nft, gcs, PORT = path.both, path.ip, path.nft, service.gcs, path.PORT
ICMP = {4: "icmp type destination-unreachable icmp code frag-needed drop", 6: "icmpv6 type packet-too-big drop"}
STRANGE = {4: "10.99.0.1", 6: "fd99::1"}
SLOW = {4: "10.98.0.2", 6: "fd98::2"}
for f in (4, 6):
    NET[f].update(strange=STRANGE[f], slow=SLOW[f])


def narrow(way, mtu=1300, silent=True, jumbo=0):
    """Packets of more than `mtu` do not pass the router, out, in or both, with or without an ICMP that says so."""
    def go(lab, f):
        n = NET[f]
        if "out" in way:
            lab.ip("router", f"-{f} route add {n['head']} dev r1 mtu lock {mtu}")
        if "in" in way:
            lab.ip("router", f"-{f} route add {n['worker']} dev r0 mtu lock {mtu}")
        if silent:
            lab.nft("router", "output", ICMP[f], name="deaf")
    return go


def sysctl(who, *pairs):
    return lambda lab, f: lab.sysctl(who, *pairs)


def stale(lab, f):
    """The neighbour was known a while ago, and is gone."""
    path.warm(lab, f)
    lab.ip("worker", f"-{f} neigh change {NET[f]['router']} dev w0 nud stale")
    path.router_gone(lab, f)


def strange_source(lab, f):
    """The worker speaks from an address of its loopback, to which nobody knows the way back."""
    lab.ip("worker", f"-{f} addr add {STRANGE[f]} dev lo{' nodad' if f == 6 else ''}",
           f"-{f} route replace default via {NET[f]['router']} dev w0 src {STRANGE[f]}")


def other_way_back(lab, f):
    """What the head answers comes back by another cable, and the worker's reverse path filter is strict."""
    lab.ip("router", f"link add r2 type veth peer name w1 netns {lab.ns['worker']}", "link set r2 up",
           "addr add 10.77.3.1/24 dev r2")
    lab.ip("worker", "link set w1 up", "addr add 10.77.3.2/24 dev w1")
    lab.sysctl("worker", "net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.w1.rp_filter=1", "net.ipv4.conf.w0.rp_filter=1")
    lab.ip("router", "route add 10.77.1.2/32 via 10.77.3.2 dev r2")


def egress(rule):
    def go(lab, f):
        try:
            lab.nft("worker", "egress device w0", rule, family="netdev", name="e")
        except RuntimeError as e:
            raise Missing(f"no nft egress hook: {str(e).splitlines()[0]}") from e
    return go


def forbidden(what):
    def go(lab, f):
        try:
            lab.cgroup = cgroup.forbid(what[f] if isinstance(what, dict) else what)
        except cgroup.Unsupported as e:
            raise Missing(str(e)) from e
    return go


def slow(lab, f):
    try:
        open("/dev/net/tun").close()
    except OSError as e:
        raise Missing(f"no TUN devices: {e.strerror}") from e
    lab.serve(None, lab.ns["worker"], "10.98.0.1/24,fd98::1/64", lab.ns["head"], "10.98.0.2/24,fd98::2/64", "40", script="slow.py")
    p = lab.start("head", service.GCS, "--port", "6379", "--address", SLOW[f], stdout=-1, text=True)
    if not p.stdout.readline().startswith("port"):
        raise RuntimeError("fake-gcs did not start")


def lossy(nth):
    """Every nth SYN towards the head is lost."""
    return lambda lab, f: lab.nft("router", "forward", f"tcp dport 6379 tcp flags & (syn|ack) == syn numgen inc mod {nth} 0 drop", name="lossy")


def files(n):
    """The probe may open so few files."""
    return lambda lab, f: lab.limits.append(f"ulimit -n {n}")



def connected_by(ms):
    def go(r):
        took = sum(s["t_ms"] for s in r["steps"])
        return "" if took < ms else f"{took:.0f} ms, at most {ms} are allowed"
    return go


def only_arrived(r):
    return "" if "large_out=arrived" in r["facts"] and "large_in=arrived" in r["facts"] else "large packets are not said to arrive"


def ahead(ms):
    return lambda lab, f: lab.reflector(ahead_ms=ms)


def off_by(seconds):
    """To a tenth: what this machine does in between counts as half a round trip."""
    def check(r):
        said = re.search(r"the head's time minus ours is ([+-][\d.]+) s", r["because"])
        return "" if said and abs(float(said[1]) - seconds) < 0.1 else f"clocks: {r['because']}"
    return check


HOLE = dict(confidence="proven", within=2.1)

CASES = [
    # --- large packets (table C)
    Case("C1 large packets pass", "OK", setup=gcs(), within=0.5, check=lambda r: only_arrived(r) or connected_by(500)(r)),
    Case("C1 a GCS without reflection", "OK", setup=gcs(reflection="0"), within=0.5, tells=("large_out=arrived", "large_in=unknown")),
    Case("C4 an MTU hole towards the head", "MTU_HOLE_OUT", setup=both(gcs(), narrow("out")), tells=("packet_fits=1280", "mtu 1280", "tcp_mtu_probing=1"),
         says="none of 1500 bytes arrives, those of 1280 do", **HOLE),
    Case("C4 an MTU hole of a tunnel", "MTU_HOLE_OUT", setup=both(gcs(), narrow("out", 1420)), tells=("packet_fits=1420",), **HOLE),
    Case("C4 an MTU hole, and no token", "TOKEN_REQUIRED", setup=both(gcs(token="x"), narrow("out")), within=0.5),
    Case("C5 an MTU hole from the head", "MTU_HOLE_IN", setup=both(gcs(), narrow("in")), tells=("large_out=arrived", "large_in=hole", "packet_fits=1280"), **HOLE),
    Case("C4 MTU holes both ways", "MTU_HOLE_OUT", setup=both(gcs(), narrow("out in")), **HOLE),
    Case("C6 a smaller MTU on the way that works", "OK", setup=both(gcs(), narrow("out in", silent=False)), within=1, tells=("pmtu=1300", "the way takes packets of 1300 bytes")),
    Case("C7 tcp_mtu_probing=2 gets over a hole at once", "OK", setup=both(gcs(), narrow("out in"), sysctl("worker", "net.ipv4.tcp_mtu_probing=2"),
         sysctl("head", "net.ipv4.tcp_mtu_probing=2")), within=2, tells=("tcp_mtu_probing=2",)),
    Case("C7 tcp_mtu_probing=1 takes its time", "MTU_HOLE_OUT", setup=both(gcs(), narrow("out"), sysctl("worker", "net.ipv4.tcp_mtu_probing=1")),
         tells=("tcp_mtu_probing is on here",), **HOLE),
    # --- loss and time
    Case("every other SYN is lost", "LOSSY_OR_SLOW", "likely proven", setup=both(gcs(), lossy(2)), within=3, tells=("of 16 SYNs answered",)),
    Case("one SYN in five is lost, the first one", {"OK", "LOSSY_OR_SLOW"}, "likely proven", setup=both(gcs(), lossy(5)), within=3),
    Case("a round trip of 80 ms", "LOSSY_OR_SLOW", setup=slow, target="{slow}", within=3, says="is slow: a round trip takes"),
    # --- clocks
    two_way.TwoWay("the head's clock is an hour ahead", "CLOCK_SKEW", setup=gcs(), with_code=ahead(3600000), within=1,
                   says="the clock of this machine is 1h behind that of head {head}", tells=("here, as root: ",), check=off_by(3600)),
    two_way.TwoWay("the head's clock is two seconds behind", "CLOCK_SKEW", setup=gcs(), with_code=ahead(-2000), within=1, says="ahead of that of head"),
    two_way.TwoWay("clocks half a second apart", "OK", setup=gcs(), with_code=ahead(500), within=1),
    # --- neighbours that die
    Case("A17 host died, neighbour stale", "HOST_SILENT", "likely", target="{router}", setup=stale, within=2.6, tells=("whether it still answers",)),
    Case("A18 gateway died, neighbour cached", {"HOST_SILENT"}, "likely", setup=both(path.warm, path.router_gone), within=2.6, tells=("not even gateway {router}",)),
    # --- this machine
    Case("A19 no descriptor is left", "LOCAL_RESOURCES", setup=files(6), within=1, tells=("6 of 6 descriptors are open",)),
    Case("A20 a sandbox forbids connect()", "LOCAL_FIREWALL", setup=forbidden(cgroup.CONNECT), within=0.5),
    Case("B3 IPAddressDeny= of a unit", "LOCAL_FIREWALL", setup=forbidden(cgroup.EGRESS), within=1.4),
    Case("B3 an egress hook of nft drops the address", "LOCAL_FIREWALL", "likely proven", setup=egress("meta l4proto { tcp, udp } drop"), within=1.5),
    Case("B3 an egress hook of nft drops the port", "LOCAL_FIREWALL", "likely", setup=egress(f"{PORT} drop"), within=1.5),
    Case("B3 own firewall drops behind the routing", "LOCAL_FIREWALL", "likely", setup=nft("worker", "postrouting", f"{PORT} drop"), within=1.5),
    Case("B4 own reverse path filter drops the answers", "REPLIES_LOST", "likely", setup=both(path.server, other_way_back), families=(4,), within=2.6,
         says="this machine throws away what head {head} answers", tells=("rp_filter=2",)),
    Case("B7 a source address that the head cannot answer", "WRONG_INTERFACE", setup=both(path.server, strange_source), within=1.6,
         says="does not know the way back to {strange}", tells=("src {worker}",)),
    Case("B7 the same, asked for", "WRONG_INTERFACE", setup=both(path.server, strange_source), args=("--from", "{strange}"), within=1.6, tells=("--from {worker}",)),
    Case("B7 and the head is off", "HOST_SILENT", "likely", setup=both(strange_source, nft("head", "input", "meta l4proto { tcp, udp } drop")), within=3.5),
    # --- the last hop
    Case("B1 the last hop that answers is told", "FILTERED_SILENTLY", "likely", setup=nft("head", "input", f"{PORT} drop"), within=2.6,
         says="on the way behind hop {router}", tells=("last_hop={router}", "the last hop that answers is {router} (hop 1)")),
    Case("B2 the last hop that answers is told", "FILTERED_SILENTLY", "likely", setup=nft("router", "forward", f"{PORT} drop"), within=2.6, tells=("last_hop={router}",)),
    Case("B6 the last hop that answers is told", "HOST_SILENT", "likely", setup=both(path.server, ip("head", "route del default")), within=3.5,
         says="the last hop that answers is {router}"),
    Case("B10 no hop answers", "HOST_SILENT", "likely", setup=ip("router", "route add blackhole {head}"), within=2.6, tells=("not even gateway {router}",)),
    # --- an ICMP that meets a locked socket is not lost (probe.md 2.2.3, 5.3.9)
    Case("5.3.9 ICMP within connect(), router", "NO_ROUTE_REMOTE", target="{elsewhere}", within=0.3, check=connected_by(300)),
    Case("5.3.9 ICMP within connect(), head", "REJECTED_AT_HEAD", setup=path.reject("type admin-prohibited", "type admin-prohibited"), within=0.3, check=connected_by(300)),
    # --- what is asked for
    Case("--deadline 2s keeps the order: a silent port", "INCONCLUSIVE", "inconclusive", setup=nft("head", "input", f"{PORT} drop"), args=("--deadline", "2s"),
         within=2.1, tells=("a longer deadline",)),
    Case("a deadline before large packets are known to pass", "INCONCLUSIVE", "inconclusive", setup=both(gcs(), narrow("out")), args=("--deadline", "1s"), within=1.2,
         says="how well the way there works was not found out in time", tells=("whether large packets pass: a longer deadline",)),
    Case("a deadline before the head is heard by mDNS", "INCONCLUSIVE", "inconclusive", setup=gcs(), args=("--discover", "--deadline", "1s"), within=1.2),
    Case("--deadline 2s keeps the order: a dead neighbour", "NEIGHBOUR_DEAD", "likely", target="{near}", args=("--deadline", "2s"), within=2.1),
    Case("--deadline 2s keeps the order: own firewall", "LOCAL_FIREWALL", "likely", setup=nft("worker", "output", f"{PORT} drop"), args=("--deadline", "2s"), within=2.1),
    Case("--deadline 2s keeps the order: a dead host", "INCONCLUSIVE", "inconclusive", target="{far}", args=("--deadline", "2s"), within=2.1, tells=("a longer deadline",)),
    Case("-4 and -6 of an address", "PORT_CLOSED", args=("-4",), families=(4,), within=0.5),
    Case("-4 and -6 of an address", "PORT_CLOSED", args=("-6",), families=(6,), within=0.5),
    Case("A21 which interfaces a link-local address may be on", "SCOPE_MISSING", target="fe80::1", families=(6,), within=0.5, tells=("write fe80::1%w0",)),
    Case("--discover without avahi-daemon", "DISCOVERY_BLIND", setup=gcs(), args=("--discover",), within=2.5, says="cannot hear it by mDNS"),
]

if __name__ == "__main__":
    sys.exit(main(CASES))
