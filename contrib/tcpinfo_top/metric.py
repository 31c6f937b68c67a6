"""Units of series, and the statistic that represents a distribution."""

import re

# Units by collectd's type. collectd reports counters as rates: unit with "/s".
UNITS = {
    "bucket": "connections",
    "bytes": "bytes",
    "count": "sockets",
    "latency": "s",
    "memory": "bytes",
    "packets": "segments/s",
    "percent": "%",
    "queue_length": "connections",
    "tcp_connections": "sockets",
    "total_bytes": "bytes/s",
    "total_connections": "connections/s",
    "total_events": "events/s",
    "total_time_in_ms": "ms/s",
}
# Units by type and metric, if they differ from the unit of the type.
OTHER_UNITS = {
    ("bytes", "bbr_bandwidth"): "bytes/s",
    ("bytes", "delivery_rate"): "bytes/s",
    ("bytes", "pacing_rate"): "bytes/s",
    ("bytes", "throughput"): "bytes/s",
    ("count", "cwnd"): "segments",
    ("count", "lost"): "segments",
    ("count", "members"): "members",
    ("count", "members_in_other"): "members",
    ("count", "outliers"): "members",
    ("count", "reordering"): "segments",
    ("count", "retrans_out"): "segments",
    ("count", "sacked"): "segments",
    ("count", "ssthresh"): "segments",
    ("count", "unacked"): "segments",
}


def unit(series):
    """Returns the unit of a series: "s" for "latency-rtt-p95", "" for a type
    that the plugin does not use."""
    kind, _, instance = series.partition("-")
    return OTHER_UNITS.get((kind, instance.partition("-")[0]),
                           UNITS.get(kind, ""))


def rank(statistic):
    """Returns a number that is lowest for the statistic to prefer: the
    percentile closest to p95, then max, avg and min; None for a statistic that
    cannot represent a distribution (sum)."""
    if re.fullmatch("p[0-9]{1,2}([.][0-9])?", statistic):
        return abs(float(statistic[1:]) - 95)
    return {"max": 100, "avg": 101, "min": 102}.get(statistic)


def best(values, distribution):
    """Returns the series with the statistic to prefer of a distribution such as
    "latency-rtt", out of {series: value}, or None."""
    found = []
    for series in values:
        if series.startswith(distribution + "-"):
            order = rank(series[len(distribution) + 1:])
            if order is not None:
                found.append((order, series))
    return min(found)[1] if found else None
