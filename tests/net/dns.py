"""A name server for the tests: dns.py ADDRESS 53. The first label of the name says what it does."""
import ipaddress, socket, struct, sys, threading, time

address, port = sys.argv[1], int(sys.argv[2])
v6 = ":" in address
OWN = ipaddress.ip_address(address)
RCODE = {"servfail": 2, "nx": 3, "refused": 5}
TRUNCATED = 0x8780  # ask again by TCP


def read(q):
    """Labels, type and question of a query."""
    labels, i = [], 12
    while q[i]:
        labels.append(q[i + 1:i + 1 + q[i]].decode())
        i += q[i] + 1
    return labels, struct.unpack("!H", q[i + 1:i + 3])[0], q[12:i + 5]


def record(rtype, data):
    return b"\xc0\x0c" + struct.pack("!HHIH", rtype, 1, 5, len(data)) + data


def message(q, flags, count, body, question=None):
    return q[:2] + struct.pack("!HHHHH", flags, 1, count, 0, 0) + (read(q)[2] if question is None else question) + body


def hostile(q, what):
    """Datagrams that no name server sends; None for another kind of name."""
    if what == "garbage":
        return [q[:2] + bytes(range(200))]
    if what == "loop":  # is an alias of itself
        return [message(q, 0x8580, 1, record(5, b"\xc0\x0c"))]
    if what == "pointer":  # an alias whose name points at itself
        return [message(q, 0x8580, 1, record(5, struct.pack("!H", 0xc000 | 12 + len(read(q)[2]) + 12)))]
    if what == "lies":  # 65535 answers, none there
        return [message(q, 0x8580, 65535, b"")]
    if what == "flood":  # answers to somebody else's questions, without end
        return [struct.pack("!H", n) + message(q, 0x8580, 0, b"")[2:] for n in range(3000)]
    if what == "othername":  # an answer to what was not asked
        return [message(q, 0x8580, 1, record(28 if v6 else 1, OWN.packed), b"\5other\0\0\1\0\1")]
    if what in ("drip", "huge", "stuck"):
        return [message(q, TRUNCATED, 0, b"")]
    return None


def addresses(what, qtype):
    if qtype != (28 if v6 else 1):
        return []
    if what == "second":  # the first address is nobody's
        return [OWN + 7, OWN]
    if what in ("compute04", "many", "huge", "stuck"):
        return [OWN] + [OWN + 100 + k for k in range({"many": 12, "huge": 2000}.get(what, 0))]
    return []


def answer(q, what, qtype):
    found = addresses(what, qtype)
    return message(q, 0x8580 | RCODE.get(what, 0), len(found), b"".join(record(qtype, a.packed) for a in found))


stuck = []


def by_tcp(c):
    """Both questions, for A and AAAA, come on one connection."""
    try:
        f = c.makefile("rb")
        while head := f.read(2):
            q = f.read(struct.unpack("!H", head)[0])
            labels, qtype, _ = read(q)
            if labels[0] == "stuck":  # connections hang at first, as when segments are lost
                stuck.append(time.monotonic())
                if stuck[-1] < stuck[0] + 0.3:
                    continue
            if labels[0] == "drip":  # 65535 bytes are to come, one a second
                c.sendall(b"\xff\xff")
                while True:
                    c.sendall(b"\0")
                    time.sleep(1)
            text = answer(q, labels[0], qtype)
            c.sendall(struct.pack("!H", len(text)) + text)
    except OSError:
        pass
    finally:
        c.close()


def tcp(listener):
    while True:
        threading.Thread(target=by_tcp, args=(listener.accept()[0],), daemon=True).start()


family = socket.AF_INET6 if v6 else socket.AF_INET
s, t = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_STREAM)
s.bind((address, port))
t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
t.bind((address, port))
t.listen(8)
threading.Thread(target=tcp, args=(t,), daemon=True).start()
print("READY", flush=True)
while True:
    q, peer = s.recvfrom(4096)
    labels, qtype, _ = read(q)
    what = labels[0]
    if what == "silent":
        continue
    for text in hostile(q, what) or [answer(q, what, qtype)]:
        s.sendto(text, peer)
