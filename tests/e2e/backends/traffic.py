"""The traffic, with methods that cause one problem each and end it again. The
interval of collectd is 1 s."""

import contextlib
import socket
import time

from live import netns, ss
from live.delay import FAR
from live.traffic import Agent
from live.wait import LIMIT

SINK, ECHO, WEB, SLOW, SHUT = 9000, 9001, 8000, 8001, 9999
LOSSY, NOT_READING, DEAD = "10.99.0.3", "10.99.0.4", "10.99.0.7"
OTHERS = 5 # more addresses of the server
SIZE = 120000 # bytes to each peer in an interval: some 80 segments
# The queue is longer than all send buffers of the connections through it, so it
# drops nothing: a segment that the host itself drops counts in bytes_sent at each
# attempt, but not as retransmitted.
QUEUE = ("tbf", "rate", "16mbit", "burst", "32k", "limit", "4mb")
BULK = ("SOL_SOCKET", "SO_SNDBUF", 131072)
NARROW = ("SOL_SOCKET", "SO_SNDBUF", 65536)
PACED = ("SOL_SOCKET", 47, 20000000) # SO_MAX_PACING_RATE
FAR_AWAY = 0.02 # seconds one way


class Traffic:
    def __init__(self, link, client, server):
        self.link, self.client, self.server = link, client, server
        self.peers = [netns.SERVER4, *link.more]
        self.sink, self.echo, self.inbound = {}, [], []
        self.bulk, self.narrow = [], []

    def open(self):
        """Opens a connection to each peer for data, others for requests with
        answers, also over IPv6, and inbound ones."""
        for port, echo in ((SINK, False), (ECHO, True)):
            self.server.listen(port, echo=echo)
        self.client.listen(WEB, echo=True)
        for peer in self.peers:
            self.sink[peer] = self.client.open(1, peer, SINK)[0]
        self.echo = (self.client.open(2, netns.SERVER4, ECHO) +
                     self.client.open(1, netns.SERVER6, ECHO))
        # One connection fills a queue up to its send buffer; the send buffer of
        # the other one is too small for the round-trip time.
        self.bulk = self.client.open(1, netns.SERVER4, SINK, BULK)
        self.narrow = self.client.open(1, FAR, SINK, NARROW, PACED)
        self.inbound = self.server.open(3, netns.CLIENT4, WEB)

    def flow(self, daemon, reads, done=lambda: True, exchanges=True):
        """Sends data in both directions ten times an interval, except to peers
        that have not received the data before, until the daemon has done so many
        reads and done() returns true."""
        began, end = time.time(), time.monotonic() + LIMIT
        while time.monotonic() < end:
            reports = self.client.report()
            self.client.send([n for n in self.sink.values()
                              if reports[n]["pending"] < SIZE], SIZE // 10)
            if exchanges:
                self.server.pingpong(self.inbound, 1, 2000)
                self.client.pingpong(self.echo, 1, 1000)
            time.sleep(0.1)
            if sum(t > began for t in daemon.reads()) > reads and done():
                return

    @contextlib.contextmanager
    def loss(self):
        """Drops a fifth of the packets to one peer."""
        self.link.drop(["ip daddr %s tcp dport %d numgen inc mod 5 0" %
                        (LOSSY, SINK)])
        yield
        self.link.drop([])

    @contextlib.contextmanager
    def silence(self):
        """Drops all packets to one peer."""
        self.link.drop(["ip daddr %s" % DEAD])
        yield
        self.link.drop([])

    def _qdisc(self, *words):
        netns.run("ip", "netns", "exec", self.link.client, "tc", "qdisc",
                  *words)

    @contextlib.contextmanager
    def queue(self, size=10 ** 7):
        """Makes the link slow, with a long queue, and fills the queue."""
        self._qdisc("add", "dev", "veth", "root", *QUEUE)
        self.client.send(self.bulk, size)
        self.client.send(self.narrow, 5 * 10 ** 6)
        yield
        self._qdisc("del", "dev", "veth", "root")

    @contextlib.contextmanager
    def slow_program(self):
        """A program that does not accept connections; its accept queue is
        full."""
        program = Agent(self.link.client)
        try:
            program.listen(SLOW, backlog=4, accept=False)
            self.server.open(4, netns.CLIENT4, SLOW)
            yield
        finally:
            program.end()

    @contextlib.contextmanager
    def server_does_not_read(self):
        """The server reads nothing; it gets more data than the buffers hold."""
        self.server.pause(True)
        self.client.send([self.sink[NOT_READING]], 8 * 10 ** 6)
        yield
        self.server.pause(False)

    @contextlib.contextmanager
    def program_does_not_read(self):
        """This host's program reads nothing."""
        self.client.pause(True)
        self.server.pingpong(self.inbound, 1, 3000)
        yield
        self.client.pause(False)

    def refused(self, count):
        """Connects to a closed port."""
        for _ in range(count):
            with contextlib.suppress(OSError), netns.inside(self.link.client):
                socket.create_connection((netns.SERVER4, SHUT), LIMIT).close()

    def storm(self, done, each=100):
        """Opens and closes `each` connections, ten times a second, until done()
        returns true."""
        end = time.monotonic() + LIMIT
        while not done() and time.monotonic() < end:
            self.client.close(self.client.open(each, netns.SERVER4, ECHO))
            time.sleep(0.1)

    def busy(self):
        """Returns true if data are in flight, except over loopback, where the
        backends always have some."""
        reports = [*self.client.report().values(),
                   *self.server.report().values()]
        if any(r["pending"] or r["rounds"] for r in reports):
            return True
        listed = ss.sockets(self.link.client) + ss.sockets(self.link.server)
        return any(s["send_queue"] or s["recv_queue"] or s.get("unacked")
                   for s in ss.connections(listed)
                   if s["local"] != "127.0.0.1")

    def settle(self):
        """Waits until all data have arrived, and for longer than an ACK may be
        delayed."""
        end, idle = time.monotonic() + LIMIT, 0
        while idle < 3:
            idle = 0 if self.busy() else idle + 1
            if time.monotonic() > end:
                raise TimeoutError("traffic has not settled")
            time.sleep(0.2)
