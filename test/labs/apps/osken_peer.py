"""A controller that speaks in turns: sends what it is told, gathers what comes until a barrier is answered, and prints it.

It uses the messages of os-ken but none of its threads, so that the order of everything is known and two switches can be compared.
"""
import logging
import re
import socket
import time

from os_ken.ofproto import ofproto_parser, ofproto_protocol

# It complains aloud of what it cannot read.
logging.disable(logging.CRITICAL)

# What differs from run to run, and band_types: the original has no DSCP_REMARK.
VOLATILE = re.compile(
    r"\b(xid|duration_n?sec|hw_addr|datapath_id|auxiliary_id|msg_len|msg|generation_id_seen|curr|advertised|peer|curr_speed|max_speed"
    r"|n_packets|ref_count|data|band_types)=(0x[0-9a-f]+|b'(?:[^'\\]|\\.)*'|b\"[^\"]*\"|'[^']*'|[0-9.]+|None),?")


class Peer:
    """`version` is the wire version, 1 to 6."""

    def __init__(self, sock, version):
        self.sock = sock
        self.desc = ofproto_protocol.ProtocolDesc(version=version)
        self.ofp, self.parser = self.desc.ofproto, self.desc.ofproto_parser
        self.id = None
        self.buffer = b''
        self.xid = 0x1000
        sock.settimeout(5)
        self.send(self.parser.OFPHello(self.desc))
        self.wait(self.ofp.OFPT_HELLO)

    @classmethod
    def accept(cls, server, version):
        sock, _ = server.accept()
        return cls(sock, version)

    @classmethod
    def tool(cls, path, version):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        return cls(sock, version)

    def send(self, message):
        self.xid += 1
        message.set_xid(self.xid)
        message.serialize()
        self.sock.sendall(message.buf)

    def receive(self):
        """The next message, as bytes; None after the peer has closed."""
        while True:
            if len(self.buffer) >= 8:
                length = int.from_bytes(self.buffer[2:4], 'big')
                if len(self.buffer) >= length:
                    message, self.buffer = self.buffer[:length], self.buffer[length:]
                    return message
            more = self.sock.recv(65536)
            if not more:
                return None
            self.buffer += more

    def parse(self, raw):
        version, kind, length, xid = ofproto_parser.header(raw)
        try:
            return ofproto_parser.msg(self.desc, version, kind, length, xid, raw)
        except Exception:  # Some of 1.5 it cannot read.
            return f'unread {(raw[:4] + raw[8:]).hex()}'

    def echoed(self, raw):
        """Answers a probe."""
        if raw[1] != self.ofp.OFPT_ECHO_REQUEST:
            return False
        self.sock.sendall(raw[:1] + bytes([self.ofp.OFPT_ECHO_REPLY]) + raw[2:])
        return True

    def wait(self, kind):
        """Messages up to and with the first of that type."""
        seen = []
        while True:
            raw = self.receive()
            if raw is None:
                seen.append('closed')
                return seen
            if self.echoed(raw):
                continue
            seen.append(raw)
            if raw[1] == kind:
                return seen

    def ask(self, *messages):
        """Sends them and a barrier; returns the parsed answers without the barrier's."""
        for message in messages:
            self.send(message)
        self.send(self.parser.OFPBarrierRequest(self.desc))
        found = self.wait(self.ofp.OFPT_BARRIER_REPLY)
        return [self.parse(raw) if raw != 'closed' else raw for raw in found
                if raw == 'closed' or raw[1] != self.ofp.OFPT_BARRIER_REPLY]

    def quiet(self, seconds=0.3):
        """What comes unasked within that time."""
        end = time.monotonic() + seconds
        found = []
        try:
            while (left := end - time.monotonic()) > 0:
                self.sock.settimeout(left)
                raw = self.receive()
                if raw is None:
                    found.append('closed')
                    break
                if not self.echoed(raw):
                    found.append(self.parse(raw))
        except TimeoutError:
            pass
        self.sock.settimeout(5)
        return found


def text(message):
    """One line for one message, without what differs from run to run."""
    if isinstance(message, str):
        return message
    data = getattr(message, 'data', None)
    size = f' of {len(data)} bytes' if isinstance(data, (bytes, bytearray)) else ''
    return VOLATILE.sub('', re.sub(r'\s+', ' ', f'{type(message).__name__}{size} {message}'))
