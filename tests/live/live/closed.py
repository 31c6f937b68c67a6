"""Shared by the tests of closed connections: a Watch follows the growth of the
daemon's counters; the kernel's own counts of a namespace."""

import subprocess
import time

from . import check, expect, netns
from .daemon import at
from .wait import Progress, poll

ADDITIVE = {
    "connections": "count", "opened": "total_connections",
    "closed": "total_connections", "failed": "total_connections",
    "bytes_sent": "total_bytes", "bytes_received": "total_bytes",
    "bytes_retrans": "total_bytes", "retrans": "packets",
    "segs_out": "packets", "segs_in": "packets",
}
SELF = {"close_events": "total_events", "close_events_lost": "total_events",
        "close_events_unclear": "total_events",
        "close_events_aborted": "total_events",
        "close_events_suspended": "total_time_in_ms",
        "dump_errors": "total_events"}
KIND = {**ADDITIVE, **SELF}
GAUGES = ("count", "latency", "bytes", "percent", "memory")


def block(groups, options=""):
    """`groups`: {name: options}; each reports what is in ADDITIVE."""
    lines = ["<Plugin tcpinfo>", options]
    for name, more in groups.items():
        lines += ['<Group "%s">' % name, more]
        lines += ['Metric "%s"' % m for m in ADDITIVE] + ["</Group>"]
    return "\n".join(lines + ["</Plugin>"])


def port(number):
    """Options of a group: either end has that port."""
    return 'Filter "sport = :%d or dport = :%d"' % (number, number)


def host(namespace):
    """The namespace's own counters: {"RetransSegs": 0, ...}."""
    out = {}
    for name in ("snmp", "netstat"):
        lines = netns.run(*netns.enter(namespace), "cat",
                          "/proc/net/" + name).splitlines()
        for names, values in zip(lines[::2], lines[1::2]):
            if names.split()[0] in ("Tcp:", "TcpExt:"):
                out.update(zip(names.split()[1:],
                               map(int, values.split()[1:])))
    return out


def subscriber(namespace):
    """The subscriber to both groups of close events as the kernel shows it
    (linux: net/netlink/af_netlink.c, netlink_native_seq_show()): the number of
    dropped events, and the bytes that wait to be received. None: there is
    none."""
    for line in netns.run(*netns.enter(namespace), "cat",
                          "/proc/net/netlink").splitlines()[1:]:
        word = line.split()
        if word[1] == "4" and int(word[3], 16) == 0x5:
            return int(word[8]), int(word[4])
    return None


def drops(namespace):
    """The number of close events that the kernel has dropped; None: nobody asks
    for them."""
    there = subscriber(namespace)
    return None if there is None else there[0]


def received(namespace):
    """No close event waits in the kernel."""
    there = subscriber(namespace)
    return there is None or there[1] == 0


def gone(namespaces, but=0):
    """Waits until no connection is left but in TIME_WAIT, or as what is left of
    one in FIN_WAIT2, or with the port `but`."""
    progress = Progress("end of connections")
    while True:
        left = [subprocess.run(
            [*netns.enter(n), "ss", "-tnH", "state", "connected", "exclude",
             "time-wait", "exclude", "fin-wait-2",
             "sport != :%d and dport != :%d" % (but, but)], check=True,
            stdout=subprocess.PIPE).stdout for n in namespaces]
        if not any(left):
            return
        progress.see(left)
        time.sleep(0.1)


class Watch:
    """A daemon and its namespace, and what was at the last mark()."""

    def __init__(self, name, namespace, daemon):
        self.name, self.namespace, self.daemon = name, namespace, daemon
        self.before = self.values = self.host_before = self.host = None

    def mark(self):
        """Growth counts from here on."""
        if self.values is None:
            read([self])
        self.before, self.host_before = self.values, self.host

    def value(self, group, metric):
        return self.values.get((group, KIND[metric], metric))

    def grown(self, group, metric):
        """None: there is no such value. A member begins with 0."""
        now = self.value(group, metric)
        if now is None:
            return None
        return int(now - self.before.get((group, KIND[metric], metric), 0))

    def host_grown(self, name):
        return self.host[name] - self.host_before[name]

    def compare(self, group, expected):
        """`expected`: {metric: number, or (least, most)}, grown since the mark.
        The metric bytes_new is bytes_sent less bytes_retrans."""
        words, wrong = [], False
        for metric, number in expected.items():
            if metric == "bytes_new":
                sent, retrans = (self.grown(group, m) for m in (
                    "bytes_sent", "bytes_retrans"))
                got = None if None in (sent, retrans) else sent - retrans
                metric = "bytes_sent less %s retransmitted" % retrans
            else:
                got = self.grown(group, metric)
            least, most = (number if isinstance(number, tuple) else
                           (number, number))
            ok = got is not None and least <= got <= most
            wrong = wrong or not ok
            words.append("%s %s" % (metric, got))
            if least != most:
                words[-1] += " (of %d to %d)" % (least, most)
            elif not ok:
                words[-1] += " (expected %s)" % number
        check.true("%s %s" % (self.name, group), not wrong, ", ".join(words))


# The host's counts that the tests compare.
HOST = ("ActiveOpens", "PassiveOpens", "RetransSegs", "TCPSynRetrans")
COUNTERS = ("total_connections", "total_bytes", "packets", "total_events")


def counters(values, counts):
    return ({k: v for k, v in values.items() if k[1] in COUNTERS},
            [counts[n] for n in HOST])


def read(watches):
    """Reads until all that happened before is in their values, and in the
    host's counts: no close event waits in the kernel, and from one whole read to the
    next no counter has grown, here or there."""
    began = time.time()
    for w in watches:
        poll(lambda w=w: received(w.namespace), "end of close events")
    for w in watches:
        when, progress = began, Progress("standing counters")
        while True:
            w.host = host(w.namespace)
            first, when = w.daemon.begun_after(when, 2)
            written = w.daemon.values()
            before, w.values = (at(written, t) for t in (first, when))
            now = counters(w.values, host(w.namespace))
            if counters(before, w.host) == now:
                break
            progress.see(None)


def compare_long(watch, grown):
    """The group of long connections: none came or went."""
    watch.compare("long", {"opened": 0, "closed": 0, "failed": 0,
                           "bytes_new": grown, "bytes_received": grown})


def no_counter_falls(name, values):
    """No counter of any series ever fell."""
    falls, points = [], 0
    for key, rows in values.items():
        if key[1] not in GAUGES:
            points += len(rows)
            falls += [(key, a, b) for a, b in zip(rows, rows[1:])
                      if b[1] < a[1]]
    check.true("%s: no counter fell, %d values" % (name, points),
               not falls and points, falls[:5] or "")


def members_and_other_are_the_total(name, values, group):
    """In each interval and metric, members + other = total."""
    def rows(instance, metric):
        return dict(values.get((instance, KIND[metric], metric), ()))
    members = sorted({k[0] for k in values if k[0].startswith(group + "-")})
    times = sorted(rows(group, "connections"))[:-1]
    wrong, whole = [], 0
    for metric, kind in ADDITIVE.items():
        total = rows(group, metric)
        parts = [(rows(m, metric), rows(m, "connections")) for m in members]
        for a, b in zip(times, times[1:]):
            if kind == "count":
                grown, added = total[b], sum(r.get(b, 0) for r, _ in parts)
            else:
                grown = total[b] - total[a]
                added = sum(expect.growth(r, shown, a, b)
                            for r, shown in parts)
            whole += 1
            if grown != added:
                wrong.append((metric, b, added, grown))
    check.true("%s %s: %d series, members + other = total, compared %d times" %
               (name, group, len(members), whole), whole and not wrong,
               wrong[:4] or "")
