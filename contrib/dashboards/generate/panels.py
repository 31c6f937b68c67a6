"""The rows and panels of the dashboards, for all backends.

The plugin reports the series by default, except those with NOT_DEFAULT in the
panel's description; conf/groups.conf has all of them."""

from collections import namedtuple

# Scopes: the instances of the plugin that a series is drawn for.
TOTAL = "total" # the selected groups
MEMBERS = "members" # the selected members of the selected group
WORST10 = "worst10" # the ten highest of all members of the selected groups
RANKED = "ranked" # worst1, worst2 ... of the selected groups
SELF = "self" # the plugin itself

COUNTERS = ("total_bytes", "packets", "total_connections", "total_events",
            "total_time_in_ms")

# `type` and `instance` are collectd's type and type instance; the `label` of a
# line stands behind the host and the group or member.
Series = namedtuple("Series", "scope type instance label")
# `limits` are the thresholds for a warning and for a failure. `width` is in
# Grafana's 24 columns.
Panel = namedtuple("Panel", "title unit series description limits width")
Row = namedtuple("Row", "title panels")


def panel(title, unit, series, description="", limits=(), width=8):
    return Panel(title, unit, series, description, limits, width)


NOT_DEFAULT = " Not reported by default; add it to a Metric line."


def limits_of(scope):
    return [Series(scope, "percent", "limited-" + part, part)
            for part in ("network", "receiver", "sender")]


OVERVIEW = [
    Row("Which group has a problem?", [
        panel("Retransmitted segments", "percent",
              [Series(TOTAL, "percent", "retrans_percent", "")],
              "Percent of the data segments of the interval; no value if"
              " nothing was sent.",
              (1, 5)),
        panel("Queue delay, p95", "s",
              [Series(TOTAL, "latency", "queue_delay-p95", "")],
              "The part of the round trip that queues add: the smoothed"
              " round-trip time less the lowest one of the last minutes.",
              (0.05, 0.5)),
        panel("Stalled connections", "short",
              [Series(TOTAL, "count", "stalled", "")],
              "Connections that wait for an answer after a retransmission"
              " timeout. Above 0 for long: the path drops everything.", (1,)),
        panel("Round-trip time, p95", "s",
              [Series(TOTAL, "latency", "rtt-p95", "")]),
        panel("Bytes sent and received", "Bps",
              [Series(TOTAL, "total_bytes", "bytes_sent", "sent"),
               Series(TOTAL, "total_bytes", "bytes_received", "received")]),
        panel("Connections", "short",
              [Series(TOTAL, "count", "connections", "")]),
    ]),
    Row("Which member has it?", [
        panel("Retransmitted segments: the highest ten members", "percent",
              [Series(WORST10, "percent", "retrans_percent", "")],
              "Only members with values of their own. The panel of the worst"
              " members has all; their names are in collectd's notifications.",
              (1, 5), 12),
        panel("Queue delay, p95: the highest ten members", "s",
              [Series(WORST10, "latency", "queue_delay-p95", "")], "",
              (0.05, 0.5), 12),
        panel("Stalled connections: the highest ten members", "short",
              [Series(WORST10, "count", "stalled", "")], "", (1,)),
        panel("Retransmitted segments: the worst members", "percent",
              [Series(RANKED, "percent", "retrans_percent", "")],
              "The worst of all members. Needs the option Worst.", (1, 5)),
        panel("Outliers", "short",
              [Series(TOTAL, "count", "outliers", "")],
              "Members that are far worse than the others of their group."
              " Needs the option By." + NOT_DEFAULT, (1,)),
    ]),
    Row("Why?", [
        panel("Limited by", "percent", limits_of(TOTAL),
              "Percent of the connections' time in which the network, the"
              " peer's receive window or this host's send buffer limited them;"
              " the rest of the time they were idle."),
        panel("Peers or programs that do not read", "short",
              [Series(TOTAL, "count", "zero_window", "zero window"),
               Series(TOTAL, "count", "unread", "unread")],
              "zero window: connections whose peer does not read. unread:"
              " connections from which this host's program"
              " does not read." + NOT_DEFAULT),
        panel("Accept queue, maximum", "percent",
              [Series(TOTAL, "percent", "accept_percent-max", "")],
              "How full the fullest accept queue is. Needs a group that"
              " matches listening sockets." + NOT_DEFAULT, (50, 90)),
        panel("Retransmitted segments per second", "pps",
              [Series(TOTAL, "packets", "retrans", "")]),
        panel("Opened and closed connections per second", "cps",
              [Series(TOTAL, "total_connections", "opened", "opened"),
               Series(TOTAL, "total_connections", "closed", "closed")]),
        panel("Failed connects per second", "cps",
              [Series(TOTAL, "total_connections", "failed", "")],
              "Connects that were refused or never answered." + NOT_DEFAULT),
    ]),
    Row("The host and the plugin", [
        panel("The host's limits", "percent",
              [Series(SELF, "percent", "host_orphans", "orphans"),
               Series(SELF, "percent", "host_time_wait", "TIME_WAIT"),
               Series(SELF, "percent", "host_tcp_mem", "memory")],
              "Percent of the kernel's limits; at 100 the kernel drops"
              " connections.",
              (80,)),
        panel("Close events suspended", "ms",
              [Series(SELF, "total_time_in_ms", "close_events_suspended",
                      "suspended per second")],
              "Above 0: the metrics failed and closed and the bytes of short"
              " connections are missing.", (1,)),
        panel("Duration of a dump", "s",
              [Series(SELF, "latency", "dump_time", "time"),
               Series(SELF, "latency", "cpu_time", "CPU")]),
    ]),
]

DETAILS = [
    Row("Which member has a problem?", [
        panel("Retransmitted segments", "percent",
              [Series(MEMBERS, "percent", "retrans_percent", "")],
              "With little traffic, a single loss is a high"
              " percentage.", (1, 5)),
        panel("Retransmitted segments per second", "pps",
              [Series(MEMBERS, "packets", "retrans", "")]),
        panel("Stalled connections", "short",
              [Series(MEMBERS, "count", "stalled", "")], "", (1,)),
        panel("Round-trip time, p50", "s",
              [Series(MEMBERS, "latency", "rtt-p50", "")]),
        panel("Round-trip time, p95", "s",
              [Series(MEMBERS, "latency", "rtt-p95", "")]),
        panel("Queue delay, p95", "s",
              [Series(MEMBERS, "latency", "queue_delay-p95", "")], "",
              (0.05, 0.5)),
    ]),
    Row("Traffic", [
        panel("Connections", "short",
              [Series(MEMBERS, "count", "connections", "")]),
        panel("Active connections", "short",
              [Series(MEMBERS, "count", "active", "")],
              "Connections that received an ACK since the last read."),
        panel("Opened connections per second", "cps",
              [Series(MEMBERS, "total_connections", "opened", "")]),
        panel("Bytes sent", "Bps",
              [Series(MEMBERS, "total_bytes", "bytes_sent", "")]),
        panel("Bytes received", "Bps",
              [Series(MEMBERS, "total_bytes", "bytes_received", "")]),
        panel("Congestion window, p50", "short",
              [Series(MEMBERS, "count", "cwnd-p50", "")], "In segments."),
    ]),
    Row("Why?", [
        panel("Limited by", "percent", limits_of(MEMBERS),
              "Percent of the connections' time in which the network, the"
              " peer's receive window or this host's send buffer limited them;"
              " the rest of the time they were idle.", (), 12),
        panel("Peers or programs that do not read", "short",
              [Series(MEMBERS, "count", "zero_window", "zero window"),
               Series(MEMBERS, "count", "unread", "unread")],
              "zero window: connections whose peer does not read. unread:"
              " connections from which this host's program does"
              " not read." + NOT_DEFAULT,
              (), 12),
        panel("Failed connects per second", "cps",
              [Series(MEMBERS, "total_connections", "failed", "")],
              "Connects that were refused or never"
              " answered." + NOT_DEFAULT, (), 12),
        panel("Accept queue, maximum", "percent",
              [Series(MEMBERS, "percent", "accept_percent-max", "")],
              "How full the fullest accept queue is. Needs a group that"
              " matches listening sockets." + NOT_DEFAULT, (50, 90), 12),
    ]),
]

# (part of the file name, title, rows)
DASHBOARDS = (("overview", "tcpinfo: groups", OVERVIEW),
              ("members", "tcpinfo: members of a group", DETAILS))
