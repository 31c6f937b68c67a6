"""TCP sockets as ss(8) shows them, as dictionaries.

The other witness of the live tests: the same kernel, asked and decoded by a
program that is none of ours.
"""

import math
import re
import subprocess

from .netns import enter

# The states in which a socket counts as a connection, in ss's spelling.
TRAFFIC = frozenset(("ESTAB", "SYN-SENT", "FIN-WAIT-1", "FIN-WAIT-2",
                     "CLOSE-WAIT", "LAST-ACK", "CLOSING"))

# ss prints these only where they are not zero.
ZERO = ("bytes_sent", "bytes_retrans", "bytes_acked", "bytes_received",
        "segs_out", "segs_in", "data_segs_out", "data_segs_in", "unacked",
        "retrans", "retrans_out", "lost", "sacked", "notsent", "delivered",
        "delivered_ce", "dsack_dups", "reord_seen", "rcv_ooopack", "busy",
        "rwnd_limited", "sndbuf_limited", "lastsnd", "lastrcv", "lastack")

COOKIE = re.compile(r" sk:([0-9a-f]+)")
SINGLE = re.compile(r"^([a-z_]+):(-?[0-9.]+)(ms)?(\([0-9.]+%\))?$")
RATE = re.compile(r"\b(send|pacing_rate|delivery_rate) ([0-9]+)bps")


def address(text):
    """'[::ffff:10.0.0.1]:80' -> ('10.0.0.1', 80), as one host counts."""
    host, port = text.rsplit(":", 1)
    host = host.split("%")[0].strip("[]") # [fd99::1]%eth0:80
    if host.startswith("::ffff:") and "." in host:
        host = host[7:]
    if host == "*": # a listener on both families
        host = "::"
    return host, 0 if port == "*" else int(port)


def device(text):
    """'10.0.0.1%eth0:80' -> 'eth0': what the socket is bound to, or None."""
    host = text.rsplit(":", 1)[0]
    return host.split("%")[1] if "%" in host else None


def congestion(words):
    """The algorithm: the last plain word before the first of the numbers."""
    for before, word in zip(words, words[1:]):
        if word.startswith(("wscale:", "rto:", "cwnd:")):
            return before
    return None


def socket(line):
    """One line of `ss -tanieOH` as a dictionary, numbers in ss's units."""
    word = line.split()
    out = {"state": word[0], "recv_queue": int(word[1]),
           "send_queue": int(word[2])}
    out["local"], out["local_port"] = address(word[3])
    out["remote"], out["remote_port"] = address(word[4])
    cookie = COOKIE.search(line)
    out["cookie"] = int(cookie.group(1), 16) if cookie else None
    out["device"] = device(word[3])
    out["uid"] = 0
    for w in word[5:]:
        if w.startswith("uid:"):
            out["uid"] = int(w[4:])
    out["info"] = " cwnd:" in line
    if not out["info"]:
        return out

    out.update((key, 0) for key in ZERO)
    out["app_limited"] = "app_limited" in word
    out["congestion"] = congestion(word[5:])
    for name, rate in RATE.findall(line):
        out[name] = int(rate) / 8
    for w in word[5:]:
        if w.startswith("rtt:"):
            rtt, var = w[4:].split("/")
            out["rtt"], out["rttvar"] = float(rtt), float(var)
        elif w.startswith("retrans:"):
            now, total = w[8:].split("/")
            out["retrans_out"], out["retrans"] = int(now), int(total)
        else:
            m = SINGLE.match(w)
            if m:
                number = m.group(2)
                out[m.group(1)] = (float(number) if "." in number
                                   else int(number))
    return out


def parse(text):
    """Every socket in the output of `ss -tanieOH`, or of `ss -tanie` with its
    heading and its second line per socket."""
    lines = []
    for line in text.splitlines():
        if line.startswith(("State ", "Netid ")) or not line.strip():
            continue
        if line[0].isspace():
            lines[-1] += line
        else:
            lines.append(line)
    return [socket(line) for line in lines]


def sockets(namespace):
    """All TCP sockets of a namespace now."""
    text = subprocess.run(
        [*enter(namespace), "ss", "-tanieOH"],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True).stdout
    return parse(text)


def connections(listed):
    return [s for s in listed if s["state"] in TRAFFIC]


CLOCKS = ("lastsnd", "lastrcv", "lastack")


# All that stands still if nothing is sent: everything but the clocks.
def still(listed):
    return sorted((sorted((k, v) for k, v in s.items() if k not in CLOCKS)
                   for s in connections(listed)), key=repr)


def statistic(name, values):
    """min, max, avg, sum or a nearest-rank percentile, from the whole list."""
    values = sorted(values)
    if name == "min":
        return values[0]
    if name == "max":
        return values[-1]
    if name == "sum":
        return math.fsum(values)
    if name == "avg":
        return math.fsum(values) / len(values)
    # In tenths of a per cent, so that no rounding moves the rank.
    permille = round(float(name[1:]) * 10)
    return values[max(1, -(-permille * len(values) // 1000)) - 1]
