"""The columns of the table. Each has a series, a number format, and the
thresholds of the verdicts "warning" and "failure"."""

import collections

from . import metric


def number(value):
    """Formats with three digits and a unit: 1234567 -> 1.23M."""
    for sign in ("", "k", "M", "G"):
        if abs(value) < 999.5:
            break
        value /= 1000
    else:
        sign = "T"
    return ("%.3g" if abs(value) < 100 else "%.0f") % value + sign


def latency(seconds):
    if seconds >= 1:
        return "%.3g s" % seconds
    if seconds >= 1e-3:
        return "%.3g ms" % (seconds * 1e3)
    return "%.0f us" % (seconds * 1e6)


def percent(value):
    return ("%.2f" if 0 < value < 10 else "%.0f") % value


# `name` is the column's name in options. The `series` of a distribution lacks
# the statistic ("latency-rtt"). `format` converts a value to text. `warning`
# and `failure` are thresholds in the unit of the series, or in percent of the
# series `share_of` if that is set; None: no value gets this verdict. A value below
# `least` gets none either.
Column = collections.namedtuple(
    "Column", "name heading width series distribution format warning failure "
    "share_of least", defaults=(False, number, None, None, None, 0))

# The most important columns come first: a narrow terminal cuts the last ones.
COLUMNS = (
    Column("connections", "conns", 6, "count-connections"),
    Column("active", "active", 7, "count-active"),
    Column("rtt", "rtt", 9, "latency-rtt", True, latency, 0.5, 2),
    Column("queue_delay", "queue", 10, "latency-queue_delay", True, latency,
           0.1, 0.5),
    Column("retrans", "retr/s", 7, "packets-retrans"),
    Column("retrans_percent", "retr %", 7, "percent-retrans_percent", False,
           percent, 1, 5),
    Column("stalled", "stalled", 8, "count-stalled", False, number, 5, 50,
           "count-connections"),
    Column("zero_window", "0-window", 10, "count-zero_window", False, number, 5,
           50, "count-connections"),
    Column("close_wait", "c-wait", 7, "count-close_wait", False, number, 10,
           50, "count-connections", 10),
    Column("failed", "failed/s", 9, "total_connections-failed", False, number,
           0.1, 1),
    Column("accept_percent", "accept %", 9, "percent-accept_percent", True,
           percent, 50, 100),
    Column("outliers", "outliers", 9, "count-outliers", False, number, 1),
    Column("network", "net %", 7, "percent-limited-network", False, percent),
    Column("receiver", "rcv %", 6, "percent-limited-receiver", False, percent,
           5, 50),
    Column("sender", "snd %", 6, "percent-limited-sender", False, percent),
    Column("idle", "idle %", 7, "percent-limited-idle", False, percent),
    Column("bytes_received", "B/s in", 7, "total_bytes-bytes_received"),
    Column("bytes_sent", "B/s out", 8, "total_bytes-bytes_sent"),
)
BY_NAME = {c.name: c for c in COLUMNS}


def series(column, values):
    """Returns the series of {series: value} that the column shows, or None."""
    if column.distribution:
        return metric.best(values, column.series)
    return column.series if column.series in values else None


def shows(column, name):
    """Returns true if the column may show the series of this name."""
    return (name.startswith(column.series + "-") if column.distribution
            else name == column.series)


def heading(column, name):
    """Returns the column's heading, with the statistic of a distribution:
    "rtt p95"."""
    statistic = name[len(column.series) + 1:]
    return "%s %s" % (column.heading, statistic) if statistic else \
        column.heading
