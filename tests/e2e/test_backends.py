#!/usr/bin/env python3
"""The values of real traffic with loss, queried from every backend in its own
query language: names, labels, values, rates, groups and members. The
configuration is that of conf/, unchanged."""

import sys

from backends import alerts, check_values, dashboards, expected, scenario
from live import check
from live.daemon import own_modules

PROGRAMS = ("ip", "nft", "ethtool", "tc", "collectd", "setpriv", "unshare")


def run(setup):
    scenario.cause_problems(setup)
    when = scenario.still(setup)
    daemon = setup.daemon
    written = expected.of_collectd(daemon)
    programs = expected.of_programs(setup.traffic)
    expected.check_unixsock(daemon, written, when)
    expected.check_programs(written, programs)
    for backend in setup.backends:
        check.say("--- " + backend.name)
        check_values.check_backend(backend, daemon, when, programs)
    when = scenario.storm(setup)
    alerts.thresholds_notify_and_recover(setup)
    prometheus = setup.backend("Prometheus")
    if prometheus:
        alerts.alerts_begin_in_their_phase(setup, prometheus)
        alerts.recording_rules_have_values(prometheus)
    with setup.phase("dashboards"):
        dashboards.check_all(setup, when)


def main():
    check.need(*PROGRAMS)
    with scenario.ready(own_modules()) as setup:
        run(setup)


sys.exit(check.main(main))
