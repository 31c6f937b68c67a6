"""Compares all series of a back end with those that collectd's csv plugin wrote
of the same reads."""

import bisect

from live import check

# One of the values that a read dispatches last.
LAST = ("self", "total_events", "dump_errors")
# csv writes six decimals.
SLACK = 1.1e-6
DERIVES = ("total_bytes", "packets", "total_connections", "total_events",
           "total_time_in_ms")


def close(a, b, relative=1e-6):
    return abs(a - b) <= SLACK + relative * abs(b)


def names(end, truth, got):
    """Each series by its right name, and no other."""
    expected = {end.encode(key) for key in truth}
    missing, more = expected - set(got), set(got) - expected
    check.true("%s: all %d series of collectd have their name there" % (
        end.name, len(expected)), not missing and not more,
               "missing %s, more %s" % (sorted(missing)[:5], sorted(more)[:5])
               if missing or more else "")


def is_number(value):
    return value is not None and value == value and abs(value) != float("inf")


def sane(end, got):
    """No NaN, no infinite and no negative value anywhere."""
    bad = [(key, t, v) for key, rows in got.items() for t, v in rows
           if not is_number(v) or v < 0]
    check.true("%s: no NaN, infinite or negative value or rate in %d points" % (
        end.name, sum(map(len, got.values()))), not bad, bad[:3] or "")


def nearest(rows, when, within):
    """The values of csv that are so close in time."""
    at = bisect.bisect_left(rows, (when - within,))
    out = []
    while at < len(rows) and rows[at][0] <= when + within:
        out.append(rows[at][1])
        at += 1
    return out


def every_sample(end, truth, got, what, when):
    """Each sample there is one of collectd's, by time and value, and of
    collectd's until `when` nearly all are there."""
    # csv's milliseconds are a thousandth of the time that a rate is over.
    relative = 3e-3 if what == "rates" else 1e-6
    wrong, found, expected = [], 0, 0
    for key, rows in truth.items():
        mine = sorted(got.get(end.encode(key), []))
        wrong += [(key, t, v) for t, v in mine if not any(
            close(v, x, relative) for x in nearest(rows, t, end.within))]
        for t, _ in last_of_seconds(rows) if end.whole_seconds else rows:
            expected += t <= when
            found += t <= when and bool(nearest(mine, t, end.within))
    check.true("%s: %d of %d samples of %s are there, and all are what collectd"
               " wrote" % (end.name, found, expected, what),
               not wrong and found >= end.share * expected > 0,
               "%d are not: %s" % (len(wrong), wrong[:3]) if wrong else "")


def last_of_seconds(rows):
    """Points of whole seconds, to which collectd rounds: of two reads in one, the
    last stays."""
    return sorted({int(t + 0.5): (t, v) for t, v in rows}.values())


def growth(rows):
    return rows[-1][1] - rows[0][1] if rows else None


def spans(rows):
    """[(seconds since the value before, value)]"""
    return [(b[0] - a[0], b[1]) for a, b in zip(rows, rows[1:])]
