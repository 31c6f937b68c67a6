"""The rows of the table: groups and members with values and verdicts, in
order."""

import re

from . import column, health

OTHER = "other"


class Row:
    """Values and verdict of a member, or of a group if `member` is None."""

    def __init__(self, host, group, member, values, verdict):
        self.host, self.group, self.member = host, group, member
        self.values, self.verdict = values, verdict

    @property
    def label(self):
        return self.group if self.member is None else "  " + self.member


def natural(name):
    """Returns a sort key by which 10.0.0.9 comes before 10.0.0.10."""
    # re.split() returns text and numbers in turn.
    return [(part, 0) if i % 2 == 0 else ("", int(part))
            for i, part in enumerate(re.split(r"([0-9]+)", name or ""))]


def key(sort):
    """Returns the sort key of rows for "health", "name", or a column's name."""
    def by_name(row):
        return natural(row.group), natural(row.member), natural(row.host)

    def by_health(row):
        return (-row.verdict.level, -health.weight(row.verdict),
                -row.values.get("count-connections", 0), by_name(row))

    def by_column(row):
        value = row.values.get(column.series(column.BY_NAME[sort],
                                             row.values))
        return value is None, -(value or 0), by_name(row)

    return {"health": by_health, "name": by_name}.get(sort, by_column)


class Rows:
    """The rows of one group: `total`, the sorted `members`, `other` (or None)
    and `worst` (sorted by number)."""

    def __init__(self, host, group, thresholds, sort):
        def row(member, values):
            return Row(host.name, group.name, member, values,
                       thresholds.verdict(values))
        self.total = row(None, group.total)
        self.members = sorted((row(*m) for m in group.members.items()),
                              key=key(sort))
        self.other = None if group.other is None else row(OTHER, group.other)
        self.worst = [row("worst%d" % n, values)
                      for n, values in sorted(group.worst.items())]

    def all(self):
        """Returns the total, the members, then "other" and the worst."""
        return ([self.total, *self.members] +
                ([self.other] if self.other else []) + self.worst)


def groups(hosts, names, thresholds, sort):
    """Returns the sorted [Rows] of the groups with these names (None: all) of
    all hosts."""
    out = [Rows(h, g, thresholds, sort) for h in hosts
           for g in h.groups.values() if names is None or g.name in names]
    order = key(sort)
    return sorted(out, key=lambda rows: order(rows.total))
