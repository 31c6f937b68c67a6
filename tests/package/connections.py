"""Real connections, and the values that a daemon reports of them."""

import contextlib
import time

from live import check, netns
from live.daemon import at
from live.traffic import Agents
from live.wait import LIMIT

PORT, COUNT, SIZE = 9000, 3, 70001


class Connections:
    def __init__(self, link, client, both):
        self.namespace = link.client
        self.client = client
        self.both = both
        self.numbers = client.open(COUNT, netns.SERVER4, PORT)

    def trips(self, daemon, start):
        return [v for t, v in daemon.values("all").get(
            ("all", "latency", "rtt-p50"), ()) if t > start]

    def retransmitted(self, sockets):
        """Bytes; a busy machine, on which an ACK comes late, is enough for
        some."""
        return sum(s["bytes_retrans"] for s in sockets[self.namespace])

    def reported(self, daemon):
        """Sends on each, and compares."""
        retransmitted = self.retransmitted(self.both.settle()[0])
        start, before = daemon.read_after(time.time())
        rounds, end = 0, time.monotonic() + LIMIT
        # All of it may fall into the few ms around the begin of a read, which no
        # read takes for recent: then once more.
        while rounds == 0 or (not self.trips(daemon, start) and
                              time.monotonic() < end):
            self.client.send(self.numbers, SIZE)
            sockets, seen = self.both.settle()
            _, after = daemon.read_after(seen)
            rounds += 1
        retransmitted = self.retransmitted(sockets) - retransmitted
        sent = ("all", "total_bytes", "bytes_sent")
        check.equal("connections", after.get(("all", "count", "connections")),
                    COUNT)
        check.equal("bytes_sent, more than before, less %d of ss's "
                    "bytes_retrans" % retransmitted,
                    after.get(sent, 0) - before.get(sent, 0) - retransmitted,
                    rounds * COUNT * SIZE)
        trips = self.trips(daemon, start)
        check.true("round-trip times", trips and min(trips) > 0, trips)
        # The read first: of a later one not all values may be there.
        last = daemon.reads()[-2]
        check.equal("dump_errors", at(daemon.values("self"), last).get(
            ("self", "total_events", "dump_errors")), 0)


@contextlib.contextmanager
def connections():
    with netns.Link() as link, Agents(link) as (client, server, both):
        server.listen(PORT)
        yield Connections(link, client, both)
