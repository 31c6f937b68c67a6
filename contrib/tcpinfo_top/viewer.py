"""Reads the values, selects those that the options ask for, and keeps them."""

import time

from . import cache, health, options, row, table
from .problem import NO_SUCH, Problem

HOSTS_NAMED = 3 # of those that are gone
NAMES_SHOWN = 20 # of those that can be asked for
# Seconds: with a shorter timeout a busy collectd would count as one that does
# not answer.
LEAST_TIMEOUT = 1


def check_names(known, kind, names):
    """Raises Problem if one of `names` is not in `known`."""
    for name in names or ():
        if name not in known:
            raise Problem(NO_SUCH, "no %s '%s'; available: %s" % (
                kind, table.printable(name),
                table.printable(", ".join(sorted(known)[:NAMES_SHOWN])) or
                "none"))


class Viewer:
    """Keeps the hosts and groups of the last successful read, to show them
    while collectd cannot be read."""

    def __init__(self, o):
        self.o = o
        limits = {**health.defaults(), **dict(o.threshold)}
        self.thresholds = health.Thresholds(limits, o.least_retrans)
        self.cache = cache.Cache(o.socket, options.wanted(o))
        self.hosts, self.groups = [], []
        self.gone = {} # {host: when it was last read}
        self.problem = None # of the last read, or None

    def read(self, timeout=None):
        """Reads the values; raises Problem and then keeps the last ones."""
        found = {n: h for n, h in self.cache.read(timeout).items()
                 if h.groups}
        check_names(found, "host", self.o.host)
        hosts = [h for h in found.values()
                 if not self.o.host or h.name in self.o.host]
        check_names({g for h in hosts for g in h.groups}, "group",
                    self.o.group)
        if self.o.group: # leave out hosts without such a group
            hosts = [h for h in hosts if h.groups.keys() & self.o.group]
        hosts.sort(key=lambda h: row.natural(h.name))
        self.gone.update((h.name, h.time) for h in self.hosts)
        for h in hosts:
            self.gone.pop(h.name, None)
        self.hosts = hosts
        self.groups = row.groups(hosts, self.o.group, self.thresholds,
                                 self.o.sort)

    def read_first(self):
        """Reads the values for the first time; tries again for the time of
        --wait."""
        if self.o.wait is None:
            return self.read()
        end = time.monotonic() + self.o.wait
        while True:
            remaining = max(end - time.monotonic(), LEAST_TIMEOUT)
            try:
                return self.read(remaining)
            except Problem:
                if time.monotonic() >= end:
                    raise
                time.sleep(0.1)

    def read_again(self):
        """Reads the values; stores a Problem for the report."""
        try:
            self.read()
            self.problem = None
        except Problem as problem:
            self.problem = problem

    def report(self):
        report = table.Report(self.hosts, self.groups,
                              self.o.members or self.o.group, self.o.sort)
        if self.problem:
            report.notes.append(note("no new values since %s: %s" % (
                table.clock(max(h.time for h in self.hosts)), self.problem)))
        gone = sorted(self.gone.items(), key=lambda g: (-g[1], g[0]))
        for name, when in gone[:HOSTS_NAMED]:
            report.notes.append(note(
                "host %s is gone; its last read was at %s" % (
                    table.printable(name), table.clock(when))))
        if len(gone) > HOSTS_NAMED:
            report.notes.append(note("and %d more hosts are gone" %
                                     (len(gone) - HOSTS_NAMED)))
        return report

    def times(self):
        """Returns the times of all reads; they differ if there are new
        values."""
        return [(h.name, h.time, h.own_time) for h in self.hosts]


def note(text):
    """Returns a line in the style of a failure."""
    return [(text, "failure")]
