"""What the kernel says of TCP sockets, read without the plugin's code: dumps of
sock_diag and close events. linux: include/uapi/linux/inet_diag.h, tcp.h,
net/ipv4/inet_diag.c."""

import select
import socket
import struct

NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY = 4, 20
SO_RCVBUFFORCE, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP = 33, 270, 1
INET_TCP_DESTROY, INET6_TCP_DESTROY = 1, 3
NLMSG_ERROR, NLMSG_DONE = 2, 3
INFO = 2 # INET_DIAG_INFO
TIME_WAIT, CLOSE, LISTEN, NEW_SYN_RECV = 6, 7, 10, 12
SYN_RECV, SYN_SENT = 3, 2
ALL_BUT_TIME_WAIT = 0xfff & ~(1 << TIME_WAIT | 1 << CLOSE | 1 << LISTEN)

HEADER = struct.Struct("=IHHII")
REQUEST = struct.Struct("=BBBBI48s")
MESSAGE = struct.Struct("=BBBB 2s2s16s16sIII IIIII")
ATTRIBUTE = struct.Struct("=HH")

# name: (offset in struct tcp_info, format)
FIELDS = {
    "bytes_sent": (200, "Q"), "bytes_received": (128, "Q"),
    "bytes_retrans": (208, "Q"), "retrans": (100, "I"),
    "segs_out": (136, "I"), "segs_in": (140, "I"), "bytes_acked": (120, "Q"),
    "snd_wnd": (228, "I"),
}
NAMES = tuple(FIELDS)
ROOM = max(offset + struct.calcsize(f) for offset, f in FIELDS.values())
UNPACK = [(offset, struct.Struct("=" + f)) for offset, f in FIELDS.values()]


class Socket:
    """One message: `info` has the fields in the order of NAMES, or is None."""
    __slots__ = ("cookie", "state", "local_port", "remote_port", "remote",
                 "info")

    def __init__(self, data, at, end):
        (_, self.state, _, _, sport, dport, _, self.remote, _, low, high, _, _,
         _, _, _) = MESSAGE.unpack_from(data, at)
        self.local_port = int.from_bytes(sport, "big")
        self.remote_port = int.from_bytes(dport, "big")
        self.cookie = low | high << 32
        self.info = None
        at += MESSAGE.size
        while at + 4 <= end:
            size, kind = ATTRIBUTE.unpack_from(data, at)
            if size < 4:
                break
            if kind == INFO:
                if size - 4 < ROOM:
                    raise RuntimeError("struct tcp_info has %d bytes only: the "
                                       "oracle needs Linux 5.4" % (size - 4))
                self.info = tuple(s.unpack_from(data, at + 4 + o)[0]
                                  for o, s in UNPACK)
            at += size + 3 & ~3


def messages(data):
    at = 0
    while at + HEADER.size <= len(data):
        size, kind, _, sequence, _ = HEADER.unpack_from(data, at)
        if size < HEADER.size:
            break
        yield kind, sequence, at + HEADER.size, at + size
        at += size + 3 & ~3


class Events:
    """Close events of the namespace in which it is made."""

    def __init__(self):
        self.lost = 0
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW,
                                  NETLINK_SOCK_DIAG)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.sock.bind((0, 0))
        for group in (INET_TCP_DESTROY, INET6_TCP_DESTROY):
            self.sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
        self.sock.setblocking(False)

    def wait(self, seconds):
        select.select([self.sock], [], [], seconds)

    def take(self):
        while True:
            try:
                data = self.sock.recv(65536)
            except BlockingIOError:
                return
            except OSError: # ENOBUFS
                self.lost += 1
                continue
            for kind, _, at, end in messages(data):
                if kind == SOCK_DIAG_BY_FAMILY:
                    yield Socket(data, at, end)


class Dumps:
    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW,
                                  NETLINK_SOCK_DIAG)
        self.sock.bind((0, 0))
        self.sequence = 0

    def all(self, states=ALL_BUT_TIME_WAIT):
        for family in (socket.AF_INET, socket.AF_INET6):
            yield from self.one(family, states)

    def one(self, family, states):
        self.sequence += 1
        body = REQUEST.pack(family, socket.IPPROTO_TCP, 1 << (INFO - 1), 0,
                            states, bytes(48))
        self.sock.send(HEADER.pack(HEADER.size + len(body),
                                   SOCK_DIAG_BY_FAMILY, 0x301, self.sequence,
                                   0) + body)
        while True:
            data = self.sock.recv(65536)
            for kind, sequence, at, end in messages(data):
                if sequence != self.sequence:
                    continue
                if kind == NLMSG_DONE:
                    return
                if kind == NLMSG_ERROR:
                    raise RuntimeError("a dump of the oracle failed")
                yield Socket(data, at, end)
