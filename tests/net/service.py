"""Servers for the tests: service.py MODE PORT [FILE]. Prints READY when it listens, serves until killed."""
import os, signal, socket, ssl, sys, threading, time

mode, port = sys.argv[1], sys.argv[2]


def ready():
    print("READY", flush=True)


def forever():
    while True:
        signal.pause()


def dial(host, to):
    """Takes the only local port there is."""
    s = socket.create_connection((host, int(to)))
    ready()
    forever()
    s.close()


if mode == "hold":
    dial(port, sys.argv[3])

s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("::", int(port)))
s.listen(0 if mode == "full" else 16)

if mode == "silent":  # the kernel accepts, nobody reads: a frozen process
    ready()
    forever()

if mode == "full":  # one connection fills a backlog of 0
    c = [socket.socket(socket.AF_INET6, socket.SOCK_STREAM) for _ in range(4)]
    for k in c:
        k.setblocking(False)
        try:
            k.connect(("::1", int(port)))
        except BlockingIOError:
            pass
    ready()
    forever()

ctx = None
if mode == "tls":
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(sys.argv[3])
    ctx.set_alpn_protocols(["h2"])

TEXT = {
    "redis": b"-ERR unknown command 'PRI', with args beginning with: '*' 'HTTP/2.0' \r\n",
    "redis-protected": b"-DENIED Redis is running in protected mode because protected mode is enabled\r\n",
    "http": b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html><h1>400</h1></html>",
    "garbage": bytes(range(200, 256)) * 40,
    # HTTP/2 of another make: SETTINGS with two of the usual ids
    "http2": b"\0\0\x0c\4\0\0\0\0\0" + b"\0\3\0\0\0\x80" + b"\0\4\0\1\0\0",
}


def drip(c):
    for b in b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n":
        c.send(bytes([b]))
        time.sleep(0.01)


def talk(c):
    try:
        if mode == "close":
            return
        if mode == "reset":
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return
        if mode == "ssh":
            c.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
        elif mode == "drip":
            drip(c)
        elif mode == "slow":  # one byte a second, for ever, of nothing known
            while True:
                c.sendall(b"-")
                time.sleep(1)
        elif mode == "flood":
            c.settimeout(10)
            while True:
                c.sendall(b"\0" * 65536)
        elif mode == "tls":
            c = ctx.wrap_socket(c, server_side=True)
            c.recv(4096)
        elif mode == "dashboard":  # aiohttp: silent end on an HTTP/2 preface, a page for HTTP/1
            if c.recv(4096).startswith(b"PRI"):
                return
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nServer: Python/3.11 aiohttp/3.9\r\n\r\n")
        else:
            c.recv(4096)
            c.sendall(TEXT[mode])
        if mode == "http2":
            time.sleep(5)
        c.recv(4096)
    except OSError:
        pass
    finally:
        c.close()


ready()
while True:
    conn, _ = s.accept()
    threading.Thread(target=talk, args=(conn,), daemon=True).start()
