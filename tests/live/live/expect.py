"""The values that the plugin should report, computed from those of ss.

`counters` and `distributions` name what both know; a value of one socket is
None where it has none."""

import ipaddress
import math

from . import check, ss

STATISTICS = ("min", "max", "avg", "sum", "p1", "p50", "p95", "p99", "p99.9")

# metric: (type, what ss calls it)
COUNTERS = {
    "bytes_sent": ("total_bytes", "bytes_sent"),
    "bytes_acked": ("total_bytes", "bytes_acked"),
    "bytes_received": ("total_bytes", "bytes_received"),
    "bytes_retrans": ("total_bytes", "bytes_retrans"),
    "segs_out": ("packets", "segs_out"),
    "segs_in": ("packets", "segs_in"),
    "data_segs_out": ("packets", "data_segs_out"),
    "data_segs_in": ("packets", "data_segs_in"),
    "retrans": ("packets", "retrans"),
    "delivered": ("packets", "delivered"),
    "delivered_ce": ("packets", "delivered_ce"),
    "dsack_dups": ("packets", "dsack_dups"),
    "reord_seen": ("packets", "reord_seen"),
    "rcv_ooopack": ("packets", "rcv_ooopack"),
}
# ss cuts these to milliseconds, per socket.
TIMES = {name: ("total_time_in_ms", key) for name, key in
         (("busy_time", "busy"), ("rwnd_limited", "rwnd_limited"),
          ("sndbuf_limited", "sndbuf_limited"))}


def seconds(key):
    return lambda s: s[key] / 1000 if key in s else None


def plain(key, default=None):
    return lambda s: s.get(key, default)


def queue_delay(s):
    if "rtt" not in s or "minrtt" not in s:
        return None
    return max(0, s["rtt"] - s["minrtt"]) / 1000


# metric: (type, value of one socket)
ACTIVE_ONLY = {
    "rtt": ("latency", seconds("rtt")),
    "rttvar": ("latency", seconds("rttvar")),
    "min_rtt": ("latency", seconds("minrtt")),
    "rto": ("latency", seconds("rto")),
    "ato": ("latency", seconds("ato")),
    "rcv_rtt": ("latency", seconds("rcv_rtt")),
    "queue_delay": ("latency", queue_delay),
}
EVERY = {
    "cwnd": ("count", plain("cwnd")),
    "ssthresh": ("count", plain("ssthresh")),
    "unacked": ("count", plain("unacked")),
    "sacked": ("count", plain("sacked")),
    "lost": ("count", plain("lost")),
    "retrans_out": ("count", plain("retrans_out")),
    "reordering": ("count", plain("reordering", 3)),
    "mss": ("bytes", plain("mss")),
    "pmtu": ("bytes", plain("pmtu")),
    "advmss": ("bytes", plain("advmss")),
    "rcv_mss": ("bytes", plain("rcvmss")),
    "snd_wnd": ("bytes", plain("snd_wnd", 0)),
    "rcv_ssthresh": ("bytes", plain("rcv_ssthresh", 0)),
    "rcv_space": ("bytes", plain("rcv_space", 0)),
    "notsent": ("bytes", plain("notsent")),
    "recv_queue": ("bytes", plain("recv_queue")),
    "send_queue": ("bytes", plain("send_queue")),
    "delivery_rate": ("bytes", lambda s: None if s["app_limited"]
                      else s.get("delivery_rate")),
    "pacing_rate": ("bytes", plain("pacing_rate")),
    # Whole bytes, of what ss prints as bits.
    "throughput": ("bytes", lambda s: math.floor(s["send"])
                   if "send" in s else None),
}
# Linux 6.2; ss prints it since iproute2 6.2.
SINCE_6_2 = {"rcv_wnd": ("bytes", plain("rcv_wnd"))}

STATES = {"ESTAB": "ESTABLISHED", "SYN-SENT": "SYN_SENT",
          "SYN-RECV": "SYN_RECV", "FIN-WAIT-1": "FIN_WAIT1",
          "FIN-WAIT-2": "FIN_WAIT2", "TIME-WAIT": "TIME_WAIT",
          "CLOSE-WAIT": "CLOSE_WAIT", "LAST-ACK": "LAST_ACK",
          "LISTEN": "LISTEN", "CLOSING": "CLOSING"}


def metric_options(statistics=STATISTICS, counters=True):
    """`Metric` lines for everything that is compared here."""
    names = ["connections", "active", "opened", "closed", "retrans_percent",
             "limited"]
    if counters:
        names += [*COUNTERS, *TIMES]
    lines = ['Metric "%s"' % n for n in names]
    for n in (*ACTIVE_ONLY, *EVERY, *SINCE_6_2):
        lines.append('Metric "%s" %s' % (
            n, " ".join('"%s"' % s for s in statistics)))
    return "\n".join(lines)


def inside(network):
    net = ipaddress.ip_network(network)
    return lambda text: ipaddress.ip_address(text) in net


def check_counters(name, before, after, old, new, reused=()):
    """The growth of a group's counters between two reads against the growth of
    its sockets between two looks of ss; a socket that is new counts in full.
    `reused`: sockets that were connected anew. Their times go on: the kernel
    does not clear them."""
    old = {s["cookie"]: s for s in old}
    lasting = {**{s["cookie"]: s for s in reused}, **old}
    for table, known, slack in ((COUNTERS, old, 0), (TIMES, lasting, 1)):
        for metric, (kind, key) in table.items():
            got = [v.get((name, kind, metric)) for v in (before, after)]
            grown = sum(max(0, s[key] - known.get(s["cookie"], {}).get(key, 0))
                        for s in new)
            check.equal("%s %s-%s of %d sockets" % (name, kind, metric,
                                                    len(new)),
                        None if None in got else got[1] - got[0], grown,
                        slack * (len(new) + 1))


def check_distribution(name, values, table, members, statistics=STATISTICS):
    """All statistics of a group's distributions, in one read."""
    for metric, (kind, of) in table.items():
        raw = [x for x in map(of, members) if x is not None]
        got, expected = {}, {}
        for s in statistics:
            key = (name, kind, "%s-%s" % (metric, s))
            if key in values:
                got[s] = values[key]
            if raw:
                expected[s] = ss.statistic(s, raw)
        # csv writes six decimals; throughput's bytes are cut, not rounded.
        slack = 1e-6
        if metric == "throughput":
            slack = len(raw) + 1
        elif kind == "latency":
            # ss writes six digits of milliseconds: above 1 s no microseconds.
            slack = 1.1e-6 + sum(5e-6 * x for x in raw if x >= 1)
        same = set(got) == set(expected) and all(
            abs(got[s] - expected[s]) <= slack + 1e-9 * abs(expected[s])
            for s in got)
        check.true("%s %s-%s of %d sockets" % (name, kind, metric, len(raw)),
                   same, compact(got) if same else "%s, expected %s" % (
                       compact(got), compact(expected)))


def compact(row):
    return " ".join("%s %s" % (k, check.number(v)) for k, v in row.items()) \
        or "no series"


def growth(rows, shown, a, b):
    """The growth of a member's counter between the successive reads a and b:
    `rows` and `shown` are {time: value} of the counter and of its count of
    connections. A member that has nothing but counters starts from them; any
    other one goes on where it ended, or from 0."""
    if b not in rows:
        return 0
    if a in rows:
        return rows[b] - rows[a]
    if b not in shown:
        return 0
    last = max((t for t in rows if t < b), default=None)
    return rows[b] - (rows[last] if last is not None else 0)
