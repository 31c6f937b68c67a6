#!/usr/bin/env python3
"""Two daemons with the same configuration, one as root and one as nobody
without any capability, see the same connections: the same series, and at
standstill the same values."""

import time

from live import check, expect, netns
from live.daemon import Collectd, at
from live.traffic import Agents
from live.wait import LIMIT

INTERVAL = 1.0
SINK, ECHO = 9000, 9001

BLOCK = """<Plugin tcpinfo>
<Group "all">
%(everything)s
Metric "states"
Metric "total_rto"
Metric "rehash"
</Group>
<Group "members">
RemotePort %(sink)d %(echo)d
By "remote-address" "remote-port"
MaxMembers 3
%(everything)s
</Group>
<Group "defaults">
RemoteAddress "10.0.0.0/8"
</Group>
</Plugin>""" % {"everything": expect.metric_options(), "sink": SINK,
                "echo": ECHO}


def reported(values):
    """Without what the plugin says about its own run, which differs, and the
    host's counts of all namespaces, which others move between the reads of the
    two (test_traits.py compares these)."""
    own = ("latency", "total_events")
    return {k: v for k, v in values.items()
            if k[0] != "self" or k[1] not in own and
            not k[2].startswith(("host_orphans", "host_tcp_mem"))}


def values_are_the_same(what, ours, theirs):
    check.true("%s: the same %d series" % (what, len(ours)),
               set(ours) == set(theirs),
               sorted(set(ours) ^ set(theirs))[:9] or "")
    differ = {k: (ours[k], theirs[k]) for k in ours
              if k in theirs and ours[k] != theirs[k]}
    check.true("%s: the same %d values, %d of them not 0" % (
        what, len(ours), sum(map(bool, ours.values()))), not differ,
        list(differ.items())[:5] or "")


def main():
    check.need("ip", "ss", "ethtool", "nft", "collectd", "setpriv")
    with netns.Link(more=4) as link, Agents(link) as (client, server, both):
        server.listen(SINK)
        server.listen(ECHO, echo=True)
        link.drop(["tcp dport %d numgen inc mod 31 5" % SINK])
        numbers = []
        for address in (netns.SERVER4, netns.SERVER6, *link.more):
            numbers += client.open(2, address, SINK)
            numbers += client.open(1, address, ECHO)
        both.settle()
        with Collectd(BLOCK, link.client, INTERVAL) as root, \
                Collectd(BLOCK, link.client, INTERVAL, nobody=True) as nobody:
            daemons = (root, nobody)
            for d in daemons:
                d.wait(lambda r: len(r) >= 2, "read")
            check.equal("root's user", root.identity()[0], 0)
            check.equal("nobody's user and capabilities",
                        nobody.identity(), (65534, 0))
            for size in (40000, 70001):
                client.send(numbers, size)
                _, seen = both.settle()
                # The first read after it still knows of the ACKs.
                reads = []
                for d in daemons:
                    first, _ = d.read_after(seen)
                    later, values = d.read_after(first)
                    reads.append(reported(values))
                    check.true("read", later > first, later)
                check.equal("bytes_sent at least", min(
                    r[("all", "total_bytes", "bytes_sent")] >=
                    size * len(numbers) for r in reads), True)
                values_are_the_same("after %d bytes each" % size, *reads)
            everything = [set(d.values()) for d in daemons]
            end = time.monotonic() + LIMIT
            while (everything[0] != everything[1] and
                   time.monotonic() < end):
                # No read takes the last ACK for recent if it came in the few
                # milliseconds around the begin of a dump: then once more.
                client.send(numbers, 1000)
                _, seen = both.settle()
                for d in daemons:
                    d.read_after(seen)
                everything = [set(d.values()) for d in daemons]
            check.true("over all reads the same %d series" %
                       len(everything[0]), everything[0] == everything[1],
                       sorted(everything[0] ^ everything[1])[:9] or "")
            for d in daemons:
                check.equal("dump_errors", at(d.values("self"), d.reads()[-2])[
                    ("self", "total_events", "dump_errors")], 0)
                check.equal("exit code", d.end(), 0)


check.main(main)
