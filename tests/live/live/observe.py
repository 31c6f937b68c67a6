"""The values that a daemon writes while something goes on."""

import time

from . import check


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

    def until(self, what, group, condition, show, when=None, reads=15):
        """Waits until a read after `when` (the last one) fulfils the condition,
        for so many reads at most; prints the values to `show` of that read, or
        of all where none does. Returns (time, values) or None."""
        if when is None:
            when = self.last()
        seen = []
        while len(seen) < reads:
            seen = self.rows(when, len(seen) + 1, group)
            if condition(seen[-1][1]):
                check.true(what, True, text(seen[-1][1], show))
                return seen[-1]
        check.true(what, False, "; ".join(text(v, show) for _, v in seen))
        return None


def text(values, show):
    return ", ".join("%s %s" % (name, check.number(values[name])
                                if name in values else "-") for name in show)


def poll(condition, what, limit=20):
    """Waits until the condition holds; its value."""
    end = time.monotonic() + limit
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise TimeoutError("no " + what)
        time.sleep(0.05)
