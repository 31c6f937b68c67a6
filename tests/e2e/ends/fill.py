"""collectd with the plugin and every way out of it, the back ends that can be
had, and the traffic of traffic.py through it: what the tests then ask about."""

import contextlib
import os
import shutil
import subprocess
import time

from live import check, closed, netns
from live.delay import Delay
from live.observe import poll
from live.traffic import Agents
from live.wait import LIMIT

from . import alarms, carbon, influx, place, prometheus, rrd
from .traffic import FAR_AWAY, OTHERS, Traffic

# CountClosed "auto" gives up at this rate, in the phase that shows it.
BEFORE = """\
<Plugin tcpinfo>
  MaxCloseRate 300
</Plugin>
PluginDir "{modules}"
LoadPlugin unixsock
<Plugin unixsock>
  SocketFile "{folder}/socket"
  DeleteSocket true
</Plugin>
"""
# (class, programs, files of conf/, library of collectd's plugin)
ENDS = (
    (carbon.Graphite, carbon.PROGRAMS, carbon.CONF, "write_graphite"),
    (prometheus.Prometheus, prometheus.PROGRAMS, prometheus.CONF,
     "write_prometheus"),
    (prometheus.VictoriaMetrics, ("victoria-metrics",), prometheus.CONF,
     "write_prometheus"),
    (rrd.RRD, rrd.PROGRAMS, rrd.CONF, "rrdtool"),
    # Last, as it takes its time.
    (influx.InfluxDB, influx.PROGRAMS, influx.CONF, "network"),
)


class Daemon(place.Collectd):
    """Its folder is known only once it is made."""

    def __init__(self, at, files, modules):
        super().__init__(at, files, BEFORE, modules)
        with open(self.conf, encoding="ascii") as f:
            text = f.read()
        with open(self.conf, "w", encoding="ascii") as out:
            out.write(text.replace("{modules}", modules).replace(
                "{folder}", self.folder))


class Filled:
    """The back ends, running and filled; what there was to fill them."""

    def __init__(self, at, daemon, ends, traffic, began):
        self.place, self.daemon, self.ends = at, daemon, ends
        self.traffic, self.began = traffic, began
        self.phases = {} # name: (from, to)

    def end(self, name):
        """The one that is called so; None: it could not be had."""
        return next((e for e in self.ends if e.name == name), None)

    @contextlib.contextmanager
    def phase(self, name):
        check.say("--- %4.0f s: %s" % (time.time() - self.began, name))
        start = time.time()
        self.phases[name] = (start, None)
        yield
        self.phases[name] = (start, time.time())

    def flow(self, reads, done=lambda: True, exchanges=True):
        self.traffic.flow(self.daemon, reads, done, exchanges)


def library_lacks(modules, plugin):
    """Libraries of a plugin of collectd that are not installed."""
    text = subprocess.run(["ldd", os.path.join(modules, plugin + ".so")],
                          check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT).stdout
    if "not a dynamic" in text or "No such file" in text:
        return ["collectd's plugin " + plugin]
    return [line.split()[0] for line in text.splitlines()
            if "not found" in line]


def available(modules):
    """The rows of ENDS that this machine can run; says what is missing."""
    out = []
    for row in ENDS:
        missing = [p for p in row[1] if shutil.which(p) is None]
        missing += library_lacks(modules, row[3])
        if missing:
            check.say("not here: %s, for want of %s" % (row[0].name,
                                                        ", ".join(missing)))
        else:
            out.append(row)
    return out


@contextlib.contextmanager
def ready(modules, only=None):
    """A Filled that waits for traffic: all is started, a read is done. `only`:
    the one back end that is wanted."""
    began = time.time()
    rows = [r for r in available(modules) if only in (None, r[0].name)]
    if not rows:
        check.skip("no back end at all")
    files = ["groups.conf", "thresholds.conf"]
    files += sorted({f for row in rows for f in row[2]})
    with netns.Link(more=OTHERS) as link, Delay(link, FAR_AWAY), \
            place.Place(link.client) as at, contextlib.ExitStack() as stack:
        ends = []
        for row in rows:
            ends.append(row[0](at))
            stack.callback(ends[-1].end)
        for end in ends:
            end.ready()
        check.say("%s started in %.0f s" % (", ".join(e.name for e in ends),
                                            time.time() - began))
        client, server, _ = stack.enter_context(Agents(link))
        daemon = stack.enter_context(Daemon(at, files, modules))
        for end in ends:
            end.daemon = daemon
        daemon.wait(lambda reads: len(reads) >= 3, "reads")
        yield Filled(at, daemon, ends, Traffic(link, client, server),
                     began)


def calm(filled):
    """Reads in which nothing is told. A machine that does not leave this test
    alone may well be told of: then once more."""
    end = time.monotonic() + LIMIT
    while True:
        with filled.phase("all is well"):
            filled.flow(5)
        if not alarms.early(filled) or time.monotonic() > end:
            return


def trouble(filled, name):
    """A phase, before which nothing is told that is to be told in it."""
    filled.flow(0, lambda: alarms.quiet(filled, name))
    return filled.phase(name)


def troubles(filled):
    """One after the other, each gone again before the next."""
    t = filled.traffic
    with filled.phase("connections without data"):
        # A member's counters begin with its first read.
        t.open()
        poll(lambda: all(e.begun() for e in filled.ends), "scrape")
        when = filled.daemon.read_after(time.time())[0]
        filled.daemon.read_after(when)
    calm(filled)
    with trouble(filled, "loss"), t.loss():
        filled.flow(7, lambda: alarms.told(filled, "loss"))
    with filled.phase("after the loss"):
        filled.flow(4, lambda: alarms.over(filled, "loss"))
    with trouble(filled, "queue"), t.queue(), t.slow_program():
        filled.flow(6, lambda: alarms.told(filled, "queue"))
    with filled.phase("after the queue"):
        filled.flow(3, lambda: alarms.over(filled, "queue"))
    nobody = "nobody reads, nobody answers"
    with trouble(filled, nobody), t.deaf_reader(), t.unread(), t.silence():
        t.refused(60)
        filled.flow(5, lambda: alarms.told(filled, nobody), exchanges=False)
    with filled.phase("settling"):
        t.settle()


def still(filled):
    """Nothing goes on for some seconds; the time of a read in it."""
    with filled.phase("standstill"):
        when, _ = filled.daemon.read_after(time.time())
        filled.daemon.read_after(when + 4)
    return when


def storm(filled):
    """More connections that close than are followed; the last phase, because
    then their bytes are not counted."""
    def followed():
        return closed.drops(filled.traffic.link.client) is not None
    with filled.phase("storm"):
        filled.traffic.storm(lambda: alarms.told(filled, "storm"))
        poll(followed, "close events again")
        filled.flow(0, lambda: alarms.over(filled, "storm"))
        return filled.daemon.read_after(time.time())[0]
