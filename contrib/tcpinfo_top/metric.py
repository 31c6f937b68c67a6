"""Series by name: their units, and the statistic that stands for a
distribution."""

# By type; of counters, which collectd gives as rates, with "/s".
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
# By metric, where it is not that of the type.
OTHER_UNITS = {
    ("bytes", "bbr_bandwidth"): "bytes/s",
    ("bytes", "delivery_rate"): "bytes/s",
    ("bytes", "pacing_rate"): "bytes/s",
    ("bytes", "throughput"): "bytes/s",
    ("count", "cwnd"): "segments",
    ("count", "lost"): "segments",
    ("count", "members"): "members",
    ("count", "members_folded"): "members",
    ("count", "outliers"): "members",
    ("count", "reordering"): "segments",
    ("count", "retrans_out"): "segments",
    ("count", "sacked"): "segments",
    ("count", "ssthresh"): "segments",
    ("count", "unacked"): "segments",
}


def unit(series):
    """"latency-rtt-p95" -> "s"; "" for a type that the plugin does not use."""
    kind, _, instance = series.partition("-")
    return OTHER_UNITS.get((kind, instance.partition("-")[0]),
                           UNITS.get(kind, ""))


def rank(statistic):
    """What says most about how bad it is comes first: the percentile closest to
    p95, then max, avg and min. None where it does not say that (sum)."""
    if statistic[:1] == "p":
        return abs(float(statistic[1:]) - 95)
    return {"max": 100, "avg": 101, "min": 102}.get(statistic)


def best(values, distribution):
    """The series of the best statistic of "latency-rtt" in {series: value}, or
    None."""
    found = []
    for series in values:
        if series.startswith(distribution + "-"):
            place = rank(series[len(distribution) + 1:])
            if place is not None:
                found.append((place, series))
    return min(found)[1] if found else None
