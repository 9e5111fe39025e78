"""What hostile code inside a sandbox tries with its network (attacks_test.py): intruder.py ATTACK. Prints what came of it."""

import os
import random
import socket
import struct
import sys
import threading
import time

ALLOWED, RECORDER = "allowed.test", 2223


def number(value, size):
    return value.to_bytes(size, "big")


def hello(name, more=b"", pad=0):
    """A TLS hello for a name (none: without one)."""
    extensions = more
    if name is not None:
        entry = b"\0" + number(len(name), 2) + name.encode()
        extensions += number(0, 2) + number(len(entry) + 2, 2) + number(len(entry), 2) + entry
    if pad:
        extensions += number(21, 2) + number(pad, 2) + bytes(pad)
    body = b"\x03\x03" + bytes(32) + b"\0" + number(2, 2) + b"\x13\x01" + b"\x01\0" + number(len(extensions), 2) + extensions
    message = b"\x01" + number(len(body), 3) + body
    records = b""
    while message:
        records += b"\x16\x03\x01" + number(len(message[:16000]), 2) + message[:16000]
        message = message[16000:]
    return records


def outcome(connection, seconds=15):
    """How the connection ends: reset, closed, or open still."""
    connection.settimeout(seconds)
    try:
        got = connection.recv(100)
        return "closed" if not got else f"answered {got!r}"
    except ConnectionError:
        return "reset"
    except TimeoutError:
        return "open"


def connect():
    return socket.create_connection((ALLOWED, RECORDER), 10)


def send(data, piece=None):
    connection = connect()
    try:
        for at in range(0, len(data), piece or len(data)):
            connection.sendall(data[at:at + (piece or len(data))])
            if piece:
                time.sleep(0.001)
    except ConnectionError:
        return "reset"
    return outcome(connection, 3)


def fronted():
    print(send(hello("hidden.test") + b"FRONTED"))


def fronted_byte_by_byte():
    print(send(hello("hidden.test") + b"FRONTED", piece=1))


def no_name():
    print(send(hello(None) + b"FRONTED"))


def huge_hello():
    print(send(hello(ALLOWED, pad=20000) + b"FRONTED"))


def right_name_with_grease():
    print(send(hello(ALLOWED, more=number(0xfe0d, 2) + number(4, 2) + b"\0\1\2\3") + b"GREASED"))


def late_hello():
    connection = connect()
    connection.sendall(hello("hidden.test")[:20])
    began = time.monotonic()
    print(outcome(connection, 30), round(time.monotonic() - began))


def half_hello_and_end():
    connection = connect()
    connection.sendall(hello("hidden.test")[:20])
    connection.shutdown(socket.SHUT_WR)
    print(outcome(connection))


def two_hellos():
    """A good one first: what follows it is inside TLS for the server, and no other hello for anybody."""
    print(send(hello(ALLOWED) + b"BEHIND"))


def listener():
    """The address and port on which the network's own socket listens: it is shown, and is no way out."""
    found = set()
    for line in open("/proc/net/tcp").readlines()[1:]:
        fields = line.split()
        if fields[3] == "0A":
            address, port = fields[1].split(":")
            found.add((socket.inet_ntoa(struct.pack("<I", int(address, 16))), int(port, 16)))
    for address, port in found:
        try:
            print(address, port, outcome(socket.create_connection((address, port), 5), 5))
        except OSError as error:
            print(address, port, type(error).__name__)
        try:
            mine = socket.socket()
            mine.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            mine.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            mine.bind((address, port))
            mine.listen()
            mine.settimeout(1)
            try:
                socket.create_connection((ALLOWED, 80), 5).close()
                mine.accept()
                print("took a connection that was not its own")
            except TimeoutError:
                print("bound, and took nothing")
        except OSError as error:
            print("not bound:", type(error).__name__)


def name_server_of_its_own():
    """A socket on port 53 gets no other sandbox's questions, and the network's names are answered all the same."""
    try:
        mine = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        mine.bind(("0.0.0.0", 53))
        print("bound")
    except OSError as error:
        print("not bound:", type(error).__name__)
    print(socket.gethostbyname(ALLOWED).startswith("198.18."))


def many_connections():
    """Thousands at once: those over the limits are reset, and after them the network works."""
    kept, refused, lock = [], [0], threading.Lock()
    address = socket.gethostbyname(ALLOWED)

    def some():
        for _ in range(250):
            try:
                connection = socket.create_connection((address, RECORDER), 10)
                connection.settimeout(0.02)
                try:
                    if not connection.recv(1):
                        raise ConnectionError
                except TimeoutError:
                    pass
                with lock:
                    kept.append(connection)
            except OSError:
                with lock:
                    refused[0] += 1

    threads = [threading.Thread(target=some) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alive = 0
    for connection in kept:
        try:
            connection.sendall(b".")
            connection.settimeout(0.01)
            connection.recv(1)
        except TimeoutError:
            alive += 1
        except OSError:
            pass
    print(alive, refused[0])
    for connection in kept:
        connection.close()
    for _ in range(50):
        time.sleep(0.2)
        try:
            with socket.create_connection((address, 2222), 5) as connection:
                if connection.recv(3) == b"220":
                    print("works again")
                    return
        except OSError:
            pass


def question(name, kind=1):
    labels = b"".join(number(len(label), 1) + label for label in name)
    return number(random.randrange(65536), 2) + b"\x01\0\0\1\0\0\0\0\0\0" + labels + b"\0" + number(kind, 2) + b"\0\1"


def many_questions():
    mine = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    mine.setblocking(False)
    for at in range(50000):
        name = [b"%d" % at, b"allowed", b"test"] if at % 2 else [os.urandom(20).hex().encode(), b"tunnel", b"test"]
        try:
            mine.sendto(question(name), ("8.8.8.8", 53))
        except OSError:
            pass
    time.sleep(0.5)
    print(socket.gethostbyname(ALLOWED).startswith("198.18."))


def broken_questions():
    random.seed(1)
    good = question([b"allowed", b"test"])
    mine = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    mine.setblocking(False)
    for at in range(3000):
        data = bytearray(good)
        for _ in range(random.randrange(1, 6)):
            data[random.randrange(len(data))] = random.randrange(256)
        if at % 3 == 0:
            data = data[:random.randrange(len(data))]
        try:
            mine.sendto(bytes(data) if at % 7 else os.urandom(random.randrange(4000)), ("127.0.0.1", 53))
        except OSError:
            pass
        if at % 100 == 0:
            with socket.create_connection(("9.9.9.9", 53), 5) as stream:
                try:
                    stream.sendall(number(len(data) + random.randrange(-5, 5) & 0xffff, 2) + bytes(data))
                except OSError:
                    pass
    time.sleep(0.5)
    print(socket.gethostbyname(ALLOWED).startswith("198.18."))


def datagrams():
    """Nothing but questions for names leaves by UDP."""
    mine = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    mine.settimeout(2)
    for address, port in ((socket.gethostbyname(ALLOWED), 443), ("93.184.0.10", 5353), ("93.184.0.53", 54)):
        try:
            mine.connect((address, port))
            mine.send(b"x")
            print("answered", mine.recv(10))
        except OSError as error:
            print(type(error).__name__)


def machine():
    """The port of the machine by all the addresses that were given, and sockets by their names. Prints what came of each."""
    port = int(sys.argv[2])
    for where in sys.argv[3:]:
        if where.startswith(("/", "@")):
            mine, target = socket.socket(socket.AF_UNIX), where.replace("@", "\0", 1)
        elif ":" in where:
            address, _, interface = where.partition("%")
            mine = socket.socket(socket.AF_INET6)
            target = (address, port, 0, int(interface or 0))
        else:
            mine, target = socket.socket(), (where, port)
        mine.settimeout(10)
        try:
            mine.connect(target)
            got = mine.recv(10)
            print(where, f"answered {got!r}" if got else "closed", flush=True)
        except OSError as error:
            print(where, type(error).__name__, flush=True)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
