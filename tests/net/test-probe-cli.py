#!/usr/bin/env python3
"""What ray-probe shows, and when: --verbose, --watch, what is waited for on a terminal, colours, exit statuses."""
import fcntl, json, os, pty, re, select, signal, struct, subprocess, sys, termios, time

from lab import BUILD, NET, NOBODY, each, program, same, schema_error

GCS = str(BUILD / "tests" / "fake" / "fake-gcs")
HEAD = NET[4]["head"]
REJECT = "tcp dport 6379 reject with icmp type admin-prohibited"
TIMED = r"^\d\d:\d\d:\d\d "
ERASE = "\r\x1b[K"


def gcs(lab):
    p = lab.start("head", GCS, "--port", "6379", "--address", HEAD, stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline().startswith("port")


def pause(lab):
    """Takes away the rules of lab.nft()."""
    lab.run("head", "nft", "flush", "ruleset")


def start(lab, *args, env={}, **kw):
    kw = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **kw}
    e = {k: v for k, v in os.environ.items() if k not in ("TERM", "NO_COLOR")}
    return lab.start("worker", *NOBODY, program(), *args, env={**e, "TERM": "xterm", **env}, **kw)


class Reader:
    """Reads from a descriptor until a pattern was seen, with a deadline."""

    def __init__(self, fd):
        self.fd, self.text, self.at = fd, "", 0

    def more(self, seconds):
        if not select.select([self.fd], [], [], max(0, seconds))[0]:
            return False
        try:
            got = os.read(self.fd, 65536)
        except OSError:  # a terminal whose other end was closed
            got = b""
        self.text += got.decode()
        return bool(got)

    def until(self, pattern, seconds=20):
        end = time.monotonic() + seconds
        while True:
            if m := re.compile(pattern, re.M).search(self.text, self.at):
                self.at = m.end()
                return m
            if not self.more(end - time.monotonic()):
                raise AssertionError(f"no {pattern!r} in {self.text!r}")

    def rest(self):
        while self.more(20):
            pass
        return self.text


def terminal(columns=120):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    return ours, theirs


def at_terminal(lab, *args, columns=120, out=False, env={}):
    """Everything that stderr (or stdout) shows on a terminal, and the exit status."""
    ours, theirs = terminal(columns)
    p = start(lab, *args, env=env, **{"stdout" if out else "stderr": theirs})
    os.close(theirs)
    text = Reader(ours).rest()
    os.close(ours)
    p.communicate(timeout=20)
    return text, p.returncode


# --- the text


def verbose(lab):
    gcs(lab)
    rc, out, err, _ = lab.probe("--verbose", HEAD)
    same((rc, err), (0, ""))
    steps = re.search(r"^Steps: .*\n((?:  .*\n)+)", out, re.M)[1].splitlines()
    rows = [re.fullmatch(r"  ( *\d+\.\d) ms ((?: *\d+\.\d ms)|(?: {11}))  (\S+) +(\S.*)", s) for s in steps]
    assert all(rows), steps
    names = [m[3] for m in rows]
    main = ["name", "connect", "service", "check-alive"]
    same([n for n in names if n in main], main, "the steps in order")
    same(len({m.start(4) for m in rows}), 1, "the columns stand below each other")
    at = [float(m[1]) for m in rows]
    same(at, sorted(at), "the times rise")
    facts = re.search(r"^Facts:\n((?:  .*\n)+)", out, re.M)[1]
    assert re.search(rf"^  address +{HEAD}$", facts, re.M) and re.search(r"^  service +(gRPC|HTTP/2)$", facts, re.M), facts
    assert "Not known, and what would tell:\n  whether the head reaches this machine: " in out, out


def verbose_silence(lab):
    """What was tried while the port was silent has its time, too."""
    lab.nft("head", "input", "tcp dport 6379 drop")
    rc, out, _, _ = lab.probe("--verbose", HEAD)
    same(rc, 43)
    steps = re.search(r"^Steps: .*\n((?:  .*\n)+)", out, re.M)[1]
    at = {m[2]: float(m[1]) for m in re.finditer(r"^ +(\d+\.\d) ms .{11}  \S+ +(.*)$", steps, re.M)}
    assert 300 < at["port 22: Connection refused"] < 2000, steps
    assert "1: 10.77.1.1" in at and "10.77.1.1 is reachable" in at, steps
    assert any(re.fullmatch(r"silence: \d+ SYNs, \d+ sent again", x) for x in at), steps


def verbose_alternatives(lab):
    rc, out, _, _ = lab.probe("--verbose", HEAD)
    same(rc, 50)
    assert "\nThe same facts allow: HEAD_LOOPBACK_ONLY, REFUSED_BY_FIREWALL\n" in out, out
    rc, out, _, _ = lab.probe(HEAD)
    same(out.count("\n"), 3, "three lines without --verbose")


def undecided(lab):
    lab.nft("head", "input", "tcp dport 6379 drop")
    rc, out, _, _ = lab.probe("--deadline", "300ms", HEAD)
    same(rc, 90)
    assert out.startswith("INCONCLUSIVE  ") and re.search(r"^Would decide: \S.*: \S", out, re.M), out
    assert re.search(r"^Try: .*--deadline", out, re.M), out


# --- watch


def watch_opens(lab):
    """The firewall is opened while somebody watches."""
    lab.nft("head", "input", REJECT)
    gcs(lab)
    p = start(lab, "--watch", HEAD)
    r = Reader(p.stdout.fileno())
    r.until(TIMED + r"REJECTED_AT_HEAD  the firewall of head .*\nBecause: .*\nTry: .*firewall-cmd")
    pause(lab)
    t = time.monotonic()
    r.until(TIMED + "OK  head .* serves Ray")
    same(p.wait(timeout=5), 0)
    assert time.monotonic() - t < 12, "opened, and seen late"
    same(len(re.findall(TIMED, r.rest(), re.M)), 2, "one report for each change")


def watch_tells_changes(lab):
    """An unchanged verdict is not told again; each change is, as one line of JSON."""
    p = start(lab, "--watch", "--json", HEAD)
    r = Reader(p.stdout.fileno())
    first = json.loads(r.until(r"^\{.*\}$")[0])
    same(first["verdict"], "PORT_CLOSED")
    looks = lambda: int(lab.run("worker", "nstat", "-asz", "TcpActiveOpens").stdout.split()[-2])
    was, end = looks(), time.monotonic() + 30
    while looks() < was + 2:
        assert time.monotonic() < end, "it does not look again"
        assert not r.more(0.1), r.text
    lab.nft("head", "input", REJECT)
    second = json.loads(r.until(r"^\{.*\}$")[0])
    same(second["verdict"], "REJECTED_AT_HEAD")
    pause(lab)
    third = json.loads(r.until(r"^\{.*\}$")[0])
    same(third["verdict"], "PORT_CLOSED")
    gcs(lab)
    fourth = json.loads(r.until(r"^\{.*\}$")[0])
    same(p.wait(timeout=5), 0)
    for report in (first, second, third, fourth):
        same(schema_error(report), "")
    at = [x["at"] for x in (first, second, third, fourth)]
    same(at, sorted(set(at)), "the times rise")
    same(len(r.rest().splitlines()), 4)


def watch_ranges(lab):
    """With --all the ranges are told as one after the other is opened."""
    reject = "tcp dport {{ {} }} reject with icmp type admin-prohibited"
    gcs(lab)
    lab.nft("head", "input", reject.format("6380-6388, 10002-19999"))
    p = start(lab, "--watch", "--all", HEAD)
    r = Reader(p.stdout.fileno())
    r.until(TIMED + r"REJECTED_AT_HEAD  .*6380-6388.*10002-19999", 40)
    pause(lab)
    lab.nft("head", "input", reject.format("10002-19999"))
    r.until(TIMED + r"REJECTED_AT_HEAD  (?!.*6380).*10002-19999", 40)
    pause(lab)
    r.until(TIMED + "OK  ", 40)
    same(p.wait(timeout=5), 0)


def watch_interrupted(lab):
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        p = start(lab, "--watch", HEAD)
        Reader(p.stdout.fileno()).until("PORT_CLOSED")
        p.send_signal(number)
        same(p.wait(timeout=5), 50, f"the last verdict's number after {number.name}")


def interrupted_early(lab):
    lab.nft("head", "input", "tcp dport 6379 drop")
    for more in ([], ["--watch"]):
        ours, theirs = terminal()
        p = start(lab, *more, HEAD, stderr=theirs)
        os.close(theirs)
        r = Reader(ours)
        r.until("waiting for an answer")
        p.send_signal(signal.SIGINT)
        same(p.wait(timeout=5), -signal.SIGINT, "without a verdict it dies as any program")
        assert r.rest().endswith(ERASE), r.text
        same(p.stdout.read(), b"")


def watch_reader_gone(lab):
    """Who read it left: the next change ends it."""
    p = start(lab, "--watch", HEAD)
    Reader(p.stdout.fileno()).until("PORT_CLOSED.*\n.*\n.*\n")
    p.stdout.close()
    lab.nft("head", "input", REJECT)
    same(p.wait(timeout=30), 1)


# --- what is waited for


def progress(lab):
    lab.nft("head", "input", "tcp dport 6379 drop")
    text, rc = at_terminal(lab, HEAD)
    same(rc, 43)
    assert f"{HEAD}: waiting for an answer to the SYNs, 1 s{ERASE}" in text, text
    assert text.endswith(ERASE) and "\n" not in text, text
    shown = [t for t in text.split(ERASE) if t]
    assert all(re.fullmatch(rf"{HEAD}: [\w /]+, \d+ s", t) for t in shown), shown
    same(len(shown), len(set(shown)), "written when it changes only")


def progress_narrow(lab):
    """A line that is longer than the terminal is wide could not be erased."""
    lab.nft("head", "input", "tcp dport 6379 drop")
    text, rc = at_terminal(lab, HEAD, columns=30)
    assert text and max(map(len, text.split(ERASE))) == 29, text


def progress_none(lab):
    gcs(lab)
    same(at_terminal(lab, HEAD), ("", 0), "nothing when it is over soon")
    lab.nft("head", "input", "tcp dport 6379 drop")
    same(lab.probe(HEAD)[2], "", "nothing when standard error is no terminal")
    same(at_terminal(lab, HEAD, env={"TERM": "dumb"}), ("", 43), "nothing on a terminal that cannot erase")


def progress_watch(lab):
    """Between two looks the line says so; a report does not run into it."""
    ours, theirs = terminal()
    p = start(lab, "--watch", HEAD, stdout=theirs, stderr=theirs)
    os.close(theirs)
    r = Reader(ours)
    r.until(r"still PORT_CLOSED, looking again soon \(Ctrl-C ends\), \d+ s")
    lab.nft("head", "input", REJECT)
    r.until(re.escape(ERASE) + TIMED[1:] + "\x1b\\[1;31mREJECTED_AT_HEAD")
    r.until("still REJECTED_AT_HEAD")
    p.send_signal(signal.SIGINT)
    same(p.wait(timeout=5), 40)
    assert r.rest().endswith(ERASE), r.text


def colours(lab):
    show = lambda *args, **kw: at_terminal(lab, *args, out=True, **kw)[0]
    assert show(HEAD).startswith("\x1b[1;31mPORT_CLOSED\x1b[0m  "), "red"
    same(show(HEAD, env={"NO_COLOR": "1"})[:11], "PORT_CLOSED")
    same(show(HEAD, env={"TERM": "dumb"})[:11], "PORT_CLOSED")
    gcs(lab)
    assert show(HEAD).startswith("\x1b[1;32mOK\x1b[0m  "), "green"
    assert "\x1b" not in lab.probe(HEAD)[1], "no colour but on a terminal"
    lab.nft("head", "input", "tcp dport 6379 drop")
    assert show("--deadline", "300ms", HEAD).startswith("\x1b[1;33mINCONCLUSIVE\x1b[0m  "), "yellow"


# --- the end


def statuses(lab):
    empty, token = lab.file("empty", ""), lab.file("token", "t\n")
    for args, names in (([], "HOST"), (["a", "0"], "PORT 0"), (["--from", "x/y", "a"], "--from x/y"), (["a b"], "HOST a b"),
                        (["--token-file", "/nosuch", "a"], "--token-file /nosuch"), (["--token-file", empty, "a"], empty),
                        (["--deadline", "6", "a"], "--deadline 6"), (["--nosuch", "a"], "--nosuch"), (["fe80::zz"], "fe80::zz")):
        rc, out, err, _ = lab.probe(*args)
        assert rc == 2 and out == "" and names in err and err.count("\n") == 1, (args, rc, out, err)
    rc, out, err, _ = lab.probe("--token-file", token, HEAD)
    same((rc, err), (50, ""))
    for option in "--help", "--version":
        rc, out, err, _ = lab.probe(option)
        assert rc == 0 and out and not err, option
    p = start(lab, HEAD, stdout=open("/dev/full", "w"))
    same(p.wait(timeout=10), 1, "standard output cannot be written")


CASES = [verbose, verbose_silence, verbose_alternatives, undecided, watch_opens, watch_tells_changes, watch_ranges, watch_interrupted, interrupted_early,
         watch_reader_gone, progress, progress_narrow, progress_none, progress_watch, colours, statuses]


if __name__ == "__main__":
    sys.exit(each((c.__name__, c) for c in CASES))
