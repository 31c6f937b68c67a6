#!/usr/bin/env python3
"""Connections of MPTCP, which the plugin sees as TCP connections: short ones, which
hardly a read has seen, and long ones. Who closes first takes turns, and so does which
end is MPTCP. The manual's table of what a close event lacks then
(CLOSED CONNECTIONS) holds: the other end is exact, to the byte; the kernel clears
the counters of this one, which is opened and closed nevertheless, by its local port
and remote address. What was read of it before stays."""

import errno
import socket
import time

from live import check, closed, netns
from live.closed import Watch
from live.daemon import Collectd
from live.wait import LIMIT

INTERVAL = 0.5
PORT, SHORT, LONG = 9500, 60, 3
UP, DOWN = 2000, 3000
FEW = SHORT // 4 # of the short ones, a read may have seen so many
MPTCP = 262 # IPPROTO_MPTCP

GROUPS = {"everything": "", "local": "LocalPort %d", "remote": "RemotePort %d",
          "port": 'Filter "sport = :%d or dport = :%d"'}

# What the ends are, who closes first, and whose counters the kernel clears.
TABLE = [
    ("mptcp", "mptcp", "client", "server"),
    ("mptcp", "mptcp", "server", "client"),
    ("tcp", "mptcp", "client", None),
    ("tcp", "mptcp", "server", None),
    ("mptcp", "tcp", "client", "client"),
    ("mptcp", "tcp", "server", None),
]


def protocol(name):
    return MPTCP if name == "mptcp" else 0


def block():
    return closed.block({name: text.replace("%d", str(PORT))
                         for name, text in GROUPS.items()}, "CountClosed true")


class Ends:
    """The two ends of connections, each of its protocol."""

    def __init__(self, link, client, server, first):
        self.link, self.first = link, first
        self.protocol = protocol(client)
        with netns.inside(link.server):
            self.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM,
                                          protocol(server))
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((netns.SERVER4, PORT))
        self.listener.listen(50)
        self.listener.settimeout(LIMIT)

    def open(self):
        with netns.inside(self.link.client):
            client = socket.socket(socket.AF_INET, socket.SOCK_STREAM,
                                   self.protocol)
        client.settimeout(LIMIT)
        client.connect((netns.SERVER4, PORT))
        server = self.listener.accept()[0]
        server.settimeout(LIMIT)
        return client, server

    def talk(self, pair):
        client, server = pair
        client.sendall(bytes(UP))
        assert len(server.recv(UP, socket.MSG_WAITALL)) == UP
        server.sendall(bytes(DOWN))
        assert len(client.recv(DOWN, socket.MSG_WAITALL)) == DOWN

    def close(self, pair):
        first, second = pair if self.first == "client" else pair[::-1]
        first.close()
        assert second.recv(1) == b""
        second.close()


def settled(ends, watches):
    closed.gone((ends.link.client, ends.link.server))
    closed.read(watches)


def compare(watch, mine, cleared, count, seen):
    """`seen`: a read has seen all that the connections did. If none has, and the
    event is cleared, the remote port is not known either."""
    up, down = (UP, DOWN) if watch.name == "client" else (DOWN, UP)
    for group in ("everything", mine, "port"):
        number, sent = count, count * up
        received = count * down, count * (down + 1)
        if cleared and not seen:
            sent, received = (0, FEW * up), (0, FEW * (down + 1))
            if watch.name == "client" and group != "everything":
                number = 0, count
        watch.compare(group, {
            "opened": number, "closed": number, "failed": 0,
            "bytes_sent": sent, "bytes_received": received})


def one_row(ends, watches, cleared):
    for watch in watches:
        watch.mark()
    for _ in range(SHORT):
        pair = ends.open()
        ends.talk(pair)
        ends.close(pair)
    settled(ends, watches)
    for watch, mine in zip(watches, ("remote", "local")):
        gone = cleared == watch.name
        compare(watch, mine, gone, SHORT, False)
        watch.compare("self", {
            "close_events_aborted": SHORT if gone else 0,
            "close_events_unclear": 0, "close_events_lost": 0})
        watch.mark()
    pairs = [ends.open() for _ in range(LONG)]
    for pair in pairs:
        ends.talk(pair)
    now = time.time()
    for watch in watches:
        watch.daemon.begun_after(now)
    for pair in pairs:
        ends.close(pair)
    settled(ends, watches)
    for watch, mine in zip(watches, ("remote", "local")):
        compare(watch, mine, cleared == watch.name, LONG, True)


def has_mptcp():
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, MPTCP).close()
        return True
    except OSError as e:
        if e.errno in (errno.EPROTONOSUPPORT, errno.ENOPROTOOPT, errno.EINVAL):
            return False
        raise


def main():
    check.need("ip", "ss", "ethtool", "collectd", "setpriv", "nsenter")
    if not has_mptcp():
        check.skip("no MPTCP in this kernel, or net.mptcp.enabled is 0")
    with netns.Link() as link, \
            Collectd(block(), link.client, INTERVAL) as dc, \
            Collectd(block(), link.server, INTERVAL) as ds:
        watches = (Watch("client", link.client, dc),
                   Watch("server", link.server, ds))
        for watch in watches:
            watch.mark()
        for client, server, first, cleared in TABLE:
            check.say("--- %s client, %s server, %s closes first" % (
                client, server, first))
            ends = Ends(link, client, server, first)
            one_row(ends, watches, cleared)
            ends.listener.close()
        for watch in watches:
            check.equal("exit code", watch.daemon.end(), 0)


check.main(main)
