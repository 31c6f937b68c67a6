#!/usr/bin/env python3
"""Percentiles and histograms against a sort of what ss(8) prints for the same
sockets: of all, of two parts that add up to all, and of the active ones
alone."""

from live import check, expect, netns
from live.daemon import Collectd
from live.delay import FAR, Delay
from live.interval import interval
from live.observe import poll
from live.traffic import Agents

PORT, INTERVAL = 9001, 3.0
SEGMENTS = ("everything", "packets", "segs_out")
NEAR_COUNT, FAR_COUNT = 70, 41
STATISTICS = (*expect.STATISTICS, "p5", "p25", "p75", "p90", "p99.5")

GROUPS = {
    "everything": ("RemotePort %d" % PORT, lambda s: True),
    "near": ('RemoteAddress "%s"' % netns.SERVER4,
             lambda s: s["remote"] == netns.SERVER4),
    "far": ('RemoteAddress "%s"' % FAR, lambda s: s["remote"] == FAR),
}
HISTOGRAMS = ("rtt", "min_rtt", "queue_delay", "rto", "cwnd", "reordering",
              "recv_queue", "rcv_space", "delivery_rate", "throughput")

# The contract: sums over hosts fit only while these stay.
TIMES = [d * 10 ** e for e in range(-4, 1) for d in (1, 2, 5)] + [10]
COUNTS = [0] + [d * 10 ** e for e in range(4) for d in (1, 2, 5)] + [10000]
BYTES = [0] + [1 << e for e in range(10, 35, 2)]
EDGES = {"latency": TIMES, "count": COUNTS, "bytes": BYTES}


def block():
    lines = ["<Plugin tcpinfo>"]
    for name, (options, _) in GROUPS.items():
        lines += ['<Group "%s">' % name, options,
                  expect.metric_options(STATISTICS, counters=False),
                  'Metric "segs_out"',
                  "Histogram " + " ".join('"%s"' % h for h in HISTOGRAMS),
                  "</Group>"]
    return "\n".join(lines + ["</Plugin>"])


def check_histogram(name, values, metric, kind, raw):
    """Cumulative, "METRIC-UPPER": how many are at most that. Returns the
    counts."""
    prefix = metric + "-"
    got = {k[2][len(prefix):]: v for k, v in values.items()
           if k[:2] == (name, "bucket") and k[2].startswith(prefix)}
    # ss's milliseconds are exact to the microsecond below 1 s.
    expected = {"%.12g" % e: sum(round(x, 6) <= e for x in raw)
                for e in EDGES[kind]}
    expected["inf"] = len(raw)
    check.true("%s histogram of %s, %d sockets" % (name, metric, len(raw)),
               got == expected, short(expected) if got == expected else
               "%s, expected %s" % (got, expected))
    return got


def short(counts):
    """Without the edges at which nothing is added."""
    out, last = [], 0
    for edge, count in counts.items():
        if count != last:
            out.append("%s %d" % (edge, count))
        last = count
    return " ".join(out) or "empty"


def compare(values, sockets, active):
    """`active`: the cookies of the sockets with an ACK in the interval."""
    buckets = {}
    for name, (_, match) in GROUPS.items():
        mine = [s for s in sockets if match(s)]
        recent = [s for s in mine if s["cookie"] in active]
        check.equal("%s count-connections" % name,
                    values.get((name, "count", "connections")), len(mine))
        check.equal("%s count-active" % name,
                    values.get((name, "count", "active")), len(recent))
        for table, members in ((expect.EVERY, mine),
                               (expect.ACTIVE_ONLY, recent)):
            expect.check_distribution(name, values, table, members,
                                      STATISTICS)
            for metric in HISTOGRAMS:
                if metric in table:
                    kind, of = table[metric]
                    raw = [x for x in map(of, members) if x is not None]
                    buckets[name, metric] = check_histogram(
                        name, values, metric, kind, raw)
    for metric in HISTOGRAMS:
        whole, near, far = (buckets[name, metric] for name in (
            "everything", "near", "far"))
        check.true("%s: the buckets of the parts add up" % metric, all(
            whole[e] == near[e] + far[e] for e in whole))


def act(client, numbers, salt):
    """A different amount on each."""
    for i, number in enumerate(numbers):
        client.pingpong([number], 1 + (i + salt) % 5, 1 + 997 * (i % 17))


def main():
    check.need("ip", "ss", "nft", "ethtool", "collectd", "setpriv")
    with netns.Link() as link, Delay(link, 0.013), \
            Agents(link) as (client, server, both):
        server.listen(PORT, echo=True)
        near = client.open(NEAR_COUNT, netns.SERVER4, PORT)
        far = client.open(FAR_COUNT, FAR, PORT)
        poll(lambda: len(server.report()) == NEAR_COUNT + FAR_COUNT,
             "connections")
        client.pingpong(near[:20], 12, 20000) # larger windows than others
        both.settle()
        with Collectd(block(), link.client, INTERVAL) as daemon:

            def talk(numbers, salt):
                """All talk before, so that it is the interval that tells who
                is active."""
                return interval(daemon, link.client, lambda: (
                    act(client, numbers, salt), both.settle()), SEGMENTS,
                                lambda: (act(client, near + far, salt),
                                         both.settle()))

            check.say("--- all active")
            found = talk(near + far, 0)
            if found:
                check.equal("active", len(found[1]), NEAR_COUNT + FAR_COUNT)
                compare(found[2], found[0], found[1])
            check.say("--- some active")
            found = talk(near[::3] + far[5:], 2)
            if found:
                check.equal("active", len(found[1]),
                            len(near[::3]) + FAR_COUNT - 5)
                compare(found[2], found[0], found[1])
            check.equal("exit code", daemon.end(), 0)


check.main(main)
