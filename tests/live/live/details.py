"""The memory, options and timer of a socket, and the state of its congestion
control, as ss(8) tells them."""

import re
import subprocess

from . import ss
from .netns import enter

MEMORY = re.compile(r"skmem:\(r(\d+),rb(\d+),t(\d+),tb(\d+),f(\d+),w(\d+),"
                    r"o(\d+),bl(\d+),d(\d+)\)")
MEMORY_NAMES = ("rmem", "rcvbuf", "wmem", "sndbuf", "fwd_alloc", "wmem_queued",
                "optmem", "backlog", "drops")
BBR = re.compile(r"bbr:\(bw:(\d+)bps,mrtt:([0-9.]+)")
TIMER = re.compile(r" timer:\(([a-z]+),")
# ss's word: ours
OPTIONS = {"ts": "timestamps", "sack": "sack", "ecn": "ecn",
           "fastopen": "fastopen"}


def socket(line):
    out = ss.socket(line)
    words = line.split()
    memory = MEMORY.search(line)
    if memory:
        out.update(zip(MEMORY_NAMES, map(int, memory.groups())))
    bbr = BBR.search(line)
    if bbr:
        out["bbr_bandwidth"] = int(bbr.group(1)) / 8
        out["bbr_min_rtt"] = float(bbr.group(2)) / 1000
    out["options"] = {ours for word, ours in OPTIONS.items() if word in words}
    if any(w.startswith("wscale:") for w in words):
        out["options"].add("wscale")
    timer = TIMER.search(line)
    out["timer"] = timer.group(1) if timer else ""
    return out


def sockets(namespace):
    """All TCP sockets of a namespace now, with all this."""
    text = subprocess.run(
        [*enter(namespace), "ss", "-tanieOHm"], check=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return [socket(line) for line in text.splitlines() if line.strip()]
