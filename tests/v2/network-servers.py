"""The internet of network-check: network-servers.py RESOLVER SERVER. A name server that says that every name is SERVER, and
one that greets at its port 2222. It says "ready". Needs no more of Python than python3-minimal has."""

import socket
import struct
import sys
import threading

RESOLVER, SERVER = sys.argv[1:3]


def answer(message):
    at = 12
    while message[at]:
        at += 1 + message[at]
    question = message[12:at + 5]
    is_v4 = question[-4:-2] == b"\x00\x01"
    record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + socket.inet_aton(SERVER)
    return message[:2] + struct.pack(">HHHHH", 0x8180, 1, is_v4, 0, 0) + question + (record if is_v4 else b"")


def greet(listener):
    while True:
        connection = listener.accept()[0]
        connection.sendall(b"220 hello\r\n")
        connection.close()


names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind((RESOLVER, 53))
greeter = socket.socket()
greeter.bind((SERVER, 2222))
greeter.listen(16)
threading.Thread(target=greet, args=(greeter,), daemon=True).start()
print("ready", flush=True)
while True:
    asked, who = names.recvfrom(4096)
    names.sendto(answer(asked), who)
