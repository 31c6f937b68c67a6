#!/usr/bin/env python3
"""Nothing is lost when a connection closes: twenty thousand that live less than
an interval, beside five hundred long ones, over IPv4, IPv6 and IPv4-mapped,
without loss and with 3 % of it. The groups' counters are what the applications
counted, to the byte, and the kernel's own retransmissions.

Two daemons watch the two ends of the same connections."""

import time

from live import check, closed, netns
from live.closed import Watch
from live.daemon import Collectd
from live.longs import Longs
from live.short import (COUNT, ENDS, EVERY_WAY, HALF, RECEIVED, SENT, SERVER,
                        ShortClient, ShortServer)
from live.traffic import Agents

INTERVAL = 1.0
SHORT, LONG = 20000, 500
BOTH, ONLY4, ONLY6, LONGS = 9100, 9101, 9102, 9001
LOSS = "meta l4proto tcp numgen random mod 1000 < 30"

GROUPS = {
    "everything": "IgnoreLoopback false",
    **{"port%d" % p: closed.port(p) for p in (BOTH, ONLY4, ONLY6, LONGS)},
    "address": 'By "remote-address"\nMemberTimeout 10000',
    "few": 'By "remote-address"\nMaxMembers 2\nMemberTimeout 3',
}


def targets(link):
    """[family, source, address, port]: IPv4, IPv6 and mapped."""
    servers = [netns.SERVER4, *link.more]
    out = []
    for source in ("", *link.sources):
        out += [["AF_INET", source, a, p] for a in servers
                for p in (BOTH, ONLY4)]
    out += [["AF_INET6", "", "::ffff:" + a, BOTH] for a in servers]
    out += [["AF_INET6", "", netns.SERVER6, p] for p in (BOTH, ONLY6)] * 4
    return out


def expected(rows, bytes_long, old, new, what):
    """Growth of a group with those short connections, and the long ones: `old`
    were open before, `new` were not."""
    short = rows.sum(COUNT, **what)
    return {"opened": short + new, "closed": short + old + new, "failed": 0,
            "bytes_new": rows.sum(SENT, **what) + bytes_long,
            "bytes_received": rows.sum(RECEIVED, **what) +
            rows.sum(ENDS, **what) + bytes_long + old + new,
            "connections": -old}


def compare(watch, rows, bytes_long, old, new):
    longs = (bytes_long, old, new)
    watch.compare("everything", expected(rows, *longs, {}))
    for p in sorted(rows.ports()):
        watch.compare("port%d" % p, expected(rows, 0, 0, 0, {"port": p}))
    none = {"port": LONGS}
    watch.compare("port%d" % LONGS, expected(rows, *longs, none))
    first = netns.SERVER4 if watch.name == "client" else netns.CLIENT4
    for a in sorted(rows.addresses()):
        watch.compare("address-" + a.replace(":", "_"), expected(
            rows, *(longs if a == first else (0, 0, 0)), {"address": a}))


def every_close_event_has_come(watch, count):
    """Every socket's event has come, and no other: a child of a listener that
    came second in a race for its request has one, too (linux:
    inet_csk_complete_hashdance()), and is no connection."""
    undone = 0
    if watch.name == "server":
        undone = watch.host_grown("PassiveOpens") - count["passive"]
    check.true("%s children of a listener that were undone" % watch.name,
               undone >= 0, undone)
    watch.compare("self", {
        "close_events": count["closed"] + undone, "close_events_lost": 0,
        "close_events_unclear": 0, "close_events_suspended": 0,
        "dump_errors": 0})


def retransmissions_are_those_of_the_host(watch, began):
    """All retransmissions are some connection's, or a SYN-ACK's: a request that
    becomes a connection hands them on, but the last may be on its way then
    (linux: tcp_create_openreq_child(), inet_rtx_syn_ack())."""
    retrans, syn = (watch.host_grown(n) for n in ("RetransSegs",
                                                  "TCPSynRetrans"))
    seen = watch.grown("everything", "retrans")
    least = retrans - (syn if watch.name == "server" else 0)
    check.true("%s retrans %d, RetransSegs %d, TCPSynRetrans %d" %
               (watch.name, seen, retrans, syn), least <= seen <= retrans,
               "not in any connection: %d" % (retrans - seen))
    coverage_follows_from_both_counts(watch, began, retrans)


def coverage_follows_from_both_counts(watch, began, retrans):
    """A read's coverage is what the connections retransmitted, in per cent of
    what the host did, and 100 at most. The two are counted at two instants, so
    that on a busy machine any share is right for one interval; but with the
    connections' part it tells the host's, which is a whole number. In all
    intervals together that is what the host itself counts."""
    values = watch.daemon.whole_values()
    rows = values["everything", "packets", "retrans"]
    grown = {b[0]: b[1] - a[1] for a, b in zip(rows, rows[1:])}
    coverage = [(grown[t], v) for t, v in values.get(
        ("self", "percent", "coverage"), ()) if t > began]
    part = [100 * n / v for n, v in coverage if 0 < v < 100]
    wrong = [c for c in coverage if not (
        c[0] == 0 if c[1] == 0 else c[0] > 0 if c[1] == 100 else
        0 < c[1] < 100)]
    # csv writes six decimals.
    wrong += [p for p in part if abs(p - round(p)) > 1e-5 * p]
    # An interval with a coverage has a retransmission of the host at least.
    least = sum(map(round, part)) + len(coverage) - len(part)
    unknown = any(v == 0 for _, v in coverage)
    most = least - len(coverage) + len(part) + sum(
        n for n, v in coverage if v == 100)
    check.true("%s coverage in %d intervals with retransmissions: %d to %s of "
               "the host" % (watch.name, len(coverage), least,
                             "any number" if unknown else int(most)),
               not wrong and least <= retrans and
               (unknown or retrans <= most), wrong[:5] or "")


def phase(what, link, watches, longs, server, ways, loss=()):
    """Some long connections may be open already, and count from now on. `loss`:
    the rules of either end from when the long ones are open until all is
    closed."""
    old = len(longs.numbers)
    check.say("--- %s: %d short connections, %d long ones" % (what, SHORT,
                                                             LONG))
    began = time.time()
    before = server.settle()
    for watch in watches:
        watch.mark()
    longs.open(LONG - old)
    for where in (link.client, link.server):
        link.drop(loss, where)
    with ShortClient(link.client, SHORT, targets(link), ways,
                     parallel=600 if loss else 150) as client:
        mine, longest = client.run(longs.send)
    theirs = server.settle().minus(before)
    bytes_long = longs.grown()
    longs.end()
    closed.gone((link.client, link.server))
    for where in (link.client, link.server):
        check.true("segments dropped", not loss or link.dropped(where) > 1000,
                   link.dropped(where))
        link.drop((), where)
    check.say("     %.1f s, the longest of the short ones lived %.2f s, "
              "%d bytes on the long ones" % (time.time() - began, longest,
                                             bytes_long))
    check.equal("both ends have %d connections" % SHORT,
                (mine.sum(COUNT), theirs.sum(COUNT)), (SHORT, SHORT))
    closed.read(watches)
    for watch, rows in zip(watches, (mine, theirs)):
        compare(watch, rows, bytes_long, old, LONG - old)
        every_close_event_has_come(watch, {"closed": SHORT + LONG,
                                           "passive": SHORT + LONG - old})
        retransmissions_are_those_of_the_host(watch, began)


def main():
    check.need("ip", "ss", "nft", "ethtool", "collectd", "setpriv", "nsenter")
    with netns.Link(more=2, sources=3) as link, \
            Agents(link) as (client, echo, _), \
            ShortServer(link.server, ["AF_INET6", "::", BOTH],
                        ["AF_INET", "0.0.0.0", ONLY4],
                        ["AF_INET6", "::", ONLY6]) as server:
        longs = Longs(client, echo, LONGS)
        longs.open(LONG // 2)
        longs.send()
        longs.mark()
        block = closed.block(GROUPS, "CountClosed true")
        with Collectd(block, link.client, INTERVAL) as dc, \
                Collectd(block, link.server, INTERVAL) as ds:
            watches = (Watch("client", link.client, dc),
                       Watch("server", link.server, ds))
            phase("no loss", link, watches, longs, server, EVERY_WAY)
            # Nobody closes early here: whether the FIN finds a full socket or
            # what is left of it would depend on what is lost.
            longs.mark()
            phase("3 % loss at either end", link, watches, longs, server,
                  (SERVER, HALF), [LOSS])
            check.say("--- over all reads")
            for watch in watches:
                values = watch.daemon.whole_values()
                closed.no_counter_falls(watch.name, values)
                for group in ("address", "few"):
                    closed.members_and_other_are_the_total(
                        watch.name, values, group)
                check.equal("%s exit code" % watch.name, watch.daemon.end(), 0)


check.main(main)
