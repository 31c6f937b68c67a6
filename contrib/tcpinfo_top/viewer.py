"""What was read last, as the options want to see it."""

import time

from . import cache, health, options, row, table
from .problem import NO_SUCH, Problem

GONE = 3 # hosts that are named
LEAST_PATIENCE = 1 # seconds: a busy collectd is not one that does not answer


def choose(hosts, what, names):
    """Refuses a name that is not there."""
    there = sorted(hosts)
    for name in names or ():
        if name not in hosts:
            raise Problem(NO_SUCH, "no %s '%s'; there is %s" % (
                what, table.printable(name),
                table.printable(", ".join(there)) or "none"))


class Viewer:
    """Reads, and shows what it read last, also while nothing can be read."""

    def __init__(self, o):
        self.o = o
        limits = {**health.defaults(), **dict(o.threshold)}
        self.thresholds = health.Thresholds(limits, o.least_retrans)
        self.cache = cache.Cache(o.socket, options.wanted(o))
        self.hosts, self.groups = [], []
        self.gone = {} # {host: when it was last read}
        self.trouble = None # the Problem of the last look, or None

    def look(self, patience=None):
        """Raises Problem, and then keeps what was read before."""
        found = {n: h for n, h in self.cache.read(patience).items()
                 if h.groups}
        choose(found, "host", self.o.host)
        hosts = [h for h in found.values()
                 if not self.o.host or h.name in self.o.host]
        choose({g for h in hosts for g in h.groups}, "group", self.o.group)
        if self.o.group: # hosts without it are of no interest
            hosts = [h for h in hosts if h.groups.keys() & self.o.group]
        hosts.sort(key=lambda h: row.natural(h.name))
        self.gone.update((h.name, h.time) for h in self.hosts)
        for h in hosts:
            self.gone.pop(h.name, None)
        self.hosts = hosts
        self.groups = row.groups(hosts, self.o.group, self.thresholds,
                                 self.o.sort)

    def first(self):
        """look(), with patience."""
        if self.o.wait is None:
            return self.look()
        end = time.monotonic() + self.o.wait
        while True:
            rest = max(end - time.monotonic(), LEAST_PATIENCE)
            try:
                return self.look(rest)
            except Problem:
                if time.monotonic() >= end:
                    raise
                time.sleep(0.1)

    def again(self):
        try:
            self.look()
            self.trouble = None
        except Problem as problem:
            self.trouble = problem

    def report(self):
        report = table.Report(self.hosts, self.groups,
                              self.o.members or self.o.group, self.o.sort)
        if self.trouble:
            report.notes.append([("%s was the last read: %s" % (
                table.clock(max(h.time for h in self.hosts)), self.trouble),
                "bad")])
        last = sorted(self.gone.items(), key=lambda g: (-g[1], g[0]))
        for name, when in last[:GONE]:
            report.notes.append([("%s was the last read of %s, which is not "
                                  "there any more" % (table.clock(when),
                                  table.printable(name)), "bad")])
        if len(last) > GONE:
            report.notes.append([("and %d more hosts are not there any more" % (
                len(last) - GONE), "bad")])
        return report

    def times(self):
        """Differ when there are new values."""
        return [(h.name, h.time, h.own_time) for h in self.hosts]
