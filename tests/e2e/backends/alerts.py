"""Checks that each problem caused its notifications and alerts, and that they
ended: collectd's thresholds, the plugin's notifications of the worst members,
Prometheus' alerts."""

import re
import time

from live import check

from . import sandbox
from .traffic import LOSSY

LINE = re.compile(
    r"\[(?P<at>[-0-9: ]+)\] Notification: severity = (?P<severity>\w+), "
    r".*?plugin_instance = (?P<group>[^,]+), type = [^,]+, "
    r"type_instance = (?P<what>[^,]+), message = (?P<message>.*)")
# (group, value, severity, the phase in which the notification is sent)
THRESHOLDS = (
    ("outbound", "retrans_percent", "WARNING", "loss"),
    ("outbound", "outliers", "WARNING", "loss"),
    ("outbound", "queue_delay-p95", "WARNING", "queue"),
    ("inbound", "accept_percent-max", "FAILURE", "queue"),
    ("outbound", "stalled", "WARNING", "nobody reads, nobody answers"),
    ("self", "close_events_suspended", "WARNING", "storm"),
)
# (alert, label tcpinfo, phase): the alert becomes pending in this phase; it would
# fire minutes later.
ALERTS = (
    ("TcpRetransmits", "outbound", "loss"),
    ("TcpWorstPeer", "outbound-worst1", "loss"),
    ("TcpOutliers", "outbound", "loss"),
    ("TcpQueueDelay", "outbound", "queue"),
    ("TcpAcceptQueue", "inbound", "queue"),
    ("TcpStalled", "outbound", "nobody reads, nobody answers"),
    ("TcpConnectsFail", "all", "nobody reads, nobody answers"),
    ("TcpinfoCloseEventsSuspended", "self", "storm"),
)
# Seconds from a problem to its notification: the next read, and three hits.
LATE = 4


def notifications(log):
    """Returns [(time, severity, group, value, message)] of a log."""
    return [(time.mktime(time.strptime(m["at"], "%Y-%m-%d %H:%M:%S")),
             m["severity"], m["group"], m["what"], m["message"])
            for m in map(LINE.match, log.splitlines()) if m]


def without_problem(setup):
    """Returns the notifications of the phase "no problem", except OKAY."""
    start, end = setup.phases["no problem"]
    return [n for n in notifications(setup.daemon.log())
            if n[1] != "OKAY" and start <= n[0] <= end]


def active_alerts(setup):
    """Returns {(alert, label tcpinfo)} of the alerts that are pending or firing
    now; None without Prometheus."""
    prometheus = setup.backend("Prometheus")
    return None if prometheus is None else set(prometheus.alerts())


def all_reported(setup, phase):
    """Returns true once all notifications have been sent, and all alerts are
    active, that belong to the running phase."""
    start, _ = setup.phases[phase]
    sent, active = notifications(setup.daemon.log()), active_alerts(setup)
    return all(any(n[1:4] == (severity, group, what) and n[0] >= start - 1
                   for n in sent)
               for group, what, severity, where in THRESHOLDS
               if where == phase) and (active is None or all(
                   (name, group) in active
                   for name, group, where in ALERTS if where == phase))


def thresholds_are_okay(setup, phase):
    """Returns true if the last notification of each value of that phase is OKAY,
    or there is none."""
    last = {n[2:4]: n[1] for n in notifications(setup.daemon.log())}
    return all(last.get((group, what), "OKAY") == "OKAY"
               for group, what, _, where in THRESHOLDS if where == phase)


def none_is_active(setup, phase):
    """Returns true if no threshold and no alert of that phase is active."""
    active = active_alerts(setup) or set()
    return thresholds_are_okay(setup, phase) and not any(
        (name, group) in active
        for name, group, where in ALERTS if where == phase)


def thresholds_notify_and_recover(setup):
    """Checks that each threshold sends a notification in the phase of its problem
    and OKAY after it, and that there is none in the phase "no problem"."""
    sent = notifications(setup.daemon.log())
    check.true("thresholds: no notification without a problem",
               not without_problem(setup), without_problem(setup) or "")
    for group, what, severity, phase in THRESHOLDS:
        start, end = setup.phases[phase]
        mine = [n for n in sent if n[2:4] == (group, what)]
        fired = [n for n in mine if n[1] == severity and
                 start - 1 <= n[0] <= end + LATE]
        check.true("thresholds: %s of %s: %s within %s" % (
            what, group, severity, phase), fired,
                   fired[0][4].rpartition(": ")[2] if fired else mine)
        over = [n for n in mine if n[1] == "OKAY" and fired and
                n[0] > fired[-1][0]]
        check.true("thresholds: and OKAY after that", over,
                   "%.0f s later" % (over[0][0] - fired[-1][0]) if over else "")
    named = [n for n in sent if n[2:4] == ("outbound-worst1",
                                           "retrans_percent")]
    check.true("a notification has the name of the worst peer", any(
        LOSSY in n[4] for n in named), named[0][4] if named else "")


def alerts_begin_in_their_phase(setup, prometheus):
    """Checks that each alert becomes pending in the phase of its problem, and is
    not pending just before."""
    states = prometheus.query("ALERTS[20m]")
    for name, group, phase in ALERTS:
        start, end = setup.phases[phase]
        when = [t for s in states for t, _ in s["values"]
                if s["metric"]["alertname"] == name and
                s["metric"]["tcpinfo"] == group]
        # On a busy machine an alert may rightly have begun and ended before.
        within = [t for t in when if start - 1 <= t <= end + LATE]
        just_before = [t for t in when if start - 3 <= t < start - 1]
        # The last samples of a rate may be from different scrapes.
        check.true("Prometheus: %s of %s begins within %s" % (name, group,
                                                              phase),
                   within and not just_before,
                   "%.0f s after the phase began" % (min(within) - start)
                   if within else "never")


def recording_rules_have_values(prometheus):
    """Checks that each recording rule has recorded values."""
    for name in re.findall(r"- record: (\S+)",
                           sandbox.conf_text("prometheus-records.yml")):
        points = [float(v) for s in prometheus.query("%s[20m]" % name)
                  for _, v in s["values"]]
        check.true("Prometheus: %s: %d points" % (name, len(points)),
                   max(points, default=0) > 0, "up to %.4g" % max(
                       points, default=0))
