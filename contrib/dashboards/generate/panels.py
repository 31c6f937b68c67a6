"""What the dashboards show: one table for all back ends.

A Show is one value as collectd names it, of whom, and what its line is called
behind the host and the group or member. Without MORE beside it the plugin reports
it by default; conf/groups.conf asks for the rest."""

from collections import namedtuple

TOTAL = "total" # of the chosen groups
MEMBERS = "members" # of the one chosen group, those chosen
WORST10 = "worst10" # of all members of the chosen groups, the highest ten
RANKED = "ranked" # worst1, worst2 ... of the chosen groups
SELF = "self" # the plugin's own

COUNTERS = ("total_bytes", "packets", "total_connections", "total_events",
            "total_time_in_ms")

Show = namedtuple("Show", "whose kind what label")
# `limits`: from which values on it is a warning, and bad. `width` of 24.
Panel = namedtuple("Panel", "title unit shows says limits width")
Row = namedtuple("Row", "title panels")


def panel(title, unit, shows, says="", limits=(), width=8):
    return Panel(title, unit, shows, says, limits, width)


MORE = " Has to be asked for by Metric."


def limits_of(whose):
    return [Show(whose, "percent", "limited-" + who, who)
            for who in ("network", "receiver", "sender")]


OVERVIEW = [
    Row("Which group is bad", [
        panel("Segments sent again", "percent",
              [Show(TOTAL, "percent", "retrans_percent", "")],
              "Of the data segments of the interval. Missing where nothing was sent.",
              (1, 5)),
        panel("What queues add to the round trip, p95", "s",
              [Show(TOTAL, "latency", "queue_delay-p95", "")],
              "Smoothed round trip less its lowest of the last minutes.",
              (0.05, 0.5)),
        panel("Connections that wait after a timeout", "short",
              [Show(TOTAL, "count", "stalled", "")],
              "Above 0 for long: a black hole.", (1,)),
        panel("Round trip, p95", "s", [Show(TOTAL, "latency", "rtt-p95", "")]),
        panel("Bytes sent and received", "Bps",
              [Show(TOTAL, "total_bytes", "bytes_sent", "sent"),
               Show(TOTAL, "total_bytes", "bytes_received", "received")]),
        panel("Connections", "short",
              [Show(TOTAL, "count", "connections", "")]),
    ]),
    Row("Which peer is it", [
        panel("Segments sent again: the highest ten members", "percent",
              [Show(WORST10, "percent", "retrans_percent", "")],
              "Of members with values of their own; below are the worst of all,"
              " without names, which are in collectd's notifications.",
              (1, 5), 12),
        panel("What queues add, p95: the highest ten members", "s",
              [Show(WORST10, "latency", "queue_delay-p95", "")], "",
              (0.05, 0.5), 12),
        panel("Connections that wait: the highest ten members", "short",
              [Show(WORST10, "count", "stalled", "")], "", (1,)),
        panel("The worst members: segments sent again", "percent",
              [Show(RANKED, "percent", "retrans_percent", "")],
              "Of all members. Needs the option Worst.", (1, 5)),
        panel("Members far worse than the others", "short",
              [Show(TOTAL, "count", "outliers", "")],
              "A metric of groups with By." + MORE, (1,)),
    ]),
    Row("Why", [
        panel("Held back by", "percent", limits_of(TOTAL),
              "Share of the connections' time; the rest is idle."),
        panel("Windows closed by the peer, queues not read here", "short",
              [Show(TOTAL, "count", "zero_window", "closed"),
               Show(TOTAL, "count", "unread", "not read")],
              "The peer's program does not read; this host's does not." + MORE),
        panel("How full the fullest accept queue is", "percent",
              [Show(TOTAL, "percent", "accept_percent-max", "")],
              "Of groups that match listeners." + MORE, (50, 90)),
        panel("Segments sent again, a second", "pps",
              [Show(TOTAL, "packets", "retrans", "")]),
        panel("Opened and closed, a second", "cps",
              [Show(TOTAL, "total_connections", "opened", "opened"),
               Show(TOTAL, "total_connections", "closed", "closed")]),
        panel("Connects that failed, a second", "cps",
              [Show(TOTAL, "total_connections", "failed", "")],
              "Refused, or never answered." + MORE),
    ]),
    Row("The host and the plugin", [
        panel("The host's limits", "percent",
              [Show(SELF, "percent", "host_orphans", "orphans"),
               Show(SELF, "percent", "host_time_wait", "TIME_WAIT"),
               Show(SELF, "percent", "host_tcp_mem", "memory")],
              "Where they are reached the kernel gives up connections.",
              (80,)),
        panel("Closed connections are not followed", "ms",
              [Show(SELF, "total_time_in_ms", "close_events_suspended",
                    "suspended, a second")],
              "Above 0: failed, closed and the bytes of short connections are"
              " missing.", (1,)),
        panel("A read takes", "s",
              [Show(SELF, "latency", "dump_time", "time"),
               Show(SELF, "latency", "cpu_time", "CPU")]),
    ]),
]

DETAILS = [
    Row("Which member is bad", [
        panel("Segments sent again", "percent",
              [Show(MEMBERS, "percent", "retrans_percent", "")],
              "A quiet member's single loss is a high percentage.", (1, 5)),
        panel("Segments sent again, a second", "pps",
              [Show(MEMBERS, "packets", "retrans", "")]),
        panel("Connections that wait after a timeout", "short",
              [Show(MEMBERS, "count", "stalled", "")], "", (1,)),
        panel("Round trip, p50", "s", [Show(MEMBERS, "latency", "rtt-p50", "")]),
        panel("Round trip, p95", "s", [Show(MEMBERS, "latency", "rtt-p95", "")]),
        panel("What queues add to the round trip, p95", "s",
              [Show(MEMBERS, "latency", "queue_delay-p95", "")], "",
              (0.05, 0.5)),
    ]),
    Row("What goes on", [
        panel("Connections", "short",
              [Show(MEMBERS, "count", "connections", "")]),
        panel("Of these, active", "short",
              [Show(MEMBERS, "count", "active", "")],
              "Received an ACK since the last read."),
        panel("Opened, a second", "cps",
              [Show(MEMBERS, "total_connections", "opened", "")]),
        panel("Bytes sent", "Bps",
              [Show(MEMBERS, "total_bytes", "bytes_sent", "")]),
        panel("Bytes received", "Bps",
              [Show(MEMBERS, "total_bytes", "bytes_received", "")]),
        panel("Congestion window, p50", "short",
              [Show(MEMBERS, "count", "cwnd-p50", "")], "In segments."),
    ]),
    Row("Why", [
        panel("Held back by", "percent", limits_of(MEMBERS),
              "Share of the connections' time; the rest is idle.", (), 12),
        panel("Windows closed by the peer, queues not read here", "short",
              [Show(MEMBERS, "count", "zero_window", "closed"),
               Show(MEMBERS, "count", "unread", "not read")],
              "The peer's program does not read; this host's does not." + MORE,
              (), 12),
        panel("Connects that failed, a second", "cps",
              [Show(MEMBERS, "total_connections", "failed", "")],
              "Refused, or never answered." + MORE, (), 12),
        panel("How full the fullest accept queue is", "percent",
              [Show(MEMBERS, "percent", "accept_percent-max", "")],
              "Of groups that match listeners." + MORE, (50, 90), 12),
    ]),
]

# (name of the file, title, rows)
BOARDS = (("overview", "tcpinfo: groups", OVERVIEW),
          ("members", "tcpinfo: members of a group", DETAILS))
