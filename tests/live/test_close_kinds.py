#!/usr/bin/env python3
"""Every way in which a TCP socket ends: each is counted once, as opened and
closed or as failed, and no byte twice.

Two daemons watch the two ends; between the ways all is read."""

import contextlib
import ctypes
import errno
import socket
import struct
import time

from live import check, closed, netns
from live.closed import Watch
from live.daemon import Collectd
from live.wait import LIMIT, poll

INTERVAL = 0.3
PORT, REFUSED, BLACK = 9200, 9201, 9202
TCP_USER_TIMEOUT = 18
REQUEST, ANSWER = 1000, 700

GROUPS = {
    "everything": "",
    "port": closed.port(PORT),
    "others": 'Filter "sport != :%d and dport != :%d"' % (PORT, PORT),
    "refused": closed.port(REFUSED),
    "black": closed.port(BLACK),
    "address": 'By "remote-address"',
    "remote": 'By "remote-port"\nMaxMembers 3\nMemberTimeout 2',
}


def counted(opened, closed, failed=0, **more):
    return {"opened": opened, "closed": closed, "failed": failed, **more}


class Pair:
    """Connections between the two namespaces, both ends held here."""

    def __init__(self, ends, count, talk=True):
        self.client, self.server = [], []
        for i in range(count):
            c, s = ends.connect(i)
            self.client.append(c)
            self.server.append(s)
        if talk:
            self.talk()

    def talk(self):
        for c, s in zip(self.client, self.server):
            c.sendall(bytes(REQUEST))
            receive(s, REQUEST)
            s.sendall(bytes(ANSWER))
            receive(c, ANSWER)

    def reset(self):
        for c in self.client:
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                         struct.pack("ii", 1, 0))
        close(self.client)
        for s in self.server:
            with contextlib.suppress(ConnectionResetError):
                s.recv(1)
        close(self.server)


def close(sockets):
    for s in sockets:
        s.close()
    sockets.clear()


def receive(s, size):
    while size:
        size -= len(s.recv(size))


def ended(sockets):
    """The FIN of the other end has come."""
    for s in sockets:
        assert s.recv(1) == b""


class Ends:
    """The two namespaces and their daemons."""

    def __init__(self, link, daemons):
        self.link = link
        self.watches = [Watch(n, ns, d) for n, ns, d in zip(
            ("client", "server"), (link.client, link.server), daemons)]
        self.listener = self.listen(PORT)

    def listen(self, port):
        with netns.inside(self.link.server):
            s = socket.create_server(("::", port), family=socket.AF_INET6,
                                     backlog=100, dualstack_ipv6=True)
        s.settimeout(LIMIT)
        return s

    def new(self, family=socket.AF_INET):
        with netns.inside(self.link.client):
            s = socket.socket(family)
        s.settimeout(LIMIT)
        return s

    def connect(self, i, client=None):
        """IPv4, IPv6 and IPv4-mapped in turn."""
        s = client or self.new(socket.AF_INET6 if i % 3 else socket.AF_INET)
        s.connect(((netns.SERVER4, netns.SERVER6,
                    "::ffff:" + netns.SERVER4)[i % 3], PORT))
        accepted = self.listener.accept()[0]
        accepted.settimeout(LIMIT)
        return s, accepted

    def reads(self, count):
        """So many whole reads of both that begin from now on."""
        now = time.time()
        for w in self.watches:
            w.daemon.begun_after(now, count)

    def show(self, what, client, server):
        """Compares what the two ends have counted since the last time with
        {group: ...} of each."""
        check.say("--- " + what)
        closed.read(self.watches)
        for watch, expected in zip(self.watches, (client, server)):
            for group, numbers in expected.items():
                watch.compare(group, numbers)
            unclear = watch.grown("self", "close_events_unclear")
            if unclear:
                check.say("     %s left out %d events as unclear" %
                          (watch.name, unclear))
            watch.mark()


def same(*groups, **numbers):
    return {g: dict(numbers) for g in groups}


# --- resets ------------------------------------------------------------------

def reset_after_a_read_keeps_what_was_read(ends):
    """SO_LINGER 0 clears the counters; what was read before stays."""
    n = 20
    p = Pair(ends, n)
    ends.reads(1)
    p.reset()
    both = ("everything", "port", "address", "remote")
    ends.show(
        "%d reset after a read" % n,
        same(*both, **counted(n, n, bytes_new=n * REQUEST,
                              bytes_received=n * ANSWER)),
        same(*both, **counted(n, n, bytes_new=n * ANSWER,
                              bytes_received=n * REQUEST)))


def reset_at_once_is_counted(ends):
    """If no read was in between, the close event tells the remote address
    only."""
    n = 200
    for _ in range(n // 20):
        Pair(ends, 20).reset()
    ours = {"bytes_new": (0, n * REQUEST), "bytes_received": (0, n * ANSWER)}
    ends.show(
        "%d reset at once" % n,
        {**same("everything", "address", "remote", **counted(n, n, **ours)),
         "port": counted((0, n), (0, n), **ours),
         "others": counted(0, 0, bytes_new=0, bytes_received=0)},
        same("everything", "port", **counted(
            n, n, bytes_new=n * ANSWER, bytes_received=n * REQUEST)))
    w = ends.watches[0]
    check.equal("client port closed, as many as opened (in all)",
                w.value("port", "closed"), w.value("port", "opened"))


def socket_connected_anew_is_another_connection(ends):
    """connect() to nothing resets a connection, without an event; the socket
    goes on as another connection."""
    n = 20
    p = Pair(ends, n)
    ends.reads(1)
    for i, c in enumerate(p.client):
        # AF_UNSPEC
        if ctypes.CDLL(None).connect(c.fileno(), bytes(16), 16):
            raise OSError("connect to nothing")
        with contextlib.suppress(ConnectionResetError):
            p.server[i].recv(1)
        p.server[i].close()
        p.client[i], p.server[i] = ends.connect(i, client=c)
    p.talk()
    close(p.client)
    ended(p.server)
    close(p.server)
    numbers = counted(2 * n, 2 * n, connections=0)
    ends.show(
        "%d reset and connected anew" % n,
        same("everything", "port", "address", **numbers,
             bytes_new=2 * n * REQUEST, bytes_received=(
                 2 * n * ANSWER, 2 * n * ANSWER + n)),
        same("everything", "port", "address", **numbers,
             bytes_new=2 * n * ANSWER, bytes_received=2 * n * REQUEST + n))


# --- connects that fail ------------------------------------------------------

def refused_connect_is_failed(ends):
    """connect() clears the socket if it waits for the answer."""
    n = 12
    for i in range(n):
        s = ends.new(socket.AF_INET6 if i % 2 else socket.AF_INET)
        s.settimeout(None if i % 4 < 2 else LIMIT)
        with contextlib.suppress(ConnectionRefusedError):
            s.connect((netns.SERVER6 if i % 2 else netns.SERVER4, REFUSED))
        s.close()
    ends.show(
        "%d refused, half of them in a blocking connect()" % n,
        {**same("everything", "address", "remote", **counted(
            0, 0, n, bytes_new=0, bytes_received=0)),
         "refused": counted(0, 0, (n // 2, n)),
         "port": counted(0, 0, 0)},
        same("everything", **counted(0, 0, 0)))


def unanswered_connect_is_failed(ends):
    """Given up by the kernel, in a blocking connect() or not; and closed by
    its owner while it waits."""
    n = 9
    ends.link.drop(["tcp dport %d" % BLACK])
    sockets = [ends.new() for _ in range(n)]
    for s in sockets:
        s.setsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 400)
        s.setblocking(False)
        s.connect_ex((netns.SERVER4, BLACK))
    waiting = ends.new()
    waiting.setsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 400)
    waiting.settimeout(None)
    with contextlib.suppress(TimeoutError):
        waiting.connect((netns.SERVER4, BLACK))
    for s in sockets: # the kernel has given up
        poll(lambda s=s: s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) ==
             errno.ETIMEDOUT, "end of a connect")
    ends.reads(1)
    close(sockets)
    waiting.close()
    given_up = [ends.new() for _ in range(n)]
    for s in given_up:
        s.setblocking(False)
        s.connect_ex((netns.SERVER4, BLACK))
    ends.reads(1)
    close(given_up)
    check.true("SYNs dropped", ends.link.dropped() > 2 * n,
               ends.link.dropped())
    ends.link.drop([])
    ends.show(
        "%d without an answer" % (2 * n + 1),
        {**same("everything", "address", "remote", **counted(
            0, 0, 2 * n + 1, bytes_new=0, bytes_received=0, connections=0)),
         "black": counted(0, 0, (2 * n, 2 * n + 1))},
        same("everything", **counted(0, 0, 0)))


# --- sockets that are no connections -----------------------------------------

def unused_socket_is_no_connection(ends):
    for ns in (ends.link.client, ends.link.server):
        with netns.inside(ns):
            for family in (socket.AF_INET, socket.AF_INET6):
                made = [socket.socket(family) for _ in range(10)]
        for i, s in enumerate(made):
            if i % 3:
                s.bind(("::", 0))
            if i % 3 == 2:
                s.listen(5)
        close(made)
    nothing = same("everything", "address", "remote", **counted(
        0, 0, 0, connections=0))
    ends.show("unused sockets and listeners", nothing, nothing)


def listener_ends_with_its_queue(ends, seen):
    """A listener goes with the connections that nobody accepted; they are reset
    and their counters cleared."""
    n = 8
    listener = ends.listen(PORT + 10)
    clients = []
    for _ in range(n):
        s = ends.new()
        s.connect((netns.SERVER4, PORT + 10))
        s.sendall(bytes(REQUEST))
        clients.append(s)
    if seen:
        ends.reads(1)
    listener.close()
    for s in clients:
        with contextlib.suppress(ConnectionResetError):
            s.recv(1)
    close(clients)
    least = n * REQUEST if seen else 0
    ends.show(
        "a listener with %d connections in its queue, %s" % (
            n, "after a read" if seen else "at once"),
        same("everything", "address", "remote", **counted(
            n, n, bytes_new=n * REQUEST, bytes_received=0)),
        same("everything", "address", "remote", **counted(
            n, n, bytes_new=0, bytes_received=(least, n * REQUEST))))


# --- halves that stay --------------------------------------------------------

def remainder_in_fin_wait2_is_no_connection(ends, seen):
    """The client closes; its socket is gone, and what is left of it waits in
    FIN_WAIT2 as long as the server keeps its end."""
    n = 20
    p = Pair(ends, n)
    if seen:
        ends.reads(1)
    close(p.client)
    ended(p.server)
    both = ("everything", "port", "address", "remote")
    client = counted(n, n, bytes_new=n * REQUEST, bytes_received=n * ANSWER)
    server = counted(n, 0, bytes_new=n * ANSWER,
                     bytes_received=n * (REQUEST + 1), connections=n)
    ends.reads(3)
    ends.show("%d closed by the client, %s" % (
        n, "after a read" if seen else "at once"), same(*both, **client),
        same(*both, **server))
    close(p.server)
    ends.show(
        "and by the server, some reads later",
        same(*both, **counted(0, 0, bytes_new=0, bytes_received=0)),
        same(*both, **counted(0, n, bytes_new=0, bytes_received=0,
                              connections=-n)))
    ends.reads(2)
    ends.show("and later", same(*both, **counted(0, 0)),
              same(*both, **counted(0, 0)))


def half_closed_is_still_a_connection(ends):
    """FIN_WAIT2 of a socket that is held: it is still a connection."""
    n = 20
    p = Pair(ends, n)
    for c in p.client:
        c.shutdown(socket.SHUT_WR)
    ended(p.server)
    ends.reads(3)
    for s in p.server:
        s.sendall(bytes(ANSWER))
    for c in p.client:
        receive(c, ANSWER)
    ends.show(
        "%d half closed, the other half goes on" % n,
        same("everything", "port", **counted(
            n, 0, bytes_received=2 * n * ANSWER, connections=n)),
        same("everything", "port", **counted(
            n, 0, bytes_new=2 * n * ANSWER, connections=n)))
    close(p.server)
    ended(p.client)
    close(p.client)
    ends.show(
        "and closed",
        same("everything", "port", **counted(
            0, n, bytes_new=0, bytes_received=n, connections=-n)),
        same("everything", "port", **counted(0, n, connections=-n)))


def held_after_both_fins_is_counted_once(ends, seen):
    """Both FINs are exchanged, and no dump shows the socket any more; its
    owner closes it some reads later. What it did last may be left out then,
    but is not counted twice."""
    n = 20
    p = Pair(ends, n)
    if seen:
        ends.reads(1)
    for c in p.client:
        c.shutdown(socket.SHUT_WR)
    ended(p.server)
    for s in p.server:
        s.shutdown(socket.SHUT_WR)
    ended(p.client)
    ends.reads(4)
    close(p.client)
    close(p.server)
    client = {"opened": (0, n), "closed": (0, n), "failed": 0,
              "bytes_new": (0, n * REQUEST),
              "bytes_received": (0, n * (ANSWER + 1)), "connections": 0}
    if seen:
        client.update(opened=n, closed=n, bytes_new=n * REQUEST,
                      bytes_received=(n * ANSWER, n * (ANSWER + 1)))
    before = [w.before[("everything", "total_connections", "opened")]
              for w in ends.watches]
    unclear = [w.before[("self", "total_events", "close_events_unclear")]
               for w in ends.watches]
    ends.show(
        "%d held after both FINs, %s" % (n, "after a read" if seen else
                                         "at once"),
        same("everything", **client), same("everything", failed=0,
                                           connections=0))
    for w, opened, left_out in zip(ends.watches, before, unclear):
        opened = w.value("everything", "opened") - opened
        left_out = w.value("self", "close_events_unclear") - left_out
        check.true("%s: opened %d, left out as unclear %d, of %d" % (
            w.name, opened, left_out, n), n <= opened + left_out <= 2 * n and
            opened <= n and (opened == n or not seen))


def main():
    check.need("ip", "ss", "nft", "ethtool", "collectd", "setpriv", "nsenter")
    block = closed.block(GROUPS, "CountClosed true")
    with netns.Link() as link, \
            Collectd(block, link.client, INTERVAL) as dc, \
            Collectd(block, link.server, INTERVAL) as ds:
        ends = Ends(link, (dc, ds))
        for w in ends.watches:
            w.mark()
        reset_after_a_read_keeps_what_was_read(ends)
        reset_at_once_is_counted(ends)
        socket_connected_anew_is_another_connection(ends)
        refused_connect_is_failed(ends)
        unanswered_connect_is_failed(ends)
        unused_socket_is_no_connection(ends)
        for seen in (True, False):
            listener_ends_with_its_queue(ends, seen)
            remainder_in_fin_wait2_is_no_connection(ends, seen)
            held_after_both_fins_is_counted_once(ends, seen)
        half_closed_is_still_a_connection(ends)
        check.say("--- over all reads")
        for w in ends.watches:
            values = w.daemon.whole_values()
            closed.no_counter_falls(w.name, values)
            for group in ("address", "remote"):
                closed.members_and_other_are_the_total(w.name, values, group)
            check.true("%s: no port is taken for 0" % w.name,
                       not any(k[0] == "remote-0" for k in values))
            check.equal("%s opened and closed in all" % w.name,
                        w.value("everything", "closed"),
                        w.value("everything", "opened"))
            check.equal("%s events lost" % w.name,
                        w.value("self", "close_events_lost"), 0)
            check.equal("%s exit code" % w.name, w.daemon.end(), 0)


check.main(main)
