"""Starts collectd with the plugin and all backends that are installed, and runs
the traffic of traffic.py."""

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

from . import alerts, graphite, influxdb, prometheus, rrdtool, sandbox
from .traffic import FAR_AWAY, OTHERS, Traffic

# The low MaxCloseRate suspends close events in the phase "storm".
FIRST_BLOCK = """\
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
# (class, programs, files of conf/, collectd's plugin)
BACKENDS = (
    (graphite.Graphite, graphite.PROGRAMS, graphite.CONF, "write_graphite"),
    (prometheus.Prometheus, prometheus.PROGRAMS, prometheus.CONF,
     "write_prometheus"),
    (prometheus.VictoriaMetrics, ("victoria-metrics",), prometheus.CONF,
     "write_prometheus"),
    (rrdtool.RRD, rrdtool.PROGRAMS, rrdtool.CONF, "rrdtool"),
    # Last, because it is slow.
    (influxdb.InfluxDB, influxdb.PROGRAMS, influxdb.CONF, "network"),
)


class Daemon(sandbox.Collectd):
    """Fills its own folder into its configuration."""

    def __init__(self, box, files, modules):
        super().__init__(box, files, FIRST_BLOCK, modules)
        with open(self.conf, encoding="ascii") as f:
            text = f.read()
        with open(self.conf, "w", encoding="ascii") as out:
            out.write(text.replace("{modules}", modules).replace(
                "{folder}", self.folder))


class Setup:
    """The running backends, collectd and the traffic."""

    def __init__(self, box, daemon, backends, traffic, began):
        self.sandbox, self.daemon, self.backends = box, daemon, backends
        self.traffic, self.began = traffic, began
        self.phases = {} # name: (from, to)

    def backend(self, name):
        """Returns the backend with this name; None if it is not installed."""
        return next((b for b in self.backends if b.name == name), None)

    @contextlib.contextmanager
    def phase(self, name):
        check.say("--- %4.0f s: %s" % (time.time() - self.began, name))
        start = time.time()
        self.phases[name] = (start, None)
        yield
        self.phases[name] = (start, time.time())

    def flow(self, reads, done=lambda: True, exchanges=True):
        """Sends data for so many reads, and until done() returns true."""
        self.traffic.flow(self.daemon, reads, done, exchanges)


def library_lacks(modules, plugin):
    """Returns the missing libraries of a plugin of collectd."""
    text = subprocess.run(["ldd", os.path.join(modules, plugin + ".so")],
                          check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT).stdout
    if "not a dynamic" in text or "No such file" in text:
        return ["collectd's plugin " + plugin]
    return [line.split()[0] for line in text.splitlines()
            if "not found" in line]


def available(modules):
    """Returns the rows of BACKENDS that this machine can run; prints what is
    missing."""
    out = []
    for row in BACKENDS:
        missing = [p for p in row[1] if shutil.which(p) is None]
        missing += library_lacks(modules, row[3])
        if missing:
            check.say("not available: %s; missing: %s" % (row[0].name,
                                                          ", ".join(missing)))
        else:
            out.append(row)
    return out


@contextlib.contextmanager
def ready(modules, only=None):
    """Starts collectd and the backends, and waits for the first reads; yields a
    Setup without traffic. `only` is the name of the only backend to start."""
    began = time.time()
    rows = [r for r in available(modules) if only in (None, r[0].name)]
    if not rows:
        check.skip("no backend is available")
    files = ["groups.conf", "thresholds.conf"]
    files += sorted({f for row in rows for f in row[2]})
    with netns.Link(more=OTHERS) as link, Delay(link, FAR_AWAY), \
            sandbox.Sandbox(link.client) as box, contextlib.ExitStack() as stack:
        backends = []
        for row in rows:
            backends.append(row[0](box))
            stack.callback(backends[-1].end)
        for backend in backends:
            backend.ready()
        check.say("%s started in %.0f s" % (", ".join(b.name for b in backends),
                                            time.time() - began))
        client, server, _ = stack.enter_context(Agents(link))
        daemon = stack.enter_context(Daemon(box, files, modules))
        for backend in backends:
            backend.daemon = daemon
        daemon.wait(lambda reads: len(reads) >= 3, "reads")
        yield Setup(box, daemon, backends, Traffic(link, client, server),
                     began)


def no_problem(setup):
    """Runs the phase "no problem" for some reads; runs it again if there was a
    notification in it, which other load of the machine may cause."""
    end = time.monotonic() + LIMIT
    while True:
        with setup.phase("no problem"):
            setup.flow(5)
        if not alerts.without_problem(setup) or time.monotonic() > end:
            return


def problem(setup, name):
    """Waits until no threshold and no alert of the problem's phase is active;
    returns the phase."""
    setup.flow(0, lambda: alerts.none_is_active(setup, name))
    return setup.phase(name)


def cause_problems(setup):
    """Causes one problem after the other; each ends before the next begins."""
    t = setup.traffic
    with setup.phase("connections without data"):
        # The counters of a member begin with its first read.
        t.open()
        poll(lambda: all(b.begun() for b in setup.backends), "scrape")
        when = setup.daemon.read_after(time.time())[0]
        setup.daemon.read_after(when)
    no_problem(setup)
    with problem(setup, "loss"), t.loss():
        setup.flow(7, lambda: alerts.all_reported(setup, "loss"))
    with setup.phase("after the loss"):
        setup.flow(4, lambda: alerts.thresholds_are_okay(setup, "loss"))
    with problem(setup, "queue"), t.queue(), t.slow_program():
        setup.flow(6, lambda: alerts.all_reported(setup, "queue"))
    with setup.phase("after the queue"):
        setup.flow(3, lambda: alerts.thresholds_are_okay(setup, "queue"))
    nobody = "nobody reads, nobody answers"
    with problem(setup, nobody), t.server_does_not_read(), \
            t.program_does_not_read(), t.silence():
        t.refused(60)
        setup.flow(5, lambda: alerts.all_reported(setup, nobody),
                   exchanges=False)
    with setup.phase("settling"):
        t.settle()


def still(setup):
    """Waits some seconds without traffic; returns the time of a read in them."""
    with setup.phase("standstill"):
        when, _ = setup.daemon.read_after(time.time())
        setup.daemon.read_after(when + 4)
    return when


def storm(setup):
    """Closes more connections than MaxCloseRate; this is the last phase, because
    the bytes of these connections are not counted."""
    def resumed():
        return closed.drops(setup.traffic.link.client) is not None
    with setup.phase("storm"):
        setup.traffic.storm(lambda: alerts.all_reported(setup, "storm"))
        poll(resumed, "close events after the storm")
        setup.flow(0, lambda: alerts.thresholds_are_okay(setup, "storm"))
        return setup.daemon.read_after(time.time())[0]
