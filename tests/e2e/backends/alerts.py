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


def thresholds(setup):
    """Checks that each threshold sends a notification in the phase of its problem
    and OKAY after it, and that there is none before the first problem."""
    sent = notifications(setup.daemon.log())
    calm = setup.phases["no problem"]
    early = [n for n in sent if n[1] != "OKAY" and n[0] <= calm[1]]
    check.true("thresholds: no notification without a problem", not early,
               early or "")
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
    check.true("the notification has the name of the worst peer", named and LOSSY in
               named[0][4], named[0][4] if named else "")


def alerts(setup, prometheus):
    """Checks that each alert becomes pending in the phase of its problem, and not
    before."""
    states = prometheus.query("ALERTS[20m]")
    for name, group, phase in ALERTS:
        start, end = setup.phases[phase]
        when = [t for s in states for t, _ in s["values"]
                if s["metric"]["alertname"] == name and
                s["metric"]["tcpinfo"] == group]
        # The last samples of a rate may be from different scrapes.
        check.true("Prometheus: %s of %s begins within %s" % (name, group,
                                                              phase),
                   when and start - 1 <= min(when) <= end + LATE,
                   "%.0f s after the phase began" % (min(when) - start)
                   if when else "never")


def records(prometheus):
    """Checks that each recording rule has recorded values."""
    for name in re.findall(r"- record: (\S+)",
                           sandbox.conf_text("prometheus-records.yml")):
        points = [float(v) for s in prometheus.query("%s[20m]" % name)
                  for _, v in s["values"]]
        check.true("Prometheus: %s: %d points" % (name, len(points)),
                   max(points, default=0) > 0, "up to %.4g" % max(
                       points, default=0))
