#!/usr/bin/env python3
"""One bad peer among 200: segments to it are lost, then the path to another one
is long. Worst and outliers name it within three intervals, and only it, though
no more than ten peers have series of their own."""

import json
import os
import re
import shutil
import tempfile
import time

from live import check, netns
from live.daemon import Collectd, own_modules
from live.delay import DEVICE, Delay
from live.observe import Observer, poll
from live.traffic import Agents

PORT, PEERS = 9001, 200
LOSSY, LONG = 77, 133
NETWORK = "10.99.1."
SIZE = 90000 # to each peer, an interval: 60 segments and more
DELAY = 0.03

BLOCK = """\
<Plugin tcpinfo>
  <Group "peers">
    RemotePort %d
    By "remote-address"
    MaxMembers 10
    Worst 2
    WorstRetrans 6 60
    WorstRtt 0.01 10
    Metric "connections" "outliers" "retrans_percent" "retrans"
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
        with open(self.file, encoding="utf-8") as f:
            for text in f.read().split("\n\n\n"):
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


class Traffic:
    """The same to every peer, a piece ten times an interval."""

    def __init__(self, client, observer):
        self.client, self.observer = client, observer
        self.numbers = []

    def open(self):
        for i in range(PEERS):
            self.numbers += self.client.open(1, peer(i + 1), PORT)

    def reads(self, count):
        """Sends for so many whole intervals more; the time of the read before
        the first of them."""
        began = self.observer.last()
        daemon = self.observer.daemon
        while sum(t > began for t in daemon.reads()) <= count:
            for _ in range(5):
                self.client.send(self.numbers, SIZE // 10)
                poll_written(self.client)
        return began


def poll_written(client):
    """Waits a tenth of an interval; longer while data wait for being sent."""
    time.sleep(0.1)
    poll(lambda: sum(r["pending"] for r in client.report().values()) < SIZE,
         "room for data")


def phase(traffic, what, count, wanted):
    """Values of `count` reads in which outliers has to be `wanted` from the
    third one on."""
    check.say("--- " + what)
    began = traffic.reads(count)
    rows = traffic.observer.rows(began, count, "peers")
    seen = [v.get("outliers") for _, v in rows]
    check.true("outliers is %d from the third read on" % wanted,
               seen[2:] == [wanted] * len(seen[2:]), seen)
    return rows


def worst_of(log, rows, instance, kind):
    """[(member, value)] in these reads."""
    times = {round(t, 3): None for t, _ in rows}
    found = {t: (m, v) for t, m, v in log.get((instance, kind), ())
             if t in times}
    return [found.get(t) for t in sorted(times)]


def compare_worst(log, rows, kind, number, what):
    first = worst_of(log, rows, "peers-worst1", kind)
    second = worst_of(log, rows, "peers-worst2", kind)
    check.true("%s: worst1 is %s from the third read on" % (what,
                                                            peer(number)),
               all(w and w[0] == peer(number) for w in first[2:]), first)
    check.true("%s: and worst2 is not" % what, all(
        w is None or w[0] != peer(number) for w in second[2:]), second)


def told(place, kind, number, what):
    """All notifications of this kind."""
    mine = [(h, m) for h, m in place.notifications()
            if h["TypeInstance"] == kind]
    check.equal("%s: notifications" % what, len(mine), 1)
    for headers, message in mine:
        check.say("     %s; %s" % (headers, message))
        check.equal("names", headers.get("tcpinfo:member"), peer(number))
        check.equal("severity", headers["Severity"], "WARNING")
        check.true("its text names it", peer(number) in message)


def no_more_series(daemon):
    members = {key[0] for key in daemon.values() if key[0].startswith(
        "peers-")}
    check.true("series: of ten members, other, and the worst two",
               len({m for m in members if "worst" not in m}) <= 2 * 10 + 1 and
               {"peers-worst1", "peers-worst2", "peers-other"} <= members,
               len(members))


def run(link, traffic, daemon, place):
    traffic.open()
    rows = {"before": phase(traffic, "%d peers, all well" % PEERS, 4, 0)}
    link.drop(["ip daddr %s numgen inc mod 7 0" % peer(LOSSY)])
    rows["loss"] = phase(traffic, "loss to %s" % peer(LOSSY), 5, 1)
    link.drop([])
    rows["between"] = phase(traffic, "no loss any more", 4, 0)
    netns.run("ip", "-n", link.client, "route", "add", peer(LONG) + "/32",
              "dev", DEVICE, "src", netns.CLIENT4)
    rows["long"] = phase(traffic, "a long path to %s" % peer(LONG), 5, 1)
    netns.run("ip", "-n", link.client, "route", "del", peer(LONG) + "/32")
    rows["after"] = phase(traffic, "as before", 5, 0)

    check.say("--- who it was")
    check.equal("exit code", daemon.end(), 0)
    log = named(daemon.log())
    compare_worst(log, rows["loss"], "retrans_percent", LOSSY, "loss")
    compare_worst(log, rows["long"], "rtt-p95", LONG, "long path")
    for name in ("before", "after"):
        values = worst_of(log, rows[name][3:], "peers-worst1",
                          "retrans_percent")
        check.say("     %s: worst1 retrans_percent %s" % (name, values))
    told(place, "retrans_percent", LOSSY, "loss")
    told(place, "rtt-p95", LONG, "long path")
    no_more_series(daemon)


def main():
    check.need("ip", "nft", "ethtool", "collectd", "setpriv")
    modules = own_modules()
    for name in ("write_log", "exec"):
        if not os.path.isfile(os.path.join(modules, name + ".so")):
            check.skip("no collectd plugin " + name)
    with netns.Link() as link, Delay(link, DELAY), Place() as place, \
            Agents(link) as (client, server, _):
        # Routes by device: neither end has the other's network otherwise.
        netns.run("ip", "-n", link.client, "route", "add", NETWORK + "0/24",
                  "dev", "veth")
        netns.run("ip", "-n", link.server, "-b", "-", input="".join(
            "addr add %s/32 dev veth\n" % peer(i + 1) for i in range(PEERS)))
        server.listen(PORT)
        block = BLOCK % (PORT, modules, place.script, place.file)
        with Collectd(block, link.client) as daemon:
            observer = Observer(daemon)
            observer.last()
            run(link, Traffic(client, observer), daemon, place)


check.main(main)
