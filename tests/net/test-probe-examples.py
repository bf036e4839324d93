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


def other_authority(lab):
    """The head's certificate is by an authority of the same name as the one in old.pem, and with another key."""
    for name in "old.pem", "head.pem", "san":
        lab.file(name, "subjectAltName=IP:10.77.2.2" if name == "san" else "")
    f = lab.files
    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    run = lambda *a: subprocess.run(["openssl", *a], check=True, capture_output=True, text=True).stdout
    run("req", "-x509", *ec, "-days", "30", "-subj", "/CN=lab CA", "-keyout", f["old"] + ".key", "-out", f["old"])
    run("req", "-x509", *ec, "-days", "30", "-subj", "/CN=lab CA", "-keyout", f["head"] + ".ca", "-out", f["head"] + ".crt")
    run("req", *ec, "-subj", "/CN=compute04", "-keyout", f["head"] + ".key", "-out", f["head"] + ".csr")
    own = run("x509", "-req", "-in", f["head"] + ".csr", "-CA", f["head"] + ".crt", "-CAkey", f["head"] + ".ca", "-days", "30",
              "-extfile", f["san"])
    lab.file("head.pem", own + open(f["head"] + ".key").read())
    lab.serve("head", "tls", "6379", f["head"])


def one_way(lab):
    lab.nft("worker", "input", "ct state established,related accept", "iifname w0 drop")
    gcs(lab)


def gcs_alone(lab):
    lab.nft("head", "input", "tcp dport { 6380-6388, 10001-19999 } reject with icmp type admin-prohibited")
    gcs(lab)


# What makes each verdict of the page, with --all another one; NAME_IS_LOOPBACK has an /etc/hosts of its own.
SETUPS = {
    "NAME_IS_LOOPBACK": lambda lab: lab.bind("127.0.0.1 localhost\n127.0.1.1 compute04\n", "/etc/hosts"),
    "LOCAL_FIREWALL": lambda lab: lab.nft("worker", "output", "ip daddr 10.77.2.2 drop"),
    "HOST_DOWN_REMOTE": lambda lab: None,
    "REJECTED_AT_HEAD": lambda lab: lab.nft("head", "input", REJECT),
    "REJECTED_AT_HEAD --all": gcs_alone,
    "PORT_CLOSED": lambda lab: None,
    "CERT_UNTRUSTED": other_authority,
    "REVERSE_BLOCKED": one_way,
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


def key(args, lines):
    return " ".join([lines[0].split()[0], *(a for a in args if a == "--all")])


def check(args, lines):
    with Lab() as lab:
        lab.bind(HOSTS, "/etc/hosts")
        SETUPS[key(args, lines)](lab)
        # what the page calls by a name of its own
        real = {"/etc/ray/ca.pem": lab.files.get("old"), "CODE": lab.reflector() if "CODE" in args else None}
        rc, out, err, _ = lab.probe(*(real.get(a, a) for a in args))
        for name, value in real.items():
            out = out.replace(value, name) if value else out
    got = out.splitlines()
    wrong = [f"{w!r}\n#   is {g!r}" for w, g in zip(lines, got) if not matches(w, g)]
    assert not wrong and len(got) == len(lines) and not err, "\n# ".join(wrong) or f"got {out}{err}"


def main():
    if os.geteuid() != 0:
        print("1..0 # SKIP network namespaces need root")
        return 0
    # that of --watch is test-probe-cli.py's
    cases = [(a, l) for a, l in examples() if "--watch" not in a and os.environ.get("ONLY", "") in key(a, l)]
    bad = 0
    print(f"1..{len(cases) + 1}")
    for i, (args, lines) in enumerate(cases, 1):
        try:
            check(args, lines)
            print(f"ok {i} - {key(args, lines)}")
        except Exception as e:
            bad += 1
            print(f"not ok {i} - {lines[0]}\n# {type(e).__name__}: {e}")
        sys.stdout.flush()
    left = SETUPS.keys() - {key(a, l) for a, l in examples()}
    print(f"{'not ' if left else ''}ok {len(cases) + 1} - the page has all of them {' '.join(left)}")
    return bad > 0 or bool(left)


sys.exit(main())
