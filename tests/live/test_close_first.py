#!/usr/bin/env python3
"""Connections that come and go between the first reads of a daemon are counted,
all of them: opened right after the first values, in the middle of the interval,
and shortly before its end, closed at once or after a silence, in order or by a
reset of the peer. The programs' own counts are the judge. Connections that were
over before the start, and are held, are none of them. Some reads later, the
thread that receives close events sleeps until one comes."""

import os
import socket
import struct
import time

from live import check, closed, netns
from live.closed import Watch
from live.daemon import Collectd
from live.wait import poll

INTERVAL = 3.0
PORT, HELD = 9400, 10
REQUEST, ANSWER = 100, 70
SILENCE = 0.1 # seconds without a segment
LINGER = struct.pack("ii", 1, 0)

GROUPS = {"client": "RemotePort %d" % PORT, "server": "LocalPort %d" % PORT}


class Traffic:
    """Both ends in one namespace; what they did since the start."""

    def __init__(self, namespace):
        self.namespace = namespace
        with netns.inside(namespace):
            self.listener = socket.create_server(("127.0.0.1", PORT),
                                                 backlog=100)
        self.opened = self.resets = 0

    def pair(self):
        with netns.inside(self.namespace):
            client = socket.create_connection(("127.0.0.1", PORT))
        server = self.listener.accept()[0]
        client.sendall(bytes(REQUEST))
        assert len(server.recv(REQUEST, socket.MSG_WAITALL)) == REQUEST
        server.sendall(bytes(ANSWER))
        assert len(client.recv(ANSWER, socket.MSG_WAITALL)) == ANSWER
        return client, server

    def live(self, silence=0.0, reset=False):
        """One connection from its begin to its end."""
        client, server = self.pair()
        time.sleep(silence)
        if reset:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
            server.close()
            client.close()
        else:
            client.close()
            assert server.recv(1) == b""
            server.close()
        self.opened += 1
        self.resets += reset

    def some(self):
        for _ in range(5):
            self.live()
        self.live(SILENCE)
        self.live(SILENCE, reset=True)

    def dead(self):
        """Both FINs are exchanged; the owner keeps its end."""
        client, server = self.pair()
        server.close()
        assert client.recv(1) == b""
        client.shutdown(socket.SHUT_WR)
        return client


def first_values(daemon):
    """The time of the first read, as soon as its values are there."""
    poll(lambda: daemon.values("client") and daemon.values("self"),
         "first values", hopeless=daemon.ended)
    return daemon.reads()[0]


def shortly_before(when):
    """Connections need the rest of the interval for themselves."""
    time.sleep(max(0, when - time.time() - 0.7))


def first_interval_is_whole(link, moments, held=()):
    """`moments`: in which parts of the first interval; returns when the daemon
    has ended."""
    traffic = Traffic(link.client)
    with Collectd(closed.block(GROUPS, "CountClosed true"), link.client,
                  INTERVAL) as daemon:
        began = first_values(daemon)
        if "begin" in moments:
            traffic.some()
        for client in held:
            client.close()
        if "middle" in moments:
            time.sleep(max(0, began + INTERVAL / 2 - time.time()))
            traffic.some()
        if "end" in moments:
            shortly_before(began + INTERVAL)
            traffic.some()
        watch = Watch("daemon", link.client, daemon)
        closed.read([watch])
        is_counted(watch, traffic, len(held))
        if moments == ("begin", "middle", "end"):
            second_interval_is_whole(watch, traffic, len(held))
        traffic.listener.close()
        check.equal("exit code", daemon.end(), 0)


def is_counted(watch, traffic, held):
    """The values of the last read."""
    n, resets = traffic.opened, traffic.resets
    for group, sent, received in (("client", REQUEST, ANSWER),
                                  ("server", ANSWER, REQUEST)):
        for metric in ("opened", "closed"):
            # A reset by oneself clears the event: the listener's port stays.
            check.equal("%s: %s" % (group, metric), watch.value(group, metric),
                        float(n))
        cleared = resets if group == "server" else 0
        check.equal("%s: bytes_sent" % group, watch.value(group, "bytes_sent"),
                    float((n - cleared) * sent))
        least = (n - cleared) * received
        got = watch.value(group, "bytes_received")
        check.true("%s: bytes_received %d, and a FIN or none each" % (
            group, got), least <= got <= least + n)
    check.equal("close_events_lost", watch.value("self", "close_events_lost"),
                0.0)
    check.equal("close_events_unclear: held since before the start",
                watch.value("self", "close_events_unclear"), float(held))


def second_interval_is_whole(watch, traffic, held):
    check.say("--- the next interval")
    traffic.some()
    closed.read([watch])
    is_counted(watch, traffic, held)


def wake_ups(daemon):
    """How often the thread of close events has gone to sleep."""
    top = "/proc/%d/task" % daemon.process.pid
    for task in os.listdir(top):
        with open("%s/%s/status" % (top, task), encoding="ascii") as f:
            rows = dict(line.rstrip("\n").split(":\t", 1) for line in f
                        if ":\t" in line)
        if rows["Name"] == "tcpinfo-close":
            return int(rows["voluntary_ctxt_switches"])
    return None


def wake_ups_end(link):
    check.say("--- without events")
    with Collectd(closed.block(GROUPS, "CountClosed true"), link.client,
                  0.5) as daemon:
        first_values(daemon)
        before = wake_ups(daemon)
        poll(lambda: wake_ups(daemon) > before + 3,
             "wake-up in the first interval", hopeless=daemon.ended)
        daemon.begun_after(time.time(), 3)

        def still():
            then = wake_ups(daemon)
            daemon.begun_after(time.time(), 2)
            return wake_ups(daemon) == then
        check.true("no wake-up during two reads", poll(
            still, "end of the wake-ups", hopeless=daemon.ended))


def main():
    check.need("ip", "ethtool", "collectd", "setpriv", "nsenter")
    with netns.Link() as link:
        for moments in (("begin",), ("middle",), ("end",)):
            check.say("--- %s of the first interval" % moments[0])
            first_interval_is_whole(link, moments)
        check.say("--- all of it, and what is over but held")
        traffic = Traffic(link.client)
        held = [traffic.dead() for _ in range(HELD)]
        traffic.listener.close()
        first_interval_is_whole(link, ("begin", "middle", "end"), held)
        wake_ups_end(link)


check.main(main)
