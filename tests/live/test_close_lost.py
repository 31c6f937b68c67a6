#!/usr/bin/env python3
"""A daemon as nobody without any capability follows close events; it is
stopped while thousands of connections close, more than the kernel's buffer
holds. What is lost is told as the kernel counts it, no counter falls, and
connections that live are counted to the byte. Then its namespace loses its
name, and the daemon still ends when asked to."""

import os
import signal
import subprocess
import time

from live import check, closed, netns
from live.closed import Watch
from live.daemon import Collectd
from live.longs import Longs
from live.short import ENDS, RECEIVED, SENT, ShortClient, ShortServer
from live.traffic import Agents
from live.wait import LIMIT

INTERVAL = 0.5
PORT, LONGS = 9300, 9301
LONG, BATCH, MOST = 50, 5000, 100000
ASKED = 32 << 20 # bytes of the receive buffer
TARGETS = [["AF_INET", "", netns.SERVER4, PORT],
           ["AF_INET6", "", netns.SERVER6, PORT],
           ["AF_INET6", "", "::ffff:" + netns.SERVER4, PORT]]

GROUPS = {"everything": "", "short": closed.port(PORT),
          "long": closed.port(LONGS),
          "few": 'By "remote-address"\nMaxMembers 1'}


class Traffic:
    def __init__(self, link, server, longs):
        self.link, self.server, self.longs = link, server, longs

    def short(self, count):
        """Runs them to their end, the long ones beside them."""
        with ShortClient(self.link.client, count, TARGETS) as client:
            rows, _ = client.run(self.longs.send)
        self.server.settle()
        closed.gone([self.link.client], but=LONGS)
        return rows


def nothing_is_lost(watch, traffic, count, what):
    """Nothing is lost."""
    check.say("--- " + what)
    traffic.longs.mark()
    watch.mark()
    rows = traffic.short(count)
    grown = traffic.longs.grown()
    closed.read([watch])
    watch.compare("short", {
        "opened": count, "closed": count, "failed": 0,
        "bytes_new": rows.sum(SENT),
        "bytes_received": rows.sum(RECEIVED) + rows.sum(ENDS)})
    closed.compare_long(watch, grown)
    watch.compare("self", {"close_events": count, "close_events_lost": 0,
                           "close_events_unclear": 0, "dump_errors": 0})


def lost_events_are_told(watch, traffic):
    """Stops the daemon until the kernel has dropped events."""
    check.say("--- the daemon does not read")
    traffic.longs.mark()
    watch.mark()
    pid = watch.daemon.process.pid
    count = sent = received = 0
    before = closed.drops(watch.namespace)
    os.kill(pid, signal.SIGSTOP)
    try:
        while closed.drops(watch.namespace) - before < 500 and count < MOST:
            rows = traffic.short(BATCH)
            count += BATCH
            sent += rows.sum(SENT)
            received += rows.sum(RECEIVED) + rows.sum(ENDS)
        dropped = closed.drops(watch.namespace) - before
    finally:
        os.kill(pid, signal.SIGCONT)
    check.true("%d connections, events dropped by the kernel" % count,
               dropped >= 500, dropped)
    grown = traffic.longs.grown()
    closed.read([watch])
    dropped = closed.drops(watch.namespace) - before
    watch.compare("self", {
        "close_events": count - dropped, "close_events_lost": dropped,
        "close_events_suspended": 0, "dump_errors": 0})
    # If an event is lost, some other one may have been counted before, for all
    # that the plugin knows.
    unclear = watch.grown("self", "close_events_unclear")
    check.say("     %d events left out as unclear" % unclear)
    least = count - dropped - unclear
    watch.compare("short", {
        "opened": (least, count), "closed": (least, count), "failed": 0,
        "bytes_new": (1, sent), "bytes_received": (1, received),
        "connections": 0})
    check.equal("short closed, as many as opened (in all)",
                watch.value("short", "closed"), watch.value("short", "opened"))
    closed.compare_long(watch, grown)
    return dropped


def loss_is_logged_once(watch, dropped):
    """With the buffer that the kernel grants a process without privileges."""
    with open("/proc/sys/net/core/rmem_max", encoding="ascii") as f:
        granted = min(int(f.read()), ASKED)
    lines = [l for l in watch.daemon.log().splitlines()
             if "close events lost" in l]
    check.say("\n".join(lines))
    check.equal("messages", len(lines), 1)
    words = lines[0].split()
    count = int(words[words.index("close") - 1])
    check.true("%d lost when it was written" % count, 0 < count <= dropped)
    cure = "granted %d of %d bytes" % (granted, ASKED)
    if granted == ASKED:
        cure = "give collectd more CPU time"
    check.true("it says: " + cure, cure in lines[0])


def daemon_outlives_the_name_of_its_namespace(watch, link):
    """The daemon keeps the namespace, and goes on in it."""
    check.say("--- the namespace loses its name")
    netns.run("ip", "netns", "del", link.client)
    daemon = watch.daemon
    daemon.read_after(time.time())
    check.equal("dump_errors", daemon.values("self")[
        ("self", "total_events", "dump_errors")][-1][1], 0)
    began = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    try:
        daemon.process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        pass
    check.true("ends on SIGTERM", daemon.process.poll() == 0,
               "exit code %s after %.2f s" % (daemon.process.poll(),
                                              time.monotonic() - began))


def identity(pid):
    """User and effective capabilities as the kernel has them."""
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        rows = dict(line.rstrip("\n").split(":\t", 1) for line in f
                    if ":\t" in line)
    return int(rows["Uid"].split()[1]), int(rows["CapEff"], 16)


def main():
    check.need("ip", "ss", "ethtool", "collectd", "setpriv", "nsenter")
    with netns.Link() as link, Agents(link) as (client, echo, _), \
            ShortServer(link.server, ["AF_INET6", "::", PORT]) as server:
        longs = Longs(client, echo, LONGS)
        longs.open(LONG)
        traffic = Traffic(link, server, longs)
        with Collectd(closed.block(GROUPS, "CountClosed true"), link.client,
                      INTERVAL, nobody=True) as daemon:
            watch = Watch("nobody", link.client, daemon)
            watch.mark()
            check.equal("user and capabilities",
                        identity(daemon.process.pid), (65534, 0))
            nothing_is_lost(watch, traffic, 600, "before")
            check.true("nothing about lost events in the log",
                       "close events lost" not in daemon.log())
            dropped = lost_events_are_told(watch, traffic)
            loss_is_logged_once(watch, dropped)
            dropped += lost_events_are_told(watch, traffic)
            loss_is_logged_once(watch, dropped)
            nothing_is_lost(watch, traffic, 600, "afterwards")
            daemon_outlives_the_name_of_its_namespace(watch, link)
            check.say("--- over all reads")
            values = daemon.whole_values()
            closed.no_counter_falls(watch.name, values)
            closed.members_and_other_are_the_total(watch.name, values, "few")


check.main(main)
