#!/usr/bin/env python3
"""The examples of ray-probe(1) are what ray-probe says in such a network: each is set up, and every line compared."""
import os, re, subprocess, sys

from lab import BUILD, HERE, NET, Lab

GCS = str(BUILD / "tests" / "fake" / "fake-gcs")
PAGE = (HERE.parent.parent / "man/ray-probe.1").read_text()
HOSTS = "127.0.0.1 localhost\n10.77.2.2 compute04\n10.77.2.9 compute05\n"
REJECT = "tcp dport 6379 reject with icmp type admin-prohibited"


def gcs(lab, *more):
    p = lab.start("head", GCS, "--port", "6379", "--address", NET[4]["head"], *more, stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline().startswith("port")


def mtu_hole(lab):
    lab.nft("router", "forward", "meta length > 1000 drop")
    gcs(lab)


# What makes each verdict of the page; NAME_IS_LOOPBACK has an /etc/hosts of its own.
SETUPS = {
    "NAME_IS_LOOPBACK": lambda lab: lab.bind("127.0.0.1 localhost\n127.0.1.1 compute04\n", "/etc/hosts"),
    "LOCAL_FIREWALL": lambda lab: lab.nft("worker", "output", "ip daddr 10.77.2.2 drop"),
    "HOST_DOWN_REMOTE": lambda lab: None,
    "REJECTED_AT_HEAD": lambda lab: lab.nft("head", "input", REJECT),
    "PORT_CLOSED": lambda lab: None,
    "TOKEN_REQUIRED": lambda lab: gcs(lab, "--token", "a-token"),
    "MTU_HOLE_OUT": mtu_hole,
    "INCONCLUSIVE": lambda lab: lab.nft("head", "input", "tcp dport 6379 drop"),
}


def examples():
    """[(arguments, expected lines)] of the page."""
    text = PAGE.split(".Sh EXAMPLES")[1].split(".Sh SEE ALSO")[0]
    for block in re.findall(r"^\.Bd -literal\n(.*?)^\.Ed$", text, re.M | re.S):
        command, *lines = block.replace(r"\&", "").splitlines()
        yield command.removeprefix("$ ray-probe ").split(), lines


def matches(want, got):
    """Times are never the same twice; … is whatever stands there."""
    pattern = re.escape(want).replace("…", ".*")
    pattern = re.sub(r"\d+\\\.\d+\\ (ms|s)\b", r"\\d+\\.\\d (ms|s)", pattern)
    return re.fullmatch(pattern, got)


def check(args, lines):
    verdict = lines[0].split()[0]
    with Lab() as lab:
        lab.bind(HOSTS, "/etc/hosts")
        SETUPS[verdict](lab)
        rc, out, err, _ = lab.probe(*args)
    got = out.splitlines()
    wrong = [f"{w!r}\n#   is {g!r}" for w, g in zip(lines, got) if not matches(w, g)]
    assert not wrong and len(got) == len(lines) and not err, "\n# ".join(wrong) or f"got {out}{err}"


def main():
    if os.geteuid() != 0:
        print("1..0 # SKIP network namespaces need root")
        return 0
    cases = [(a, l) for a, l in examples() if "--watch" not in a]  # that one is test-probe-cli.py's
    bad = 0
    print(f"1..{len(cases) + 1}")
    for i, (args, lines) in enumerate(cases, 1):
        try:
            check(args, lines)
            print(f"ok {i} - {lines[0].split()[0]}")
        except Exception as e:
            bad += 1
            print(f"not ok {i} - {lines[0]}\n# {type(e).__name__}: {e}")
        sys.stdout.flush()
    left = SETUPS.keys() - {l[0].split()[0] for _, l in cases}
    print(f"{'not ' if left else ''}ok {len(cases) + 1} - the page has all of them {' '.join(left)}")
    return bad > 0 or bool(left)


sys.exit(main())
