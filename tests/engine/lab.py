"""Drives the real ray-engine: writes its arguments, listens where systemd would, keeps what it says with
the time it came."""
import contextlib, os, pathlib, re, select, shutil, signal, socket, subprocess, sys, tempfile, threading, time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD", TOP / "build")).resolve()
BINARY = BUILD / "bin" / "ray-engine"
FAKE_GCS = BUILD / "tests" / "fake" / "fake-gcs"

EXIT_CONF, VERSIONS, BLOCKED, START, LOST, FROZEN = 78, 80, 81, 82, 83, 84
NODE_ID = "5d" * 28
CLUSTER_ID = "aa" * 28

PORTS = ("GCS NODE_MANAGER OBJECT_MANAGER RUNTIME_ENV_AGENT DASHBOARD_AGENT_GRPC METRICS_EXPORT DASHBOARD_AGENT "
         "DASHBOARD_METRICS AUTOSCALER_METRICS CONTROL DASHBOARD CLIENT").split()


class Failed(Exception):
    pass


def check(what, *why):
    if not what:
        raise Failed(*why)


def free_ports(n, address="127.0.0.1"):
    """Numbers that nobody listens on now, below the ephemeral range's middle."""
    with contextlib.ExitStack() as stack:
        out = []
        while len(out) < n:
            s = stack.enter_context(socket.socket())
            s.bind((address, 0))
            out.append(s.getsockname()[1])
        return out


class Engine:
    """One ray-engine with a folder, ports and a notify socket of its own."""

    def __init__(self, role, venv, address="127.0.0.1", ports=None, **values):
        self.role = role
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="re", dir="/tmp"))
        self.state = self.dir / "s"
        self.temp = self.dir / "t"
        self.state.mkdir()
        self.ports = dict(zip(PORTS, ports or free_ports(len(PORTS), address)))
        self.values = {
            "ROLE": role, "VENV": str(venv), "NODE_ADDRESS": address,
            "HEAD_ADDRESS": f"{address}:{self.ports['GCS']}", "NODE_ID": "machine-1", "NODE_NAME": "", "GROUP": "g",
            "CLUSTER_ID": "", "WORKER_PORTS": "10002-19999", "DASHBOARD_BIND": "127.0.0.1",
            "TEMP_DIR": str(self.temp), "GCS_STORE": "memory", "DRAIN_USEC": "5000000", "TOKEN_PATH": "",
            "LOG_RAY": "journal", "LOG_LEVEL": "debug",
        }
        self.env = {}
        for k, v in values.items():
            self.values[k] = str(v)
        self.events = []  # (seconds since start, kind, text); kind: notify, line
        self.cond = threading.Condition()
        self.process = None
        self.args = self.dir / "engine.args"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        left = []
        if self.process and self.process.poll() is None:
            left = list(descendants(self.process.pid))
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        for pid in left + self.leftovers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)

    def write_args(self):
        lines = ["RAYCLUSTER_ENGINE_ARGS=1"]
        lines += [f"{k}={v}" for k, v in self.values.items()]
        lines += [f"PORT_{k}={v}" for k, v in self.ports.items() if f"PORT_{k}" not in self.values]
        lines += [f"ENV={k}={v}" for k, v in self.env.items()]
        self.args.write_text("\n".join(lines) + "\n")

    def start(self, args=None, extra=None, prefix=()):
        self.write_args()
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = f"\0ray-engine-test-{os.getpid()}-{time.monotonic_ns()}"
        self.sock.bind(name)
        env = {"PATH": os.environ["PATH"], "NOTIFY_SOCKET": "@" + name[1:], "STATE_DIRECTORY": f"{self.state}:x",
               "SECRET_OF_THE_CALLER": "1", "RAY_ADDRESS": "nowhere:1", **(extra or {})}
        self.t0 = time.monotonic()
        self.process = subprocess.Popen([*prefix, BINARY, f"--args={args or self.args}", self.role], env=env, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
        threading.Thread(target=self._read_lines, daemon=True).start()
        threading.Thread(target=self._read_notify, daemon=True).start()
        return self

    def _add(self, kind, text):
        with self.cond:
            self.events.append((time.monotonic() - self.t0, kind, text))
            self.cond.notify_all()

    def _read_lines(self):
        out = self.process.stdout
        for line in out:
            self._add("line", line.rstrip("\n"))

    def _read_notify(self):
        sock = self.sock
        while True:
            text = sock.recv(65536).decode()
            self._add("notify", text)

    def seen(self, pattern, kind=None):
        """The first event that has it, or None."""
        return next((e for e in list(self.events) if (not kind or e[1] == kind) and re.search(pattern, e[2])), None)

    def wait(self, pattern, timeout=20, kind=None):
        end = time.monotonic() + timeout
        with self.cond:
            while not self.seen(pattern, kind):
                left = end - time.monotonic()
                if self.process.poll() is not None:
                    left = min(left, 0.5)  # what it said last may still come
                    end = time.monotonic() + left
                if left <= 0.01 or not self.cond.wait(min(left, 0.5)) and self.process.poll() is not None:
                    raise Failed(f"not seen in {timeout} s: {pattern}\n{self.text()}")
        return self.seen(pattern, kind)

    def ready(self, timeout=20):
        return self.wait("^READY=1", timeout, "notify")

    def exit(self, status, timeout=10):
        """Waits for the end; seconds since the start."""
        try:
            got = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failed(f"still there after {timeout} s\n{self.text()}") from None
        at = time.monotonic() - self.t0
        time.sleep(0)  # let the readers take what is there
        for _ in range(50):
            if self.process.stdout.closed or not select.select([self.sock], [], [], 0)[0]:
                break
            time.sleep(0.01)
        check(got == status, f"exit status {got}, not {status}\n{self.text()}")
        return at

    def status(self):
        """The last STATUS=."""
        found = [m[1] for _, kind, t in self.events if kind == "notify" and (m := re.search(r"STATUS=(.*)", t))]
        return found[-1] if found else ""

    def signal(self, signo):
        self.process.send_signal(signo)

    def text(self):
        return "\n".join(f"    {t:7.2f} {k:6} {x[:300]!r}" for t, k, x in self.events)

    def leftovers(self):
        """Processes that still have our folder in their command line."""
        out = []
        for p in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if str(self.dir).encode() in (p / "cmdline").read_bytes() and int(p.name) != os.getpid():
                    out.append(int(p.name))
        return out


def descendants(pid):
    """{pid: command line} of all below."""
    parent, line = {}, {}
    for p in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            parent[int(p.name)] = int((p / "stat").read_text().rpartition(")")[2].split()[1])
            line[int(p.name)] = (p / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    out, more = {}, [pid]
    while more:
        at = more.pop()
        for k, v in parent.items():
            if v == at and k not in out:
                out[k] = line[k]
                more.append(k)
    return out


def run_tests(name, tests, parallel=4):
    """Each test is a function; TAP out; the closing line of tests/run."""
    only = sys.argv[1:]
    tests = [t for t in tests if not only or any(o in t.__name__ for o in only)]
    lock, passed, failed = threading.Lock(), [], []
    todo = list(enumerate(tests, 1))

    def one():
        while True:
            with lock:
                if not todo:
                    return
                n, test = todo.pop(0)
            began = time.monotonic()
            try:
                test()
                why = None
            except Exception as e:  # a broken test is a failed test
                why = "".join(str(e) if isinstance(e, Failed) else repr(e))
            with lock:
                title = test.__name__.removeprefix("test_").replace("_", " ")
                print(f"{'not ok' if why else 'ok'} {n} - {title} ({time.monotonic() - began:.1f} s)", flush=True)
                if why:
                    print("  " + why.replace("\n", "\n  "), flush=True)
                (failed if why else passed).append(title)

    print(f"1..{len(tests)}")
    threads = [threading.Thread(target=one) for _ in range(parallel)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(f"{name}: {len(passed)} passed, {len(failed)} failed, 0 skipped")
    sys.exit(bool(failed))
