"""The values that a daemon writes while something goes on."""

import time

from . import check
from .wait import LIMIT, poll # pylint: disable=W0611 # poll is for others, too


class Observer:
    """`daemon`: a running Collectd. Values of one read and group are
    {instance: value}; instances are unique within a group."""

    def __init__(self, daemon):
        self.daemon = daemon

    def last(self):
        """When the last read was; waits for the first."""
        self.daemon.wait(len, "read")
        return self.daemon.reads()[-1]

    def since(self, when, group):
        """[(time, values)] of the whole reads after `when`, oldest first."""
        whole = self.daemon.reads()[:-1]
        out = {t: {} for t in whole if t > when}
        for (_, _, instance), rows in self.daemon.values(group).items():
            for t, value in rows:
                if t in out:
                    out[t][instance] = value
        return sorted(out.items())

    def rows(self, when, count, group):
        """The first `count` whole reads after `when`."""
        self.daemon.wait(lambda r: sum(t > when for t in r) > count,
                         "%d reads" % count)
        return self.since(when, group)[:count]

    def until(self, what, group, condition, show, when=None):
        """Waits until a read after `when` (the last one) fulfils the condition;
        prints the values to `show` of that read, or of the last ones where none
        does. Returns (time, values) or None."""
        if when is None:
            when = self.last()
        seen, end = [], time.monotonic() + LIMIT
        while time.monotonic() < end:
            seen = self.rows(when, len(seen) + 1, group)
            if condition(seen[-1][1]):
                check.true(what, True, text(seen[-1][1], show))
                return seen[-1]
        check.true(what, False, "; ".join(text(v, show)
                                          for _, v in seen[-15:]))
        return None

    def between(self, judge, *groups, accept=lambda said, *values: True):
        """Values of a read, and what `judge` says of the same moment: it says
        the same before the read begins and after it has ended, and `accept`
        holds for both. Returns (what it said, values of each group), without
        groups all values."""
        end = time.monotonic() + LIMIT
        while True:
            before = judge()
            when, every = self.daemon.read_after(time.time())
            same = judge() == before
            values = [{k[2]: v for k, v in every.items() if k[0] == group}
                      for group in groups] if groups else [every]
            if same and accept(before, *values):
                return (before, *values)
            if time.monotonic() > end:
                check.true("the judge says the same before and after a read, "
                           "and what was made", False, (when, before))
                return (before, *values)


def text(values, show):
    return ", ".join("%s %s" % (name, check.number(values[name])
                                if name in values else "-") for name in show)
