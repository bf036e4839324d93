#!/usr/bin/env python3
"""ray-probe --all: every port that Ray uses, as ranges and one cause (probe.md 5.3.7 and 5.3.8)."""
import importlib, sys

from lab import NET, Case, main

path = importlib.import_module("test-probe-path")
service = importlib.import_module("test-probe-service")
two_way = importlib.import_module("test-probe-two-way")
nft, both, gcs = path.nft, path.both, service.gcs
PROHIBIT = "reject with icmpx type admin-prohibited"  # as firewalld says it
RAYLET = {"port": 6380, "object_manager": 6381, "runtime_env": 6382, "agent_grpc": 6383, "metrics": 6384, "agent": 6385}


def row(f, who, head=0, **ports):
    kv = {"id": f"0{1 + head}", "address": NET[f][who], "hostname": who, "head": head, **RAYLET, **ports}
    return ",".join(f"{k}={v}" for k, v in kv.items())


def ray(listens=(6380, 6381), **ports):
    """A GCS, its own row in the node table, and who listens on the head beside it."""
    def go(lab, f):
        gcs(node=row(f, "head", head=1, **ports))(lab, f)
        for p in listens:
            lab.serve("head", "silent", str(p))
    return go


def words(ranges, state):
    return ", ".join(str(r["first"]) if r["first"] == r["last"] else f"{r['first']}-{r['last']}" for r in ranges if r["state"] == state)


def finds(where="forward", whole=10010, source=None, **expected):
    """The ranges of each state; of what is not named there is none. Every port of the plan has a state."""
    def check(report):
        ranges = report["ports"][where]
        if ranges is None:
            return f"{where}: not looked at"
        have = {r["state"]: words(ranges, r["state"]) for r in ranges}
        if have != expected:
            return f"{where}: {have}, not {expected}"
        n = sum(r["last"] - r["first"] + 1 for r in ranges)
        if whole and n != whole:
            return f"{where}: {n} ports, not {whole}"
        if any((r["from"] is not None) != (r["state"] == "rejected") for r in ranges):
            return f"{where}: {ranges}"
        if source and {r["from"] for r in ranges} - {None} - set(source):
            return f"{where}: rejected by {ranges}"
        return ""
    return check


def too_late_or(check):
    """On a busy machine a short deadline may end the examination before its scan begins; then it says that."""
    def go(report):
        begun = report["ports"]["forward"] is not None
        open_question = "whether the way to ports 6385 is open" if begun else "the rest of the examination"
        if not any(m["name"] == open_question for m in report["missing_facts"]):
            return f"{open_question} is not among {report['missing_facts']}"
        return check(report) if begun else ""
    return go


def conf(text):
    return lambda lab, f: lab.conf(text)


def limits(line):
    return lambda lab, f: lab.limits.append(line)


def own_ports(lab, f):
    lab.sysctl("worker", "net.ipv4.ip_local_port_range=40000 40010")


def echo(lab, f):
    """What the kernel gives out as own ports is what is tried on the own address."""
    lab.conf('ports: { workers = "40000-40400"; };\n')
    lab.sysctl("head", "net.ipv4.ip_local_port_range=40000 40400")


def own_row(lab, f):
    gcs(node=row(f, "worker", object_manager=12001))(lab, f)
    lab.serve("worker", "ssh", "12001")


def nothing_left(lab, f):
    """No socket of the scan, in no state, on either side."""
    for who in ("worker", "head"):
        left = [l for l in lab.run(who, "ss", "-Htan").stdout.splitlines() if not l.startswith("LISTEN") and ":6379" not in l]
        if left:
            return f"left at the {who}: {left[:3]}"
    return ""


def scan(name, verdict, confidence="proven", setup=None, args=(), **kw):
    """Ten thousand sockets cost time on a busy machine; tests/bench/probe-ports measures it on a quiet one."""
    return Case(name, verdict, confidence, setup=setup, args=("--all", *args), **{"within": 8, **kw})


class Both(two_way.TwoWay):
    """With a reflector at the head."""

    def __init__(self, name, verdict, confidence="proven", setup=None, args=(), **kw):
        super().__init__(name, verdict, confidence, setup=setup, args=("--all", *args), **{"within": 12, **kw})


OPEN, REST = "6379-6381", "6382-6388, 8265, 10001-19999"
HEAD = dict(where="head", role="head", direction="out")

# Another name than that of the matrix: no peer of ray-probe could say anything on these.
SCANS = [
    scan("nothing else listens", "PORT_CLOSED", "likely", setup=ray(listens=()), **HEAD,
         check=finds(open="6379", refused="6380-6388, 8265, 10001-19999"), says="announces port 6380 (node manager) and refuses it"),
    scan("all is well", "OK", setup=ray(), where="head", after=nothing_left,
         check=finds(open=OPEN, refused=REST), says="the way to all 10010 ports that it uses is open", tells=("ports_plan=node table",)),
    scan("a GCS that tells no ports", "OK", setup=gcs(), check=finds(open="6379", refused="6380-6388, 8265, 10001-19999"),
         tells=("ports_plan=configuration",)),
    scan("a few are open", "OK", setup=ray((6380, 6381, 8265, 10001, 12345, 19999)),
         check=finds(open="6379-6381, 8265, 10001, 12345, 19999", refused="6382-6388, 10002-12344, 12346-19998")),
    scan("the head drops the workers", "FILTERED_SILENTLY", "likely", setup=both(ray(), nft("head", "input", "tcp dport 10002-19999 drop")),
         **HEAD, after=nothing_left, check=finds(open=OPEN, refused="6382-6388, 8265, 10001", silent="10002-19999"),
         says="its ports 10002-19999 stay silent", tells=("raycluster-head",)),
    scan("the head drops all but the GCS", "FILTERED_SILENTLY", "likely",
         setup=both(ray(), nft("head", "input", "tcp dport { 6380-6388, 8265, 10001-19999 } drop")), **HEAD,
         check=finds(open="6379", silent="6380-6388, 8265, 10001-19999")),
    # Linux allows some ten answers in this time; ninety-nine in a hundred ports are never told
    scan("the head rejects the workers", "REJECTED_AT_HEAD", setup=both(ray(), nft("head", "input", f"tcp dport 10002-19999 {PROHIBIT}")),
         **HEAD, check=finds(open=OPEN, refused="6382-6388, 8265, 10001", rejected="10002-19999", source=(NET[4]["head"], NET[6]["head"])),
         says="its firewall rejects ports 10002-19999", tells=("(ICMP is rationed)",)),
    scan("the head rejects all but the GCS", "REJECTED_AT_HEAD",
         setup=both(ray(), nft("head", "input", f"tcp dport {{ 6380-6388, 8265, 10001-19999 }} {PROHIBIT}")), **HEAD,
         check=finds(open="6379", rejected="6380-6388, 8265, 10001-19999"), tells=("(ICMP is rationed)",)),
    scan("the head refuses them (port-unreachable)", "REFUSED_BY_FIREWALL",
         setup=both(ray(), nft("head", "input", "tcp dport 10002-19999 reject")), **HEAD,
         check=finds(open=OPEN, refused="6382-6388, 8265, 10001", rejected="10002-19999"), says="blocked, not closed"),
    scan("the head resets them", "OK", setup=both(ray(), nft("head", "input", "tcp dport 10002-19999 reject with tcp reset")),
         check=finds(open=OPEN, refused=REST)),
    scan("the router rejects the workers", "REJECTED_ON_PATH", setup=both(ray(), nft("router", "forward", f"tcp dport 10002-19999 {PROHIBIT}")),
         where="router", role="router", check=finds(open=OPEN, refused="6382-6388, 8265, 10001", rejected="10002-19999",
                                                              source=(NET[4]["router"], NET[6]["router"])),
         says="router {router} forbids the way to its ports 10002-19999"),
    scan("the router drops the workers", "FILTERED_SILENTLY", "likely", setup=both(ray(), nft("router", "forward", "tcp dport 10002-19999 drop")),
         check=finds(open=OPEN, refused="6382-6388, 8265, 10001", silent="10002-19999")),
    scan("one agent is dropped", "FILTERED_SILENTLY", "likely", setup=both(ray(), nft("head", "input", "tcp dport 6385 drop")),
         check=finds(open=OPEN, refused="6382-6384, 6386-6388, 8265, 10001-19999", silent="6385"), says="its port 6385 (dashboard agent's HTTP) stays silent"),
    scan("one agent is rejected", "REJECTED_AT_HEAD", setup=both(ray(), nft("head", "input", f"tcp dport 6385 {PROHIBIT}")),
         check=finds(open=OPEN, refused="6382-6384, 6386-6388, 8265, 10001-19999", rejected="6385")),
    scan("the last ports of the range are forgotten", "FILTERED_SILENTLY", "likely",
         setup=both(ray(), nft("head", "input", "tcp dport 19000-65535 drop")),
         check=finds(open=OPEN, refused="6382-6388, 8265, 10001-18999", silent="19000-19999")),
    scan("rejected, and one of them dropped", "REJECTED_AT_HEAD",
         setup=both(conf('dashboard: { bind = "0.0.0.0"; };\n'), ray(), nft("head", "input", "tcp dport 8265 drop", f"tcp dport {{ 6380-6388, 10001-19999 }} {PROHIBIT}")),
         within=7, check=finds(open="6379", rejected="6380-6388, 10001-19999", silent="8265"), tells=("8265: silence",)),
    # --- this machine
    scan("own firewall drops TCP to the workers", "LOCAL_FIREWALL", "likely",
         setup=both(ray(), nft("worker", "output", "tcp dport 10002-19999 drop")), role="local",
         check=finds(open=OPEN, refused="6382-6388, 8265, 10001", silent="10002-19999")),
    scan("own firewall drops everything to the workers", "LOCAL_FIREWALL",
         setup=both(ray(), nft("worker", "output", "meta l4proto { tcp, udp } th dport 10002-19999 drop")), role="local",
         check=finds(open=OPEN, refused="6382-6388, 8265, 10001", silent="10002-19999"), tells=("EPERM",)),
    scan("own firewall rejects", "LOCAL_FIREWALL", setup=both(ray(), nft("worker", "output", "tcp dport 10002-19999 reject")),
         role="local", check=finds(open=OPEN, refused="6382-6388, 8265, 10001", rejected="10002-19999", source=(NET[4]["worker"], NET[6]["worker"]))),
    scan("1024 descriptors, dropped", "FILTERED_SILENTLY", "likely", setup=both(limits("ulimit -n 1024"), ray(), nft("head", "input", "tcp dport 10002-19999 drop")),
         within=15, check=finds(open=OPEN, refused="6382-6388, 8265, 10001", silent="10002-19999"), tells=("sockets at once",)),
    scan("1024 descriptors, closed", "OK", setup=both(limits("ulimit -n 1024"), ray()), check=finds(open=OPEN, refused=REST), tells=("sockets at once",)),
    scan("a soft limit of 256 that may be raised", "OK", setup=both(limits("ulimit -Sn 256"), ray()), check=finds(open=OPEN, refused=REST)),
    scan("eleven own ports", "OK", setup=both(own_ports, conf('ports: { workers = "10002-10999"; };\n'), ray()),
         check=finds(open=OPEN, refused="6382-6388, 8265, 10001-10999", whole=1010)),
    scan("as root", "OK", setup=ray(), root=True, check=finds(open=OPEN, refused=REST)),
    scan("on the head itself", "OK", setup=ray(), who="head", check=finds(open=OPEN, refused=REST)),
    scan("on the head itself, its own ports among them", "OK", setup=both(ray(), echo), who="head",
         check=finds(open=OPEN, refused="6382-6388, 8265, 10001, 40000-40400", whole=413)),
    # --- which ports
    scan("other ports in the configuration", "REJECTED_AT_HEAD",
         setup=both(conf('ports: { object_manager = 7001; workers = "20000-20999"; };\n'), gcs(), nft("head", "input", f"tcp dport {{ 7001, 20000-20999 }} {PROHIBIT}")),
         check=finds(open="6379", refused="6380, 6382-6388, 8265, 10001", rejected="7001, 20000-20999", whole=1012),
         says="its firewall rejects ports 7001, 20000-20999", tells=("--add-port=7001/tcp --add-port=20000-20999/tcp",)),
    scan("other ports in the node table", "FILTERED_SILENTLY", "likely",
         setup=both(ray((7380, 7381), port=7380, object_manager=7381), nft("head", "input", "tcp dport 7381 drop")),
         check=finds(open="6379, 7380", refused="6382-6388, 8265, 10001-19999", silent="7381"), says="its port 7381 (object manager) stays silent"),
    scan("a dashboard for the head alone is not missed", "OK", setup=both(ray(), nft("head", "input", "tcp dport 8265 drop")),
         check=finds(open=OPEN, refused="6382-6388, 10001-19999", silent="8265")),
    scan("a dashboard for all is", "FILTERED_SILENTLY", "likely", says="its port 8265 (dashboard) stays silent",
         setup=both(conf('dashboard: { bind = "0.0.0.0"; };\n'), ray(), nft("head", "input", "tcp dport 8265 drop")),
         check=finds(open=OPEN, refused="6382-6388, 10001-19999", silent="8265")),
    # --- a GCS that does not serve
    scan("Ray is not running, and the firewall is closed", "PORT_CLOSED", setup=nft("head", "input", "tcp dport { 6380-6388, 8265, 10001-19999 } drop"),
         check=finds(refused="6379", silent="6380-6388, 8265, 10001-19999"), tells=("6380-6388, 8265, 10001-19999: silence",)),
    scan("the GCS is rejected like all the rest", "REJECTED_AT_HEAD", setup=nft("head", "input", f"tcp dport 6000-20000 {PROHIBIT}"), **HEAD,
         check=finds(rejected="6379-6388, 8265, 10001-19999")),
    scan("the GCS is dropped like all the rest", "FILTERED_SILENTLY", "likely", setup=nft("head", "input", "tcp dport 6000-20000 drop"),
         check=finds(silent="6379-6388, 8265, 10001-19999")),
    scan("a head that is off has no ports", "HOST_DOWN_REMOTE", target="{far}", check=lambda r: "" if r["ports"] == {"forward": None, "back": None} else r["ports"]),
    # the silence of one port is told 1.2 s after the scan began
    scan("too little time for one port", "INCONCLUSIVE", "inconclusive", args=("--deadline", "1200ms"),
         setup=both(conf('ports: { workers = "10002-10021"; };\n'), ray(), nft("head", "input", "tcp dport 6385 drop")),
         check=too_late_or(finds(open=OPEN, refused="6382-6384, 6386-6388, 8265, 10001-10021", unknown="6385", whole=32)),
         tells=("a longer deadline",)),
    # --- both ways
    Both("all is well both ways", "OK", setup=ray(), says="as is the way back", check=finds(open=OPEN + ", 6388", refused=REST.replace("6388", "6387"))),
    Both("the way back, thoroughly", "OK", setup=ray(), args=("--thorough",), check=finds("back", 10004, open="6380-6385", refused="10002-19999")),
    Both("the way back, thoroughly, and there is little time", "INCONCLUSIVE", "inconclusive", args=("--thorough", "--deadline", "1s"), within=1.5,
         setup=both(ray(), nft("worker", "input", "tcp dport 15000-19999 drop")), says="not found out: the time was over before all of it was tried"),
    Both("half of the own workers' ports are dropped", "REVERSE_PORTS_PARTIAL", "likely proven", args=("--thorough",), says="15000-19999",
         setup=both(ray(), nft("worker", "input", "tcp dport 15000-19999 drop")), check=finds("back", 10004, open="6380-6385", refused="10002-14999", silent="15000-19999")),
    Both("all of the own workers' ports are rejected", "REVERSE_PORTS_PARTIAL", "likely proven", args=("--thorough",), within=15, says="10002-19999",
         setup=both(ray(), nft("worker", "input", f"tcp dport 10002-19999 {PROHIBIT}")), check=finds("back", 10004, open="6380-6385", rejected="10002-19999")),
    Both("blocked both ways", "REJECTED_AT_HEAD", setup=both(ray(), nft("head", "input", f"tcp dport 10002-19999 {PROHIBIT}"), nft("worker", "input", "tcp dport 6380-19999 drop")),
         check=lambda r: finds(open=OPEN + ", 6388", refused="6382-6387, 8265, 10001", rejected="10002-19999")(r) or finds("back", None, silent="6380-6385, 10002-19999")(r)),
    # one that the sample of the configuration hardly ever holds, and that is open only there
    Both("the ports of this machine's own row", "OK", setup=own_row,
         check=lambda r: "" if r["ports"]["back"] and "12001" in words(r["ports"]["back"], "open").split(", ") else str(r["ports"]["back"])),
]

if __name__ == "__main__":
    sys.exit(main(SCANS, jobs=3))
