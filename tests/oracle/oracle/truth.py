"""The truth about one namespace in one phase: what the kernel (observer.py) and
the programs (program.py) say of every socket, joined by cookie.

Of each counter a socket has a bound below and one above. They are equal, unless
one of EXEMPTIONS says why the plugin cannot know it exactly."""

import bisect
import collections
import json

from . import kernel, observer

FIELDS = ("bytes_sent", "bytes_received", "bytes_retrans", "retrans",
          "segs_out", "segs_in")
AT = [kernel.NAMES.index(f) for f in FIELDS]
LIVES = ("opened", "closed", "failed")
COUNTERS = FIELDS + LIVES
ZERO = [0] * len(FIELDS)
# Of a connect() that failed: retransmitted SYNs, segments out and in.
SYN_MOST = (3, 8, 4)
# Of a connection in the time between two looks of the observer.
SEGMENT, SEGMENTS_MOST = 1448, 48
REST_MOST = 5 # seconds in FIN_WAIT2: net.ipv4.tcp_fin_timeout here

# What the plugin cannot know, by its documents, and what is checked instead. All
# that is not here is checked for equality.
EXEMPTIONS = {
    "cleared": "SO_LINGER 0, or connect() to nothing: the kernel clears the "
               "close event; what the plugin's last dump saw, between two looks "
               "of the oracle",
    "anew": "a socket that connects again: the kernel sends no event for the "
            "first connection; without a dump in between it is in no value",
    "connect": "a connect() that waits and fails: the kernel clears its SYNs",
    "held": "an application holds the socket for more than 30 reads after the "
            "end: the event's last growth is left out",
    "unclear": "an event that may have been counted before: at most as many "
               "connections are missing as close_events_unclear says",
    "lost": "the kernel dropped close events: only what dumps saw is certain",
    "baseline": "the daemon started while connections came and went",
    "no event": "a member by user, cgroup or algorithm: a connection that no dump "
                "surely showed may be in `other`",
    "accepted": "the same of an accepted socket, which has no user until "
                "accept()",
    "moved": "a member by algorithm or device of a connection that changed it: "
             "at most what it did about that time",
    "port": "a member by local port of a connect() that waited and failed: its "
            "program does not learn the port, so it may be any member's",
    "mptcp": "a subflow of MPTCP at the end that closes second: its event is "
             "cleared, so bytes are checked to be at most the programs'",
}


class Bound:
    """A number between two."""
    __slots__ = ("low", "high")

    def __init__(self, low=0, high=None):
        self.low, self.high = low, low if high is None else high

    def add(self, low, high):
        self.low += low
        self.high += high

    def has(self, n):
        return self.low <= n <= self.high

    def __str__(self):
        return ("%d" % self.low if self.low == self.high else
                "%d to %d" % (self.low, self.high))


class Reads:
    """The plugin's complete reads: `times` of their values, `took` how long each
    dump took by the plugin's own count. Without `stops` of the daemon a dump began
    so long before its values, and SETTLED at most."""
    SETTLED = 0.1 # seconds between a dump's end and the time of its values

    def __init__(self, times, took, stops):
        self.times = times
        self.begins = [max(p, 0 if stops else t - n - self.SETTLED)
                       for p, t, n in zip([0, *times], times, took)]

    def before(self, when, count):
        """The `count`-th complete read before this time, or the start."""
        i = bisect.bisect_left(self.times, when) - count
        return self.times[i] if i >= 0 else 0

    def after(self, when, count):
        i = bisect.bisect_right(self.times, when) + count - 1
        return self.times[i] if i < len(self.times) else float("inf")

    def last(self, until):
        """(the earliest begin, the latest end) of the last dump that was surely
        over; None: there was none."""
        i = bisect.bisect_right(self.times, until) - 1
        return (self.begins[i], self.times[i]) if i >= 0 else None

    def last_dump(self, until):
        last = self.last(until)
        return last[0] if last else 0

    def is_within(self, when):
        """A dump may have been under way."""
        i = bisect.bisect_right(self.times, when)
        return i >= len(self.times) or self.begins[i] <= when

    def surely_shown(self, since, until):
        """A whole dump lies between the two times."""
        return self.last_dump(until) > since

    def may_be_shown(self, since, until):
        last = self.last(until)
        return self.is_within(until) or (last and last[1] >= since)

    def count(self, since, until):
        return (bisect.bisect_right(self.times, until) -
                bisect.bisect_left(self.times, since))


class Conn:
    """One socket. `changes`: [(began, ended, fields)], as the observer saw them,
    `final` the kind of the last one."""

    def __init__(self, record):
        self.record = record
        self.changes, self.final, self.ended = [], None, None
        self.shown = {} # begin: end, of times in which all dumps showed it
        self.baseline = None # fields, if it was there before the daemon
        self.bounds, self.exempt = None, None

    def at(self, when):
        """Its fields as a look saw them that was over at `when`."""
        found = None
        for began, ended, fields in self.changes:
            if ended <= when:
                found = fields
        return found

    # Names of members.

    def during(self, what, since, until):
        """Algorithms or devices that it had in that time."""
        history = self.record[what]
        return {name for (t, name), (u, _) in zip(
            history, [*history[1:], (float("inf"), None)])
            if t <= until and u >= since}


def load_rows(path):
    with open(path, "rb") as f:
        data = f.read()
    size = observer.ROW.size
    for row in observer.ROW.iter_unpack(data[:len(data) // size * size]):
        began, ended, kind, info, state, cookie, *fields = row
        yield began, ended, kind, bool(info), cookie, fields


def load_records(path):
    with open(path, encoding="ascii") as f:
        return [json.loads(line) for line in f.read().split("\n")[:-1]]


class Truth:
    """`start`: the time of the first complete read; connections that begin later
    count in full. `calm`: all connections before it were idle then."""

    def __init__(self, records, rows, reads, start, calm=True, lost=False,
                 loss=False):
        self.reads, self.start, self.calm, self.lost, self.loss = (
            reads, start, calm, lost, loss)
        self.conns, self.unknown = {}, []
        self.covered = collections.Counter() # exemption: socket values
        self.width = collections.Counter()
        for record in records:
            self.conns[record["cookie"]] = Conn(record)
        unknown, self.late = {}, []
        for began, ended, kind, info, cookie, fields in rows:
            c = self.conns.get(cookie)
            if c is None and kind == observer.NONE:
                continue
            if c is None:
                unknown[cookie] = kind
                continue
            if kind in (observer.DUMP, observer.EVENT) and info:
                c.changes.append((began, ended, [fields[i] for i in AT]))
            if kind in (observer.DUMP, observer.EVENT, observer.CLEARED):
                self.late.append((began, kind, c.record))
            if kind == observer.SHOWN:
                c.shown[began] = ended # the last row of a begin is the longest
            elif kind != observer.DUMP:
                c.final, c.ended = kind, ended
        self.unknown = list(unknown)
        for c in list(self.conns.values()):
            if c.ended is not None and c.ended < start - 60:
                continue
            self.bound(c)

    def is_past(self, c):
        """It was over before the daemon's first read had begun."""
        return c.ended is not None and c.ended < self.start and self.calm

    # The bounds of one socket.

    def bound(self, c):
        r = c.record
        if self.is_past(c):
            c.bounds = None
            return
        if r["begin"] < self.start and self.calm:
            c.baseline = c.at(self.start) or ZERO
        fields = [Bound() for _ in FIELDS]
        lives = {name: Bound() for name in LIVES}
        self.bound_lives(c, lives)
        last = c.changes[-1][2] if c.changes else ZERO
        if r["first"] is not None:
            self.bound_anew(c, fields, lives)
        elif c.final == observer.CLEARED:
            self.bound_cleared(c, fields, r["written"], r["read"],
                               r["closed"])
        else:
            for b, n in zip(fields, last):
                b.add(n, n)
        if c.baseline is not None:
            for b, n in zip(fields, c.baseline):
                b.add(-n, -n)
        c.bounds = dict(zip(FIELDS, fields), **lives)
        if not self.calm and r["begin"] < self.start:
            self.loosen(c, "baseline")
        if self.lost and c.final is not None:
            self.bound_lost(c)
        elif self.is_held_long(c):
            self.bound_lost(c, "held")
        for b in c.bounds.values():
            if b.low != b.high:
                self.covered[c.exempt] += 1
                self.width[c.exempt] += b.high - b.low

    def is_held_long(self, c):
        r = c.record
        return (r["closed"] is not None and r["opened"] and
                self.reads.count(r["alive"], r["closed"]) > 28 and
                (r["eof"] or r["error"] != ""))

    def bound_lives(self, c, lives):
        r = c.record
        counted = c.baseline is None
        over = c.final is not None
        if r["opened"]:
            lives["opened"].add(int(counted), int(counted))
            lives["closed"].add(int(over), int(over))
        elif r["failed"] and over:
            lives["failed"].add(1, 1)

    def bound_cleared(self, c, fields, written, read, closed):
        c.exempt = "cleared" if c.record["opened"] else "connect"
        seen = c.at(self.reads.last_dump(closed)) or ZERO
        most = self.most_seen(c, closed)
        if most is None:
            last = c.changes[-1][2] if c.changes else ZERO
            most = self.most_after(last, written, read) if \
                c.record["opened"] else [0, 0, 0, *SYN_MOST]
        for b, low, high in zip(fields, seen, most):
            b.add(low, max(low, high))

    def most_seen(self, c, closed):
        """The most that a dump of the plugin can have seen; None: anything until
        the end."""
        if not self.reads.may_be_shown(c.record["begin"], closed):
            return ZERO
        if self.reads.is_within(closed):
            return None
        over = self.reads.last(closed)[1]
        for began, _, fields in c.changes:
            if began >= over:
                return fields
        if any(end >= over for end in c.shown.values()):
            return c.changes[-1][2] if c.changes else ZERO
        return None

    def most_after(self, last, written, read):
        """What a connection did at most until the kernel cleared its counters:
        `last` is a look at it shortly before."""
        again = SEGMENT * (4 if self.loss else 1)
        return [max(written + last[2] + again, last[0]), read + 1,
                last[2] + again, last[3] + again // SEGMENT,
                last[4] + SEGMENTS_MOST, last[5] + SEGMENTS_MOST]

    def bound_anew(self, c, fields, lives):
        """The counters of the two connections; they fall in between."""
        r, first = c.record, c.record["first"]
        split = self.second(c, first["closed"])
        early, late = c.changes[:split], c.changes[split:]
        c.changes = early
        self.bound_cleared(c, fields, first["written"], first["read"],
                           first["closed"])
        c.changes = early + late
        c.exempt = "anew"
        if late:
            for b, n in zip(fields, late[-1][2]):
                b.add(n, n)
        shown = self.reads.surely_shown(r["established"], first["closed"])
        over = int(c.final is not None)
        lives["opened"].low = min(1 + shown, r["opened"])
        lives["opened"].high = r["opened"] if self.reads.may_be_shown(
            r["begin"], first["closed"]) else lives["opened"].low
        lives["closed"].low = lives["opened"].low - 1 + over
        lives["closed"].high = lives["opened"].high - 1 + over

    @staticmethod
    def second(c, closed):
        """The index of the first change of the second connection. A dump may
        have been under way: then the counters have fallen. The event is of the
        second."""
        before = ZERO
        for i, (began, ended, fields) in enumerate(c.changes):
            fell = any(n < o for n, o in zip(fields, before))
            last = i + 1 == len(c.changes)
            if began > closed or ended > closed and (fell or last):
                return i
            before = fields
        return len(c.changes)

    def bound_lost(self, c, why="lost"):
        """Without its event: what the last dump of the plugin surely saw."""
        r = c.record
        c.exempt = why
        shown = r["established"] is not None and self.reads.surely_shown(
            r["established"], r["closed"] or c.ended)
        seen = c.at(self.reads.last_dump(r["closed"] or c.ended)) or ZERO
        for f, n in zip(FIELDS, seen):
            base = c.baseline[FIELDS.index(f)] if c.baseline else 0
            c.bounds[f].low = min(c.bounds[f].low, max(0, n - base))
        if not shown:
            for name in LIVES:
                c.bounds[name].low = 0
        c.bounds["failed"].low = 0

    def loosen(self, c, why):
        c.exempt = why
        for b in c.bounds.values():
            b.low = min(b.low, 0)

    # Sums.

    def counted(self):
        return (c for c in self.conns.values() if c.bounds is not None)

    def total(self, match=lambda c: True):
        sums = {name: Bound() for name in COUNTERS}
        for c in self.counted():
            if match(c):
                for name, b in c.bounds.items():
                    sums[name].add(b.low, b.high)
        return sums

    def members(self, names, sure):
        """{member: sums}. `names(c)`: the members that it may belong to; sure(c):
        None, or why its counters may be elsewhere."""
        out = collections.defaultdict(lambda: {n: Bound() for n in COUNTERS})
        for c in self.counted():
            why = sure(c)
            if why:
                self.covered[why] += sum(b.high > 0 for b in
                                         c.bounds.values())
            for name in names(c):
                sums = out[name]
                for counter, b in c.bounds.items():
                    sums[counter].add(0 if why else b.low, b.high)
        return out

    def shown(self, since, until):
        """How many connections a dump between the two times shows: Bound."""
        out = Bound()
        for c in self.conns.values():
            r = c.record
            if any(a <= since and b >= until for a, b in c.shown.items()):
                out.add(1, 1)
            elif r["begin"] <= until and self.is_left(c, since):
                out.add(0, 1)
        return out

    @staticmethod
    def is_left(c, since):
        """A dump after this time may show it, if only its rest in FIN_WAIT2 that
        waits for the peer's end."""
        r = c.record
        last = max([r["closed"] or since, c.ended or 0, *c.shown.values()])
        return last + (1 if r["eof"] else REST_MOST) >= since

    def living(self, match=lambda c: True):
        return sum(1 for c in self.conns.values() if match(c) and
                   c.final is None and c.record["opened"])


class Flow:
    """What a member did by when: `high` as early as it can have been, `low` as
    late."""

    def __init__(self):
        self.high, self.low = [], []

    def done(self):
        for name in ("high", "low"):
            rows = sorted(getattr(self, name))
            sums, total = [], 0
            for _, n in rows:
                total += n
                sums.append(total)
            setattr(self, name, ([t for t, _ in rows], sums))
        return self

    @staticmethod
    def _until(rows, when):
        i = bisect.bisect_right(rows[0], when)
        return rows[1][i - 1] if i else 0

    def most(self, since, until):
        """The most that it can have done between the two times."""
        return self._until(self.high, until) - self._until(self.low, since)

    def least(self, until):
        return self._until(self.low, until)


def growths(c, start):
    """(began, ended, fields, growth of each) of each change after the baseline;
    counters that fall begin anew."""
    before, when = c.baseline or ZERO, c.record["begin"]
    for began, ended, fields in c.changes:
        if c.baseline is None or ended > start:
            yield when, ended, [n - o if n >= o else n
                                for n, o in zip(fields, before)]
            before = fields
        when = began


def steps(c, truth):
    """(counter, earliest, latest, growth, sure) of all that a socket did; not
    sure: it may have been less. What the plugin's last dump may not have seen
    comes with the event."""
    r, reads = c.record, truth.reads
    last = c.ended or float("inf")
    left = {name: c.bounds[name].high for name in FIELDS}
    for began, ended, grown in growths(c, truth.start):
        seen = c.ended is None or reads.after(ended, 2) <= r["alive"]
        sure = not c.exempt or ended <= reads.last_dump(
            (r["first"] or r)["closed"] or c.ended or ended)
        for name, n in zip(FIELDS, grown):
            if n:
                yield name, began, ended if seen else last, n, sure
                left[name] -= n
    for name, n in left.items():
        if n > 0:
            yield name, r["begin"], last, n, False
    for name in LIVES:
        if c.bounds[name].high:
            early = r["begin"] if name != "closed" or r["first"] else \
                r["alive"]
            late = last if name != "opened" else (
                last if c.ended is not None and
                not reads.surely_shown(r["established"], r["alive"])
                else r["established"])
            yield name, early, late, c.bounds[name].high, not c.exempt


def flows(truth, names, match):
    """{(member, counter): Flow}. `names(c, since, until)`: the members to which
    what it did in that time may belong."""
    out = collections.defaultdict(Flow)
    for c in truth.counted():
        if not match(c):
            continue
        for counter, early, late, n, sure in steps(c, truth):
            members = names(c, early, late)
            if len(members) > 1:
                truth.covered["moved"] += 1
            for member in members:
                f = out[member, counter]
                f.high.append((early, n))
                if sure and len(members) == 1:
                    f.low.append((late, n))
    return {key: f.done() for key, f in out.items()}
