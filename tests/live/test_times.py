#!/usr/bin/env python3
"""Time passes once, and a handshake is no measurement: dead sockets that a program
still holds, a server with TCP_DEFER_ACCEPT, and lost SYNs, against what poll(),
the programs' clocks and the kernel's own counts say."""

import select
import socket
import struct
import time

from live import check, netns
from live.daemon import Collectd
from live.wait import poll

TCP_USER_TIMEOUT, TCP_DEFER_ACCEPT, TCP_INFO = 18, 9, 11
HELD, PLAIN, DEFER, SYNS, LOSS = 9000, 9001, 9002, 9003, 9004
COUNT = 4
TIMES = "rto_time", "busy_time", "rwnd_limited", "sndbuf_limited"


def group(name, option, port, more=""):
    return """  <Group "%s">
    %s %d
    Metric "connections" "closed" "retrans" "retrans_percent" "total_rto"
    Metric "rto_recoveries" "data_segs_out" %s
    Metric %s
  </Group>
""" % (name, option, port, more, " ".join('"%s"' % t for t in TIMES))


CLIENT = "<Plugin tcpinfo>\n%s%s%s</Plugin>" % (
    group("held", "RemotePort", HELD, '"limited"'),
    group("syns", "RemotePort", SYNS), group("loss", "RemotePort", LOSS))
SERVER = "<Plugin tcpinfo>\n%s%s</Plugin>" % (
    # With "states" a dump shows the request before the connection.
    group("plain", "LocalPort", PLAIN, '"states"'),
    group("defer", "LocalPort", DEFER, '"states"'))


def listener(namespace, port, *options):
    with netns.inside(namespace):
        s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for option in options:
        s.setsockopt(*option)
    s.bind((netns.SERVER4, port))
    s.listen(64)
    return s


def connect(namespace, port):
    with netns.inside(namespace):
        s = socket.socket()
    s.connect((netns.SERVER4, port))
    return s


def total(daemon, name, kind, what):
    rows = daemon.values(name).get((name, kind, what))
    return rows[-1][1] if rows else None


def steps(daemon, name, kind, what):
    """What it grew by, and the time between the two reads, in milliseconds."""
    rows = daemon.values(name)[(name, kind, what)]
    return [(b[1] - a[1], 1000 * (b[0] - a[0]))
            for a, b in zip(rows, rows[1:])]


def dead_sockets_that_are_held_add_no_time(link, daemon):
    server = listener(link.server, HELD)
    pairs = []
    for _ in range(COUNT):
        s = connect(link.client, HELD)
        s.setsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 2000)
        peer, _ = server.accept()
        s.sendall(b"x")
        peer.recv(1)
        pairs.append((s, peer))
    daemon.begun_after(time.time())
    link.drop(["tcp dport %d" % HELD])
    begin, waited = time.monotonic(), 0
    for s, _ in pairs:
        s.sendall(b"y" * 100)
    for s, _ in pairs:
        p = select.poll()
        p.register(s, select.POLLERR)
        check.true("the connection died", p.poll(60000))
        waited += 1000 * (time.monotonic() - begin)
    end = time.monotonic()
    poll(lambda: total(daemon, "held", "total_connections", "closed") ==
         COUNT, "count of the dead connections")
    poll(lambda: time.monotonic() - end > 4, "time in which they are held")
    of_kernel = sum(struct.unpack_from(
        "I", s.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 280), 244)[0]
        for s, _ in pairs)
    check.true("the kernel goes on counting", of_kernel > waited,
               "%d ms, the programs waited %d ms" % (of_kernel, waited))
    for pair in pairs:
        for s in pair:
            s.close()
    link.drop([])
    daemon.begun_after(time.time(), 2)
    for what in TIMES:
        got = total(daemon, "held", "total_time_in_ms", what)
        # The last byte before was ACKed in much less than the slack.
        check.true("%s is not more than the programs waited" % what,
                   got is not None and got <= waited + COUNT * 50,
                   "%s of %d ms" % (got, waited))
        for grown, passed in steps(daemon, "held", "total_time_in_ms", what):
            if grown > COUNT * (passed + 50):
                check.true("%s grew by no more than has passed" % what, False,
                           "%d ms of %d connections in %d ms" % (
                               grown, COUNT, passed))
    check.true("and rto_time is there",
               total(daemon, "held", "total_time_in_ms", "rto_time") > 0)


def deferred_client_has_no_timeouts(link, daemon):
    """Both servers have a client that connects, and asks later."""
    servers = {"plain": listener(link.server, PLAIN),
               "defer": listener(link.server, DEFER,
                                 (socket.IPPROTO_TCP, TCP_DEFER_ACCEPT, 30))}
    clients = {name: connect(link.client, s.getsockname()[1])
               for name, s in servers.items()}
    # The timer of the SYN-ACK expires after 1 s, and again 2 s later.
    begin = time.monotonic()
    poll(lambda: time.monotonic() - begin > 3.5, "time to think")
    for name, s in servers.items():
        clients[name].sendall(b"GET /")
        peer, _ = s.accept()
        for _ in range(5):
            peer.recv(100)
            peer.sendall(b"answer")
            clients[name].recv(100)
            clients[name].sendall(b"GET /")
        info = peer.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 280)
        rto = struct.unpack_from("HH", info, 240) if len(info) >= 248 else None
        check.say("%s: the kernel says total_rto, total_rto_recoveries %s" %
                  (name, rto))
        daemon.begun_after(time.time(), 2)
        for what in ("total_rto", "rto_recoveries"):
            check.equal("%s: %s" % (name, what),
                        total(daemon, name, "total_events", what), 0.0)
        check.equal("%s: rto_time" % name, total(
            daemon, name, "total_time_in_ms", "rto_time"), 0.0)
        peer.close()
        s.close()
        clients[name].close()


def lost_syns_are_no_loss_of_data(link, daemon):
    server = listener(link.server, SYNS)
    link.drop(["tcp dport %d tcp flags syn" % SYNS])
    with netns.inside(link.client):
        s = socket.socket()
    s.setblocking(False)
    try:
        s.connect((netns.SERVER4, SYNS))
    except BlockingIOError:
        pass
    poll(lambda: link.dropped() >= 2, "retransmitted SYN")
    link.drop([])
    peer, _ = server.accept()
    s.setblocking(True)
    for _ in range(20):
        s.sendall(b"question")
        peer.recv(100)
        peer.sendall(b"answer")
        s.recv(100)
    daemon.begun_after(time.time(), 2)
    check.true("SYNs count as retransmitted segments",
               total(daemon, "syns", "packets", "retrans") >= 1,
               total(daemon, "syns", "packets", "retrans"))
    rows = daemon.values("syns")[("syns", "percent", "retrans_percent")]
    check.equal("but not as lost data", max(v for _, v in rows), 0.0)

    server = listener(link.server, LOSS)
    s = connect(link.client, LOSS)
    peer, _ = server.accept()
    link.drop(["tcp dport %d ip length > 60" % LOSS])
    s.sendall(b"x" * 1000)
    poll(lambda: link.dropped() >= 1, "lost data")
    link.drop([])
    peer.recv(1000)
    daemon.begun_after(time.time(), 2)
    rows = daemon.values("loss")[("loss", "percent", "retrans_percent")]
    check.true("lost data do", max(v for _, v in rows) > 0, rows[-3:])


def main():
    check.need("ip", "ss", "ethtool", "nft", "nsenter", "collectd", "setpriv")
    with netns.Link() as link, \
            Collectd(CLIENT, link.client) as client, \
            Collectd(SERVER, link.server) as server:
        for daemon in (client, server):
            daemon.wait(lambda r: len(r) >= 2, "read")
        dead_sockets_that_are_held_add_no_time(link, client)
        deferred_client_has_no_timeouts(link, server)
        lost_syns_are_no_loss_of_data(link, client)


if __name__ == "__main__":
    check.main(main)
