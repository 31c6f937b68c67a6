#!/usr/bin/env python3
"""One bad peer among 200: segments to it are lost, then the path to another one
is long. Worst and outliers name it within three intervals, and only it, though
no more than ten peers have series of their own."""

import collections
import json
import os
import re
import shutil
import tempfile
import time

from live import check, interval, netns, ss
from live.daemon import Collectd, own_modules
from live.delay import DEVICE, Delay
from live.traffic import Agents
from live.wait import LIMIT, poll

PORT, PEERS = 9001, 200
LOSSY, LONG = 77, 133
NETWORK = "10.99.1."
SIZE = 90000 # to each peer, an interval: 60 segments and more
DELAY = 0.03
INTERVAL = 3.0 # room for stopping the daemon before its next read
SEGMENTS = ("peers", "packets", "segs_out")

BLOCK = """\
<Plugin tcpinfo>
  <Group "peers">
    RemotePort %d
    By "remote-address"
    MaxMembers 10
    Worst 2
    WorstRetrans 6 60
    WorstRtt 0.01 10
    Metric "connections" "outliers" "retrans_percent" "retrans" "segs_out"
    Metric "rtt" "p50" "p95" "max"
  </Group>
</Plugin>
PluginDir "%s"
LoadPlugin write_log
<Plugin write_log>
  Format JSON
</Plugin>
LoadPlugin exec
<Plugin exec>
  NotificationExec "nobody" "%s" "%s"
</Plugin>
"""
# collectd starts it for each notification, which it writes to its input.
TELL = """\
#!/bin/sh
notification=$(cat)
printf '%s\\n\\n\\n' "$notification" >> "$1"
"""
VALUES = re.compile(r"write_log values:\s*(\[.*?\}\])", re.S)


def peer(number):
    return NETWORK + str(number)


class Place:
    """A folder in which the user nobody may write."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="%s%d-" % (netns.PREFIX,
                                                         os.getpid()))
        os.chmod(self.folder, 0o777)
        self.script = os.path.join(self.folder, "tell")
        self.file = os.path.join(self.folder, "notifications")
        with open(self.script, "w", encoding="ascii") as out:
            out.write(TELL)
        os.chmod(self.script, 0o755)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def notifications(self):
        """[(headers, message)] in order."""
        out = []
        if not os.path.exists(self.file):
            return out
        with open(self.file, encoding="utf-8") as f:
            # The last one may be half written.
            for text in f.read().split("\n\n\n")[:-1]:
                head, _, message = text.strip().partition("\n\n")
                if head:
                    out.append((dict(line.split(": ", 1)
                                     for line in head.splitlines()), message))
        return out


def named(log):
    """{(plugin instance, type instance): [(time, member, value)]} of the values
    that have meta data."""
    out = {}
    for found in VALUES.finditer(log):
        for value in json.loads(found.group(1)):
            if value["plugin"] == "tcpinfo" and "-worst" in value[
                    "plugin_instance"]:
                member = (value.get("meta") or {}).get("tcpinfo:member", "")
                out.setdefault((value["plugin_instance"],
                                value["type_instance"]), []).append(
                    (round(value["time"], 3), member, value["values"][0]))
    return out


# The traffic to all peers in one stop of the daemon: the Stop, and the
# connections before it as ss lists them.
Round = collections.namedtuple("Round", "stop before")


class Traffic:
    """The same to every peer, in rounds: a piece to all after the other, while
    the daemon is stopped. However busy the machine is, the reads are full ones
    and show what ss says meanwhile."""

    def __init__(self, link, both, client, daemon):
        self.link, self.both, self.client = link, both, client
        self.daemon = daemon
        self.numbers = []
        self.last = None # the Stop
        self.sockets = []

    def open(self):
        for i in range(PEERS):
            self.numbers += self.client.open(1, peer(i + 1), PORT)
        self.both.settle()
        self.sockets = ss.connections(ss.sockets(self.link.client))

    def pieces(self):
        for _ in range(10):
            self.client.send(self.numbers, SIZE // 10)
            poll(lambda: not any(
                r["pending"] for r in self.client.report().values()),
                "room for data")
        self.both.settle()

    def round(self):
        before = self.sockets
        self.last = interval.stop(self.daemon, self.link.client, self.pieces,
                                  self.last and self.last.reads)
        self.sockets = self.last.sockets
        return Round(self.last, before)


def median(values):
    values = sorted(values)
    return (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2


def far(of, least, part):
    """The peers whose value is far above the others', as outlier.h has it."""
    middle = median(of.values())
    spread = 6 * 1.4826 * median(abs(v - middle) for v in of.values())
    limit = middle + max(spread, least, part * middle)
    return {p for p, v in of.items() if v > limit}


class Judge:
    """Judges a Round by ss: each peer's retransmissions in per cent, those
    that count for the worst, round-trip times in seconds, and who is an
    outlier."""

    def __init__(self, made):
        old = {s["cookie"]: s for s in made.before}
        self.percent, self.worst, self.rtt = {}, {}, {}
        some = set()
        for s in made.stop.sockets:
            segments, retrans = (s[k] - old[s["cookie"]][k] for k in (
                "data_segs_out", "retrans"))
            name = s["remote"]
            if segments < 50: # cannot be: SIZE is more
                raise RuntimeError("%d segments to %s" % (segments, name))
            self.percent[name] = min(100, 100 * retrans / segments)
            self.worst[name] = self.percent[name] if retrans >= 3 else 0
            self.rtt[name] = s["rtt"] / 1000
            if retrans >= 3:
                some.add(name)
        self.outliers = far(self.percent, 1, 0) & some | far(
            self.rtt, 0.002, 0.5)


def judged(daemon, made):
    """[(time of the read, its values, Judge)] of the rounds that a read shows
    from their begin to their end."""
    out = []
    for one in made:
        found = interval.ending(daemon, one.stop, SEGMENTS)
        if found:
            when, values, _ = found
            out.append((when, values, Judge(one)))
    return out


def phase(traffic, what, wanted, done=lambda: True):
    """Rounds until three reads show just the `wanted` outliers, and done().
    Each read has as many outliers as ss says there were."""
    check.say("--- " + what)
    made, end, rows = [], time.monotonic() + LIMIT, []
    while time.monotonic() < end:
        made += [traffic.round() for _ in range(3)]
        # The daemon goes on: nothing moves until the next round.
        rows += judged(traffic.daemon, made[-3:])
        if sum(j.outliers == wanted for _, _, j in rows) >= 3 and done():
            break
    check.true("%d rounds; in three of them, so says ss, just %s stood out" % (
        len(made), sorted(wanted) or "nobody"), sum(
            j.outliers == wanted for _, _, j in rows) >= 3,
               [sorted(j.outliers) for _, _, j in rows])
    got = [v.get(("peers", "count", "outliers")) for _, v, _ in rows]
    check.equal("outliers, and ss", got, [len(j.outliers) for _, _, j in rows])
    return rows


def worst_of(log, rows, instance, kind):
    """[(member, value)] in these reads."""
    found = {t: (m, v) for t, m, v in log.get((instance, kind), ())}
    return [found.get(round(t, 3)) for t, _, _ in rows]


def worst_two_are_those_of_ss(log, rows, kind, values, what):
    """The first two, by their names and values. `values`: of a Judge. Nobody
    is named for a value of 0."""
    got = [worst_of(log, rows, "peers-worst%d" % i, kind) for i in (1, 2)]
    wrong = []
    for first, second, (_, _, judge) in zip(*got, rows):
        of = values(judge)
        two = sorted(of.values())[:-3:-1]
        for pair, value in zip((first, second), two):
            if (pair is None or abs(pair[1] - value) > 1e-5 or
                    abs(of.get(pair[0], 0) - value) > 1e-5):
                wrong.append((pair, value))
        if first and second and first[0] == second[0] != "":
            wrong.append((first, second))
    check.true("%s: worst1 and worst2 by %s, and ss, in %d reads" % (
        what, kind, len(rows)), not wrong, wrong[:3] or got[0][:3])


def bad_peer_is_told_once(place, kind, number, what):
    """All notifications of this kind that something is bad. The one names the
    peer; if there is another one, ss said so of another peer, too, and rightly
    on a busy machine."""
    mine = [(h, m) for h, m in place.notifications()
            if h["TypeInstance"] == kind and h["Severity"] != "OKAY"
            and h.get("tcpinfo:member") == peer(number)]
    check.equal("%s: notifications" % what, len(mine), 1)
    for headers, message in mine:
        check.say("     %s; %s" % (headers, message))
        check.equal("severity", headers["Severity"], "WARNING")
        check.true("its text names it", peer(number) in message)


def nobody_else_is_told(place, rows):
    """Nobody is named whom ss does not find bad."""
    bad = {"retrans_percent": set(), "rtt-p95": set()}
    for _, _, judge in rows:
        bad["retrans_percent"] |= {p for p, v in judge.worst.items() if v >= 6}
        bad["rtt-p95"] |= {p for p, v in judge.rtt.items() if v >= 0.01}
    wrong = [h for h, _ in place.notifications() if h["Severity"] != "OKAY"
             and h.get("tcpinfo:member") not in bad[h["TypeInstance"]]]
    check.true("nobody is named but who was bad", not wrong, wrong)


def series_are_bounded(daemon):
    members = {key[0] for key in daemon.values() if key[0].startswith(
        "peers-")}
    check.true("series: of ten members, other, and the worst two",
               len({m for m in members if "worst" not in m}) <= 2 * 10 + 1 and
               {"peers-worst1", "peers-worst2", "peers-other"} <= members,
               len(members))


def run(link, traffic, daemon, place):
    def named_in_time(kind, number):
        """A notification waits for a minute after another one."""
        return lambda: any(
            h["TypeInstance"] == kind and h.get("tcpinfo:member") == peer(
                number) for h, _ in place.notifications())
    traffic.open()
    rows = {"before": phase(traffic, "%d peers, all well" % PEERS, set())}
    link.drop(["ip daddr %s numgen inc mod 7 0" % peer(LOSSY)])
    rows["loss"] = phase(traffic, "loss to %s" % peer(LOSSY), {peer(LOSSY)},
                         named_in_time("retrans_percent", LOSSY))
    link.drop([])
    rows["between"] = phase(traffic, "no loss any more", set())
    netns.run("ip", "-n", link.client, "route", "add", peer(LONG) + "/32",
              "dev", DEVICE, "src", netns.CLIENT4)
    rows["long"] = phase(traffic, "a long path to %s" % peer(LONG),
                         {peer(LONG)}, named_in_time("rtt-p95", LONG))
    netns.run("ip", "-n", link.client, "route", "del", peer(LONG) + "/32")
    rows["after"] = phase(traffic, "as before", set())

    check.say("--- who it was")
    check.equal("exit code", daemon.end(), 0)
    log = named(daemon.log())
    for name, some in rows.items():
        worst_two_are_those_of_ss(log, some, "retrans_percent",
                                  lambda j: j.worst, name)
        worst_two_are_those_of_ss(log, some, "rtt-p95", lambda j: j.rtt,
                                  name)
    bad_peer_is_told_once(place, "retrans_percent", LOSSY, "loss")
    bad_peer_is_told_once(place, "rtt-p95", LONG, "long path")
    nobody_else_is_told(place, [r for some in rows.values() for r in some])
    series_are_bounded(daemon)


def main():
    check.need("ip", "ss", "nft", "ethtool", "collectd", "setpriv")
    modules = own_modules()
    for name in ("write_log", "exec"):
        if not os.path.isfile(os.path.join(modules, name + ".so")):
            check.skip("no collectd plugin " + name)
    with netns.Link() as link, Delay(link, DELAY), Place() as place, \
            Agents(link) as (client, server, both):
        # Routes by device: neither end has the other's network otherwise.
        netns.run("ip", "-n", link.client, "route", "add", NETWORK + "0/24",
                  "dev", "veth")
        netns.run("ip", "-n", link.server, "-b", "-", input="".join(
            "addr add %s/32 dev veth\n" % peer(i + 1) for i in range(PEERS)))
        server.listen(PORT)
        block = BLOCK % (PORT, modules, place.script, place.file)
        with Collectd(block, link.client, INTERVAL) as daemon:
            run(link, Traffic(link, both, client, daemon), daemon, place)


check.main(main)
