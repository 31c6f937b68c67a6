#!/usr/bin/env python3
"""Compares the values of real traffic, with real loss, with what ss(8) and the
applications themselves say: to the byte and to the segment.

Two daemons watch the two ends of the same connections: IPv4, IPv6 and
IPv4-mapped."""

import time

from live import check, expect, netns, ss
from live.daemon import Collectd, at
from live.interval import interval
from live.traffic import Agents

SINK, ECHO, SINGLE, LATE = 9000, 9001, 9010, 9020
MAPPED = "::ffff:" + netns.SERVER4
INTERVAL = 2.0
SEGMENTS = ("everything", "packets", "segs_out")

net4 = expect.inside("10.99.0.0/24")
net6 = expect.inside("fd99::/64")

# group: (options, the same as a function of ss's socket)
CLIENT = {
    "everything": ("", lambda s: True),
    "v4": ('RemoteAddress "%s"' % netns.SERVER4,
           lambda s: s["remote"] == netns.SERVER4),
    "v6": ('RemoteAddress "fd99::/64"', lambda s: net6(s["remote"])),
    "echo": ("RemotePort %d" % ECHO, lambda s: s["remote_port"] == ECHO),
    "range4": ('RemotePort "%d-%d"\nRemoteAddress "10.99.0.0/24"' %
               (SINK, ECHO), lambda s: SINK <= s["remote_port"] <= ECHO
               and net4(s["remote"])),
    "single": ("RemotePort %d" % SINGLE,
               lambda s: s["remote_port"] == SINGLE),
    "late": ("RemotePort %d" % LATE, lambda s: s["remote_port"] == LATE),
    "nothing": ("RemotePort 1", lambda s: s["remote_port"] == 1),
}
SERVER = {
    "everything": ("IgnoreLoopback true", lambda s: True),
    "sink": ("LocalPort %d" % SINK, lambda s: s["local_port"] == SINK),
    "from4": ('RemoteAddress "10.99.0.0/24"', lambda s: net4(s["remote"])),
    "from6": ('RemoteAddress "%s"\nLocalAddress "%s" "%s"' % (
        netns.CLIENT6, netns.SERVER6, netns.SERVER4),
        lambda s: s["remote"] == netns.CLIENT6),
    "two": ('LocalPort %d %d' % (ECHO, SINGLE),
            lambda s: s["local_port"] in (ECHO, SINGLE)),
}


def block(groups):
    lines = ["<Plugin tcpinfo>"]
    for name, (options, _) in groups.items():
        lines += ['<Group "%s">' % name, options, expect.metric_options(),
                  'Metric "states"', "</Group>"]
    return "\n".join(lines + ["</Plugin>"])


class Side:
    """A daemon, its groups, the applications' agent, and the last standstill:
    what ss and the applications said and the values of a read in it."""

    def __init__(self, namespace, groups, daemon, agent):
        self.namespace, self.groups, self.daemon = namespace, groups, daemon
        self.agent = agent
        self.sockets, self.values, self.totals = [], {}, None

    def compare(self, sockets, seen):
        """At standstill since `seen`: all that does not depend on when the
        last ACK came, and the counters' growth since the last standstill."""
        when, values = self.daemon.read_after(seen)
        listed = ss.sockets(self.namespace)
        check.true("%s stood still until the read" % self.namespace,
                   ss.still(listed) == ss.still(sockets), when)
        for name, (_, match) in self.groups.items():
            mine = [s for s in sockets if match(s)]
            check.equal("%s count-connections" % name,
                        values.get((name, "count", "connections")), len(mine))
            table = dict(expect.EVERY)
            if any("rcv_wnd" in s for s in sockets):
                table.update(expect.SINCE_6_2)
            expect.check_distribution(name, values, table, mine)
            self.compare_states(name, values, filter(match, listed))
            if self.values:
                expect.check_counters(
                    name, self.values, values,
                    [s for s in self.sockets if match(s)], mine)
        totals = self.agent.totals()
        if self.values:
            self.compare_applications(values, totals)
        self.sockets, self.values, self.totals = sockets, values, totals

    def compare_applications(self, values, totals):
        """The bytes of the whole host against what its applications count."""
        def grown(metric):
            key = ("everything", "total_bytes", metric)
            return values[key] - self.values[key]
        written, read = (b - a for a, b in zip(self.totals, totals))
        retrans = grown("bytes_retrans")
        check.equal("%s bytes_sent less bytes_retrans (%d) and what the "
                    "applications wrote" % (self.namespace, retrans),
                    grown("bytes_sent") - retrans, written)
        check.equal("%s bytes_received and what the applications read" %
                    self.namespace, grown("bytes_received"), read)

    def compare_states(self, name, values, listed):
        expected = dict.fromkeys(expect.STATES.values(), 0)
        for s in listed:
            expected[expect.STATES[s["state"]]] += 1
        got = {k[2]: v for k, v in values.items()
               if k[:2] == (name, "tcp_connections")}
        check.true("%s tcp_connections" % name, got == expected,
                   expect.compact(got) if got == expected else
                   "%s, expected %s" % (expect.compact(got),
                                        expect.compact(expected)))


def step(sides, both, what, act):
    """One phase: traffic, standstill, comparison."""
    check.say("--- " + what)
    act()
    settled, seen = both.settle()
    for side in sides:
        side.compare(settled[side.namespace], seen)


def values_of_active_sockets_are_those_of_ss(side, both, others, act):
    """Values over active sockets alone: `act` in an interval of its own, after
    one with `others`."""
    found = interval(side.daemon, side.namespace, lambda: (
        act(), both.settle()), SEGMENTS, lambda: (others(), both.settle()))
    if found is None:
        return
    sockets, active, values = found
    check.true("some active, some not", 0 < len(active) < len(sockets),
               "%d of %d" % (len(active), len(sockets)))
    for name, (_, match) in side.groups.items():
        mine = [s for s in sockets if match(s) and s["cookie"] in active]
        check.equal("%s count-active" % name,
                    values.get((name, "count", "active")), len(mine))
        expect.check_distribution(name, values, expect.ACTIVE_ONLY, mine)


def percentages_follow_from_counters(side):
    """In every read: the percentages follow from the counters beside them."""
    values = side.daemon.whole_values()
    for name in side.groups:
        def rows(kind, metric, group=name):
            return dict(values.get((group, kind, metric), ()))
        retrans, sent = rows("packets", "retrans"), rows("packets",
                                                         "data_segs_out")
        percent = rows("percent", "retrans_percent")
        shares = [rows("percent", "limited-" + w) for w in (
            "network", "receiver", "sender", "idle")]
        times = sorted(retrans)
        wrong, seen, sums = [], 0, []
        for a, b in zip(times, times[1:]):
            whole = sent[b] - sent[a]
            expected = (min(100, 100 * (retrans[b] - retrans[a]) / whole)
                        if whole else None)
            got = percent.get(b)
            seen += got is not None
            if (got is None) != (expected is None) or (
                    got is not None and abs(got - expected) > 1e-5):
                wrong.append((b, got, expected))
            if any(b in s for s in shares):
                sums.append(sum(s[b] for s in shares))
        check.true("%s retrans_percent in %d intervals, %d of them with data" %
                   (name, len(times) - 1, seen), not wrong, wrong or "")
        check.true("%s limited: %d sums are 100" % (name, len(sums)),
                   all(abs(x - 100) < 1e-5 for x in sums) and
                   (sums or name in ("nothing", "late")),
                   [x for x in sums if abs(x - 100) >= 1e-5] or "")


def limited_shares_are_those_of_the_times(side, before_reads):
    """A connection whose receiver did not read: the shares have the proportions
    of the times that ss prints, which are cut to milliseconds."""
    values = side.daemon.whole_values()

    def row(kind, metric):
        return dict(values[("single", kind, metric)])
    busy, rwnd = (row("total_time_in_ms", m) for m in ("busy_time",
                                                       "rwnd_limited"))
    share = {w: row("percent", "limited-" + w)
             for w in ("network", "receiver", "sender")}
    times = [t for t in sorted(busy) if t >= before_reads]
    best = max(zip(times, times[1:]), key=lambda p: rwnd[p[1]] - rwnd[p[0]])
    a, b = best
    ratio = (rwnd[b] - rwnd[a]) / (busy[b] - busy[a])
    got = share["receiver"][b] / sum(share[w][b] for w in share)
    check.equal("single limited-receiver / all but idle, rwnd_limited grew "
                "%g ms of busy_time %g" % (rwnd[b] - rwnd[a],
                                           busy[b] - busy[a]),
                got, ratio, 3 / (busy[b] - busy[a]))


def main():
    check.need("ip", "ss", "nft", "ethtool", "collectd", "setpriv")
    with netns.Link() as link, Agents(link) as (client, server, both):
        server.listen(SINK)
        server.listen(ECHO, echo=True)
        server.listen(SINGLE)
        server.listen(LATE)
        sink = (client.open(6, netns.SERVER4, SINK) +
                client.open(4, netns.SERVER6, SINK) +
                client.open(3, MAPPED, SINK))
        echo = (client.open(4, netns.SERVER4, ECHO) +
                client.open(3, netns.SERVER6, ECHO) +
                client.open(2, MAPPED, ECHO))
        single = client.open(1, netns.SERVER4, SINGLE)
        client.send(sink[:3], 5000)

        with Collectd(block(CLIENT), link.client, INTERVAL) as dc, \
                Collectd(block(SERVER), link.server, INTERVAL) as ds:
            sides = (Side(link.client, CLIENT, dc, client),
                     Side(link.server, SERVER, ds, server))

            def act(what, how):
                step(sides, both, what, how)

            act("standing connections: what was before counts for nothing",
                lambda: None)
            for side in sides:
                zero = {k: v for k, v in side.values.items() if k[1] in (
                    "total_bytes", "packets", "total_time_in_ms") and v}
                check.true("%s: all counters are 0 at first" %
                           side.namespace, not zero, zero or "")

            def some():
                for i, number in enumerate(sink):
                    client.send([number], 1000 * (i + 1) ** 2 + i)
                client.pingpong(echo, 30, 137)
                client.send(single, 100001)
            act("traffic without loss", some)

            def new():
                client.send(client.open(3, netns.SERVER4, LATE), 4321)
                client.send(client.open(2, netns.SERVER6, LATE), 9876)
            act("new connections count in full", new)
            for side in sides:
                check.equal("%s opened" % side.namespace, side.values[
                    ("everything", "total_connections", "opened")], 5)

            link.drop(["tcp dport %d numgen inc mod 29 11" % SINK])
            act("every 29th segment lost",
                lambda: client.send(sink, 150000))
            check.true("segments dropped", link.dropped() > 20,
                       link.dropped())
            link.drop(["tcp dport { %d, %d } numgen random mod 1000 < 40" %
                       (SINK, ECHO)])

            def lossy():
                client.send(sink, 80000)
                client.pingpong(echo, 25, 700)
            act("4 % of the segments lost at random", lossy)
            link.drop([])

            check.say("--- only some are active")
            for side in sides:
                values_of_active_sockets_are_those_of_ss(side, both, lambda: (
                    client.pingpong(echo[::2], 9, 300),
                    client.send(sink[5:], 2000)), lambda: (
                    client.pingpong(echo[1::2], 12, 300),
                    client.send(single, 20000),
                    client.send(sink[:5], 3000)))

            began = dc.reads()[-1]

            def stop_reading():
                server.pause(True)
                client.send(single, 16 << 20)
                dc.begun_after(time.time(), 2)
                server.pause(False)
            act("a receiver that does not read", stop_reading)
            limited_shares_are_those_of_the_times(sides[0], began)

            def leave():
                client.close(sink[:4])
                client.close(echo[:1], reset=True)
            check.say("--- five connections go")
            leave()
            settled, seen = both.settle()
            for side in sides:
                # A connection is gone after two reads without it.
                when = side.daemon.begun_after(seen, 3)[-1]
                values = at(side.daemon.values(), when)
                check.equal("%s closed" % side.namespace, values[
                    ("everything", "total_connections", "closed")], 5)
                check.equal("%s connections" % side.namespace, values[
                    ("everything", "count", "connections")],
                    len(settled[side.namespace]))

            check.say("--- over all reads")
            for side in sides:
                percentages_follow_from_counters(side)
                errors = at(side.daemon.values("self"),
                            side.daemon.reads()[-2]).get(
                    ("self", "total_events", "dump_errors"))
                check.equal("%s dump_errors" % side.namespace, errors, 0)
                check.equal("%s exit code" % side.namespace,
                            side.daemon.end(), 0)


check.main(main)
