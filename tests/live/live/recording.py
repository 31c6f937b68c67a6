"""Recordings of this project's own (tests/data): their bytes, as the kernel sent
them, and what ss(8) prints of them."""

import os
import struct

from . import ss

FOLDER = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..",
                                      "data"))
# The kernels; record makes three dumps of each.
NAMES = ("linux-5.10", "linux-6.1", "linux-6.12", "linux-6.18", "linux-7.2")
DUMPS = 3

SOCK_DIAG_BY_FAMILY, NLMSG_DONE, NLM_F_REQUEST = 20, 3, 1
INFO, CONG, DCTCPINFO, BBRINFO = 2, 4, 9, 16 # linux/inet_diag.h

# Fields of struct tcp_info that ss does not print: (offset, format, the first kernel
# that sends it).
FIELDS = {"total_rto": (240, "=H", (6, 7)),
          "rto_recoveries": (242, "=H", (6, 7)),
          "rto_time": (244, "=I", (6, 7))}


def kernel(name):
    """'linux-6.12' -> (6, 12)"""
    return tuple(map(int, name.partition("-")[2].split(".")))


def path(name):
    return os.path.join(FOLDER, name + ".pcap")


def printed(name, dump):
    """The sockets of dump 0, 1 or 2 as ss shows them, with FIELDS from the bytes
    of the same dump."""
    with open(os.path.join(FOLDER, "%s.%d.ss.txt" % (name, dump + 1)),
              encoding="ascii") as f:
        listed = ss.parse(f.read())
    info = {cookie(header): blocks.get(INFO, b"")
            for header, blocks in dumps(name)[dump][1]}
    for s in listed:
        if s.get("congestion") == "vegas":
            # ss takes Vegas's own RTT for the rate, not that of tcp_info.
            s["send"] = s["cwnd"] * s["mss"] * 1000 / s["rtt"]
        for field, (offset, form, _) in FIELDS.items():
            if len(info[s["cookie"]]) >= offset + struct.calcsize(form):
                s[field] = struct.unpack_from(form, info[s["cookie"]],
                                              offset)[0]
    return listed


def dumps(name):
    """[(time of its first request in ms, [(inet_diag_msg, {attribute: bytes})])]
    of each dump; every dump is of both families."""
    out, ends = [], 0
    for when, message in messages(name):
        kind, flags = struct.unpack_from("<HH", message, 4)
        if flags & NLM_F_REQUEST:
            if ends == 2 * len(out):
                out.append((when, []))
        elif kind == NLMSG_DONE:
            ends += 1
        elif kind == SOCK_DIAG_BY_FAMILY:
            out[-1][1].append((message[16:88], attributes(message[88:])))
    return out


def messages(name):
    """Each netlink message with the time of its packet in ms."""
    with open(path(name), "rb") as f:
        data = f.read()
    at = 24
    while at + 16 <= len(data):
        seconds, micro, size = struct.unpack_from("<III", data, at)
        packet = data[at + 32:at + 16 + size] # behind a cooked header
        at += 16 + size
        while len(packet) >= 16:
            length = struct.unpack_from("<I", packet)[0]
            yield seconds * 1000 + micro // 1000, packet[:length]
            packet = packet[(length + 3) & ~3:]


def attributes(data):
    out = {}
    while len(data) >= 4:
        size, kind = struct.unpack_from("<HH", data)
        if size < 4:
            break
        out[kind & 0x3fff] = data[4:size]
        data = data[(size + 3) & ~3:]
    return out


def cookie(header):
    return struct.unpack_from("<Q", header, 44)[0]
