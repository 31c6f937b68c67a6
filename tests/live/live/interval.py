"""An interval between two reads that holds just what a test does: the daemon is
stopped meanwhile, however long that takes."""

import collections
import time

from . import check, ss
from .daemon import at
from .wait import LIMIT

# Seconds between the stop and the test's traffic. ss tells the age of an ACK, not
# its time: it is known as exactly as ss itself is quick.
APART = 1
# Seconds that jiffies and milliseconds round away.
EXACT = 0.02

# A stop of the daemon: when it began; the connections as ss lists them, which
# stand still, after what was done in it, from `asked` to `told`; the number of
# reads until then.
Stop = collections.namedtuple("Stop", "began asked told sockets reads")


def stop(daemon, namespace, act, since=None):
    """Stops the daemon at once after a read, that after the first `since` of
    them or the next one, and calls act(), after which the connections of the
    namespace stand still. Returns the Stop when the daemon goes on."""
    if since is None:
        since = len(daemon.reads())
    daemon.wait(lambda r: len(r) > since, "read")
    daemon.stop()
    try:
        began = time.time()
        time.sleep(APART)
        act()
        asked = time.time()
        sockets = ss.connections(ss.sockets(namespace))
        return Stop(began, asked, time.time(), sockets, len(daemon.reads()))
    finally:
        daemon.go_on()


def ending(daemon, made, grows):
    """The read whose interval holds all of the Stop, and in whose dump all was
    over: (its time, its values, the time of the last read but one before it, at
    which the dump before had not begun). None if it cannot be told: a dump may have been under way when the daemon stopped."""
    daemon.wait(lambda r: sum(t > made.told for t in r) >= 2, "read")
    reads = daemon.reads()
    done = [t for t in reads if t <= made.began]
    when = min(t for t in reads if t > made.began)
    if len(done) < 2 or when <= made.told:
        return None
    earlier, before = done[-2:]
    written = daemon.values()
    last, values = at(written, before), at(written, when)
    # The dump began after the stop, because the read is stamped after the stop
    # and the dump took less time than the stop. The dump did not end before the
    # stop, because it shows more traffic. The plugin takes an ACK for recent if
    # it came after the dump before had begun, by more than this dump took to
    # come to its socket.
    if (dump_time(values) >= made.told - made.began
            or last.get(grows) == values.get(grows)
            or made.began - before + dump_time(last) <
            dump_time(values) + EXACT):
        return None
    return when, values, earlier


def dump_time(values):
    return values["self", "latency", "dump_time"]


def interval(daemon, namespace, act, grows, prepare=lambda: None):
    """Calls act() between two reads, see stop(), and prepare() shortly before
    the first of them. `grows`: the key of a counter that act() makes grow. Tries
    once more if a read cannot be told apart from the stop. Returns the
    connections as ss lists them, the cookies of those with an ACK in the
    interval, and the values of the read that ends it; or None."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        prepare()
        # The second read from now on begins after the ACKs so far.
        made = stop(daemon, namespace, act, len(daemon.reads()) + 1)
        found = ending(daemon, made, grows)
        if found is None or ss.still(ss.connections(ss.sockets(
                namespace))) != ss.still(made.sockets):
            continue
        active = recent(made, found[2])
        if active is not None:
            return made.sockets, active, found[1]
    check.true("an interval that holds all of the traffic", False)
    return None


def recent(made, earlier):
    """The cookies of the connections with an ACK during the Stop; the ACKs of
    the others came before `earlier`, or else None."""
    active = set()
    for s in made.sockets:
        ago = s["lastack"] / 1000
        if made.asked - ago > made.began + EXACT:
            active.add(s["cookie"])
        elif made.told - ago > earlier - EXACT:
            return None
    return active
