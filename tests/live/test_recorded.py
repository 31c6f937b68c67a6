#!/usr/bin/env python3
"""Recorded dumps of other kernels (../shared/data/dumps, which is no part of
the project) through the real daemon, against what ss printed on that host for
the same dump."""

import os

from live import check, expect, ss
from live.daemon import Collectd, at

DUMPS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..",
                     "..", "shared", "data", "dumps")
INTERVAL = 1.0
loopback = expect.inside("127.0.0.0/8")

GROUPS = {
    "all": ("", lambda s: True),
    "loop": ('RemoteAddress "127.0.0.0/8"', lambda s: loopback(s["remote"])),
    "servers": ('LocalPort "4000-4049"',
                lambda s: 4000 <= s["local_port"] <= 4049),
    "beyond": ("IgnoreLoopback true", lambda s: not loopback(s["remote"])
               and not loopback(s["local"])),
}

# metric: (type, the first kernel of these that sends it); ss of that time
# prints few of them.
SINCE = {"rcv_wnd-max": ("bytes", "6.6"), "rehash": ("total_events", "6.6"),
         "total_rto": ("total_events", "6.10"),
         "rto_recoveries": ("total_events", "6.10"),
         "rto_time": ("total_time_in_ms", "6.10")}
KERNELS = ("5.4", "6.6", "6.10")

# recording: (kernel, dumps in it, the one that ss printed, since when an ACK
# counts as recent in that one, ms; None: since longer ago than any)
RECORDINGS = {
    "linux-5.4-100": ("5.4", 1, 0, INTERVAL * 1000),
    "linux-6.10-100": ("6.10", 1, 0, INTERVAL * 1000),
    "linux-6.6-100-bbr": ("6.6", 3, 1, None),
}

ONE_DUMP = "linux-5.4-100"


def block(recordings):
    lines = ["<Plugin tcpinfo>"]
    lines += ['Replay "%s"' % os.path.abspath(os.path.join(DUMPS, r + ".pcap"))
              for r in recordings]
    for name, (options, _) in GROUPS.items():
        lines += ['<Group "%s">' % name, options, expect.metric_options(),
                  'Metric "states"']
        lines += ['Metric "%s"' % m for m in SINCE if "-" not in m]
        lines.append("</Group>")
    return "\n".join(lines + ["</Plugin>"])


def printed(recording):
    path = os.path.join(DUMPS, recording + ".ss.txt")
    with open(path, encoding="ascii", errors="replace") as f:
        return ss.parse(f.read())


def replay(recordings, count):
    """The values of each of the `count` dumps in the recordings. One more
    follows them, because a read is whole once there is another one."""
    key = ("all", "count", "connections")
    with Collectd(block([*recordings, ONE_DUMP]), interval=INTERVAL) as daemon:
        daemon.wait(lambda r: len(r) > count, "%d dumps" % count)
        check.equal("exit code", daemon.end(), 0)
        values = daemon.values()
    times = [t for t, _ in values[key]]
    check.equal("dumps", len(times), count + 1)
    times.pop()
    check.equal("dump_errors", values[("self", "total_events",
                                       "dump_errors")][-1][1], 0)
    return [at(values, t) for t in times]


def compare_gauges(values, listed, recent, kernel):
    for name, (_, match) in GROUPS.items():
        mine = [s for s in listed if match(s)]
        traffic = ss.connections(mine)
        active = [s for s in traffic
                  if recent is None or s["lastack"] <= recent]
        check.equal("%s count-connections" % name,
                    values.get((name, "count", "connections")), len(traffic))
        check.equal("%s count-active" % name,
                    values.get((name, "count", "active")), len(active))
        for ours in set(expect.STATES.values()):
            check.equal("%s tcp_connections-%s" % (name, ours), values.get(
                (name, "tcp_connections", ours)), sum(
                    expect.STATES[s["state"]] == ours for s in mine))
        table = dict(expect.EVERY)
        if kernel != "5.4":
            table.update(expect.SINCE_6_2)
        expect.check_distribution(name, values, table, traffic)
        expect.check_distribution(name, values, expect.ACTIVE_ONLY, active)
        for metric, (kind, since) in SINCE.items():
            sends = KERNELS.index(kernel) >= KERNELS.index(since)
            check.equal("%s %s-%s has a series" % (name, kind, metric),
                        (name, kind, metric) in values,
                        sends and (bool(traffic) or "-" not in metric))


def gauges_are_those_of_ss():
    for recording, (kernel, count, which, recent) in RECORDINGS.items():
        check.say("--- %s, dump %d of %d" % (recording, which + 1, count))
        listed = printed(recording)
        values = replay([recording], count)[which]
        compare_gauges(values, listed, recent, kernel)


def counters_are_those_of_ss():
    """One host after the other: the sockets of the second are new ones, so that
    all they ever counted is new; where a cookie is there again, the socket seems
    to have been connected anew."""
    order = ["linux-5.4-100", "linux-6.10-100", "linux-6.6-100-bbr"]
    check.say("--- %s in one run: the counters" % ", ".join(order))
    reads = replay(order, 5)
    zero = {k: v for k, v in reads[0].items() if v and k[0] != "self" and
            k[1] in ("total_bytes", "packets", "total_time_in_ms")}
    check.true("all counters are 0 at first", not zero, zero or "")
    lists = [ss.connections(printed(r)) for r in order]
    ends = ("local", "local_port", "remote", "remote_port")
    for name, (_, match) in GROUPS.items():
        # Read 4 is the dump of the third recording that ss printed.
        for a, b, old, new in ((0, 1, lists[0], lists[1]),
                               (1, 3, lists[1], lists[2])):
            same = {(s["cookie"], *(s[e] for e in ends)) for s in new}
            expect.check_counters(
                name, reads[a], reads[b],
                [s for s in old if (s["cookie"], *(s[e] for e in ends))
                 in same], list(filter(match, new)), reused=old)


def main():
    check.need("collectd", "setpriv", root=False, namespaces=False)
    for recording in RECORDINGS:
        for end in (".pcap", ".ss.txt"):
            if not os.path.isfile(os.path.join(DUMPS, recording + end)):
                check.skip("no ../shared/data/dumps/%s%s" % (recording, end))
    gauges_are_those_of_ss()
    counters_are_those_of_ss()


check.main(main)
