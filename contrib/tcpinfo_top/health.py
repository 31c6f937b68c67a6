"""Whether a group or a member is well, and why not: thresholds on what the
columns show."""

import collections

from . import column, metric

OK, WARNING, BAD = 0, 1, 2
VERDICTS = ("ok", "warning", "bad")

SENT = "total_bytes-bytes_sent"

Limit = collections.namedtuple("Limit", "warning bad")
# `value` is what was compared with `limit`, which it reached; both in `unit`.
Finding = collections.namedtuple("Finding", "column series value unit limit "
                                 "level")

# `judged`: the series that were looked at; without any, nothing is known.
Verdict = collections.namedtuple("Verdict", "level findings judged")


def defaults():
    return {c.name: Limit(c.warning, c.bad) for c in column.COLUMNS}


class Thresholds:
    """`limits`: {name of a column: Limit}. `least_retrans`: fewer retransmitted
    segments a second say nothing, whatever their percentage."""

    def __init__(self, limits, least_retrans):
        self.limits = limits
        self.least_retrans = least_retrans

    def verdict(self, values):
        """Of the {series: value} of one group or member. That a peer's window
        sets the pace is no fault, that it lets nothing through is one."""
        findings, judged = [], []
        for c in column.COLUMNS:
            limit, series = self.limits[c.name], column.series(c, values)
            if series is None or limit == Limit(None, None):
                continue
            value, unit, limit = measure(c, series, values, limit)
            if value is None:
                continue
            judged.append(series)
            if c.name == "retrans_percent" and not self._enough(values) or \
                    c.name == "receiver" and values.get(SENT) != 0:
                continue
            level, reached = compare(value, limit)
            if level:
                findings.append(Finding(c, series, value, unit, reached,
                                        level))
        return Verdict(max((f.level for f in findings), default=OK), findings,
                       judged)

    def _enough(self, values):
        """A single loss is a high percentage of little traffic."""
        if "packets-retrans" in getattr(values, "unknown", ()):
            return False # how many, the next read will tell
        retrans = values.get("packets-retrans")
        return retrans is None or retrans >= self.least_retrans


def measure(c, series, values, limit):
    """(value, unit, limit) to be compared; value None: nothing to say."""
    value, unit = values[series], metric.unit(series)
    if c.share_of is None:
        return value, unit, limit
    whole = values.get(c.share_of)
    if whole is None:
        # One of how many? Worth a warning, not more.
        return value, unit, Limit(1, None)
    share = "% of " + c.share_of.partition("-")[2]
    return 100 * value / whole if whole else None, share, limit


def compare(value, limit):
    """(level, the limit that was reached)"""
    if limit.bad is not None and value >= limit.bad:
        return BAD, limit.bad
    if limit.warning is not None and value >= limit.warning:
        return WARNING, limit.warning
    return OK, None


def weight(verdict):
    """For sorting: by how much the worst finding is beyond its limit."""
    return max((f.value / f.limit if f.limit else float("inf")
                for f in verdict.findings if f.level == verdict.level),
               default=0)
