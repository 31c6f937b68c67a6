"""Each trouble is told, and that it is over: by collectd's thresholds, the
plugin's own notification of the worst, Prometheus' alerts."""

import re
import time

from live import check

from . import place
from .traffic import LOSSY

LINE = re.compile(
    r"\[(?P<at>[-0-9: ]+)\] Notification: severity = (?P<severity>\w+), "
    r".*?plugin_instance = (?P<group>[^,]+), type = [^,]+, "
    r"type_instance = (?P<what>[^,]+), message = (?P<message>.*)")
# (group, value, severity, the phase in which it is told)
THRESHOLDS = (
    ("outbound", "retrans_percent", "WARNING", "loss"),
    ("outbound", "outliers", "WARNING", "loss"),
    ("outbound", "queue_delay-p95", "WARNING", "queue"),
    ("inbound", "accept_percent-max", "FAILURE", "queue"),
    ("outbound", "stalled", "WARNING", "nobody reads, nobody answers"),
    ("self", "close_events_suspended", "WARNING", "storm"),
)
# (alert, label tcpinfo, phase): pending in it, as their "for" is minutes.
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
# A trouble is seen a read later, and hits of three reads; it is over as late.
LATE = 4


def notifications(log):
    """[(time, severity, group, value, message)]"""
    return [(time.mktime(time.strptime(m["at"], "%Y-%m-%d %H:%M:%S")),
             m["severity"], m["group"], m["what"], m["message"])
            for m in map(LINE.match, log.splitlines()) if m]


def early(filled):
    """The notifications while all is well."""
    start, end = filled.phases["all is well"]
    return [n for n in notifications(filled.daemon.log())
            if n[1] != "OKAY" and start <= n[0] <= end]


def pending(filled):
    """{(alert, label tcpinfo)} that are pending or firing now; None: nobody
    tells."""
    prometheus = filled.end("Prometheus")
    return None if prometheus is None else set(prometheus.alerts())


def told(filled, phase):
    """All has been told of that phase, which is not over yet."""
    start, _ = filled.phases[phase]
    now, alerting = notifications(filled.daemon.log()), pending(filled)
    return all(any(n[1:4] == (severity, group, what) and n[0] >= start - 1
                   for n in now)
               for group, what, severity, where in THRESHOLDS
               if where == phase) and (alerting is None or all(
                   (name, group) in alerting
                   for name, group, where in ALERTS if where == phase))


def over(filled, phase):
    """The last word of collectd on each value of that phase is OKAY, or there is
    none."""
    last = {n[2:4]: n[1] for n in notifications(filled.daemon.log())}
    return all(last.get((group, what), "OKAY") == "OKAY"
               for group, what, _, where in THRESHOLDS if where == phase)


def quiet(filled, phase):
    """Nobody tells anything that belongs to that phase."""
    alerting = pending(filled) or set()
    return over(filled, phase) and not any(
        (name, group) in alerting
        for name, group, where in ALERTS if where == phase)


def thresholds_tell_and_recover(filled):
    """Each fires in the phase of its trouble and recovers after it, and none
    fires while all is well."""
    every = notifications(filled.daemon.log())
    check.true("thresholds: nothing is told while all is well",
               not early(filled), early(filled) or "")
    for group, what, severity, phase in THRESHOLDS:
        start, end = filled.phases[phase]
        mine = [n for n in every if n[2:4] == (group, what)]
        fired = [n for n in mine if n[1] == severity and
                 start - 1 <= n[0] <= end + LATE]
        check.true("thresholds: %s of %s: %s within %s" % (
            what, group, severity, phase), fired,
                   fired[0][4].rpartition(": ")[2] if fired else mine)
        over = [n for n in mine if n[1] == "OKAY" and fired and
                n[0] > fired[-1][0]]
        check.true("thresholds: and OKAY after that", over,
                   "%.0f s later" % (over[0][0] - fired[-1][0]) if over else "")
    named = [n for n in every if n[2:4] == ("outbound-worst1",
                                            "retrans_percent")]
    check.true("the plugin names the worst peer", any(
        LOSSY in n[4] for n in named), named[0][4] if named else "")


def alerts_begin_in_their_phase(filled, prometheus):
    """Each becomes pending in the phase of its trouble, and was not just
    before."""
    states = prometheus.query("ALERTS[20m]")
    for name, group, phase in ALERTS:
        start, end = filled.phases[phase]
        when = [t for s in states for t, _ in s["values"]
                if s["metric"]["alertname"] == name and
                s["metric"]["tcpinfo"] == group]
        # On a busy machine it may have begun and ended before, and rightly.
        within = [t for t in when if start - 1 <= t <= end + LATE]
        just = [t for t in when if start - 3 <= t < start - 1]
        # The last samples of a rate may be a scrape apart.
        check.true("Prometheus: %s of %s begins within %s" % (name, group,
                                                              phase),
                   within and not just,
                   "%.0f s after its begin" % (min(within) - start)
                   if within else "never")


def recording_rules_have_values(prometheus):
    """Each recording rule has made values of real ones."""
    for name in re.findall(r"- record: (\S+)",
                           place.conf_text("prometheus-records.yml")):
        points = [float(v) for s in prometheus.query("%s[20m]" % name)
                  for _, v in s["values"]]
        check.true("Prometheus: %s: %d points" % (name, len(points)),
                   max(points, default=0) > 0, "up to %.4g" % max(
                       points, default=0))
