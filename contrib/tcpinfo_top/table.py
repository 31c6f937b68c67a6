"""Formats rows as lines of text. A line is a list of (text, style); styles are
"", "heading", "warning" and "failure"."""

import time

from . import column, health, metric

STYLES = ("", "warning", "failure") # by level
GAP = 2 # spaces between columns
# Columns are left out before names are cut to less than this.
SHORTEST_NAME = 12
FOOTERS = 5 # hosts whose plugin's own values are shown
LEGEND = """\
queue: the part of the round trip that queues and delayed ACKs add.
retr: retransmitted segments. net, rcv, snd, idle: the share of the connections'
time in which the network, the peer's receive window or this host's send buffer
limited them, or in which there was nothing to send."""


class Report:
    """The table with the lines above and below it, for a screen of any size."""

    def __init__(self, hosts, groups, members, sort):
        self.hosts = hosts
        self.rows = [r for g in groups
                     for r in (g.all() if members else [g.total])]
        self.sort = sort
        self.notes = [] # lines below the title

    def header(self):
        return [[(title(self.hosts), "heading")]] + self.notes

    def footer(self):
        return footers(self.hosts) + hints(self.rows)

    def table(self, width=None):
        """Returns the heading and a line for each row, cut to `width`
        columns."""
        return Grid(self.rows, len(self.hosts) > 1, self.sort).lines(width)


def printable(text):
    """Replaces control characters: names from other hosts could hold escape
    sequences."""
    return "".join(c if c.isprintable() else "?" for c in text)


def clock(when):
    return time.strftime("%H:%M:%S", time.localtime(when))


def ago(when):
    age = time.time() - when
    return "" if age < 0 else ", %d s ago" % age


def title(hosts):
    times = [h.time for h in hosts]
    if len(hosts) == 1:
        return "%s  %s%s" % (printable(hosts[0].name), clock(times[0]),
                             ago(times[0]))
    return "%d hosts  %s%s" % (len(hosts), clock(max(times)), ago(max(times))) \
        + ("" if min(times) == max(times) else
           ", oldest read at %s" % clock(min(times)))


class Grid:
    """Rows, and the columns for which at least one row has a value."""

    def __init__(self, rows, with_host, sort):
        self.rows, self.sort = rows, sort
        self.names = [("group", [printable(r.label) for r in rows])]
        if with_host:
            self.names.insert(0, ("host", [printable(r.host) for r in rows]))
        self.columns = [(c, series) for c in column.COLUMNS
                        for series in shown(c, rows)]

    def lines(self, width):
        names = [(text, max([SHORTEST_NAME] + [len(c) for c in entries]), entries)
                 for text, entries in self.names]
        verdicts = [health.VERDICTS[r.verdict.level] for r in self.rows]
        names.append(("health", len("warning"), verdicts))
        columns = [self._column(c, series) for c, series in self.columns]
        if width is not None:
            columns = self._fit(columns, width - SHORTEST_NAME * len(self.names)
                                - len("warning") - GAP * len(names))
            names = shorten(names, width - sum(c[1] for c in columns))
        out = [[("".join(left(text, size) for text, size, _ in names) +
                 "".join("%*s" % (size, text) for text, size, _, _ in columns),
                 "heading")]]
        for i, row in enumerate(self.rows):
            style = STYLES[row.verdict.level]
            out.append([(left(entries[i], size), style)
                        for _, size, entries in names] +
                       [("%*s" % (size, entries[i][0]), entries[i][1])
                        for _, size, entries, _ in columns])
        return out

    def _column(self, c, series):
        """Returns (heading, width, [(text, style)], name)."""
        entries = [entry(c, series, r) for r in self.rows]
        text = column.heading(c, series)
        size = max([c.width, len(text) + GAP] +
                   [len(t) + GAP for t, _ in entries])
        return text, size, entries, c.name

    def _fit(self, columns, width):
        """Leaves out the last columns until the rest fits; keeps the column by
        which rows are sorted."""
        columns = list(columns)
        while sum(c[1] for c in columns) > width:
            removable = [c for c in columns if c[3] != self.sort]
            if not removable:
                break
            columns.remove(removable[-1])
        return columns


def shown(c, rows):
    """Returns the column's series that any row has, the preferred statistic
    first."""
    found = {column.series(c, r.values) for r in rows} - {None}
    return sorted(found, key=lambda s: metric.rank(
        s[len(c.series) + 1:]) if c.distribution else 0)


def entry(c, series, row):
    value = row.values.get(series)
    level = max((f.level for f in row.verdict.findings if f.series == series),
                default=0)
    return ("-" if value is None else c.format(value)), STYLES[level]


def left(text, size):
    if len(text) > size:
        text = text[:size - 1] + "~"
    return "%-*s" % (size + GAP, text)


def shorten(names, width):
    """Cuts the columns of host and group to `width`, the longer one first."""
    sizes = [size for _, size, _ in names]
    while sum(sizes) + GAP * len(sizes) > width:
        longest = max(range(len(sizes) - 1), key=lambda i: sizes[i])
        if sizes[longest] <= 4:
            break
        sizes[longest] -= 1
    return [(text, size, entries)
            for (text, _, entries), size in zip(names, sizes)]


def footers(hosts):
    """Returns a line with the plugin's own values for each host, those with
    errors first; a last line counts the hosts that are left out."""
    lines = [self_line(h, len(hosts) > 1) for h in hosts if h.own]
    lines.sort(key=lambda line: all(not style for _, style in line))
    more = len(lines) - FOOTERS
    if more <= 0:
        return lines
    rest = lines[FOOTERS:]
    failing = sum(any(style for _, style in line) for line in rest)
    return lines[:FOOTERS] + [[("self of %d more hosts: %s" % (
        more, "%d with errors" % failing if failing else "no errors"),
        "warning" if failing else "")]]


def self_line(host, with_name):
    own = host.own
    parts = []
    if host.dropped:
        parts.append(("the dump of %s was dropped" % clock(host.own_time),
                      "failure"))
    for series, form, style in (
            ("count-sockets_dumped", "sockets %s", ""),
            ("count-sockets_matched", "in groups %s", ""),
            ("latency-dump_time", "dump %s", ""),
            ("latency-cpu_time", "CPU %s", ""),
            ("total_events-dump_errors", "dump errors %s/s", "failure"),
            ("total_events-malformed", "malformed %s/s", "warning"),
            ("total_events-close_events_lost", "close events lost %s/s",
             "warning"),
            ("total_time_in_ms-close_events_suspended", "suspended %s ms/s",
             "warning")):
        value = own.get(series)
        if value is not None:
            text = column.latency if series.startswith("latency") else \
                column.number
            parts.append((form % text(value), style if value else ""))
    name = "self of %s: " % printable(host.name) if with_name else "self: "
    out = [(name, "")]
    for i, part in enumerate(parts):
        out += [(", ", ""), part] if i else [part]
    return out


def hints(rows):
    counts = [r.values.get("count-connections") for r in rows]
    if counts and all(n == 0 for n in counts):
        return [[("No group has any connection. The default group `all` leaves "
                  "out loopback connections.", "")]]
    return []


def legend():
    return [[(line, "")] for line in LEGEND.splitlines()]
