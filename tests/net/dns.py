"""A name server for the tests: dns.py ADDRESS 53. The first label of the name says what it does."""
import ipaddress, socket, struct, sys

address, port = sys.argv[1], int(sys.argv[2])
v6 = ":" in address
s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((address, port))
print("READY", flush=True)
RCODE = {"servfail": 2, "nx": 3, "refused": 5}
while True:
    q, peer = s.recvfrom(4096)
    labels, i = [], 12
    while q[i]:
        labels.append(q[i + 1:i + 1 + q[i]].decode())
        i += q[i] + 1
    qtype, = struct.unpack("!H", q[i + 1:i + 3])
    question = q[12:i + 5]
    what = labels[0]
    if what == "silent":
        continue
    if what == "garbage":
        s.sendto(q[:2] + bytes(range(200)), peer)
        continue
    answers = []
    if what == "second" and qtype == (28 if v6 else 1):  # the first address is nobody's
        answers = [(ipaddress.ip_address(address) + 7).packed, ipaddress.ip_address(address).packed]
    if what in ("compute04", "many") and qtype == (28 if v6 else 1):
        answers.append(ipaddress.ip_address(address).packed)
        if what == "many":
            answers += [(ipaddress.ip_address(address) + 100 + k).packed for k in range(12)]  # within 512 bytes
    body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", qtype, 1, 5, len(a)) + a for a in answers)
    flags = 0x8580 | (RCODE.get(what, 0))
    s.sendto(q[:2] + struct.pack("!HHHHH", flags, 1, len(answers), 0, 0) + question + body, peer)
