#!/usr/bin/env python3
"""What ray-probe leaves behind: nothing. Its system calls as strace saw them, and the machines before and after."""
import importlib, json, os, re, shutil, signal, subprocess, sys

from lab import NET, NOBODY, each, program

path = importlib.import_module("test-probe-path")
service = importlib.import_module("test-probe-service")
HEAD, NEAR = NET[4]["head"], NET[4]["near"]
ENV = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")  # leaks are looked for by a process that traces, which strace is already
WORKERS = 'ports: { workers = "10002-10201"; };\n'

# What changes files, processes or the kernel's mind. Not one of them is ray-probe's to make.
FORBIDDEN = """creat unlink unlinkat rename renameat renameat2 mkdir mkdirat rmdir link linkat symlink symlinkat mknod mknodat truncate
ftruncate fallocate chmod fchmod fchmodat chown fchown lchown fchownat utimensat utime utimes setxattr fsetxattr lsetxattr removexattr
mount umount2 chroot pivot_root swapon fork vfork clone clone3 execveat kill tkill tgkill ptrace bpf init_module sethostname settimeofday
clock_settime setuid setgid setresuid setresgid setpriority sched_setaffinity shmget semget msgget""".split()
SEEN = ["execve", "open", "openat", "openat2", "write", "writev", "pwrite64", "pwritev", "pwritev2", "sendfile", "splice", "sendto", "sendmsg",
        "sendmmsg", "socket", "connect", "bind", "listen", "adjtimex", "clock_adjtime", "ioctl"]
# What is not there on this architecture is left out by strace itself.
TRACE = "trace=" + ",".join(["?" + c for c in FORBIDDEN + SEEN])


def trace(lab, who, *args, stop=None):
    """Its exit status, standard output and system calls from its own beginning on."""
    log = lab.file(f"strace-{who}", "")
    os.chmod(log, 0o666)
    argv = ["strace", "-f", "-qq", "-y", "-s", "64", "-o", log, "-e", TRACE, *NOBODY, program(), *args]
    if stop:
        p = lab.start(who, *argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENV)
        out = stop(p)
        code = p.wait(timeout=20)
    else:
        r = lab.run(who, *argv, check=False, env=ENV)
        code, out = r.returncode, r.stdout
    calls = open(log).read().splitlines()
    own = [i for i, c in enumerate(calls) if re.search(r'execve\("[^"]*/ray-probe"', c)]
    assert own, f"strace saw no beginning: {calls[:5]}"
    return code, out, [c.split(None, 1)[1] for c in calls[own[0] + 1:]]


def judge(calls, listens=False, child=False):
    """What a trace shows that must not be."""
    wrong = []
    for c in calls:
        name = c.split("(")[0]
        if child and name in ("clone", "clone3", "kill"):  # glibc's resolver blocks: a child asks it, with a deadline
            continue
        if name in FORBIDDEN or name == "execve" or name == "listen" and not listens:
            wrong.append(c)
        elif name in ("open", "openat", "openat2") and re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)", c):
            wrong.append(c)
        elif name in ("write", "writev", "pwrite64", "pwritev", "pwritev2", "sendfile", "splice") and \
                not re.match(r"\w+\(1<|\w+\(\d+<(socket|TCP|TCPv6|UDP|UDPv6|NETLINK|UNIX|pipe|anon_inode)\b", c):
            wrong.append(c)
        elif name in ("sendto", "sendmsg", "sendmmsg") and re.search(r"RTM_(NEW|DEL|SET)|NLM_F_(CREATE|REPLACE|APPEND)|NFT_MSG_(NEW|DEL)", c):
            wrong.append(c)
        elif name in ("adjtimex", "clock_adjtime") and "modes=0" not in c:
            wrong.append(c)
        elif name == "ioctl" and re.search(r"SIOC(S|ADD|DEL)\w+", c):
            wrong.append(c)
    return wrong


def state(lab):
    """What of each machine could have been changed: links, addresses, routes, rules, firewall, listeners, neighbours, sysctls."""
    def run(who, *argv):
        return lab.run(who, *argv).stdout
    out = {}
    for who in lab.ns:
        links = [(l["ifname"], sorted(l["flags"]), l["mtu"], l.get("qdisc")) for l in json.loads(run(who, "ip", "-j", "link"))]
        addresses = re.sub(r"(valid|preferred)_lft \S+", "", run(who, "ip", "-o", "addr"))
        routes = re.sub(r" expires \S+", "", run(who, "ip", "route", "show", "table", "all") + run(who, "ip", "-6", "route", "show", "table", "all"))
        rules = run(who, "ip", "rule") + run(who, "ip", "-6", "rule")
        neighbours = sorted((n["dst"], n["dev"], "PERMANENT" in n["state"]) for n in json.loads(run(who, "ip", "-j", "neigh"))
                            if not n["dst"].startswith("fe80:"))  # these the kernels look for by themselves
        listeners = sorted(l.split()[4] for l in run(who, "ss", "-Htuln").splitlines())
        busy = [l for l in run(who, "ss", "-Htan").splitlines() if l.startswith("SYN-SENT")]
        sysctls = [l for l in run(who, "sysctl", "-a", "--pattern", r"^net\.").splitlines() if not re.search(r"conntrack_count|\.stable_secret", l)]
        out[who] = dict(links=links, addresses=addresses, routes=routes, rules=rules, neighbours=neighbours, listeners=listeners, busy=busy,
                        firewall=run(who, "nft", "-s", "list", "ruleset"), sysctls=sysctls)
    return out


def differences(before, after):
    return [f"{what} of the {who}: {before[who][what]!r} became {after[who][what]!r}"[:2000]
            for who in before for what in before[who] if before[who][what] != after[who][what]]


def warm(lab):
    """Whom the kernels know as a neighbour is no news after this."""
    for who, to in (("worker", HEAD), ("head", NET[4]["worker"])):
        lab.probe("--deadline", "300ms", to, "9", who=who)


def polite(lab, *args, code, child=False):
    """One examination: the exit status, and nothing else to be seen afterwards."""
    warm(lab)
    before = state(lab)
    got, out, calls = trace(lab, "worker", "--json", *args)
    assert got == code, f"exit {got}: {out}"
    assert not (bad := judge(calls, child=child)), f"system calls: {bad[:5]}"
    assert not (bad := differences(before, state(lab))), "; ".join(bad)
    written = [c for c in calls if re.match(r"write\w*\(1<", c)]
    assert written, "its report was not written to standard output"


# --- the cases


def refused(lab):
    polite(lab, HEAD, code=50)


def served(lab):
    service.gcs()(lab, 4)
    polite(lab, HEAD, code=0)


def named(lab):
    polite(lab, "localhost", code=50, child=True)


def filtered(lab):
    """Control ports, the ladder of hops, second attempts: the long way."""
    lab.nft("head", "input", "tcp dport 6379 drop")
    polite(lab, HEAD, code=43)


def dead_neighbour(lab):
    """The kernel keeps that nobody answered; nothing else does."""
    warm(lab)
    before = state(lab)
    got, out, calls = trace(lab, "worker", NEAR)
    assert got == 30 and not judge(calls), (got, out, judge(calls)[:5])
    after = state(lab)
    after["worker"]["neighbours"] = [n for n in after["worker"]["neighbours"] if n[0] != NEAR]
    assert not (bad := differences(before, after)), "; ".join(bad)


def frozen(lab):
    service.frozen(lab, 4)
    polite(lab, HEAD, code=53)


def wants_tls(lab):
    service.tls(lab, 4)
    polite(lab, HEAD, code=60)


def large_packets(lab):
    service.mtu_hole(lab, 4)
    polite(lab, HEAD, code=80)


def all_ports(lab):
    """Some hundred ports; every socket is gone when the answer is there."""
    service.gcs()(lab, 4)
    lab.conf(WORKERS)
    lab.nft("head", "input", "tcp dport 10100-10201 drop")
    polite(lab, "--all", HEAD, code=43)


def discovery(lab):
    service.gcs()(lab, 4)
    polite(lab, "--discover", HEAD, code=84)


def both_ways(lab):
    """With a reflector: the listeners of the way back are gone, and so are those of --serve after Ctrl-C; it, too, wrote nothing."""
    service.gcs()(lab, 4)
    lab.conf(WORKERS)
    warm(lab)
    before = state(lab)

    def serve(p):
        for line in p.stdout:
            if m := re.search(r"--code (\S+)", line):
                got, out, calls = trace(lab, "worker", "--json", "--code", m[1], HEAD)
                assert got == 0, f"exit {got}: {out}"
                assert not (bad := judge(calls, listens=True)), f"system calls: {bad[:5]}"
                # strace, or what it watches; its own child is the program
                child = open(f"/proc/{p.pid}/task/{p.pid}/children").read().split()
                os.kill(int(child[0]), signal.SIGINT)
                return p.stdout.read()
        raise AssertionError("ray-probe --serve printed no code")

    code, _, calls = trace(lab, "head", "--serve", stop=serve)
    assert code == 0, f"--serve ended with {code}"
    calls = [c for c in calls if not c.startswith("write(2<")]  # it tells who came
    assert not (bad := judge(calls, listens=True)), f"system calls of --serve: {bad[:5]}"
    assert not (bad := differences(before, state(lab))), "; ".join(bad)


def interrupted(lab):
    """Ended in the middle of a scan: the same."""
    service.gcs()(lab, 4)
    lab.nft("head", "input", "tcp dport 10002-19999 drop")
    warm(lab)
    before = state(lab)
    p = lab.start("worker", *NOBODY, program(), "--all", HEAD, stdout=subprocess.DEVNULL)
    while int(lab.run("worker", "nstat", "-asz", "TcpActiveOpens").stdout.split()[-2]) < 2000:
        assert p.poll() is None, "over before it could be interrupted"
    p.send_signal(signal.SIGINT)
    p.wait(timeout=10)
    assert not (bad := differences(before, state(lab))), "; ".join(bad)


def a_change_is_seen(lab):
    """The watcher itself: a listener, a neighbour, a rule and a written file do not escape it."""
    before = state(lab)
    lab.ip("worker", "neigh add 10.77.1.77 lladdr 02:00:00:00:00:01 dev w0", "-6 rule add pref 7 unreachable to fd99::/64")
    lab.serve("head", "silent", "6400")
    lab.nft("router", "input", "tcp dport 1 drop")
    found = " ".join(differences(before, state(lab)))
    assert all(w in found for w in ("neighbours of the worker", "rules of the worker", "listeners of the head", "firewall of the router")), found
    bad = judge(['openat(AT_FDCWD, "/tmp/x", O_WRONLY|O_CREAT, 0666) = 3</tmp/x>', 'write(3</tmp/x>, "x", 1) = 1', "listen(3<TCP:[1]>, 5) = 0",
                 'sendto(3<NETLINK:[1]>, [{nlmsg_type=RTM_NEWNEIGH}], 1) = 1', 'unlink("/tmp/x") = 0', 'execve("/bin/sh", [], 0) = 0',
                 "adjtimex({modes=ADJ_OFFSET}) = 0"])
    assert len(bad) == 7, bad


CASES = [refused, served, named, filtered, dead_neighbour, frozen, wants_tls, large_packets, all_ports, discovery, both_ways,
         interrupted, a_change_is_seen]


def main():
    if not shutil.which("strace"):
        print("1..0 # SKIP no strace to watch with")
        return 0
    return each((c.__name__, c) for c in CASES)


if __name__ == "__main__":
    sys.exit(main())
