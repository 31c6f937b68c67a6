#!/usr/bin/env python3
"""collectd with the plugin, real traffic with loss, and every back end asked in
its own query language: names, labels, values, rates; members apart from groups.
The configuration is that of conf/, as it stands."""

import sys

from ends import alarms, fill, truth, values
from live import check

PROGRAMS = ("ip", "nft", "ethtool", "tc", "collectd", "setpriv", "unshare")
# InfluxDB's listener holds points back for 10 s.
HELD_BACK = 11


def run(filled):
    fill.troubles(filled)
    when = fill.still(filled, HELD_BACK)
    daemon = filled.daemon
    written = truth.of_collectd(daemon)
    programs = truth.of_programs(filled.traffic)
    truth.check_unixsock(daemon, written, when)
    truth.check_programs(written, programs)
    for end in filled.ends:
        check.say("--- " + end.name)
        values.check_end(end, daemon, when, programs)
    fill.storm(filled)
    alarms.thresholds(filled)
    prometheus = filled.end("Prometheus")
    if prometheus:
        alarms.alerts(filled, prometheus)
        alarms.records(prometheus)


def main():
    check.need(*PROGRAMS)
    with fill.ready(truth.own_modules()) as filled:
        run(filled)


sys.exit(check.main(main))
