"""A small network for one test: worker -- router -- head in three network namespaces, IPv4 and IPv6,
nft in each; and the tables of expectations over it, printed as TAP.

    worker w0 10.77.1.2 fd77:1::2 -- r0 10.77.1.1 fd77:1::1 router r1 10.77.2.1 fd77:2::1 -- h0 10.77.2.2 fd77:2::2 head
"""
import atexit, concurrent.futures, functools, itertools, json, os, pathlib, re, shutil, signal, subprocess, sys, tempfile, threading, time

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("BUILD", HERE.parent.parent / "build")).resolve()
NET = {4: {"worker": "10.77.1.2", "router": "10.77.1.1", "router2": "10.77.2.1", "head": "10.77.2.2",
           "near": "10.77.1.9", "far": "10.77.2.9", "elsewhere": "10.88.0.1"},
       6: {"worker": "fd77:1::2", "router": "fd77:1::1", "router2": "fd77:2::1", "head": "fd77:2::2",
           "near": "fd77:1::9", "far": "fd77:2::9", "elsewhere": "fd88::1"}}
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
SLACK = float(os.environ.get("SLACK", "2"))  # seconds beyond a case's budget, for busy machines; 0 to measure
SYNS_MAX = 40  # that one examination may send, without --all
SCHEMA = json.loads((HERE.parent.parent / "daemon/probe-cli/ray-probe.schema.json").read_text())
syns_sent = []  # by each examination so far
_count = itertools.count()
_open = set()
_lock = threading.Lock()
# nobody must be able to reach what is tested, wherever the checkout lies
_bin = pathlib.Path(tempfile.mkdtemp(prefix="probe-net-"))
_bin.chmod(0o755)


def _end():
    for lab in list(_open):
        lab.close()
    shutil.rmtree(_bin, ignore_errors=True)


atexit.register(_end)
for _s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(_s, lambda n, f: sys.exit(128 + n))


def program(name="ray-probe"):
    with _lock:
        to = _bin / name
        if not to.exists():
            shutil.copy(BUILD / "bin" / name, to)
            to.chmod(0o755)
    return str(to)


@functools.cache
def sanitized():
    return b"__asan_init" in pathlib.Path(program()).read_bytes()


def has_false(v):
    return v is False or any(map(has_false, v.values() if isinstance(v, dict) else v if isinstance(v, list) else ()))


def schema_error(report):
    """What is wrong with a report of --json, or nothing: the shipped schema, which names every member, and no false."""
    import jsonschema
    e = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(SCHEMA).iter_errors(report))
    if e:
        return f"JSON schema: {'/'.join(map(str, e.absolute_path))}: {e.message}"
    if report.keys() ^ SCHEMA["properties"].keys():
        return f"JSON schema: {', '.join(report.keys() ^ SCHEMA['properties'].keys())} in one of report and schema only"
    return "JSON: false where null is meant" if has_false(report) else ""


def clock_ahead():
    """The library that sets a program's clock ahead."""
    with _lock:
        to = _bin / "clock-ahead.so"
        if not to.exists():
            if not (cc := shutil.which("cc")):
                raise Missing("no C compiler for a clock that is ahead")
            subprocess.run([cc, "-shared", "-fPIC", "-O1", "-o", to, HERE / "clock-ahead.c"], check=True)
            to.chmod(0o755)
    return str(to)


class Missing(Exception):
    """What this machine's kernel or tools lack for a case: it is skipped and says why."""


class Lab:
    def __init__(self):
        base = f"rp{os.getpid()}-{next(_count)}"
        self.ns = {k: f"{base}-{k[0]}" for k in ("worker", "router", "head")}
        self.children = []
        self.binds = []
        self.cgroup = None  # a folder that the probe runs in
        self.limits = []  # shell lines before it begins
        self.files = {}
        self.etc = None
        self.layers = []
        self.env = {}
        _open.add(self)
        for n in self.ns.values():
            subprocess.run(["ip", "netns", "add", n], check=True)
            # duplicate address detection would hold IPv6 back for two seconds
            subprocess.run(["ip", "netns", "exec", n, "sysctl", "-q", "-w", "net.ipv6.conf.default.accept_dad=0",
                            "net.ipv6.conf.all.accept_dad=0"], check=True)
        w, r, h = (self.ns[k] for k in ("worker", "router", "head"))
        self.ip("router", f"link add r0 type veth peer name w0 netns {w}",
                f"link add r1 type veth peer name h0 netns {h}",
                "link set lo up", "link set r0 up", "link set r1 up",
                "addr add 10.77.1.1/24 dev r0", "addr add 10.77.2.1/24 dev r1",
                "addr add fd77:1::1/64 dev r0 nodad", "addr add fd77:2::1/64 dev r1 nodad")
        for who, dev, net in (("worker", "w0", 1), ("head", "h0", 2)):
            self.ip(who, "link set lo up", f"link set {dev} up", f"addr add 10.77.{net}.2/24 dev {dev}",
                    f"addr add fd77:{net}::2/64 dev {dev} nodad", f"route add default via 10.77.{net}.1",
                    f"-6 route add default via fd77:{net}::1")
        self.sysctl("router", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        self.nft_text("router", "table inet syns { chain c { type filter hook prerouting priority -500;\n"
                                "iifname r0 tcp flags & (syn|ack) == syn counter\n}\n}\n")

    def syns(self):
        """SYNs that have come from the worker so far."""
        return int(re.search(r"packets (\d+)", self.run("router", "nft", "list", "table", "inet", "syns").stdout)[1])

    def gcs_log(self):
        """Where a GCS of the tests writes what comes."""
        return self.files.get("gcs-log") or self.file("gcs-log", "")

    def gcs_heard(self):
        return open(self.files["gcs-log"]).read().splitlines() if "gcs-log" in self.files else []

    def ip(self, who, *lines):
        """Lines for `ip -batch`; a line may begin with -4 or -6."""
        for family, group in itertools.groupby(lines, lambda l: l[:2] if l[:2] in ("-4", "-6") else ""):
            text = "".join(l.removeprefix(family).strip() + "\n" for l in group)
            subprocess.run(["ip", *([family] if family else []), "-n", self.ns[who], "-batch", "-"], input=text,
                           text=True, check=True, capture_output=True)

    def run(self, who, *argv, check=True, **kw):
        return subprocess.run(["ip", "netns", "exec", self.ns[who], *argv], check=check, capture_output=True,
                              text=True, timeout=60, **kw)

    def sysctl(self, who, *pairs):
        self.run(who, "sysctl", "-q", "-w", *pairs)

    def nft(self, who, hook, *rules, family="inet", name="t"):
        body = "\n".join(rules)
        self.nft_text(who, f"table {family} {name} {{ chain c {{ type filter hook {hook} priority 0;\n{body}\n}}\n}}\n")

    def nft_text(self, who, text):
        p = subprocess.run(["ip", "netns", "exec", self.ns[who], "nft", "-f", "-"], input=text, text=True,
                           capture_output=True)
        if p.returncode:
            raise RuntimeError(f"nft in {who}: {p.stderr}\n{text}")

    def serve(self, who, *argv, ready=True, script="service.py"):
        """Starts a server of ours and waits for its line READY."""
        p = subprocess.Popen([*(["ip", "netns", "exec", self.ns[who]] if who else []), sys.executable, "-I", str(HERE / script), *argv],
                             stdout=subprocess.PIPE, text=True)
        self.children.append(p)
        if ready and p.stdout.readline().strip() != "READY":
            raise RuntimeError(f"server {argv} did not start")
        return p

    def start(self, who, *argv, **kw):
        p = subprocess.Popen(["ip", "netns", "exec", self.ns[who], *argv], **kw)
        self.children.append(p)
        return p

    def reflector(self, who="head", port="6388", ahead_ms=0):
        """Starts ray-probe --serve, its clock ahead by so much, and returns the code that it prints."""
        env = dict(os.environ, LD_PRELOAD=clock_ahead(), CLOCK_AHEAD_MS=str(ahead_ms),
                   ASAN_OPTIONS="verify_asan_link_order=0") if ahead_ms else None
        p = self.start(who, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program(), "--serve", port,
                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)
        for line in p.stdout:
            if m := re.search(r"--code (\S+)", line):
                return m[1]
        raise RuntimeError("ray-probe --serve printed no code")

    def bind(self, text, over):
        """The probe sees `text` in place of the file `over`."""
        self.binds.append((self.file(over.replace("/", "-"), text), over))

    def conf(self, text):
        """The probe sees `text` as /etc/raycluster.conf, whether there is one or not."""
        layer = _bin / f"{self.ns['worker']}-etc"
        layer.mkdir(mode=0o755)
        (layer / "raycluster.conf").write_text(text)
        (layer / "raycluster.conf").chmod(0o644)
        self.etc = layer

    def overlay(self, layer, over):
        """The probe sees what is below `layer` as well, in the directory `over`."""
        self.layers.append((layer, over))

    def file(self, name, text):
        """A file that user nobody can read; {name} of a case's arguments."""
        f = _bin / f"{self.ns['worker']}-{name}"
        f.write_text(text)
        f.chmod(0o644)
        self.files[name.split(".")[0]] = str(f)
        return str(f)

    def tool(self, *argv, who="worker", root=False, timeout=30, env=None, before=""):
        """A program as nobody: exit status, standard output, standard error, seconds."""
        binds = "".join(f"mount --bind {a} {b}; " for a, b in self.binds)
        for layer, over in self.layers:
            binds = f"mount -t overlay -o lowerdir={layer}:{over} overlay {over}; {binds}"
        if self.etc:
            binds = f"mount -t overlay -o lowerdir={self.etc}:/etc overlay /etc; {binds}"
        binds += "".join(l + "; " for l in self.limits) + before
        argv = ["ip", "netns", "exec", self.ns[who], "sh", "-c", binds + 'exec "$@"', "sh", *([] if root else NOBODY), *argv]
        if self.cgroup:
            argv = ["sh", "-c", f'echo $$ >{self.cgroup}/cgroup.procs && exec "$@"', "sh", *argv]
        t = time.monotonic()
        env = {**(os.environ if env is None else env), **self.env}
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                           timeout=timeout, env=env)
        return p.returncode, p.stdout, p.stderr, time.monotonic() - t

    def probe(self, *args, **kw):
        """Whatever a peer says, it costs no more than 64 MiB; but for the shadow of AddressSanitizer."""
        return self.tool(program(), *args, before="" if sanitized() else f"ulimit -d {64 << 10}; ", **kw)

    def close(self):
        _open.discard(self)
        for p in self.children:
            if p.poll() is None:
                try:
                    os.kill(p.pid, signal.SIGCONT)
                    p.kill()
                except ProcessLookupError:
                    pass
            p.wait()
            if p.stdout:
                p.stdout.close()
        for n in self.ns.values():
            subprocess.run(["ip", "netns", "del", n], stderr=subprocess.DEVNULL)
        if self.cgroup:
            self.cgroup.rmdir()

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.close()


class Case:
    """setup(lab, f) prepares; target and args may hold {head}, {near}, … of the family; expected is a
    verdict, or a set of them; confidence a word or several; where an address name or None (not checked), as are
    direction and role.
    after(lab, f) looks at what the probe left behind and returns what is wrong, or nothing. says is a part of the
    sentence, tells are parts of the rest of the report; check(report) returns what is wrong with it, or nothing."""

    def __init__(self, name, verdict, confidence="proven", setup=None, target="{head}", port="6379", args=(),
                 where=None, families=(4, 6), within=6.5, root=False, who="worker", says=None, after=None, direction=None,
                 role=None, tells=(), check=None):
        self.__dict__.update(locals())
        del self.__dict__["self"]

    def words(self, lab, f):
        """Target, port and options, of the family."""
        return self.target.format(**NET[f]), self.port, [a.format(**NET[f], **lab.files) for a in self.args]

    def verdicts(self):
        return {self.verdict} if isinstance(self.verdict, str) else set(self.verdict)

    def too_much(self, syns, heard, args):
        """What of politeness is amiss: SYNs that left, lines of the GCS's log (probe.md 5.3.5)."""
        if syns > SYNS_MAX and "--all" not in args:
            return f"{syns} SYNs"
        if sum(l.startswith("CheckAlive ") for l in heard) > 1:
            return f"more than one CheckAlive: {heard}"
        return f"two PINGs on a connection: {heard}" if "ping-again" in heard else ""

    def look(self, f, loss=0, more=()):
        """The set-up, ray-probe in it, and what is wrong with its report: (report or None, seconds, [wrong])."""
        names = NET[f]
        with Lab() as lab:
            if self.setup:
                self.setup(lab, f)
            if loss:
                rule = f"meta l4proto tcp numgen random mod 100 < {loss} drop"
                for hook in ("forward", "input"):
                    lab.nft("router", hook, rule, name=f"loss{hook}")
            target, port, args = self.words(lab, f)
            syns, heard = lab.syns(), len(lab.gcs_heard())
            code, out, err, took = lab.probe("--json", *args, *more, target, port, who=self.who, root=self.root)
            left = self.after(lab, f) if self.after else ""
            syns = lab.syns() - syns
            left = left or self.too_much(syns, lab.gcs_heard()[heard:], args)
            if "--all" not in args:
                syns_sent.append(syns)
        try:
            r = json.loads(out)
        except ValueError:
            return None, took, [f"no JSON: exit {code}, {err.strip()[:6000]} {out[:200]!r}"]
        wrong = []
        if r["verdict"] not in self.verdicts():
            wrong.append("verdict")
        if r["confidence"] not in self.confidence.split():
            wrong.append("confidence")
        if code != r["code"]:
            wrong.append("exit status")
        if self.where and r["where"]["ip"] != names.get(self.where, self.where):
            wrong.append("place")
        if self.role and r["where"]["role"] != self.role:
            wrong.append(f"role {r['where']['role']}")
        if self.direction and r["direction"] != self.direction:
            wrong.append(f"direction {r['direction']}")
        if took > self.within + SLACK:
            wrong.append("time")
        if self.says and self.says.format(**names) not in r["sentence"]:
            wrong.append("sentence")
        rest = "\n".join([r["because"] or "", r["hint"] or "", *r["facts"], *(f"{m['name']}: {m['needs']}" for m in r["missing_facts"])])
        for t in self.tells:
            if t.format(**names) not in rest:
                wrong.append(f"nothing of \"{t.format(**names)}\" in {rest!r}")
        if self.check and (bad := self.check(r)):
            wrong.append(bad)
        if bad := schema_error(r):
            wrong.append(bad)
        if left:
            wrong.append(left)
        return r, took, wrong

    def run(self, f, loss=0):
        """Whether all was right, whether a wrong verdict was proven, and what was said."""
        r, took, wrong = self.look(f, loss)
        if r is None:
            return False, False, wrong[0]
        said = f"{r['verdict']} {r['confidence']} at {r['where']['ip']} in {took:.2f} s: {r['sentence']} | {r['because']}"
        proven_wrong = "verdict" in wrong and r["confidence"] == "proven"
        return not wrong, proven_wrong, said if not wrong else f"{', '.join(wrong)}: got {said}; expected {self.verdict} {self.confidence}"


def main(cases, jobs=6, loss=0):
    """Runs every case in every family it has, ROUNDS times; prints TAP; says how many proven verdicts were wrong.
    With loss (per cent of the TCP segments that pass the router) a case is good when no wrong verdict was proven."""
    if os.geteuid() != 0:
        print("1..0 # SKIP network namespaces need root")
        return 0
    rounds = int(os.environ.get("ROUNDS", "1"))
    only = os.environ.get("ONLY", "")
    todo = [(c, f) for c in cases for f in c.families if only in f"{c.name} IPv{f}"] * rounds
    proven_wrong = failed = unsure = 0
    print(f"1..{len(todo) + 1}")
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        def one(cf):
            try:
                return cf[0].run(cf[1], loss)
            except Missing as e:
                return None, False, str(e)
            except Exception as e:  # a case that cannot be built is a failure, not a silent skip
                return False, False, f"set-up failed: {e!r} {getattr(e, 'stderr', '') or ''}"
        for i, ((c, f), (ok, bad, said)) in enumerate(zip(todo, pool.map(one, todo)), 1):
            if ok is None:
                print(f"ok {i} - {c.name} IPv{f} # SKIP {said}", flush=True)
                continue
            if loss and not said.startswith("set-up"):
                unsure += not ok
                ok = not bad
            failed += not ok
            proven_wrong += bad
            print(f"{'ok' if ok else 'not ok'} {i} - {c.name} IPv{f}")
            if not ok or os.environ.get("V") == "1":
                print(f"# {said}")
            sys.stdout.flush()
    ok = proven_wrong == 0
    failed += not ok
    if loss:
        print(f"# with {loss} % loss {len(todo) - unsure} of {len(todo)} as without")
    print(f"{'ok' if ok else 'not ok'} {len(todo) + 1} - no wrong proven verdict ({proven_wrong} of {len(todo)})")
    return 1 if failed else 0


def same(got, expected, what=""):
    assert got == expected, f"{what}: got {got!r}, expected {expected!r}"


def each(cases):
    """Runs every (name, function of a Lab) in a Lab of its own; prints TAP."""
    if os.geteuid() != 0:
        print("1..0 # SKIP network namespaces need root")
        return 0
    cases = [(name, case) for name, case in cases if os.environ.get("ONLY", "") in name]
    bad = 0
    print(f"1..{len(cases)}")
    for i, (name, case) in enumerate(cases, 1):
        try:
            with Lab() as lab:
                case(lab)
            print(f"ok {i} - {name}")
        except Exception as e:
            bad += 1
            print(f"not ok {i} - {name}\n# {type(e).__name__}: {e} {getattr(e, 'stderr', '') or ''}")
        sys.stdout.flush()
    return bad > 0
