# SPDX-License-Identifier: Apache-2.0
"""The tools that people are sent to, and what each of their answers says.

An answer is what the tool prints of the port, without addresses and times: nmap's state, reason and, as root, who sent it, with the
codes of ICMP and ICMPv6 apart and the hop count of a reset; ncat's last sentence; the last line of `ray health-check`. CLAIMS says
of which verdicts of the matrix an answer is true, in the reading that is kindest to the tool. An answer that is true of a set-up's
verdict is right; one that names another cause is wrong; one that only says "nothing came" is inconclusive where that is not the
finding itself.
"""
import glob, os, pathlib, re, shutil, subprocess, tempfile
import xml.etree.ElementTree as ET

CACHE = pathlib.Path(os.environ.get("RAYCLUSTER_CACHE", "/var/cache/raycluster-tests"))

FIREWALL = {"LOCAL_FIREWALL", "REJECTED_AT_HEAD", "REJECTED_ON_PATH", "REFUSED_BY_FIREWALL"}
SILENT = {"FILTERED_SILENTLY", "LOCAL_FIREWALL", "REPLIES_LOST", "HEAD_RPFILTER", "HEAD_NO_RETURN_ROUTE", "HOST_SILENT", "BACKLOG_FULL"}
DEAD = {"NEIGHBOUR_DEAD", "GATEWAY_DEAD", "HOST_DOWN_REMOTE", "NO_ROUTE_REMOTE", "NO_ROUTE_LOCAL", "LINK_DOWN", "ROUTE_FORBIDS"}
NO_ROUTE = {"NO_ROUTE_REMOTE", "NO_ROUTE_LOCAL", "LINK_DOWN", "ROUTE_FORBIDS", "GATEWAY_DEAD"}
CLOSED = {"PORT_CLOSED", "HEAD_LOOPBACK_ONLY"}
# What is behind an open port is not what a port scanner asks: "open" is true of all of them.
OPEN = {"OK", "HALF_OPEN_PATH", "SERVICE_FROZEN", "CLOSED_AFTER_ACCEPT", "NOT_RAY", "TLS_REQUIRED", "TLS_NOT_SPOKEN",
        "CLIENT_CERT_REQUIRED", "CERT_UNTRUSTED", "CERT_NAME", "CERT_TIME", "TOKEN_REQUIRED", "TOKEN_WRONG", "WRONG_CLUSTER",
        "VERSION_MISMATCH", "NAT_ONE_WAY", "NAT_NO_WAY_BACK", "NAT_FORWARDED", "HEAD_BEHIND_DNAT", "REVERSE_BLOCKED",
        "REVERSE_PORTS_PARTIAL", "WRONG_PEER", "MTU_HOLE_OUT", "MTU_HOLE_IN", "CLOCK_SKEW", "LOSSY_OR_SLOW", "DISCOVERY_BLIND",
        "LOCAL_RESOURCES", "REPLIES_LOST", "WRONG_INTERFACE"}

# A GCS serves, whatever else is wrong: "healthy" is true of all of them.
SERVING = {"OK", "NAT_ONE_WAY", "NAT_NO_WAY_BACK", "NAT_FORWARDED", "HEAD_BEHIND_DNAT", "REVERSE_BLOCKED", "REVERSE_PORTS_PARTIAL",
           "WRONG_PEER", "MTU_HOLE_OUT", "MTU_HOLE_IN", "CLOCK_SKEW", "LOSSY_OR_SLOW", "DISCOVERY_BLIND", "WRONG_INTERFACE",
           "TLS_NOT_SPOKEN", "WRONG_CLUSTER", "VERSION_MISMATCH"}

# The first pattern that is found in an answer decides: the verdicts it is true of.
CLAIMS = [
    (r"Operation not permitted", {"LOCAL_FIREWALL"}),
    (r"^open|^Connected", OPEN),
    (r"^closed (conn-refused|reset)|^Connection refused", CLOSED),
    (r"^filtered (\w+-prohibited|port-unreach|proto-unreach|policy-fail|failed-policy|reject-route)|^Protocol not available", FIREWALL),
    (r"^filtered host-unreach|^filtered addr-unreach|^No route to host", DEAD),
    (r"^filtered (net-unreach|no-route)|^Network is unreachable|failed to determine route", NO_ROUTE),
    (r"^host down", {"NEIGHBOUR_DEAD", "HOST_DOWN_REMOTE", "HOST_SILENT", "GATEWAY_DEAD"}),
    (r"^Permission denied", FIREWALL | {"ROUTE_FORBIDS"}),
    (r"Invalid argument", {"ROUTE_FORBIDS", "SCOPE_MISSING"}),
    (r"Cannot assign requested address", {"LOCAL_RESOURCES"}),
    (r"^Could not resolve hostname: (Name or service not known|No address)", {"NAME_NOT_FOUND"}),
    (r"^Could not resolve hostname: Temporary failure", {"DNS_UNAVAILABLE"}),
    (r"^Failed to resolve", {"NAME_NOT_FOUND", "DNS_UNAVAILABLE"}),
    (r"^Connection reset by peer", {"CLOSED_AFTER_ACCEPT"}),
    (r"^healthy", SERVING),
    (r"InvalidAuthToken", {"TOKEN_REQUIRED", "TOKEN_WRONG"}),
    (r"WrongClusterID", {"WRONG_CLUSTER"}),
    (r"version mismatch|Version mismatch", {"VERSION_MISMATCH"}),
]
# Answers that name no cause: right where silence is the finding, else nobody is misled.
NOTHING = r"^filtered no-response|^TIMEOUT|^unknown|^nothing|Timed out while waiting|^stopped after"


def grade(answer, truth):
    """"right", "wrong" or "inconclusive": an answer against the set of verdicts that are true of the set-up."""
    for pattern, verdicts in CLAIMS:
        if re.search(pattern, answer):
            return "right" if verdicts & truth else "inconclusive" if truth == {"INCONCLUSIVE"} else "wrong"
    if re.search(NOTHING, answer):
        return "right" if SILENT & truth and not answer.startswith("nothing") else "inconclusive"
    return "inconclusive"


class Nmap:
    def __init__(self, syn):
        self.name = "nmap -sS (root)" if syn else "nmap -sT"
        self.syn, self.jobs, self.timeout = syn, 6, 60

    def missing(self):
        return "" if shutil.which("nmap") else "nmap is not installed"

    def ask(self, lab, f, target, port, args):
        argv = ["nmap", *(["-sS"] if self.syn else ["-sT", "--unprivileged"]), "-Pn", "-n", "-p", port, "-oX", "-",
                *(["-6"] if f == 6 else []), target]
        _, out, err, took = lab.tool(*argv, root=self.syn, timeout=self.timeout)
        return self.answer(out, err, f), took

    def answer(self, out, err, f):
        m = re.search(r"Operation not permitted|Strange read error from \S+ \(\d+ - '([^']+)'\)", err)
        extra = f" ({m[1] or m[0]})" if m else ""
        root = ET.fromstring(out[out.index("<nmaprun"):]) if "<nmaprun" in out else None
        state = root.find(".//port/state") if root is not None else None
        if state is None:
            m = re.search(r"Failed to resolve|failed to determine route", err)
            down = root is not None and root.find(".//hosts[@down='1']") is not None
            return m[0] if m else ("host down" if down else "nothing") + extra
        a = state.attrib
        answer = f"{a['state']} {a['reason']}"
        if self.syn and a["reason"] == "reset":
            answer += f" ttl {a['reason_ttl']}"
        elif self.syn and a["reason"] not in ("no-response", "syn-ack"):
            answer += f" from {sender(a.get('reason_ip'))}, {'ICMPv6' if f == 6 else 'ICMP'}"
        return answer + extra


def sender(ip):
    """Who sent an ICMP; nmap names nobody when it was the target."""
    who = {"10.77.1.2": "this machine", "fd77:1::2": "this machine", None: "the head", "10.77.2.2": "the head", "fd77:2::2": "the head"}
    return who.get(ip, "a router")


class Ncat:
    name, jobs, timeout = "ncat", 6, 60

    def missing(self):
        return "" if shutil.which("ncat") else "ncat is not installed"

    def ask(self, lab, f, target, port, args):
        _, out, err, took = lab.tool("ncat", "-v", "-z", "-w", "10", *(["-6"] if f == 6 else ["-4"]), target, port, timeout=self.timeout)
        lines = [l.removeprefix("Ncat: ").removesuffix(" QUITTING.").rstrip(".") for l in err.splitlines() if l.startswith("Ncat: ")]
        lines = [l for l in lines if not re.match(r"Version |\d+ bytes sent|https?:", l)]
        last = lines[-1] if lines else "nothing"
        last = re.sub(r'hostname "[^"]*"', "hostname", re.sub(r"^Connected to .*", "Connected", last))
        return last, took


class RayHealthCheck:
    """`ray health-check` out of the package of the engine, as tests/engine/run unpacks it."""
    # Where it hears nothing it says so after 42 s; what has no answer after 20 is taken for that.
    name, jobs, timeout = "ray health-check", 8, 20

    def __init__(self):
        self.engine = os.environ.get("ENGINE")

    def missing(self):
        if self.engine:
            return ""
        debs = sorted(glob.glob(str(CACHE / "engine/2.60.*/raycluster-engine-2.60_*.deb")), key=os.path.getmtime)
        if not debs:
            return f"ENGINE names no environment with Ray, and no engine is built in {CACHE}"
        tree = pathlib.Path(tempfile.mkdtemp(prefix="engine-"))
        tree.chmod(0o755)
        subprocess.run(["dpkg-deb", "-x", debs[-1], str(tree)], check=True)
        self.engine = str(next((tree / "usr/lib/raycluster-engine").iterdir()))
        ray = pathlib.Path(self.engine, "bin/ray")
        ray.write_text(re.sub(r"^#!.*", f"#!{self.engine}/bin/python", ray.read_text(), count=1))
        return ""

    def ask(self, lab, f, target, port, args):
        env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": "/nonexistent", "RAY_USAGE_STATS_ENABLED": "0",
               "PYTHONDONTWRITEBYTECODE": "1"}
        if "--token-file" in args:
            env |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": args[args.index("--token-file") + 1]}
        address = f"[{target}]:{port}" if ":" in target else f"{target}:{port}"
        try:
            code, _, err, took = lab.tool(f"{self.engine}/bin/ray", "health-check", "--address", address, timeout=self.timeout, env=env)
        except subprocess.TimeoutExpired:
            return f"stopped after {self.timeout} s", float(self.timeout)
        if code == 0:
            return "healthy", took
        last = next((l for l in reversed(err.splitlines()) if re.match(r"[\w.]+(Error|Exception)\b", l)), f"unknown: exit {code}")
        last = last.replace(address, "HOST:PORT").split(". ")[0].rstrip(".")
        return re.sub(r"^([a-z_]+\.)*", "", last)[:100], took


TOOLS = [Nmap(False), Nmap(True), Ncat(), RayHealthCheck()]
