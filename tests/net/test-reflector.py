#!/usr/bin/env python3
"""ray-probe --serve as nobody on a head: what it prints, how it ends, whom it answers, what it sees of a worker and of itself,
and what becomes of connecting back through firewalls, with missing routes and to where it must not."""
import json, os, pathlib, re, signal, socket, subprocess, sys, time

from lab import NET, NOBODY, each, program, same

HERE = pathlib.Path(__file__).resolve().parent
PORT = 6388


class Server:
    def __init__(self, lab, *args):
        self.lab = lab
        self.p = lab.start("head", *NOBODY, program(), "--serve", *args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.out = ""
        while "Ctrl-C" not in self.out:
            line = self.p.stdout.readline()
            assert line, f"ended: {self.out}{self.p.stderr.read()}"
            self.out += line
        self.code = re.search(r"^    ray-probe --code (\S+) (\S+)$", self.out, re.M)

    def end(self, how=signal.SIGINT):
        """Exit status and what it said of its tests."""
        if how:
            self.p.send_signal(how)
        return self.p.wait(timeout=20), self.p.stderr.read()


class Asker:
    def __init__(self, server, f=4, port=PORT, code=None):
        self.p = server.lab.start("worker", sys.executable, "-I", str(HERE / "reflect.py"), code or server.code[1], NET[f]["head"],
                                  str(port), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, **q):
        self.p.stdin.write(json.dumps(q) + "\n")
        self.p.stdin.flush()
        line = self.p.stdout.readline()
        assert line, "the asker died"
        return json.loads(line)


def listener(lab, who, port, backlog=16, address="::"):
    text = ("import socket,time;s=socket.socket(socket.AF_INET6 if ':' in %r else socket.AF_INET);s.bind((%r,%d));s.listen(%d);"
            "print('READY',flush=True);time.sleep(300)" % (address, address, port, backlog))
    p = lab.start(who, sys.executable, "-I", "-c", text, stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "READY\n"


def knock(lab, f, n=4, port=6379):
    """SYNs of the worker, and whatever becomes of them within some time."""
    text = ("import socket,time\nss=[socket.socket(socket.%s) for i in range(%d)]\n"
            "for s in ss: s.setblocking(False); s.connect_ex((%r,%d))\nprint('SENT',flush=True); time.sleep(300)"
            % ("AF_INET" if f == 4 else "AF_INET6", n, NET[f]["head"], port))
    p = lab.start("worker", sys.executable, "-I", "-c", text, stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "SENT\n"


# --- the command


def prints_the_line(lab):
    s = Server(lab)
    same(s.code[2], "10.77.2.2", "the address of the default route")
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}-[0-9A-HJKMNP-TV-Z]{2}", s.code[1]), s.out
    assert "fd77:2::2" in s.out and "6380-6385, 10002-19999" in s.out and "10min" in s.out, s.out
    same(s.end(), (0, ""))


def another_port(lab):
    s = Server(lab, "7001")
    assert s.code[1].startswith("7001-"), s.out
    same(Asker(s, port=7001)(kind="begin")["refusal"], "")
    s.end()


def port_is_taken(lab):
    s = Server(lab)
    other = Server(lab)
    assert other.code[1].startswith("19999-"), other.out
    same(Asker(other, port=19999)(kind="begin")["refusal"], "")
    other.end()
    rc, out, err, _ = lab.tool(program(), "--serve", "6388", who="head")
    same((rc, out), (1, ""))
    assert re.fullmatch(r"ray-probe: port 6388 is taken by ray-probe \(pid \d+, user nobody\); try another one: .*--serve 6389\n",
                        err), err
    s.end()


def ends_by_signals(lab):
    for how in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        s = Server(lab)
        a = Asker(s)
        same(a(kind="begin")["refusal"], "")
        same(s.end(how)[0], 0, how.name)
        same(lab.run("head", "ss", "-Hltn").stdout, "", "no listener is left")


def wrong_codes(lab):
    s = Server(lab)
    for i in range(5):
        same(Asker(s)(kind="begin", forge=True), {"bye": 1})
    rc, err = s.end(None)
    same(rc, 1)
    assert "tried a wrong code (5 of 5)" in err and err.count("\n") == 6, err


def strangers(lab):
    """Nonsense, half-open connections, and somebody who only connects: none of them ends the test or is a guess."""
    s = Server(lab)
    ended = []
    for raw in "474554202f20485454502f312e310d0a0d0a", "ffffffff", "0000002902" + 40 * "00", "00000000":
        ended.append(Asker(s)(raw=raw))
    same(ended, [{"bye": 6}] * 4)
    lab.run("worker", sys.executable, "-I", "-c",
            f"import socket\nss=[socket.create_connection(('10.77.2.2',{PORT})) for i in range(60)]")
    same(Asker(s)(kind="begin")["refusal"], "")
    rc, err = s.end()
    same(rc, 0)
    assert "wrong" not in err, err


# --- what it sees


def sees_the_asker(lab, f):
    s = Server(lab)
    t = time.time()
    r = Asker(s, f)(kind="begin", port=6379)
    same(r["observed"][0], NET[f]["worker"])
    same(r["local"], [NET[f]["head"], PORT])
    same(r["hostname"], socket.gethostname())
    same((r["route"]["error"], r["route"]["dev"], r["route"]["mtu"]), (0, "h0", 1500))
    assert abs(r["t2"] / 1e6 - t) < 5 and r["t2"] <= r["t3"], r
    same(r["port"]["listening"], 0)
    assert re.search(r": knows the code$", s.end()[1], re.M)


def sees_its_port(lab, f):
    s = Server(lab)
    a = Asker(s, f)
    listener(lab, "head", 6379, address="127.0.0.1")
    r = a(kind="begin", port=6379)
    same((r["port"]["listening"], r["port"]["loopback_only"], r["bound"]), (1, 1, "127.0.0.1"))
    listener(lab, "head", 6379, 7, address=NET[f]["head"])
    r = a(kind="look", port=6379)
    same((r["port"]["listening"], r["port"]["loopback_only"], r["port"]["room"]), (1, 0, 7))
    assert "bound" not in r, r
    s.end()


def rise(lab, f, prepare, listening=True, backlog=16):
    """What four SYNs to the GCS's port do to the counters; Asker's line is up before anything is broken."""
    if listening:
        listener(lab, "head", 6379, backlog)
    s = Server(lab)
    a = Asker(s, f)
    same(a(kind="begin", port=6379)["refusal"], "")
    prepare()
    knock(lab, f)
    end = time.monotonic() + 5
    while True:
        r = a(kind="look")
        yield_ = yield r
        if yield_ or time.monotonic() > end:
            s.end()
            return


def until(lab, f, prepare, good, **kw):
    looks = rise(lab, f, prepare, **kw)
    for r in looks:
        if good(r):
            looks.close()
            return r
    raise AssertionError(f"never seen: {r['rise']} {r['port']}")


def syn_recv(lab, f):
    until(lab, f, lambda: lab.nft("head", "output", "tcp sport 6379 drop"), lambda r: r["port"]["syn_recv"] == 4)


def queue_full(lab, f):
    r = until(lab, f, lambda: None, lambda r: r["rise"]["overflows"] >= 3, backlog=0)
    same((r["port"]["queue"], r["port"]["room"]), (1, 0))


def thrown_away(lab, f):
    r = until(lab, f, lambda: lab.nft("head", "input", "tcp dport 6379 drop"), lambda r: r["rise"]["undelivered_most"] >= 4)
    assert r["rise"]["undelivered"] >= 2, r["rise"]  # neighbour discovery is multicast


def none_lost(r, f):
    """Not the four SYNs. The upper bound has IPv6's own multicast (neighbour discovery, MLD) in it, which comes when it likes."""
    rise = r["rise"]
    assert rise["undelivered"] == 0 and rise["undelivered_most"] < (1 if f == 4 else 4), rise


def resets(lab, f):
    none_lost(until(lab, f, lambda: None, lambda r: r["rise"]["resets"] >= 4, listening=False), f)


def nothing_arrives(lab, f):
    lab.nft("router", "forward", "tcp dport 6379 drop")
    looks = rise(lab, f, lambda: None)
    for i in range(3):
        r = next(looks)
    none_lost(r, f)
    same((r["rise"]["resets"], r["port"]["syn_recv"]), (0, 0))


def reverse_path(lab, f):
    """Of a SYN that comes in where no answer would go out; the asker's own connection is from elsewhere, so that it lives on."""
    lab.ip("worker", "addr add 10.88.0.1/32 dev lo")
    lab.ip("router", "route add 10.88.0.1 via 10.77.1.2")
    lab.sysctl("head", "net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.h0.rp_filter=1")
    lab.ip("head", "route add 10.88.0.1/32 dev lo")
    s = Server(lab)
    a = Asker(s)
    a(kind="begin")
    text = "import socket\ns=socket.socket();s.bind(('10.88.0.1',0));s.setblocking(False);s.connect_ex(('10.77.2.2',6379))"
    lab.run("worker", sys.executable, "-I", "-c", text)
    end = time.monotonic() + 5
    while a(kind="look")["rise"]["rp_filter"] < 1:
        assert time.monotonic() < end, "no rise of IPReversePathFilter"
    s.end()


def no_way_back(lab, f):
    """SYNs from where the head has no route to: the asker's own connection has one."""
    elsewhere = NET[f]["elsewhere"]
    lab.ip("worker", f"addr add {elsewhere}/{32 if f == 4 else 128} dev lo")
    lab.ip("router", f"route add {elsewhere} via {NET[f]['worker']}")
    net = "10.77.0.0/16" if f == 4 else "fd77::/16"
    lab.ip("head", f"-{f} route add {net} via {NET[f]['router2']}", f"-{f} route del default")
    listener(lab, "head", 6379)
    s = Server(lab)
    a = Asker(s, f)
    a(kind="begin")
    text = (f"import socket\ns=socket.socket(socket.AF_INET{'6' if f == 6 else ''});s.bind(({elsewhere!r},0));s.setblocking(False);"
            f"s.connect_ex(({NET[f]['head']!r},6379))")
    lab.run("worker", sys.executable, "-I", "-c", text)
    end = time.monotonic() + 5
    while a(kind="look")["rise"]["no_routes"] < 1:
        assert time.monotonic() < end, "no rise of OutNoRoutes"
    s.end()


# --- connecting back


def back(lab, f, **q):
    s = Server(lab)
    a = Asker(s, f)
    a(listen=[6380, 10002])
    a(listen=[6381], say="other")
    r = a(kind="back", **q)
    return r, s.end()[1]


def results(r):
    return [(b["addr"], b["port"], b["result"]) for b in r["back"]]


def back_answers(lab, f):
    w = NET[f]["worker"]
    r, err = back(lab, f, back=[6380, 6381, 6382, 10002])
    same(results(r), [(w, 6380, "nonce-ok"), (w, 6381, "wrong-nonce"), (w, 6382, "refused"), (w, 10002, "nonce-ok")])
    assert f"{w}: connected back: 2 nonce-ok 1 wrong-nonce 1 refused" in err, err


def back_rejected(lab, f):
    lab.nft("router", "forward", f"ip{'6' if f == 6 else ''} daddr {NET[f]['worker']} tcp dport 6380 reject with "
            + ("icmp admin-prohibited" if f == 4 else "icmpv6 admin-prohibited"))
    r, _ = back(lab, f, back=[6380, 10002])
    same([b["result"] for b in r["back"]], ["rejected", "nonce-ok"])
    same(r["back"][0]["icmp"], [3, 13, NET[4]["router2"]] if f == 4 else [1, 1, NET[6]["router2"]])


def back_silent(lab, f):
    lab.nft("worker", "input", "ct state established,related accept", "icmpv6 type 135-136 accept", "tcp dport 6380-19999 drop")
    t = time.monotonic()
    r, _ = back(lab, f, back=[6380, 6381, *range(10002, 10024)])
    assert time.monotonic() - t < 5
    same({b["result"] for b in r["back"]}, {"silent"})
    same(len(r["back"]), 24)


def back_own_firewall(lab, f):
    """The head's own firewall rejects what it sends: no fault of the worker."""
    lab.nft("head", "output", "tcp dport 6380 reject")
    r, _ = back(lab, f, back=[6380, 10002])
    same([(b["result"], b["error"]) for b in r["back"]], [("no-way", 111), ("nonce-ok", 0)])


def back_claimed(lab, f):
    """Also to what the worker says is its own; not to what is nobody's, the head's, or a link's."""
    other = "10.77.1.7" if f == 4 else "fd77:1::7"
    lab.ip("worker", f"addr add {other}/{24 if f == 4 else 64} dev w0" + (" nodad" if f == 6 else ""))
    forbidden = ["127.0.0.1", "::1", "0.0.0.0", "224.0.0.1", "169.254.1.1", NET[f]["head"]]
    r, _ = back(lab, f, back=[6380], claimed=[*forbidden, NET[f]["worker"], other])
    same(sorted(results(r)), [(NET[f]["worker"], 6380, "nonce-ok"), (other, 6380, "nonce-ok")])


def back_no_route(lab, f):
    far = NET[f]["elsewhere"]
    lab.ip("head", f"-{f} route add unreachable {far}")
    r, _ = back(lab, f, back=[6380], claimed=[far])
    same(results(r), [(NET[f]["worker"], 6380, "nonce-ok"), (far, 6380, "no-way")])
    same(r["back"][1]["error"], 113)


def back_forbidden(lab, f):
    s = Server(lab)
    a = Asker(s, f)
    r = a(kind="back", back=[22, 6379, 8265])
    same((r["refusal"], r["back"]), ("forbidden", []))
    same([b["result"] for b in a(kind="back", back=[22, 6382])["back"]], ["not-tried", "refused"])
    r = a(kind="back", back=[6382])
    same(r["refusal"], "rate")
    assert 5e6 < r["retry"] <= 10e6, r
    # another conversation of the same machine is the same machine
    same(Asker(s, f)(kind="back", back=[6382])["refusal"], "rate")
    s.end()


def back_to_itself(lab, f):
    """Asked from the head itself: nothing is connected to."""
    s = Server(lab)
    p = lab.start("head", sys.executable, "-I", str(HERE / "reflect.py"), s.code[1], NET[f]["head"], str(PORT),
                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    out, _ = p.communicate('{"kind": "back", "back": [6380]}\n', timeout=20)
    same(json.loads(out)["refusal"], "forbidden")
    s.end()


def back_range(lab, f):
    """Thousands of ports as a few ranges; what the plan has not is not tried."""
    lab.nft("worker", "input", "tcp dport 12000-13999 drop")
    s = Server(lab)
    a = Asker(s, f)
    a(listen=[15000], say="other")
    t = time.monotonic()
    r = a(kind="back", range=[9000, 30000])
    took = time.monotonic() - t
    same([(b["port"], b["last"], b["result"]) for b in r["back"]],
         [(10002, 11999, "refused"), (12000, 13999, "silent"), (14000, 14999, "refused"), (15000, 0, "open"),
          (15001, 19999, "refused")])
    assert took < 12, took
    s.end()


def bulk(lab, f):
    s = Server(lab)
    a = Asker(s, f)
    same(a(kind="down", bulk=65536)["filler"], 65536)
    same(a(kind="up", filler=65536)["received"], 65536)
    s.end()


BOTH = [sees_the_asker, sees_its_port, syn_recv, queue_full, thrown_away, resets, nothing_arrives, no_way_back, back_answers,
        back_rejected, back_silent, back_own_firewall, back_claimed, back_no_route, back_forbidden, back_to_itself, back_range, bulk]
ONE = [prints_the_line, another_port, port_is_taken, ends_by_signals, wrong_codes, strangers]


def cases():
    yield from ((c.__name__, c) for c in ONE)
    yield "reverse_path, IPv4", lambda l: reverse_path(l, 4)
    yield from ((f"{c.__name__}, IPv{f}", lambda l, c=c, f=f: c(l, f)) for c in BOTH for f in (4, 6))


if __name__ == "__main__":
    sys.exit(each(cases()))
