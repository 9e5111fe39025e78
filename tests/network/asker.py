"""Inside a sandbox: asks for records of names, over UDP and TCP, and prints what is answered.

    asker.py NAME TYPE [tcp]      "0 mail.allowed.test" for an answer; the code alone where there is none
"""

import socket
import struct
import sys

TYPES = {"A": 1, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "HTTPS": 65}


def name_at(message, at):
    """The name, and where it ends."""
    labels, end = [], None
    while message[at]:
        if message[at] >= 0xc0:
            end = end or at + 2
            at = (message[at] & 0x3f) << 8 | message[at + 1]
            continue
        labels.append(message[at + 1:at + 1 + message[at]].decode())
        at += 1 + message[at]
    return ".".join(labels), end or at + 1


def told(message, kind, at, length):
    if kind == 1:
        return socket.inet_ntop(socket.AF_INET, message[at:at + length])
    if kind == 28:
        return socket.inet_ntop(socket.AF_INET6, message[at:at + length])
    if kind == 12:
        return name_at(message, at)[0]
    if kind == 15:
        return f"{struct.unpack('>H', message[at:at + 2])[0]} {name_at(message, at + 2)[0]}"
    if kind == 33:
        return " ".join(map(str, struct.unpack(">HHH", message[at:at + 6]))) + " " + name_at(message, at + 6)[0]
    texts, end = [], at + length
    while at < end:
        texts.append(message[at + 1:at + 1 + message[at]].decode())
        at += 1 + message[at]
    return "|".join(texts)


def exchange(question, tcp):
    if tcp:
        with socket.create_connection(("127.0.0.1", 53), 10) as stream:
            stream.sendall(struct.pack(">H", len(question)) + question)
            reader = stream.makefile("rb")
            return reader.read(struct.unpack(">H", reader.read(2))[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(10)
        datagrams.sendto(question, ("127.0.0.1", 53))
        return datagrams.recv(65536)


def main(name, kind, tcp=False):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    reply = exchange(struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", TYPES[kind], 1), tcp)
    code, answers = reply[3] & 15, struct.unpack(">H", reply[6:8])[0]
    at, records = name_at(reply, 12)[1] + 4, []
    for _ in range(answers):
        at = name_at(reply, at)[1]
        record_kind, _, _, length = struct.unpack(">HHIH", reply[at:at + 10])
        records.append(told(reply, record_kind, at + 10, length))
        at += 10 + length
    print(code, *sorted(records))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], "tcp" in sys.argv[3:])
