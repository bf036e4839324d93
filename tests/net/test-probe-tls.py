#!/usr/bin/env python3
"""ray-probe and TLS, tokens, clusters, versions (probe.md table C, C9 to C13), and peers that misbehave in TLS."""
import ctypes, functools, pathlib, subprocess, sys, threading

from lab import BUILD, NET, Case, main, program
from pki import Authority

GCS = str(BUILD / "tests" / "fake" / "fake-gcs")
TOKEN = "a-token-of-the-tests"
HEAD = "IP:10.77.2.2,IP:fd77:2::2,DNS:compute04.lab.test"
OWN, OTHER = "bb" * 28, "0c" * 28
_lock = threading.Lock()


@functools.cache
def make_pki():
    d = pathlib.Path(program()).parent / "pki"
    d.mkdir(mode=0o755)
    ca, again, other = Authority(d, "ca", "lab CA"), Authority(d, "again", "lab CA"), Authority(d, "other", "other CA")
    ca.issue("node", HEAD, subject="head")
    ca.issue("misnamed", "IP:10.9.9.9")
    ca.issue("named", "DNS:compute04.lab.test")
    ca.issue("early", HEAD, hours=(75.9, 120))
    ca.issue("late", HEAD, hours=(-120, -72.1))
    again.issue("reborn", HEAD)
    other.issue("foreign", HEAD)
    other.issue("foreign_late", "IP:10.9.9.9", hours=(-48, -1))
    for who, hours in (("mine", (-1, 48)), ("mine_late", (-72, -24.1))):
        ca.issue(who, "IP:10.77.1.2", hours=hours)
    other.issue("stranger", "IP:10.77.1.2")
    return {f.stem + {"pem": "", "key": "_key", "both": "_both"}[f.suffix[1:]]: str(f) for f in d.glob("*.*") if f.is_file()}


def pki():
    with _lock:
        return make_pki()


def plain(port="6379", address=None, **keys):
    def go(lab, f):
        lab.files |= pki()
        argv = [GCS, "--port", port, "--address", address or NET[f]["head"], "--log", lab.gcs_log()]
        for k, v in keys.items():
            argv += [f"--{k}", v]
        p = lab.start("head", *argv, stdout=subprocess.PIPE, text=True)
        if not p.stdout.readline().startswith("port"):
            raise RuntimeError("fake-gcs did not start")
    return go


def peer(mode, cert="node", **options):
    def go(lab, f):
        lab.files |= pki()
        more = [f"{k}={pki()[v] if k == 'ca' else v}" for k, v in options.items()]
        lab.serve("head", mode, "6379", pki()[cert + "_both"], *more, script="tlspeer.py")
    return go


def both(*steps):
    def go(lab, f):
        for s in steps:
            s(lab, f)
    return go


def front(cert="node", gcs={}, **options):
    """A GCS behind TLS."""
    return both(plain(port="6390", address="127.0.0.1", **gcs), peer("front", cert, port="6390", **options))


def logged(lab, f):
    plain(token=TOKEN)(lab, f)


def logged_behind_tls(lab, f):
    plain(token=TOKEN, port="6390", address="127.0.0.1")(lab, f)
    peer("front", "foreign", port="6390")(lab, f)


def asked(lab, f):
    """Requests that the GCS has heard."""
    lines = [line for line in lab.gcs_heard() if "token=" in line]
    return f"the GCS was asked {lines}" if lines else ""


def hostile(setup):
    """The probe may have 64 MiB, but for AddressSanitizer's shadow."""
    def go(lab, f):
        setup(lab, f)
        if b"__asan_init" not in open(program(), "rb").read():
            lab.limits.append(f"ulimit -d {64 << 10}")
    return go


def service(*argv):
    def go(lab, f):
        lab.files |= pki()
        lab.serve("head", argv[0], "6379", *argv[1:])
    return go


def half_open(lab, f):
    service("silent")(lab, f)
    lab.nft("router", "forward", "tcp dport 6379 tcp flags & (syn|ack) == ack drop")


def hole(setup):
    """Large packets vanish; a certificate comes in one."""
    def go(lab, f):
        setup(lab, f)
        lab.nft("router", "forward", "meta length > 1000 drop")
    return go


def lost_flight(setup):
    """What answers to a ClientHello never arrives; what is shorter does."""
    def go(lab, f):
        setup(lab, f)
        lab.nft("router", "forward", "tcp sport 6379 meta length > 200 drop")
    return go


def dns(lab, f):
    lab.serve("head", f"{NET[f]['head']}", "53", script="dns.py")
    lab.bind(f"nameserver {NET[f]['head']}\noptions timeout:1 attempts:1\n", "/etc/resolv.conf")


def token(text):
    return lambda lab, f: lab.file("token", text + "\n") and None


def environment(**names):
    """Variables of Ray; a value is a file of ours or a word."""
    def go(lab, f):
        lab.env |= {k: lab.files.get(v, v) for k, v in names.items()}
    return go


def engine(*versions, python="3.11"):
    """Engines installed on the worker, by name alone."""
    def go(lab, f):
        root = pathlib.Path(lab.file("engines.d", "") + ".d")
        for v in versions:
            (root / "raycluster-engine" / v / "bin").mkdir(parents=True)
            (root / "raycluster-engine" / v / "bin/ray").touch()
            (root / "raycluster-engine" / v / "lib" / f"python{python}").mkdir(parents=True)
        lab.overlay(root, "/usr/lib")
    return go


def is_synced():
    t = (ctypes.c_long * 64)()  # struct timex; modes 0 changes nothing
    ctypes.CDLL(None, use_errno=True).adjtimex(t)
    return not ctypes.cast(ctypes.byref(t, 40), ctypes.POINTER(ctypes.c_int))[0] & 0x40


CA = ("--tls-ca", "{ca}")
ME = (*CA, "--tls-cert", "{mine}", "--tls-key", "{mine_key}")
LATE = (*CA, "--tls-cert", "{mine_late}", "--tls-key", "{mine_late_key}")
STRANGER = (*CA, "--tls-cert", "{stranger}", "--tls-key", "{stranger_key}")
RAY = dict(RAY_USE_TLS="1", RAY_TLS_CA_CERT="ca", RAY_TLS_SERVER_CERT="mine", RAY_TLS_SERVER_KEY="mine_key")
QUICK = dict(where="head", within=1)
GRPC = dict(ca="ca", grpc="1")  # asks for a certificate, and hangs up without a word
HOSTILE = dict(args=ME, within=3.5)

CASES = [
    # --- it goes well
    Case("TLS: a GCS that asks for no certificate", "OK", setup=front(), args=CA, says="serves Ray 2.60.0", tells=("it speaks TLSv1.3, h2",), **QUICK),
    Case("TLS: a GCS that asks for ours", "OK", setup=front(**GRPC), args=ME, **QUICK),
    Case("TLS 1.2: a GCS that asks for ours", "OK", setup=front(max="1.2", **GRPC), args=ME, tells=("it speaks TLSv1.2, h2",), **QUICK),
    Case("TLS: as Ray's environment has it", "OK", setup=both(front(**GRPC), environment(**RAY)), **QUICK),
    Case("TLS: by name", "OK", setup=both(dns, front(**GRPC)), target="compute04.lab.test", args=ME, **QUICK),
    Case("TLS: with the token", "OK", setup=both(token(TOKEN), front(gcs=dict(token=TOKEN), **GRPC)),
         args=(*ME, "--token-file", "{token}"), **QUICK),
    Case("TLS: with the token of Ray's environment", "OK", setup=both(front(gcs=dict(token=TOKEN), **GRPC),
         environment(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=TOKEN, **RAY)), **QUICK),
    # --- C9
    Case("C9 wants TLS", "TLS_REQUIRED", setup=front(), says="speaks only TLS on port 6379", tells=("its certificate is CN=head for ",), **QUICK),
    Case("C9 wants TLS and our certificate", "TLS_REQUIRED", setup=front(**GRPC), tells=("it asks for a certificate",), **QUICK),
    Case("C9 wants TLS 1.2 and our certificate", "TLS_REQUIRED", setup=front(max="1.2", **GRPC), tells=("it asks for a certificate",), **QUICK),
    Case("C9 wants TLS, a certificate of nobody", "TLS_REQUIRED", setup=front("foreign_late"), tells=("by CN=other CA",), **QUICK),
    Case("C9 an alert is TLS, too", "TLS_REQUIRED", setup=peer("alert", alert="40"), **QUICK),
    Case("C9 wants TLS, through an MTU hole", "TLS_REQUIRED", setup=hole(front(**GRPC)), **QUICK),
    # --- C10
    Case("C10 a GCS without TLS", "TLS_NOT_SPOKEN", setup=plain(), args=CA, says="speaks no TLS", **QUICK),
    Case("C10 a GCS without TLS, Ray's environment says TLS", "TLS_NOT_SPOKEN", setup=both(plain(), environment(RAY_USE_TLS="1")), **QUICK),
    Case("C10 --tls alone", "TLS_NOT_SPOKEN", setup=plain(), args=("--tls",), **QUICK),
    Case("C10 nothing is asked in the clear", "TLS_NOT_SPOKEN", setup=both(token(TOKEN), logged), after=asked, tells=("it greets as gRPC",),
         args=(*CA, "--token-file", "{token}"), **QUICK),
    Case("C12 nothing is asked of a stranger", "CERT_UNTRUSTED", setup=both(token(TOKEN), logged_behind_tls), after=asked,
         args=(*CA, "--token-file", "{token}"), **QUICK),
    Case("C10 Redis", "NOT_RAY", setup=service("redis"), args=CA, says="Redis", **QUICK),
    Case("C10 HTTP/1", "NOT_RAY", setup=service("http"), args=CA, says="HTTP/1", **QUICK),
    Case("C10 SSH", "NOT_RAY", setup=service("ssh"), args=CA, says="SSH", **QUICK),
    Case("C10 Ray's dashboard", "NOT_RAY", setup=service("dashboard"), args=CA, says="HTTP/1", **QUICK),
    Case("C10 HTTP/2 of another make", "TLS_NOT_SPOKEN", "likely", setup=service("http2"), args=CA, **QUICK),
    Case("C10 bytes of no kind", "NOT_RAY", setup=service("garbage"), args=CA, **QUICK),
    Case("C10 closes after the accept", "CLOSED_AFTER_ACCEPT", "proven likely", setup=service("close"), args=CA, within=2),
    Case("C10 accepts, and nobody reads", "SERVICE_FROZEN", setup=service("silent"), args=CA, within=3.5),
    Case("C10 a filter that sees one direction", "HALF_OPEN_PATH", setup=half_open, args=CA, within=3.5),
    Case("C10 no listener", "PORT_CLOSED", args=("--tls",), where="head", within=1),
    # --- C11
    *(Case(f"C11 {name} {how}", "CLIENT_CERT_REQUIRED", confidence, setup=front(ca="ca", **more, **silent), args=args, says=says, **QUICK)
      for name, more in (("TLS 1.3", {}), ("TLS 1.2", dict(max="1.2")))
      for how, silent, args, confidence, says in (
          ("no certificate, an alert", {}, CA, "proven", "and none is given"),
          ("no certificate, hung up", dict(grpc="1"), CA, "proven", "and none is given"),
          # unlike gRPC, Python does not say whose certificates it takes
          ("a stranger's, an alert", {}, STRANGER, "proven", "it is by CN=other CA, which our own CA file does not have"),
          ("a stranger's, hung up", dict(grpc="1"), STRANGER, "likely", "it is by CN=other CA, which our own CA file does not have"),
          ("expired, an alert", {}, LATE, "proven", "it expired 1d"),
          ("expired, hung up", dict(grpc="1"), LATE, "proven", "it expired 1d"))),
    Case("C11 Ray's environment has no certificate", "CLIENT_CERT_REQUIRED", setup=both(front(**GRPC), environment(RAY_USE_TLS="true", RAY_TLS_CA_CERT="ca")), **QUICK),
    Case("C11 the head trusts another CA than the one it was signed by", "CLIENT_CERT_REQUIRED", "likely", setup=front(ca="other", grpc="1"),
         args=ME, says="does not accept this machine's certificate", **QUICK),
    # --- C12
    Case("C12 unknown CA", "CERT_UNTRUSTED", setup=front("foreign"), args=CA, says="an authority that is not in our CA file", tells=("SHA-256",), **QUICK),
    Case("C12 unknown CA, and it wants ours", "CERT_UNTRUSTED", setup=front("foreign", **GRPC), args=CA, **QUICK),
    Case("C12 the CA was made anew", "CERT_UNTRUSTED", setup=front("reborn"), args=CA, says="of the same name as ours", **QUICK),
    Case("C12 no CA given", "CERT_UNTRUSTED", setup=front(), args=("--tls",), says="no CA file is given", **QUICK),
    Case("C12 signed by itself", "CERT_UNTRUSTED", setup=lambda lab, f: self_signed(lab), args=CA, says="has signed itself", **QUICK),
    Case("C12 not yet valid", "CERT_TIME", setup=front("early"), args=CA, says="is 3d", within=1, role="head" if is_synced() else "local"),
    Case("C12 expired", "CERT_TIME", setup=front("late"), args=CA, says="expired 3d", role="head", **QUICK),
    Case("C12 expired, and it wants ours", "CERT_TIME", setup=front("late", **GRPC), args=CA, tells=("it asks for a certificate",), **QUICK),
    Case("C12 for another address", "CERT_NAME", setup=front("misnamed"), args=CA, says="is not for {head} but for IP:10.9.9.9", **QUICK),
    Case("C12 for the name alone", "CERT_NAME", "likely", setup=both(dns, front("named")), target="compute04.lab.test", args=CA,
         says="for the name alone", **QUICK),
    Case("C12 for the name alone, asked by address", "CERT_NAME", setup=front("named"), args=CA, **QUICK),
    Case("C12 everything at once", "CERT_UNTRUSTED", setup=front("foreign_late"), args=CA,
         tells=("besides, the certificate has expired; besides, the certificate is not for {head}",), **QUICK),
    # --- C13, and who we are
    Case("C13 token missing, in TLS", "TOKEN_REQUIRED", setup=front(gcs=dict(token=TOKEN), **GRPC), args=ME, tells=("RAY_AUTH_TOKEN_PATH",), **QUICK),
    Case("C13 token wrong, in TLS", "TOKEN_WRONG", setup=both(token("another"), front(gcs=dict(token=TOKEN), **GRPC)),
         args=(*ME, "--token-file", "{token}"), tells=("ours is from --token-file",), **QUICK),
    Case("C13 the cluster, and it is", "OK", setup=plain(cluster=OWN), args=("--cluster-id", OWN), **QUICK),
    Case("C13 another cluster", "WRONG_CLUSTER", setup=plain(cluster=OTHER), args=("--cluster-id", OWN), tells=(f"its cluster is {OTHER}, ours {OWN}",), **QUICK),
    Case("C13 another cluster, in TLS", "WRONG_CLUSTER", setup=front(gcs=dict(cluster=OTHER), **GRPC), args=(*ME, "--cluster-id", OWN),
         tells=(f"its cluster is {OTHER}, ours {OWN}",), **QUICK),
    Case("a token goes before a cluster", "TOKEN_REQUIRED", setup=plain(cluster=OTHER, token=TOKEN), args=("--cluster-id", OWN), **QUICK),
    Case("69 the same Ray is installed here", "OK", setup=both(plain(), engine("2.60.0", "2.59.0")), **QUICK),
    Case("69 another Ray", "VERSION_MISMATCH", setup=both(plain(), engine("2.59.0")), says="the head runs Ray 2.60.0, this machine has Ray 2.59.0", **QUICK),
    Case("69 another Python", "VERSION_MISMATCH", setup=both(plain(), engine("2.60.0", python="3.13")), says="the head runs Python 3.11.2, this machine has Python 3.13", **QUICK),
    Case("69 another Ray, in TLS", "VERSION_MISMATCH", setup=both(front(gcs=dict(version="2.61.0"), **GRPC), engine("2.60.0")), args=ME, **QUICK),
    # --- TLS, and something else in it
    Case("HTTP/1 in TLS", "NOT_RAY", setup=peer("front", says="http", alpn="http/1.1"), args=CA, says="HTTP/1", **QUICK),
    Case("HTTP/1 in TLS, without ALPN", "NOT_RAY", setup=peer("front", says="http", alpn="none"), args=CA, says="HTTP/1", **QUICK),
    Case("a greeting, then silence, in TLS", "SERVICE_FROZEN", "likely", setup=front(gcs=dict(mode="mute")), args=CA, within=3.5),
    Case("silence behind the handshake", "SERVICE_FROZEN", "likely", setup=peer("front", says="silence"), args=CA, within=3.5),
    Case("hung up behind the handshake", "CLOSED_AFTER_ACCEPT", "likely", setup=peer("front", says="close"), args=CA, **QUICK),
    Case("no application protocol", "NOT_RAY", setup=peer("alert", alert="120"), args=CA, says="no HTTP/2 in it", **QUICK),
    Case("an alert of no reason", "INCONCLUSIVE", "inconclusive", setup=peer("alert", alert="80"), args=CA, says='"internal error"', within=1),
    Case("a certificate in an MTU hole", "MTU_HOLE_IN", "likely", setup=hole(front(**GRPC)), args=ME, within=3.5, direction="back"),
    # --- hostile peers: bounded time and memory, and a verdict
    Case("drips its handshake", "INCONCLUSIVE", "inconclusive", setup=hostile(peer("drip")), **HOSTILE),
    Case("a reset behind the ClientHello", "CLOSED_AFTER_ACCEPT", "likely proven", setup=hostile(peer("rst-hello")), **HOSTILE),
    Case("a reset behind its own flight", "CLOSED_AFTER_ACCEPT", "likely proven", setup=hostile(peer("rst-flight")), **HOSTILE),
    Case("a reset behind its own flight, which is lost", "CLOSED_AFTER_ACCEPT", "likely", setup=hostile(lost_flight(peer("rst-flight"))), **HOSTILE),
    Case("a reset behind its own flight, which asks for ours", "CLIENT_CERT_REQUIRED", "likely", setup=hostile(peer("rst-flight", ca="ca")), **HOSTILE),
    Case("a reset behind the handshake", "CLOSED_AFTER_ACCEPT", "likely", setup=hostile(peer("front", says="reset")), **HOSTILE),
    Case("records without end", "NOT_RAY", "likely", setup=hostile(peer("endless")), **HOSTILE),
    Case("warnings without end", "NOT_RAY", "likely", setup=hostile(peer("alerts")), **HOSTILE),
    Case("a message of 16 MiB", "NOT_RAY", "likely", setup=hostile(peer("huge")), **HOSTILE),
    Case("a record that is too long", "NOT_RAY", setup=hostile(peer("long")), **HOSTILE),
    Case("junk without end, in TLS", "NOT_RAY", setup=hostile(peer("front", says="junk")), **HOSTILE),
    Case("a GCS in TLS that floods", "NOT_RAY", "likely", setup=hostile(front(gcs=dict(mode="flood"), **GRPC)), **HOSTILE),
    *(Case(f"{name}, without --tls", "TLS_REQUIRED", setup=hostile(peer(mode)), within=3.5)
      for name, mode in (("records without end", "endless"), ("warnings without end", "alerts"), ("a message of 16 MiB", "huge"))),
]


def self_signed(lab):
    """The other authority's own certificate, as a server's."""
    p = pki()
    lab.files |= p
    cert = lab.file("selfsigned.pem", open(p["other"]).read() + open(p["other_key"]).read())
    lab.serve("head", "front", "6379", cert, "says=silence", script="tlspeer.py")


if __name__ == "__main__":
    sys.exit(main(CASES))
