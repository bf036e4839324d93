#!/usr/bin/env python3
"""ray-probe against Ray's own gcs_server, once for each cause that only Ray itself can prove: tokens, clusters, versions, TLS.
RAY=/path/to/ray, else the engine's package out of the cache."""
import glob, json, os, pathlib, re, select, shutil, subprocess, sys, tempfile, time

from lab import BUILD, NET, Lab
from pki import Authority

CACHE = os.environ.get("RAYCLUSTER_CACHE", "/var/cache/raycluster-tests")
CALL = str(BUILD / "tests/fake/gcs-call")
HEAD, TOKEN, OTHER = NET[4]["head"], "0123456789abcdef0123456789abcdef", "0c" * 28
LIMIT = 30  # seconds for a gcs_server to serve
SERVER = "lib/python3*/site-packages/ray/core/src/ray/gcs/gcs_server"


def find(scratch):
    """gcs_server and its version; (None, why) when there is none."""
    if ray := os.environ.get("RAY"):
        venv = pathlib.Path(ray).resolve().parent.parent
        version = subprocess.run([ray, "--version"], capture_output=True, text=True, timeout=60).stdout.split()[-1]
        return (glob.glob(str(venv / SERVER)) or [None])[0], version
    debs = sorted(glob.glob(f"{CACHE}/engine/2.60.*/raycluster-engine-2.60_*.deb"), key=os.path.getmtime)
    if not debs:
        return None, f"no RAY= given and no engine built in {CACHE}"
    unpack = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", debs[-1]], stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", scratch, "--wildcards", "*/ray/core/src/ray/gcs/gcs_server"], stdin=unpack.stdout, check=True)
    unpack.wait()
    server = glob.glob(f"{scratch}/usr/lib/raycluster-engine/*/{SERVER}")[0]
    return server, re.search(r"raycluster-engine/([\d.]+)/", server)[1]


class Server:
    def __init__(self, lab, gcs_server, scratch, port, **env):
        self.port, self.out = port, scratch / f"{port}.out"
        session = scratch / f"session-{port}"
        session.mkdir()
        self.file = open(self.out, "w")
        self.p = lab.start("head", gcs_server, f"--log_dir={session}", f"--session_dir={session}", f"--gcs_server_port={port}",
                           f"--node_ip_address={HEAD}", "--session_name=session_of_tests", "--config_list=e30=",
                           env={"PATH": os.environ["PATH"], "HOME": str(scratch), **env}, stdout=self.file, stderr=subprocess.STDOUT)
        self.lab = lab

    def wait(self):
        """Until it listens."""
        end, died = time.monotonic() + LIMIT, os.pidfd_open(self.p.pid)
        while f":{self.port} " not in self.lab.run("head", "ss", "-Hltn").stdout:
            if select.select([died], [], [], 0.05)[0] or time.monotonic() > end:
                raise RuntimeError(f"gcs_server does not come up:\n{self.out.read_text()[-3000:]}")
        os.close(died)


def call(lab, *argv):
    return lab.run("worker", CALL, *map(str, argv)).stdout.strip()


def field(number, value):
    """One field of a protobuf message: bytes, or true."""
    return bytes([number << 3, 1]) if value is True else bytes([number << 3 | 2, len(value)]) + value


def overwrite_versions(lab, port, scratch, **versions):
    """As ray-facts 11: InternalKVPut of what Ray's own start compares."""
    m = scratch / "put"
    m.write_bytes(field(1, b"CLUSTER_METADATA") + field(2, json.dumps(versions).encode()) + field(3, True) + field(4, b"cluster"))
    call(lab, f"{HEAD}:{port}", "raw", "/ray.rpc.InternalKVGcsService/InternalKVPut", m)


class Tap:
    n = failed = 0

    def case(self, lab, name, verdict, port, *args, confidence="proven", says="", tells=()):
        self.n += 1
        code, out, err, took = lab.probe("--json", *map(str, args), HEAD, str(port))
        try:
            r = json.loads(out)
        except ValueError:
            r = {"verdict": f"none, exit {code}: {err}", "confidence": "", "sentence": "", "because": ""}
        good = r["verdict"] == verdict and r["confidence"] == confidence and r.get("code") == code and says in r["sentence"] \
            and all(t in r["because"] + " ".join(r.get("facts", ())) for t in tells)
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.n} - {name}")
        if not good or os.environ.get("V") == "1":
            print(f"# {r['verdict']} {r['confidence']} in {took:.2f} s: {r['sentence']} | {r['because']}")
        sys.stdout.flush()


def make_pki(d):
    ca, other = Authority(d, "ca", "lab CA"), Authority(d, "other", "other CA")
    ca.issue("head", f"IP:{HEAD}")
    ca.issue("misnamed", "IP:10.9.9.9")
    ca.issue("late", f"IP:{HEAD}", hours=(-48, -1))
    ca.issue("worker", "IP:10.77.1.2")
    ca.issue("worker_late", "IP:10.77.1.2", hours=(-48, -1))
    other.issue("stranger", "IP:10.77.1.2")
    return lambda name: str(d / name)


def tls(f, name):
    return dict(RAY_USE_TLS="1", RAY_TLS_CA_CERT=f("ca.pem"), RAY_TLS_SERVER_CERT=f(f"{name}.pem"), RAY_TLS_SERVER_KEY=f(f"{name}.key"))


def who(f, name):
    return "--tls-ca", f("ca.pem"), "--tls-cert", f(f"{name}.pem"), "--tls-key", f(f"{name}.key")


def run(tap, lab, scratch, gcs_server, version):
    (scratch / "pki").mkdir()
    f = make_pki(scratch / "pki")
    servers = {
        6379: {}, 6479: dict(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=TOKEN), 6579: tls(f, "head"),
        6679: tls(f, "misnamed"), 6779: tls(f, "late"),
        6879: dict(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=TOKEN, **tls(f, "head"))}
    for s in [Server(lab, gcs_server, scratch, port, **env) for port, env in servers.items()]:
        s.wait()
    token, wrong = lab.file("token", TOKEN + "\n"), lab.file("wrong", "another\n")
    me, ca = who(f, "worker"), ("--tls-ca", f("ca.pem"))

    tap.case(lab, "it serves", "OK", 6379, says=f"serves Ray {version}", tells=("large_out=arrived", "large_in=arrived"))
    tap.case(lab, "token required", "TOKEN_REQUIRED", 6479, tells=("InvalidAuthToken",))
    tap.case(lab, "token wrong", "TOKEN_WRONG", 6479, "--token-file", wrong, tells=("InvalidAuthToken",))
    tap.case(lab, "token right", "OK", 6479, "--token-file", token)
    own = call(lab, f"{HEAD}:6379", "id")
    tap.case(lab, "its cluster", "OK", 6379, "--cluster-id", own)
    tap.case(lab, "another cluster", "WRONG_CLUSTER", 6379, "--cluster-id", OTHER, tells=("WrongClusterID", f"its cluster is {own}, ours {OTHER}"))
    tap.case(lab, "another cluster, and a token", "WRONG_CLUSTER", 6479, "--cluster-id", OTHER, "--token-file", token)

    tap.case(lab, "TLS required", "TLS_REQUIRED", 6579, tells=("its certificate is CN=head", "it asks for a certificate by CN=lab CA"))
    tap.case(lab, "TLS not spoken", "TLS_NOT_SPOKEN", 6379, *me)
    tap.case(lab, "serves in TLS", "OK", 6579, *me, says=f"serves Ray {version}", tells=("it speaks TLSv1.3, h2",))
    tap.case(lab, "in TLS, its cluster", "OK", 6579, *me, "--cluster-id", call_id_over_tls(lab, me))
    tap.case(lab, "in TLS, another cluster", "WRONG_CLUSTER", 6579, *me, "--cluster-id", OTHER)
    tap.case(lab, "client certificate required", "CLIENT_CERT_REQUIRED", 6579, *ca, says="and none is given",
             tells=("right behind the TLS handshake it hangs up",))
    tap.case(lab, "client certificate of a stranger", "CLIENT_CERT_REQUIRED", 6579, *who(f, "stranger"),
             says="it is by CN=other CA, and wanted is one by CN=lab CA")
    tap.case(lab, "client certificate expired", "CLIENT_CERT_REQUIRED", 6579, *who(f, "worker_late"), says="it expired 1h")
    tap.case(lab, "certificate untrusted", "CERT_UNTRUSTED", 6579, "--tls-ca", f("other.pem"), tells=("SHA-256",))
    tap.case(lab, "certificate for another address", "CERT_NAME", 6679, *me)
    tap.case(lab, "certificate expired", "CERT_TIME", 6779, *me, says="expired 1h")
    tap.case(lab, "in TLS, token required", "TOKEN_REQUIRED", 6879, *me)
    tap.case(lab, "in TLS, token wrong", "TOKEN_WRONG", 6879, *me, "--token-file", wrong)
    tap.case(lab, "in TLS, token right", "OK", 6879, *me, "--token-file", token)

    # 16 KiB and a PING there, 8 KiB of its reflection back: real Ray takes the one and gives the other without a token
    lab.nft("router", "output", "icmp type destination-unreachable icmp code frag-needed drop", name="deaf")
    lab.ip("router", f"route add {HEAD} dev r1 mtu lock 1300")
    tap.case(lab, "large packets to it vanish", "MTU_HOLE_OUT", 6379, tells=("packet_fits=1280",))
    lab.ip("router", f"route del {HEAD}", "route add 10.77.1.2 dev r0 mtu lock 1300")
    tap.case(lab, "large packets from it vanish", "MTU_HOLE_IN", 6379, tells=("large_out=arrived", "packet_fits=1280"))
    tap.case(lab, "large packets from it vanish, with a token", "MTU_HOLE_IN", 6479, "--token-file", token)
    lab.ip("router", "route del 10.77.1.2")

    engine = scratch / "engine"
    (engine / "raycluster-engine" / version / "bin").mkdir(parents=True)
    (engine / "raycluster-engine" / version / "bin/ray").touch()
    lab.overlay(engine, "/usr/lib")
    overwrite_versions(lab, 6379, scratch, ray_version=version, python_version="3.11.7", ray_init_cluster=False)
    tap.case(lab, "the same version", "OK", 6379)
    overwrite_versions(lab, 6379, scratch, ray_version="2.59.0", python_version="3.11.7", ray_init_cluster=False)
    tap.case(lab, "another version", "VERSION_MISMATCH", 6379, says=f"the head runs Ray 2.59.0, this machine has Ray {version}")


def call_id_over_tls(lab, me):
    """What ray-probe itself says when it is asked for another cluster."""
    code, out, err, took = lab.probe("--json", *me, "--cluster-id", OTHER, HEAD, "6579")
    return next(f.split("=", 1)[1] for f in json.loads(out)["facts"] if f.startswith("cluster_id="))


def main():
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="probe-real-"))
    scratch.chmod(0o755)
    try:
        gcs_server, version = find(scratch)
        if not gcs_server:
            print(f"1..0 # SKIP {version}")
            return 0
        tap = Tap()
        with Lab() as lab:
            run(tap, lab, scratch, gcs_server, version)
        print(f"1..{tap.n}")
        return 1 if tap.failed else 0
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


sys.exit(main())
