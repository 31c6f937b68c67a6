#!/usr/bin/env python3
"""Recorded dumps of several kernels (tests/data) through the real daemon, against
what ss prints of the same bytes."""

from live import check, expect, recording, ss
from live.daemon import Collectd, at

INTERVAL = 1.0
loopback = expect.inside("127.0.0.0/8")

GROUPS = {
    "all": ("", lambda s: True),
    "loop": ('RemoteAddress "127.0.0.0/8"', lambda s: loopback(s["remote"])),
    "servers": ('LocalPort "4000-4049"',
                lambda s: 4000 <= s["local_port"] <= 4049),
    "beyond": ("IgnoreLoopback true", lambda s: not inner(s["remote"])
               and not inner(s["local"])),
}

# counter: (type, the first kernel that sends it)
SINCE = {"rehash": ("total_events", (6, 2)),
         "total_rto": ("total_events", (6, 7)),
         "rto_recoveries": ("total_events", (6, 7)),
         "rto_time": ("total_time_in_ms", (6, 7))}


def inner(address):
    return loopback(address) or address == "::1"


def known(s):
    """Of a mini socket (FIN_WAIT2 that no process holds) the kernel tells no
    more than its state."""
    return s["info"]


def block(names):
    lines = ["<Plugin tcpinfo>"]
    lines += ['Replay "%s"' % recording.path(n) for n in names]
    for name, (options, _) in GROUPS.items():
        lines += ['<Group "%s">' % name, options, expect.metric_options(),
                  'Metric "states"']
        lines += ['Metric "%s"' % m for m in SINCE]
        lines.append("</Group>")
    return "\n".join(lines + ["</Plugin>"])


def replay(*names):
    """The values of each dump. More dumps follow, because a read is whole once
    there is another one."""
    count = recording.DUMPS * len(names)
    with Collectd(block([*names, recording.NAMES[0]]),
                  interval=INTERVAL) as daemon:
        daemon.wait(lambda r: len(r) > count, "%d dumps" % count)
        check.equal("exit code", daemon.end(), 0)
        values = daemon.values()
    check.equal("dump_errors", values[("self", "total_events",
                                       "dump_errors")][-1][1], 0)
    times = [t for t, _ in values[("all", "count", "connections")]]
    return [at(values, t) for t in times[:count]]


def compare_gauges(values, listed, recent, kernel):
    """`recent`: the age of the last ACK of an active connection, at most, ms."""
    for name, (_, match) in GROUPS.items():
        mine = [s for s in listed if match(s)]
        traffic = ss.connections(mine)
        whole = list(filter(known, traffic))
        active = [s for s in whole if s["lastack"] <= recent]
        check.equal("%s count-connections" % name,
                    values.get((name, "count", "connections")), len(traffic))
        check.equal("%s count-active" % name,
                    values.get((name, "count", "active")), len(active))
        for ours in set(expect.STATES.values()):
            check.equal("%s tcp_connections-%s" % (name, ours), values.get(
                (name, "tcp_connections", ours)), sum(
                    expect.STATES[s["state"]] == ours for s in mine))
        table = dict(expect.EVERY)
        if kernel >= (6, 2):
            table["rcv_wnd"] = ("bytes", expect.plain("rcv_wnd", 0))
        expect.check_distribution(name, values, table, whole)
        expect.check_distribution(name, values, expect.ACTIVE_ONLY, active)
        for metric, (kind, since) in SINCE.items():
            check.equal("%s %s-%s has a series" % (name, kind, metric),
                        (name, kind, metric) in values, kernel >= since)


def compare_growth(before, after, old, new, kernel):
    for name, (_, match) in GROUPS.items():
        mine = list(filter(match, new))
        expect.check_counters(name, before, after, list(filter(known, old)),
                              list(filter(known, mine)))
        seen = {s["cookie"]: s for s in old}
        for metric, (kind, since) in SINCE.items():
            if kernel < since:
                continue
            grown = sum(s.get(metric, 0) -
                        seen.get(s["cookie"], {}).get(metric, 0)
                        for s in mine)
            key = (name, kind, metric)
            check.equal("%s %s-%s" % key, after[key] - before[key], grown)
        key = (name, "total_connections", "opened")
        check.equal("%s opened" % name, after[key] - before[key],
                    sum(s["cookie"] not in seen for s in mine))


def has_all_that_is_compared(name, lists):
    """A recording without retransmissions or a state would compare nothing."""
    states = {s["state"] for listed in lists for s in listed}
    check.equal("%s states" % name, sorted(expect.STATES.keys() - states),
                ["CLOSING"])
    last = {key: sum(s.get(key, 0) for s in ss.connections(lists[-1]))
            for key in ("bytes_sent", "bytes_received", "retrans",
                        "dsack_dups", "rwnd_limited")}
    check.true("%s sums" % name, all(last.values()), last)


def values_are_those_of_ss(name):
    kernel = recording.kernel(name)
    check.say("--- " + name)
    dumps = recording.dumps(name)
    check.equal("dumps", len(dumps), recording.DUMPS)
    lists = [recording.printed(name, i) for i in range(recording.DUMPS)]
    has_all_that_is_compared(name, lists)
    values = replay(name)
    for i, listed in enumerate(lists):
        recent = dumps[i][0] - dumps[i - 1][0] if i else INTERVAL * 1000
        check.say("--- %s, dump %d" % (name, i + 1))
        compare_gauges(values[i], listed, recent, kernel)
    zero = {k: v for k, v in values[0].items() if v and k[0] != "self" and
            k[1] in ("total_bytes", "packets", "total_time_in_ms")}
    check.true("all counters are 0 at first", not zero, zero or "")
    traffic = [ss.connections(listed) for listed in lists]
    for i in range(1, recording.DUMPS):
        check.say("--- %s, from dump %d to %d" % (name, i, i + 1))
        compare_growth(values[i - 1], values[i], traffic[i - 1], traffic[i],
                       kernel)


def ends(s):
    return tuple(s[key] for key in ("cookie", "local", "local_port", "remote",
                                    "remote_port"))


def next_host_counts_in_full(names):
    """One host after the other: the sockets of the next are new ones, so that all
    they ever counted is new; if a cookie is there again, the socket seems to have
    been connected anew."""
    check.say("--- in one run: " + ", ".join(names))
    values = replay(*names)
    for i in range(1, len(names)):
        check.say("--- from %s to %s" % (names[i - 1], names[i]))
        old = list(filter(known, ss.connections(
            recording.printed(names[i - 1], recording.DUMPS - 1))))
        new = list(filter(known, ss.connections(
            recording.printed(names[i], 0))))
        same = set(map(ends, new))
        first = recording.DUMPS * i
        for name, (_, match) in GROUPS.items():
            expect.check_counters(
                name, values[first - 1], values[first],
                [s for s in old if ends(s) in same], list(filter(match, new)),
                reused=old)


def main():
    check.need("collectd", "setpriv", root=False, namespaces=False)
    for name in recording.NAMES:
        values_are_those_of_ss(name)
    next_host_counts_in_full(("linux-5.10", "linux-6.1", "linux-6.12"))


check.main(main)
