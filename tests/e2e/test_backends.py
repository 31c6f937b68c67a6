#!/usr/bin/env python3
"""collectd with the plugin, real traffic with loss, and every back end asked in
its own query language: names, labels, values, rates; members apart from groups.
The configuration is that of conf/, as it stands."""

import sys

from ends import alarms, boards, fill, truth, values
from live import check
from live.daemon import own_modules

PROGRAMS = ("ip", "nft", "ethtool", "tc", "collectd", "setpriv", "unshare")


def run(filled):
    fill.troubles(filled)
    when = fill.still(filled)
    daemon = filled.daemon
    written = truth.of_collectd(daemon)
    programs = truth.of_programs(filled.traffic)
    truth.check_unixsock(daemon, written, when)
    truth.check_programs(written, programs)
    for end in filled.ends:
        check.say("--- " + end.name)
        values.check_end(end, daemon, when, programs)
    when = fill.storm(filled)
    alarms.thresholds_tell_and_recover(filled)
    prometheus = filled.end("Prometheus")
    if prometheus:
        alarms.alerts_begin_in_their_phase(filled, prometheus)
        alarms.recording_rules_have_values(prometheus)
    with filled.phase("dashboards"):
        boards.check_all(filled, when)


def main():
    check.need(*PROGRAMS)
    with fill.ready(own_modules()) as filled:
        run(filled)


sys.exit(check.main(main))
