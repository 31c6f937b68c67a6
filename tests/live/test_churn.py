#!/usr/bin/env python3
"""Two hundred reads while connections open, talk, close and are reset and
members come and go, more of them than may have series: no counter ever falls,
and members + other = total in every interval."""

import random
import time

from live import check, closed, expect, netns
from live.daemon import Collectd
from live.expect import COUNTERS
from live.traffic import Agents
from live.wait import Progress

READS, INTERVAL, ADDRESSES = 205, 0.15, 24
STEPS = 600 # so that who is busy changes often enough
SINK, ECHO = 9000, 9001

ADDITIVE = {"connections": "count", "opened": "total_connections",
            "closed": "total_connections",
            **{name: kind for name, (kind, _) in COUNTERS.items()}}

# group: options; without By it has no members.
GROUPS = {
    "plain": "",
    "address": 'By "remote-address"\nMaxMembers 5\nMemberTimeout 3',
    "pair": 'By "remote-address" "remote-port"\nMaxMembers 8\n'
            'MemberTimeout 1',
    "port": 'By "local-port"\nMaxMembers 10\nMemberTimeout 2',
    "few": 'RemotePort %d\nBy "remote-port" "remote-address"\nMaxMembers 1' %
           ECHO,
}


def block():
    lines = ["<Plugin tcpinfo>"]
    for name, options in GROUPS.items():
        lines += ['<Group "%s">' % name, options]
        lines += ['Metric "%s"' % m for m in ADDITIVE]
        lines += ['Metric "rtt" "p50" "max"', 'Metric "cwnd" "sum"', "</Group>"]
    return "\n".join(lines + ["</Plugin>"])


class Churn:
    """Connections of a client to many addresses; which are busy moves on."""

    def __init__(self, client, server, link):
        self.client, self.server = client, server
        self.addresses = [netns.SERVER4, *link.more]
        self.random = random.Random(20)
        self.steps = 0

    def step(self):
        """Some of everything, at random but the same in each run."""
        r = self.random
        self.steps += 1
        first = self.steps // 25
        for _ in range(r.randint(0, 3)):
            where = self.addresses[(first + int(r.expovariate(0.2))) %
                                   len(self.addresses)]
            port = r.choice((SINK, ECHO))
            self.talk(self.client.open(r.randint(1, 3), where, port), port)
        living = list(self.client.report())
        if living:
            self.client.send(r.sample(living, min(5, len(living))),
                             r.randint(1, 30000))
        extra = max(0, len(living) - 60) + r.randint(0, 4)
        leaving = r.sample(living, min(extra, len(living)))
        self.client.close(leaving[::2], reset=True)
        self.client.close(leaving[1::2])
        if self.steps % 4 == 0: # the other end may be first
            theirs = list(self.server.report())
            self.server.close(theirs[:2], reset=r.random() < 0.3)

    def talk(self, numbers, port):
        if port == ECHO:
            self.client.pingpong(numbers, self.random.randint(1, 9), 200)
        else:
            self.client.send(numbers, self.random.randint(1, 90000))


def by_time(values, group, kind, metric):
    """The total's rows and each member's, as {time: value}."""
    total, members = {}, {}
    for (instance, k, m), rows in values.items():
        if (k, m) != (kind, metric):
            continue
        if instance == group:
            total = dict(rows)
        elif instance.startswith(group + "-"):
            members[instance] = dict(rows)
    return total, members


def members_and_other_are_the_total(values, group, times):
    _, shown = by_time(values, group, "count", "connections")
    for metric, kind in ADDITIVE.items():
        total, members = by_time(values, group, kind, metric)
        wrong, whole = [], 0
        for a, b in zip(times, times[1:]):
            if kind == "count":
                grown = total[b]
                parts = sum(m.get(b, 0) for m in members.values())
            else:
                grown = total[b] - total[a]
                parts = sum(expect.growth(m, shown[name], a, b)
                            for name, m in members.items())
            whole += grown
            if parts != grown:
                wrong.append((b, parts, grown))
        check.true("%s %s: members + other = total in %d intervals, in all %d"
                   % (group, metric, len(times), whole), not wrong,
                   "%d differ: %s" % (len(wrong), wrong[:4]) if wrong else "")


def members_have_series_by_turns(values, group, limit, times):
    """That there was something to see: more members than series, and members
    that lost theirs and came back."""
    _, members = by_time(values, group, "count", "connections")
    members = members.values()
    most = max(sum(t in m for m in members) for t in times)
    runs = [sum(b in m and a not in m for a, b in zip(times, times[1:]))
            for m in members]
    check.true("%s: never more than %d series and other" % (group, limit),
               most <= limit + 1, most)
    check.true("%s: more members had series than fit at once" % group,
               len(members) - 1 > limit, len(members) - 1)
    return sum(r > 1 for r in runs)


def report(daemon, churn, sent_by):
    values = daemon.whole_values()
    times = sorted(t for t, _ in values[("plain", "count", "connections")])
    check.true("reads", len(times) >= 200, len(times))
    closed.no_counter_falls("churn", values)
    back = 0
    for group, options in GROUPS.items():
        if "By" in options:
            members_and_other_are_the_total(values, group, times)
            limit = int(options.split("MaxMembers ")[1].split()[0])
            back += members_have_series_by_turns(values, group, limit, times)
    check.true("series that ended and came back", back > 0, back)

    def last(metric, kind="total_connections"):
        return values[("plain", kind, metric)][-1][1]
    check.equal("opened and closed, when all are gone (%d steps)" %
                churn.steps, last("closed"), last("opened"))
    check.true("many connections seen", last("opened") > 300, last("opened"))
    seen = last("bytes_sent", "total_bytes") - last("bytes_retrans",
                                                    "total_bytes")
    check.true("nothing counted twice: not more bytes than the applications "
               "wrote", 0 < seen <= sent_by, "%d of %d" % (seen, sent_by))
    check.equal("dump_errors", values[("self", "total_events",
                                       "dump_errors")][-1][1], 0)
    most = max(v for _, v in values[("self", "count", "members_in_other")])
    check.true("members counted in other at one time", most > 0, most)


def main():
    check.need("ip", "ss", "ethtool", "collectd", "setpriv")
    with netns.Link(more=ADDRESSES - 1) as link, \
            Agents(link) as (client, server, _), \
            Collectd(block(), link.client, INTERVAL) as daemon:
        server.listen(SINK)
        server.listen(ECHO, echo=True)
        churn = Churn(client, server, link)
        progress = Progress("reads")
        while len(daemon.reads()) < READS or churn.steps < STEPS:
            for _ in range(4):
                churn.step()
                time.sleep(0.02)
            progress.see(len(daemon.reads()))
        client.close(list(client.report()))
        # A connection is gone after two reads without it.
        closed.gone([link.client])
        daemon.begun_after(time.time(), 3)
        check.equal("exit code", daemon.end(), 0)
        report(daemon, churn, client.totals()[0])


check.main(main)
