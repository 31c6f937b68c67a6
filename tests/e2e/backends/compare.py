"""Compares all series of a backend with the values that collectd's csv plugin
wrote for the same reads."""

import bisect

from live import check

# Each read dispatches this value among its last.
LAST = ("self", "total_events", "dump_errors")
# csv writes six decimals.
ROUNDING = 1.1e-6
DERIVES = ("total_bytes", "packets", "total_connections", "total_events",
           "total_time_in_ms")


def close(a, b, relative=1e-6):
    return abs(a - b) <= ROUNDING + relative * abs(b)


def names(backend, truth, got):
    """Checks that the backend has exactly the series of collectd, by name."""
    expected = {backend.encode(key) for key in truth}
    missing, more = expected - set(got), set(got) - expected
    check.true("%s: all %d series of collectd are stored by their names" % (
        backend.name, len(expected)), not missing and not more,
               "missing %s, more %s" % (sorted(missing)[:5], sorted(more)[:5])
               if missing or more else "")


def is_number(value):
    return value is not None and value == value and abs(value) != float("inf")


def sane(backend, got):
    """Checks that no value is NaN, infinite or negative."""
    invalid = [(key, t, v) for key, rows in got.items() for t, v in rows
               if not is_number(v) or v < 0]
    check.true("%s: no NaN, infinite or negative value or rate in %d points" % (
        backend.name, sum(map(len, got.values()))), not invalid, invalid[:3] or "")


def nearest(rows, when, within):
    """Returns the values of csv at `when`, within some seconds."""
    at = bisect.bisect_left(rows, (when - within,))
    out = []
    while at < len(rows) and rows[at][0] <= when + within:
        out.append(rows[at][1])
        at += 1
    return out


def every_sample(backend, truth, got, what, when):
    """Checks that each sample of the backend is a sample of collectd, by time and
    value, and that the backend has nearly all samples until `when`."""
    # csv rounds times to milliseconds, a thousandth of the interval of a rate.
    relative = 3e-3 if what == "rates" else 1e-6
    wrong, found, expected = [], 0, 0
    for key, rows in truth.items():
        mine = sorted(got.get(backend.encode(key), []))
        wrong += [(key, t, v) for t, v in mine if not any(
            close(v, x, relative) for x in nearest(rows, t, backend.within))]
        for t, _ in last_of_seconds(rows) if backend.whole_seconds else rows:
            expected += t <= when
            found += t <= when and bool(nearest(mine, t, backend.within))
    check.true("%s: %d of %d samples of %s are stored, all with the values that"
               " collectd wrote" % (backend.name, found, expected, what),
               not wrong and found >= backend.share * expected > 0,
               "%d are not: %s" % (len(wrong), wrong[:3]) if wrong else "")


def last_of_seconds(rows):
    """Returns the rows that a backend with points of whole seconds stores:
    collectd rounds times to seconds, and of two reads in one second the last is
    stored."""
    return sorted({int(t + 0.5): (t, v) for t, v in rows}.values())


def growth(rows):
    return rows[-1][1] - rows[0][1] if rows else None


def spans(rows):
    """Returns [(seconds since the previous value, value)]."""
    return [(b[0] - a[0], b[1]) for a, b in zip(rows, rows[1:])]
