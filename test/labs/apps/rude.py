"""Controllers without manners, in OpenFlow 1.3 on the socket given.

rude.py silent PATH SECONDS   asks for all flows again and again, wants all packet-ins, and reads nothing; prints how it ended
rude.py packets PATH COUNT    makes COUNT packet-ins for whoever wants some, and waits until they are made
rude.py flood PATH SECONDS    changes flows, asks for echoes and sends garbage as fast as it can; prints how much
rude.py polite PATH SECONDS   asks for an echo ten times a second; prints how many came back, and the slowest in milliseconds
"""
import random
import select
import socket
import sys
import time

HELLO, ERROR, ECHO, FLOW_MOD, PACKET_OUT, SET_CONFIG, BARRIER, MULTIPART = 0, 1, 2, 14, 13, 9, 20, 18
MATCH_ALL = bytes.fromhex('0001000400000000')
mode, path, amount = sys.argv[1], sys.argv[2], int(sys.argv[3])


def message(kind, body=b'', xid=1):
    return bytes([4, kind]) + (8 + len(body)).to_bytes(2, 'big') + xid.to_bytes(4, 'big') + body


def flow(number):
    match = bytes.fromhex('0001000e80000606') + b'\x02\x00' + number.to_bytes(4, 'big') + b'\x00\x00'
    return message(FLOW_MOD, bytes(16) + bytes([0, 0]) + bytes(4) + (5).to_bytes(2, 'big') + b'\xff' * 12 + bytes(4) + match)


def connect():
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    sock.sendall(message(HELLO))
    return sock


def silent(sock):
    sock.recv(8)
    sock.sendall(message(SET_CONFIG, bytes.fromhex('0000ffff')))
    everything = message(MULTIPART, bytes.fromhex('0001000000000000ff000000ffffffffffffffff00000000') + bytes(16) + MATCH_ALL)
    sock.setblocking(False)
    end, asked = time.monotonic() + amount, 0
    left = b''
    while time.monotonic() < end:
        try:
            left = left[sock.send(left):] if left else b''
            if not left:
                left, asked = everything, asked + 1
        except BlockingIOError:
            time.sleep(0.05)
        except OSError as error:
            return f'asked {asked}, ended by {type(error).__name__}'
    return f'asked {asked}, still there'


def packets(sock):
    action = bytes.fromhex('00000010fffffffdffff000000000000')
    out = message(PACKET_OUT, b'\xff' * 4 + bytes.fromhex('00000001') + len(action).to_bytes(2, 'big') + bytes(6) + action
                  + bytes.fromhex('50540000000250540000000188b5') + bytes(200))
    for _ in range(amount // 100):
        sock.sendall(out * 100)
    sock.sendall(message(BARRIER, xid=7))
    return 'made' if answered(sock, BARRIER + 1) else 'not made'


def answered(sock, kind):
    buffer = b''
    while True:
        more = sock.recv(1 << 20)
        if not more:
            return False
        buffer += more
        while len(buffer) >= 8 and len(buffer) >= int.from_bytes(buffer[2:4], 'big'):
            if buffer[1] == kind:
                return True
            buffer = buffer[int.from_bytes(buffer[2:4], 'big'):]


def flood(sock):
    sock.recv(8)
    sock.setblocking(False)
    chance, end, sent, number = random.Random(1), time.monotonic() + amount, 0, 0
    while time.monotonic() < end:
        batch = []
        for _ in range(50):
            number += 1
            garbage = message(chance.randrange(40), chance.randbytes(chance.randrange(64)))
            batch += [flow(number % 5000), message(ECHO, b'x' * 32), garbage]
        data = b''.join(batch)
        while data and time.monotonic() < end:
            readable, writable, _ = select.select([sock], [sock], [], 0.5)
            if readable:
                if not sock.recv(1 << 20):
                    return f'closed after {sent} bytes'
            if writable:
                count = sock.send(data)
                sent, data = sent + count, data[count:]
    return f'sent {sent} bytes'


def polite(sock):
    sock.recv(8)
    slowest, count, end = 0.0, 0, time.monotonic() + amount
    sock.settimeout(10)
    while time.monotonic() < end:
        begun = time.monotonic()
        sock.sendall(message(ECHO))
        if not answered(sock, ECHO + 1):
            return 'closed'
        slowest, count = max(slowest, time.monotonic() - begun), count + 1
        time.sleep(0.1)
    return f'{count} echoes, slowest {slowest * 1000:.0f} ms'


print({'silent': silent, 'packets': packets, 'flood': flood, 'polite': polite}[mode](connect()))
