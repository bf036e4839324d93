#!/usr/bin/env python3
"""ray-probe against everything that may answer on the port of the head (probe.md table C), and names (2.6)."""
import os, signal, subprocess, sys

from lab import BUILD, NET, Case, main

GCS = str(BUILD / "tests" / "fake" / "fake-gcs")
TOKEN = "a-token-of-the-tests"


def serve(*argv):
    return lambda lab, f: lab.serve("head", argv[0], "6379", *argv[1:])


def gcs(**keys):
    def go(lab, f):
        argv = [GCS, "--port", "6379", "--address", NET[f]["head"], "--log", lab.gcs_log()]
        for k, v in keys.items():
            argv += [f"--{k}", v]
        p = lab.start("head", *argv, stdout=subprocess.PIPE, text=True)
        if not p.stdout.readline().startswith("port"):
            raise RuntimeError("fake-gcs did not start")
        return p
    return go


def frozen(lab, f):
    """A real GCS's socket and a stopped process behind it."""
    p = gcs()(lab, f)
    os.kill(p.pid, signal.SIGSTOP)


def tls(lab, f):
    cert = lab.file("cert.pem", "")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "1", "-subj", "/CN=head", "-keyout", cert + ".key", "-out", cert], check=True, capture_output=True)
    with open(cert, "a") as c, open(cert + ".key") as k:
        c.write(k.read())
    lab.serve("head", "tls", "6379", cert)


def half_open(lab, f):
    """A stateful filter that sees only one direction: from the worker's third packet on nothing passes."""
    lab.serve("head", "silent", "6379")
    lab.nft("router", "forward", "tcp dport 6379 tcp flags & (syn|ack) == ack drop")


def hole_of_all(lab, f):
    """Not even what fits through every network arrives; what the GCS is asked does."""
    gcs()(lab, f)
    lab.nft("router", "forward", "tcp dport 6379 meta length > 400 drop")


def mtu_hole(lab, f):
    lab.nft("router", "forward", "meta length > 1000 drop")
    gcs()(lab, f)


def dns(lab, f):
    lab.serve("head", f"{NET[f]['head']}", "53", script="dns.py")
    lab.bind(f"nameserver {NET[f]['head']}\noptions timeout:1 attempts:1\n", "/etc/resolv.conf")
    lab.bind("127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 selfnamed\n", "/etc/hosts")


def reject_first(lab, f):
    """The first address of second.lab.test has no route at the router."""
    lab.ip("router", f"-{f} route add prohibit {({4: '10.77.2.9', 6: 'fd77:2::9'})[f]}")


def nss_differs(lab, f):
    """/etc/hosts says one address, DNS, which this system asks first, another one."""
    far = NET[f]["far"]
    lab.bind(f"127.0.0.1 localhost\n::1 localhost\n{far} compute04.lab.test\n", "/etc/hosts")
    lab.bind("passwd: files\nhosts: dns files\n", "/etc/nsswitch.conf")


def both(*steps):
    def go(lab, f):
        for s in steps:
            s(lab, f)
    return go


def named(name, verdict, confidence="proven", setup=None, **kw):
    def go(lab, f):
        dns(lab, f)
        if setup:
            setup(lab, f)
    return Case(f"name {name}", verdict, confidence, setup=go, target=name, **kw)


def server_off(lab, f):
    lab.bind(f"nameserver {NET[f]['far']}\n", "/etc/resolv.conf")


def no_server(lab, f):
    lab.bind(f"nameserver {NET[f]['head']}\noptions timeout:1 attempts:1\n", "/etc/resolv.conf")


def token_file(lab, f, text=TOKEN):
    lab.file("token", text + "\n")


NOT_RAY = dict(verdict="NOT_RAY", where="head", within=1)

CASES = [
    Case("C1 a healthy GCS", "OK", setup=gcs(), where="head", within=1, says="serves Ray 2.60.0 on port 6379"),
    Case("C1 a GCS with a token, given", "OK", setup=lambda lab, f: (token_file(lab, f), gcs(token=TOKEN)(lab, f)), args=("--token-file", "{token}"), within=1),
    Case("C2 frozen process", "SERVICE_FROZEN", setup=frozen, where="head", within=3.5),
    Case("C2 accepts, and nobody reads", "SERVICE_FROZEN", setup=serve("silent"), within=3.5),
    Case("C2 greets, then is silent", "SERVICE_FROZEN", "likely", setup=gcs(mode="mute"), within=3.5, says="greets on port 6379"),
    Case("C3 a filter that sees one direction", "HALF_OPEN_PATH", setup=half_open, within=3.5),
    Case("C4 packets of more than 1000 bytes vanish", "MTU_HOLE_OUT", setup=mtu_hole, within=2, says="none of 1500 bytes arrives, those of 576 do"),
    Case("packets of more than 400 bytes vanish", "OK", "likely", setup=hole_of_all, within=3, tells=("whether large packets pass: no transfer came to its end",)),
    Case("C8 closes after the accept", "CLOSED_AFTER_ACCEPT", setup=serve("close"), within=2),
    Case("C8 resets after the accept", "CLOSED_AFTER_ACCEPT", "proven likely", setup=serve("reset"), within=2),
    Case("C9 wants TLS", "TLS_REQUIRED", setup=tls, where="head", within=2),
    Case("C13 token missing", "TOKEN_REQUIRED", setup=gcs(token=TOKEN), where="head", within=1),
    Case("C13 token wrong", "TOKEN_WRONG", setup=lambda lab, f: (token_file(lab, f, "another"), gcs(token=TOKEN)(lab, f)), args=("--token-file", "{token}"), within=1),
    Case("C13 another cluster", "WRONG_CLUSTER", setup=gcs(mode="status-16:WrongClusterID: Perhaps the client"), within=1),
    Case("C14 gRPC, but no GCS", setup=gcs(mode="status-12"), **NOT_RAY),
    Case("C15 Redis", setup=serve("redis"), says="Redis", **NOT_RAY),
    Case("C15 Redis in protected mode", setup=serve("redis-protected"), says="Redis", **NOT_RAY),
    Case("C16 HTTP/1", setup=serve("http"), says="HTTP/1", **NOT_RAY),
    Case("C16 SSH", setup=serve("ssh"), says="SSH", **NOT_RAY),
    Case("C16 SSH, a byte at a time", setup=serve("drip"), says="SSH", **NOT_RAY),
    Case("C16 Ray's dashboard", setup=serve("dashboard"), says="HTTP/1", verdict="NOT_RAY", within=2),
    Case("HTTP/2 that answers no call", {"SERVICE_FROZEN", "NOT_RAY", "CLOSED_AFTER_ACCEPT"}, "likely", setup=serve("http2"), within=3.5),
    Case("bytes of no kind", setup=serve("garbage"), **NOT_RAY),
    Case("a flood of zeros", setup=serve("flood"), **NOT_RAY),
    Case("one byte a second", {"NOT_RAY", "INCONCLUSIVE"}, "proven inconclusive", setup=serve("slow"), within=3.5),
    Case("a GCS that drips its greeting", "INCONCLUSIVE", "inconclusive", setup=gcs(mode="drip"), within=3.5),
    Case("a GCS that floods", "NOT_RAY", "likely", setup=gcs(mode="flood"), within=3.5),
    Case("a GCS that names 2 GiB", "NOT_RAY", "likely", setup=gcs(mode="huge"), within=3.5),
    Case("a GCS that says GOAWAY", "CLOSED_AFTER_ACCEPT", "likely", setup=gcs(mode="goaway"), within=3.5),
    Case("a GCS that is not ready", "INCONCLUSIVE", "inconclusive", setup=gcs(mode="codes"), within=1),
    Case("a GCS without versions", "OK", setup=gcs(mode="not-found"), within=1),
    # --- names
    named("compute04.lab.test", "PORT_CLOSED", where="head", within=1, says="head compute04.lab.test ("),
    named("nx.lab.test", "NAME_NOT_FOUND", within=1, says="nx.lab.test"),
    named("nodata.lab.test", "NAME_NOT_FOUND", within=1),
    named("servfail.lab.test", "DNS_UNAVAILABLE", within=3),
    named("refused.lab.test", "DNS_UNAVAILABLE", within=3),
    named("silent.lab.test", "DNS_UNAVAILABLE", within=3),
    named("garbage.lab.test", "DNS_UNAVAILABLE", within=3),
    *(named(f"{kind}.lab.test", {"DNS_UNAVAILABLE", "NAME_NOT_FOUND"}, within=3) for kind in ("loop", "pointer", "lies", "flood", "othername", "drip")),
    named("stuck.lab.test", "OK", setup=gcs(), within=1.5, where="head"),
    named("huge.lab.test", "OK", setup=gcs(), within=1.5, where="head"),
    named("compute04.lab.test", "HOST_DOWN_REMOTE", setup=nss_differs, within=4, tells=("this system (nsswitch.conf) says {head} instead", "nss={head}")),
    named("many.lab.test", "OK", setup=gcs(), within=1),
    named("second.lab.test", "OK", setup=both(gcs(), reject_first), where="head", within=1),
    named("second.lab.test", "HOST_DOWN_REMOTE", within=6.5),
    # glibc reads this as 10.77.2.2, DNS as a name that does not exist
    named("10.77.514", "OK", setup=gcs(), families=(4,), where="head", within=1, says="10.77.514 (10.77.2.2)"),
    named("selfnamed", "NAME_IS_LOOPBACK", within=1, says="selfnamed"),
    named("localhost", "PORT_CLOSED", within=1),
    Case("the name server's machine is off", "DNS_UNAVAILABLE", setup=server_off, target="compute04.lab.test", within=2, tells=("dns_servers={far}",)),
    Case("no name server there", "DNS_UNAVAILABLE", setup=no_server, target="compute04.lab.test", within=4),
]

if __name__ == "__main__":
    sys.exit(main(CASES))
