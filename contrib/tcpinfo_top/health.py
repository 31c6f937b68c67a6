"""The verdict on a group or a member, with reasons: compares the values of the
columns with thresholds. The verdicts are called as collectd's severities."""

import collections

from . import column, metric

OKAY, WARNING, FAILURE = 0, 1, 2 # levels
VERDICTS = ("okay", "warning", "failure") # by level

SENT = "total_bytes-bytes_sent"

Limit = collections.namedtuple("Limit", "warning failure")
# `value` reached `limit`; both are in `unit`.
Finding = collections.namedtuple("Finding", "column series value unit limit "
                                 "level")

# `judged` lists the series that were compared with a threshold; if it is empty,
# the level OKAY means that nothing is known.
Verdict = collections.namedtuple("Verdict", "level findings judged")


def defaults():
    return {c.name: Limit(c.warning, c.failure) for c in column.COLUMNS}


class Thresholds:
    """`limits` is {name of a column: Limit}. With fewer retransmissions a
    second than `least_retrans`, their percentage is not judged."""

    def __init__(self, limits, least_retrans):
        self.limits = limits
        self.least_retrans = least_retrans

    def verdict(self, values):
        """Returns the Verdict on the {series: value} of one group or member.
        The time limited by the receiver counts only if nothing was sent at all:
        a peer may set the pace by its window, but must not block."""
        findings, judged = [], []
        for c in column.COLUMNS:
            limit, series = self.limits[c.name], column.series(c, values)
            if series is None or limit == Limit(None, None):
                continue
            value, unit, limit = measure(c, series, values, limit)
            if value is None:
                continue
            judged.append(series)
            if c.name == "retrans_percent" and self._few_retrans(values) or \
                    c.name == "receiver" and values.get(SENT) != 0 or \
                    values[series] < c.least:
                continue
            level, reached = compare(value, limit)
            if level:
                findings.append(Finding(c, series, value, unit, reached,
                                        level))
        return Verdict(max((f.level for f in findings), default=OKAY), findings,
                       judged)

    def _few_retrans(self, values):
        """Returns true if there are too few retransmissions to judge: with
        little traffic, a single loss is a high percentage."""
        if "packets-retrans" in getattr(values, "unknown", ()):
            return True # no rate before the second read
        retrans = values.get("packets-retrans")
        return retrans is not None and retrans < self.least_retrans


def measure(c, series, values, limit):
    """Returns (value, unit, limit) to compare; value None: nothing to judge."""
    value, unit = values[series], metric.unit(series)
    if c.share_of is None:
        return value, unit, limit
    whole = values.get(c.share_of)
    if whole is None:
        # Without the total there is no percentage: one is worth a warning.
        return value, unit, Limit(1, None)
    share = "% of " + c.share_of.partition("-")[2]
    return 100 * value / whole if whole else None, share, limit


def compare(value, limit):
    """Returns (level, the limit that was reached)."""
    if limit.failure is not None and value >= limit.failure:
        return FAILURE, limit.failure
    if limit.warning is not None and value >= limit.warning:
        return WARNING, limit.warning
    return OKAY, None


def weight(verdict):
    """Returns how many times its limit the worst finding is, for sorting."""
    return max((f.value / f.limit if f.limit else float("inf")
                for f in verdict.findings if f.level == verdict.level),
               default=0)
