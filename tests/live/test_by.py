#!/usr/bin/env python3
"""Members: every dimension of `By`, alone and combined, and what selects by the
same properties (Direction, Filter), against what ss(8) says of the sockets and
what the test itself did to them.

Two daemons watch the two ends of the same connections, which belong to several
users, cgroups, devices and congestion control algorithms."""

import collections
import ipaddress
import os
import pwd

from live import cgroup, check, expect, netns, ss
from live.cgroup import clean
from live.daemon import Collectd, at
from live.traffic import Agents

SINK, ECHO, BACK = 9000, 9001, 9100
MAPPED = "::ffff:" + netns.SERVER4
# A second link, whose name has characters that no name may keep.
DEVICE, CLIENT_B, SERVER_B = "ve+th=2", "10.98.0.1", "10.98.0.2"
USER = 1           # daemon
NAMELESS = 3999999999
PERIOD = 1.0
CGROUPS = "a.service", "b c=1"
LISTENED = {SINK, ECHO, BACK}


def address(text):
    return text.replace(":", "_")


def network(s, ipv4=24, ipv6=64):
    bits = ipv4 if "." in s["remote"] else ipv6
    net = ipaddress.ip_network("%s/%d" % (s["remote"], bits), strict=False)
    return "%s_%d" % (address(str(net.network_address)), bits)


def user(s):
    try:
        return clean(pwd.getpwuid(s["uid"]).pw_name)
    except KeyError:
        return str(s["uid"])


def device(s):
    return clean(s["device"] or "unbound")


def inbound(s):
    """None of the ports that were listened on is an ephemeral one."""
    return s["local_port"] in LISTENED


def direction(s):
    return "inbound" if inbound(s) else "outbound"


def joined(*parts):
    return lambda s: "-".join(str(part(s)) for part in parts)


def field(name):
    return lambda s: address(str(s[name]))


# group: (options, whether a socket is in it, its member; None: no members)
def groups(cgroup_of):
    everything = lambda s: True
    out = {
        "interface": ('By "interface"', everything, device),
        "uid": ('By "uid"', everything, user),
        "congestion": ('By "congestion"', everything, field("congestion")),
        "direction": ('By "direction"', everything, direction),
        "in": ('Direction "inbound"\nBy "local-port"', inbound,
               field("local_port")),
        "out": ('Direction "outbound"\nBy "remote-port"',
                lambda s: not inbound(s), field("remote_port")),
        "both": ('Direction "inbound" "outbound"', everything, None),
        "network": ('By "remote-network"', everything, network),
        "halves": ('By "remote-network"\nPrefix 31 127', everything,
                   lambda s: network(s, 31, 127)),
        "families": ('By "remote-network"\nPrefix 0 0', everything,
                     lambda s: network(s, 0, 0)),
        "local": ('By "local-address"', everything, field("local")),
        "peer": ('By "remote-address"', everything, field("remote")),
        "pair": ('By "uid" "remote-address"', everything,
                 joined(user, field("remote"))),
        "three": ('By "direction" "interface"\nBy "congestion"', everything,
                  joined(direction, device, field("congestion"))),
        "other": ('By "remote-address" "local-port"\nMaxMembers 3',
                   everything, None),
        "filter": ('Filter "( sport = :%d or dport = :%d ) and not dst [%s]"\n'
                   'By "remote-network"' % (SINK, SINK, netns.SERVER6),
                   lambda s: SINK in (s["local_port"], s["remote_port"]) and
                   s["remote"] != netns.SERVER6, network),
        "device": ('Filter "dev veth"\nBy "interface"',
                   lambda s: s["device"] == "veth", device),
    }
    if cgroup_of:
        out["cgroup"] = ('By "cgroup"', everything, cgroup_of)
        out["unit"] = ('By "cgroup" "uid"', everything,
                       joined(cgroup_of, user))
    return out


def block(table):
    lines = ["<Plugin tcpinfo>"]
    for name, (options, _, _) in table.items():
        lines += ['<Group "%s">' % name, options, "MemberTimeout 10000",
                  'Metric "connections" "opened" "closed"',
                  *('Metric "%s"' % m for m in expect.COUNTERS), "</Group>"]
    return "\n".join(lines + ["</Plugin>"])


class Side:
    def __init__(self, namespace, table, daemon):
        self.namespace, self.table, self.daemon = namespace, table, daemon
        self.sockets, self.values = [], {}

    def compare(self, sockets, seen):
        _, values = self.daemon.read_after(seen)
        check.true("%s stood still until the read" % self.namespace,
                   ss.still(ss.sockets(self.namespace)) == ss.still(sockets))
        for name, (_, match, member) in self.table.items():
            mine = [s for s in sockets if match(s)]
            self.compare_group(name, mine, [s for s in self.sockets
                                            if match(s)], values, None)
            if member is None:
                continue
            got = {k[0][len(name) + 1:]: int(v) for k, v in values.items()
                   if k[0].startswith(name + "-") and
                   k[1:] == ("count", "connections") and v}
            expected = dict(collections.Counter(map(member, mine)))
            check.true("%s connections by member" % name, got == expected,
                       expect.compact(got) if got == expected else
                       "%s, expected %s" % (expect.compact(got),
                                            expect.compact(expected)))
            for one in sorted(expected):
                self.compare_group(name, mine, [s for s in self.sockets
                                                if match(s)], values,
                                   lambda s, one=one: member(s) == one, one)
        self.sockets, self.values = sockets, values

    def compare_group(self, name, mine, before, values, match, member=None):
        """The growth of all counters since the last standstill. What a
        connection adds belongs to the member that it is in now."""
        if not self.values:
            return
        old = {s["cookie"]: s for s in before}
        now = [s for s in mine if match is None or match(s)]
        kept = {s["cookie"] for s in mine}
        gone = [s for s in before if s["cookie"] not in kept and
                (match is None or match(s))]
        series = name if member is None else "%s-%s" % (name, member)
        expected = {"opened": sum(s["cookie"] not in old for s in now),
                    "closed": len(gone)}
        # Nobody knows if a read saw their FIN.
        if not gone:
            expected.update({
                m: sum(s[key] - old.get(s["cookie"], {}).get(key, 0)
                       for s in now)
                for m, (_, key) in expect.COUNTERS.items()})
        got = {}
        for m in expected:
            kind = expect.COUNTERS.get(m, ("total_connections", 0))[0]
            a, b = (v.get((series, kind, m)) for v in (self.values, values))
            # A member that is new began at 0 in the meantime.
            got[m] = None if b is None else int(b - (a or 0))
        same = got == expected
        shown = [m for m in expected if expected[m] or got[m] != expected[m]]
        check.true("%s: %d counters of %d connections" % (
            series, len(expected), len(now)), same,
            "" if same else "%s, expected %s" % tuple(
                expect.compact({m: v[m] for m in shown})
                for v in (got, expected)))

    def compare_sums(self):
        """In every read: members + other = total; and so for what counters
        grow by."""
        values = self.daemon.whole_values()
        times = sorted(t for t, _ in values[("self", "total_events",
                                             "dump_errors")])
        for name, (options, _, _) in self.table.items():
            if "By " not in options:
                continue
            wrong, series = [], set()
            shown = {k[0]: dict(rows) for k, rows in values.items()
                     if k[1:] == ("count", "connections")}
            for metric in ("connections", "opened", "closed",
                           *expect.COUNTERS):
                kind = ("count" if metric == "connections" else
                        expect.COUNTERS.get(metric,
                                            ("total_connections", 0))[0])
                total = dict(values[(name, kind, metric)])
                parts = {k[0]: dict(rows) for k, rows in values.items()
                         if k[0].startswith(name + "-") and
                         k[1:] == (kind, metric)}
                series.add(len(parts))
                for a, b in zip(times, times[1:]):
                    if metric == "connections":
                        whole = total[b]
                        sum_ = sum(p.get(b, 0) for p in parts.values())
                    else:
                        whole = total[b] - total[a]
                        sum_ = sum(expect.growth(p, shown[k], a, b)
                                   for k, p in parts.items())
                    if whole != sum_:
                        wrong.append((metric, b, whole, sum_))
            check.true("%s: members + other = total in %d reads, %s series" %
                       (name, len(times), "/".join(map(str, sorted(series)))),
                       not wrong and len(times) > 10, wrong[:3] or "")


def step(sides, both, what, act):
    check.say("--- " + what)
    act()
    # A connection is gone after two reads without it.
    _, seen = both.settle()
    for side in sides:
        side.daemon.begun_after(seen, 2)
    settled, seen = both.settle()
    for side in sides:
        side.compare(settled[side.namespace], seen)


def second_link(link):
    netns.run("ip", "link", "add", DEVICE, "netns", link.client, "type",
              "veth", "peer", "name", DEVICE, "netns", link.server)
    for name, own in ((link.client, CLIENT_B), (link.server, SERVER_B)):
        netns.run("ip", "-n", name, "addr", "add", own + "/24", "dev", DEVICE)
        netns.run("ip", "-n", name, "link", "set", DEVICE, "up")


def algorithms(link):
    """Two that can be had besides reno, which is the default here."""
    text = netns.run(*netns.enter(link.client), "sysctl", "-n",
                     "net.ipv4.tcp_available_congestion_control").split()
    return [a for a in ("bbr", "cubic", *text) if a in text and a != "reno"]


def bound(name):
    return ("SOL_SOCKET", "SO_BINDTODEVICE", name)


def algorithm(name):
    return ("IPPROTO_TCP", "TCP_CONGESTION", name)


def names_of_cgroups(cgroups, agents):
    """The member of each socket, by who opened it."""
    if cgroups.reason:
        check.say("skipped: By \"cgroup\": " + cgroups.reason)
        return None
    of = dict(zip(agents, [clean(path) for path in CGROUPS]))
    own, known = cgroup.own(), {}

    def name(s):
        if s["cookie"] not in known:
            known[s["cookie"]] = own
            for agent, member in of.items():
                for r in agent.report().values():
                    known[r["cookie"]] = member
        return known[s["cookie"]]
    return name


def mapped_peer_is_ipv4(sides):
    """IPv4 peers of a listener on both families are IPv4."""
    members = {k[0] for k in sides[1].values}
    check.true("an IPv4 peer of a listener on :: is %s" % netns.CLIENT4,
               "peer-" + netns.CLIENT4 in members and
               not any("ffff" in m for m in members))


def main():
    check.need("ip", "ss", "ethtool", "nsenter", "collectd", "setpriv")
    with cgroup.Tree() as cgroups, netns.Link(more=2) as link, \
            Agents(link) as (client, server, both):
        second_link(link)
        paths = [None if cgroups.reason else cgroups.make(path)
                 for path in CGROUPS]
        one = both.more(link.client, cgroup=paths[0], uid=USER)
        two = both.more(link.client, cgroup=paths[1], uid=NAMELESS)
        server.listen(SINK)
        server.listen(ECHO, echo=True)
        client.listen(BACK)
        more = algorithms(link)
        if len(more) < 2:
            check.say("only reno and %s here" % more)
        first, other = (*more, "reno", "reno")[:2]

        fast = client.open(4, netns.SERVER4, SINK, bound("veth"),
                           algorithm(first))
        slow = client.open(3, SERVER_B, SINK, bound(DEVICE), algorithm(other))
        six = client.open(2, netns.SERVER6, SINK, bound("veth"))
        plain = (client.open(2, link.more[0], ECHO) +
                 client.open(2, MAPPED, ECHO))
        mine = one.open(4, netns.SERVER4, ECHO)
        theirs = two.open(3, link.more[1], SINK)
        back = server.open(3, netns.CLIENT4, BACK)
        # Both ends on this host: one is inbound, one outbound.
        inner = client.open(1, netns.CLIENT4, BACK)

        table = groups(names_of_cgroups(cgroups, (one, two)))
        with Collectd(block(table), link.client, PERIOD) as dc, \
                Collectd(block(table), link.server, PERIOD) as ds:
            sides = (Side(link.client, table, dc),
                     Side(link.server, table, ds))

            def traffic():
                for i, number in enumerate(fast + slow + six):
                    client.send([number], 1000 + 37 * i)
                client.pingpong(plain, 5, 211)
                one.pingpong(mine, 7, 97)
                for i, number in enumerate(theirs):
                    two.send([number], 5000 + i)
                server.send(back, 777)
                client.send(inner, 333)

            def act(what, how):
                step(sides, both, what, how)

            act("standing connections", lambda: None)
            mapped_peer_is_ipv4(sides)
            act("traffic", traffic)
            act("other algorithms for open connections, without traffic",
                lambda: (client.set(fast[:2], *algorithm(other)),
                         client.set(slow[:1], *algorithm("reno"))))
            act("traffic by the new members", traffic)
            act("the listener ends, its connections stay inbound",
                lambda: (server.deaf(ECHO),
                         server.set(list(server.report()),
                                    *algorithm(other))))

            def come_and_go():
                client.close(fast[:1] + slow[:1] + plain[:1])
                one.close(mine[:1])
                client.send(client.open(2, netns.SERVER6, SINK,
                                        algorithm(first)), 1234)
                two.send(two.open(1, SERVER_B, SINK, bound(DEVICE)), 4321)
                server.send(server.open(1, netns.CLIENT6, BACK), 99)
            act("connections come and go", come_and_go)

            check.say("--- over all reads")
            for side in sides:
                side.compare_sums()
                errors = at(side.daemon.values("self"),
                            side.daemon.reads()[-2]).get(
                    ("self", "total_events", "dump_errors"))
                check.equal("%s dump_errors" % side.namespace, errors, 0)
                check.equal("%s exit code" % side.namespace,
                            side.daemon.end(), 0)


check.main(main)
