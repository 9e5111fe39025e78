"""The servers of a test's internet (internet.py), in its namespace: a name server that says what names.json has and writes
down what it was asked; files of sites by HTTP and HTTPS, by the Host of the request; a server that speaks first; one that
writes down what it gets; and a proxy.

With "no-web" as its third argument what serves HTTP on ports 80 and 443 is somebody else's.

A name's addresses are a list; a list of lists is answered with one after the other, as a rebinding server does it.
"""

import functools
import http.server
import json
import os
import socket
import socketserver
import ssl
import struct
import sys
import threading

HTTP, HTTPS, BANNER, RECORDER, PROXY = 80, 443, 2222, 2223, 3128
A, AAAA = 1, 28
KINDS = {15: "MX", 16: "TXT", 33: "SRV"}
DIRECTORY, RESOLVER = sys.argv[1:3]
NO_WEB = sys.argv[3:] == ["no-web"]


class Names:
    def __init__(self):
        with open(os.path.join(DIRECTORY, "names.json")) as file:
            self.names = json.load(file)
        with open(os.path.join(DIRECTORY, "records.json")) as file:
            self.records = json.load(file)
        self.turns = {}
        self.log = open(os.path.join(DIRECTORY, "questions"), "a", buffering=1)
        self.lock = threading.Lock()

    def addresses(self, name):
        with self.lock:
            self.log.write(name + "\n")
            found = self.names.get(name)
            if found and isinstance(found[0], list):
                turn = self.turns.get(name, 0)
                self.turns[name] = turn + 1
                return found[turn % len(found)]
            return found

    def answer(self, message):
        name, at = [], 12
        while message[at]:
            name.append(message[at + 1:at + 1 + message[at]].decode("latin-1"))
            at += 1 + message[at]
        question = message[12:at + 5]
        kind = struct.unpack(">H", question[-4:-2])[0]
        addresses = self.addresses(".".join(name).lower())
        records = []
        for address in addresses or []:
            six = ":" in address
            if kind == (AAAA if six else A):
                packed = socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, address)
                records.append(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(packed)) + packed)
        others = self.records.get(".".join(name).lower(), {})
        for record in others.get(KINDS.get(kind), []):
            data = record_data(KINDS[kind], record)
            records.append(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 300, len(data)) + data)
        flags = 0x8180 if addresses is not None or others else 0x8183
        return message[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + question + b"".join(records)


def record_data(kind, record):
    if kind == "TXT":
        return b"".join(bytes([len(text)]) + text.encode() for text in record)
    *numbers, name = record
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(f">{len(numbers)}H", *numbers) + labels + b"\0"


class Datagram(socketserver.BaseRequestHandler):
    def handle(self):
        self.request[1].sendto(NAMES.answer(self.request[0]), self.client_address)


class Stream(socketserver.StreamRequestHandler):
    def handle(self):
        length = struct.unpack(">H", self.rfile.read(2))[0]
        reply = NAMES.answer(self.rfile.read(length))
        self.wfile.write(struct.pack(">H", len(reply)) + reply)


class Banner(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 hello\r\n")
        for line in self.rfile:
            self.wfile.write(b"you said " + line)


class Recorder(socketserver.BaseRequestHandler):
    """Writes down all that it gets, and answers nothing."""

    def handle(self):
        with open(os.path.join(DIRECTORY, "recorded"), "ab", buffering=0) as file:
            while True:
                try:
                    got = self.request.recv(65536)
                except OSError:
                    return
                if not got:
                    return
                file.write(got)


class Proxy(socketserver.StreamRequestHandler):
    """CONNECT for who says me:hunter2, to the servers here, whatever the name: only that it is one of names.json."""

    def handle(self):
        asked = self.rfile.readline().split()
        head = {}
        for line in self.rfile:
            if line == b"\r\n":
                break
            name, value = line.split(b":", 1)
            head[name.lower()] = value.strip()
        with open(os.path.join(DIRECTORY, "proxied"), "ab", buffering=0) as file:
            file.write(asked[1] + b"\n")
        if head.get(b"proxy-authorization") != b"Basic bWU6aHVudGVyMg==":
            self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n")
            return
        host, port = asked[1].decode().rsplit(":", 1)
        if asked[0] != b"CONNECT" or host not in NAMES.names:
            self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", int(port))) as other:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pass_on, args=(other, self.connection), daemon=True)
            back.start()
            pass_on(self.connection, other)
            back.join()


def pass_on(source, target):
    try:
        while got := source.recv(65536):
            target.sendall(got)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Files(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def translate_path(self, path):
        host = self.headers.get("Host", "").split(":")[0]
        self.directory = os.path.join(DIRECTORY, "sites", os.path.basename(host) or "none")
        return super().translate_path(path)

    def log_message(self, *_):
        pass


class Threads(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
    address_family = socket.AF_INET6

    def handle_error(self, *_):
        pass  # connections that are reset are what is tested

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


class Secure(Threads):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(os.path.join(DIRECTORY, "certificate.pem"), os.path.join(DIRECTORY, "key.pem"))

    def finish_request(self, request, client_address):
        try:
            request.settimeout(20)
            with self.context.wrap_socket(request, server_side=True) as wrapped:
                self.RequestHandlerClass(wrapped, client_address, self)
        except OSError:
            pass


class Datagrams(socketserver.ThreadingMixIn, socketserver.UDPServer):
    daemon_threads = True
    allow_reuse_address = True


class Streams(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True


NAMES = Names()

if __name__ == "__main__":
    servers = [Datagrams((RESOLVER, 53), Datagram), Streams((RESOLVER, 53), Stream), Threads(("::", BANNER), Banner),
               Threads(("::", RECORDER), Recorder), Threads(("::", PROXY), Proxy)]
    if not NO_WEB:
        servers += [Threads(("::", HTTP), Files), Secure(("::", HTTPS), Files)]
    for server in servers:
        threading.Thread(target=functools.partial(server.serve_forever, 0.05), daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()
