#!/usr/bin/env python3
"""What ray-probe --serve and --code say to each other, written a second time from its description (wire/reflect-frame.h,
reflect/session.h, reflect.proto), so that both ends of ours cannot be wrong in the same way.

    reflect.py CODE ADDRESS PORT    requests as JSON, one a line, on standard input; replies the same way on standard output

A request is {"kind": "begin", ...}; {"raw": "hex"} sends bytes; {"forge": true} seals with another key; {"listen": [PORT, ...],
"say": "nonce" or "other"} opens listeners. A reply is a dictionary, {"bye": n}, or {"closed": true}."""
import hashlib, hmac, ipaddress, json, os, socket, struct, sys, threading

KINDS = ["", "begin", "look", "back", "down", "up"]
RESULTS = ["not-tried", "nonce-ok", "wrong-nonce", "open", "refused", "rejected", "silent", "no-way"]
REFUSALS = ["", "version", "rate", "forbidden", "busy", "bad"]
DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NONCE = bytes(range(32))


def secret(code):
    letters = [c for c in code.upper() if c not in "- "][-18:][:16]
    n = 0
    for c in letters:
        n = n << 5 | DIGITS.index({"O": "0", "I": "1", "L": "1"}.get(c, c))
    return n.to_bytes(10, "big")


# --- protobuf


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value) if value else b""
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(data):
    """{number: [values]}"""
    at, out = 0, {}

    def number():
        nonlocal at
        n = shift = 0
        while True:
            b = data[at]
            at += 1
            n |= (b & 127) << shift
            shift += 7
            if b < 128:
                return n

    while at < len(data):
        tag = number()
        if tag & 7 == 2:
            n = number()
            value, at = data[at:at + n], at + n
        else:
            assert tag & 7 == 0, f"wire type {tag & 7}"
            value = number()
        out.setdefault(tag >> 3, []).append(value)
    return out


def address(text, port=0):
    return field(1, ipaddress.ip_address(text).packed) + field(2, port)


def request(q):
    out = field(1, KINDS.index(q["kind"])) + field(2, q.get("version", 1))
    out += b"".join(field(5, address(a)) for a in q.get("claimed", ()))
    out += field(6, q.get("port", 0))
    ports = q.get("back", ())
    if ports:
        out += field(9, NONCE)
    out += b"".join(field(10, field(1, p) + field(2, int(q.get("nonce", True)))) for p in ports)
    if "range" in q:
        out += field(11, q["range"][0]) + field(12, q["range"][1])
    out += field(13, q.get("bulk", 0))
    return out + (field(14, bytes(q["filler"])) if "filler" in q else b"")


def one(f, number, default=0):
    return f.get(number, [default])[-1]


def read_address(data):
    f = fields(data)
    return str(ipaddress.ip_address(one(f, 1))), one(f, 2)


def read_back(data):
    f = fields(data)
    addr, port = read_address(one(f, 1))
    out = {"addr": addr, "port": port, "result": RESULTS[one(f, 2)], "error": one(f, 3), "last": one(f, 6)}
    if 4 in f:
        i = fields(one(f, 4))
        out["icmp"] = [one(i, 1), one(i, 2), read_address(one(i, 3))[0]]
    return out


def reply(data):
    f = fields(data)
    names = lambda sub, *keys: dict(zip(keys, (one(sub, i) for i in range(1, len(keys) + 1))))
    out = {"refusal": REFUSALS[one(f, 1)], "text": one(f, 2, b"").decode(), "hostname": one(f, 9, b"").decode(),
           "t2": one(f, 5) >> 1, "t3": one(f, 6) >> 1, "filler": len(one(f, 17, b"")), "received": one(f, 18),
           "retry": one(f, 19), "back": [read_back(b) for b in f.get(16, [])]}
    for key, number in ("observed", 3), ("local", 4):
        if number in f:
            out[key] = read_address(one(f, number))
    if 13 in f:
        out["port"] = names(fields(one(f, 13)), "listening", "loopback_only", "queue", "room", "syn_recv")
        if 6 in fields(one(f, 13)):
            out["bound"] = read_address(one(fields(one(f, 13)), 6))[0]
    if 14 in f:
        out["rise"] = names(fields(one(f, 14)), "overflows", "drops", "rp_filter", "no_routes", "resets", "known", "undelivered",
                            "undelivered_most")
    if 15 in f:
        r = fields(one(f, 15))
        out["route"] = {"error": one(r, 1), "dev": one(r, 2, b"").decode(), "mtu": one(r, 4)}
    return out


# --- the conversation


class Talk:
    def __init__(self, code, host, port):
        self.key = hmac.digest(secret(code), b"ray-probe reflector 1\0", hashlib.sha256)
        self.sock = socket.create_connection((host, port), timeout=30)
        self.own, self.peer, self.out, self.inn = os.urandom(32), None, 0, 0

    def exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def mac(self, who, seq, body, key=None):
        return hmac.digest(key or self.key, who + self.peer + self.own + struct.pack(">Q", seq) + body, hashlib.sha256)

    def frame(self, data):
        self.sock.sendall(struct.pack(">I", len(data)) + data)

    def greet(self):
        self.frame(b"\x01rayprobe" + struct.pack(">H", 1) + self.own)
        got = self.read()
        assert got[:11] == b"\x01rayprobe\0\x01" and len(got) == 43, got
        self.peer = got[11:]

    def read(self):
        n, = struct.unpack(">I", self.exactly(4))
        assert 0 < n <= 128 << 10, n
        return self.exactly(n)

    def ask(self, q):
        body = request(q)
        self.frame(b"\x02" + struct.pack(">Q", self.out) + self.mac(b"C", self.out, body, b"x" if q.get("forge") else None) + body)
        self.out += 1

    def hear(self):
        try:
            got = self.read()
        except (EOFError, ConnectionError):
            return {"closed": True}
        if got[0] == 1 and self.peer is None:  # bytes were sent in place of a greeting
            self.peer = got[11:]
            return self.hear()
        if got[0] == 3:
            return {"bye": got[1]}
        seq, = struct.unpack(">Q", got[1:9])
        assert got[0] == 2 and seq == self.inn, got[:9]
        assert hmac.compare_digest(got[9:41], self.mac(b"S", seq, got[41:])), "the MAC is wrong"
        self.inn += 1
        return reply(got[41:])


def listen(port, words):
    s = socket.socket(socket.AF_INET6)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind(("::", port))
    s.listen()

    def serve():
        while True:
            c, _ = s.accept()
            c.sendall(words)
            c.close()

    threading.Thread(target=serve, daemon=True).start()


def main(code, host, port):
    talk = Talk(code, host, int(port))
    say = lambda d: print(json.dumps(d), flush=True)
    for line in sys.stdin:
        q = json.loads(line)
        if "listen" in q:
            for p in q["listen"]:
                listen(p, NONCE if q.get("say", "nonce") == "nonce" else b"HTTP/1.1 400 Bad Request\r\n\r\n")
            say({})
            continue
        if "raw" in q:
            talk.sock.sendall(bytes.fromhex(q["raw"]))
        elif "kind" in q:
            if talk.peer is None:
                talk.greet()
            talk.ask(q)
        say(talk.hear())


if __name__ == "__main__":
    main(*sys.argv[1:])
