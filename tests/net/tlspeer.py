"""Servers that speak TLS, or misbehave in it: tlspeer.py MODE PORT CERTIFICATE [KEY=VALUE...]

    front       TLS in front of a plain server on 127.0.0.1: port=N, or what it says once the handshake is through:
                says=http|silence|junk|close|reset
    drip        its part of the handshake a byte at a time, every 100 ms
    rst-hello   a reset behind the ClientHello
    rst-flight  a reset behind its own first flight
    endless     handshake records that are ignored, without end
    alerts      warnings without end
    alert       alert=N and the end, to the ClientHello
    huge        a message of 16 MiB begins
    long        a record that is longer than a record can be

    ca=FILE asks for a certificate of this authority and takes no other; grpc=1 hangs up without an alert, as gRPC does;
    max=1.2; alpn=h2|http/1.1|none

Prints READY when it listens, serves until killed."""
import select, socket, ssl, sys, threading, time

mode, port, cert = sys.argv[1:4]
opt = dict(a.split("=", 1) for a in sys.argv[4:])
ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
ctx.load_cert_chain(cert)
if opt.get("alpn", "h2") != "none":
    ctx.set_alpn_protocols([opt.get("alpn", "h2")])
if opt.get("max") == "1.2":
    ctx.maximum_version = ssl.TLSVersion.TLSv1_2
if "ca" in opt:
    ctx.load_verify_locations(opt["ca"])
    ctx.verify_mode = ssl.CERT_REQUIRED


def record(kind, body):
    return bytes([kind, 3, 3]) + len(body).to_bytes(2, "big") + body


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    c.close()


def send(c, data):
    if mode == "drip":
        for b in data:
            c.sendall(bytes([b]))
            time.sleep(0.1)
    else:
        c.sendall(data)
    if mode == "rst-flight":
        reset(c)
        raise OSError


class Inside:
    """One connection in TLS, its bytes moved by hand."""

    def __init__(self, c):
        self.c, self.input, self.output = c, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = ctx.wrap_bio(self.input, self.output, server_side=True)

    def flush(self):
        if self.output.pending:
            send(self.c, self.output.read())

    def feed(self):
        data = self.c.recv(65536)
        self.input.write(data) if data else self.input.write_eof()

    def handshake(self):
        while True:
            try:
                self.tls.do_handshake()
                self.flush()
                return
            except ssl.SSLWantReadError:
                self.flush()
                self.feed()
            except ssl.SSLError:
                if "grpc" not in opt:
                    self.flush()
                raise

    def read(self):
        """b"" at the end; None when it was no data."""
        try:
            return self.tls.read(65536)
        except ssl.SSLWantReadError:
            return None

    def write(self, data):
        self.tls.write(data)
        self.flush()


def relay(t):
    back = socket.create_connection(("127.0.0.1", int(opt["port"])))
    while True:
        ready, _, _ = select.select([t.c, back], [], [])
        if back in ready:
            data = back.recv(65536)
            if not data:
                return
            t.write(data)
        if t.c in ready:
            t.feed()
            while (data := t.read()) is not None:
                if not data:
                    return
                back.sendall(data)


def front(c):
    t = Inside(c)
    t.handshake()
    says = opt.get("says")
    if says == "close":
        return
    if says == "reset":
        reset(c)
    elif says == "silence":
        while c.recv(65536):
            pass
    elif says == "junk":
        while True:
            t.write(b"\xc8" * 16384)
    elif says == "http":
        while t.read() is None:
            t.feed()
        t.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        c.recv(65536)
    else:
        relay(t)


def talk(c):
    try:
        if mode in ("front", "drip", "rst-flight"):
            front(c)
            return
        c.recv(65536)
        if mode == "rst-hello":
            reset(c)
        elif mode == "alert":
            c.sendall(record(21, bytes([2, int(opt["alert"])])))
        elif mode == "huge":
            c.sendall(record(22, b"\2\xff\xff\xff" + b"\0" * 8000))
            while True:
                c.sendall(record(22, b"\0" * 8000))
        elif mode == "long":
            c.sendall(b"\x16\3\3\xff\xff" + b"\0" * 65535)
        while mode == "endless":
            c.sendall(record(22, b"\0\0\0\0") * 1000)
        while mode == "alerts":
            c.sendall(record(21, b"\1\x5a") * 1000)
        c.recv(65536)
    except (OSError, ssl.SSLError):
        pass
    finally:
        c.close()


s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("::", int(port)))
s.listen(16)
print("READY", flush=True)
while True:
    conn, _ = s.accept()
    threading.Thread(target=talk, args=(conn,), daemon=True).start()
