"""Tests of health.py, metric.py and row.py: verdicts, and the order of rows."""

import unittest

import fake_collectd # pylint: disable=unused-import # sets sys.path
from tcpinfo_top import cache, health, row

HEALTHY = {"count-connections": 10, "latency-rtt-p95": 0.001,
        "packets-retrans": 0, "percent-retrans_percent": 0, "count-stalled": 0,
        "percent-limited-network": 100}


def verdict(least_retrans=0.3, limits=(), **changed):
    """Returns the Verdict on HEALTHY with `changed` values, "__" for "-"."""
    values = {**HEALTHY, **{k.replace("__", "-"): v for k, v in changed.items()}}
    values = {k: v for k, v in values.items() if v is not None}
    return health.Thresholds({**health.defaults(), **dict(limits)},
                             least_retrans).verdict(values)


def level(**changed):
    return health.VERDICTS[verdict(**changed).level]


class Levels(unittest.TestCase):
    def test_healthy_values_are_okay(self):
        v = verdict()
        self.assertEqual((v.level, v.findings), (health.OKAY, []))
        self.assertEqual(v.judged, ["latency-rtt-p95",
                                    "percent-retrans_percent", "count-stalled"])

    def test_value_at_a_threshold_reaches_it(self):
        for series, warning, failure in (
                ("latency__rtt__p95", 0.5, 2),
                ("latency__queue_delay__p99", 0.1, 0.5),
                ("total_connections__failed", 0.1, 1),
                ("percent__accept_percent__max", 50, 100)):
            with self.subTest(series):
                self.assertEqual(level(**{series: warning * 0.999}), "okay")
                self.assertEqual(level(**{series: warning}), "warning")
                self.assertEqual(level(**{series: failure * 0.999}), "warning")
                self.assertEqual(level(**{series: failure}), "failure")
        self.assertEqual(level(count__outliers=500), "warning")

    def test_few_retransmissions_are_not_judged(self):
        self.assertEqual(level(percent__retrans_percent=5,
                               packets__retrans=0.29), "okay")
        self.assertEqual(level(percent__retrans_percent=5,
                               packets__retrans=0.3), "failure")
        self.assertEqual(level(percent__retrans_percent=1,
                               packets__retrans=None), "warning")
        self.assertEqual(level(percent__retrans_percent=5, least_retrans=0,
                               packets__retrans=0.01), "failure")

    def test_retransmissions_without_a_rate_are_not_judged(self):
        """After the first read collectd has no rate yet."""
        values = cache.Values(HEALTHY, **{"percent-retrans_percent": 100})
        del values["packets-retrans"]
        thresholds = health.Thresholds(health.defaults(), 0.3)
        self.assertEqual(thresholds.verdict(values).level, health.FAILURE)
        values.unknown = {"packets-retrans"}
        self.assertEqual(thresholds.verdict(values).level, health.OKAY)

    def test_stalled_is_judged_in_percent_of_connections(self):
        for connections, stalled, expected in (
                (100, 4, "okay"), (100, 5, "warning"), (100, 50, "failure"),
                (1, 1, "failure"), (0, 0, "okay"),
                # The number of connections is not reported.
                (None, 1, "warning"), (None, 1000, "warning"), (None, 0, "okay")):
            with self.subTest((connections, stalled)):
                self.assertEqual(level(count__connections=connections,
                                       count__stalled=stalled), expected)

    def test_zero_window_is_judged_in_percent_of_connections(self):
        for connections, closed, expected in (
                (100, 4, "okay"), (100, 5, "warning"), (1, 1, "failure"),
                (None, 1, "warning")):
            with self.subTest((connections, closed)):
                self.assertEqual(level(count__connections=connections,
                                       count__zero_window=closed), expected)

    def test_receiver_is_judged_only_if_nothing_was_sent(self):
        """A receiver may slow a transfer down."""
        for share, sent, expected in (
                (100, 0, "failure"), (50, 0, "failure"), (5, 0, "warning"),
                (4.9, 0, "okay"), (0, 0, "okay"), (100, 1, "okay"),
                (100, None, "okay")):
            with self.subTest((share, sent)):
                self.assertEqual(level(percent__limited__receiver=share,
                                       total_bytes__bytes_sent=sent), expected)

    def test_no_judged_values_are_okay(self):
        v = health.Thresholds(health.defaults(), 0).verdict(
            {"count-connections": 3})
        self.assertEqual((v.level, v.judged), (health.OKAY, []))

    def test_thresholds_can_be_set_and_switched_off(self):
        off = health.Limit(None, None)
        self.assertEqual(level(latency__rtt__p95=9,
                               limits=[("rtt", off)]), "okay")
        self.assertEqual(level(limits=[("network", health.Limit(99, None))]),
                         "warning")

    def test_finding_has_value_unit_and_limit(self):
        finding = verdict(count__stalled=6).findings[0]
        self.assertEqual(finding[1:], ("count-stalled", 60,
                                       "% of connections", 50, health.FAILURE))


class Statistic(unittest.TestCase):
    """The statistic that represents a distribution."""

    def test_percentile_closest_to_p95_is_preferred(self):
        for there, best in (("p50 p95 p99 max", "p95"), ("p50 p99.9", "p99.9"),
                            ("min avg max", "max"), ("avg min", "avg"),
                            ("p1 max", "p1"), ("sum", None)):
            values = {"latency-rtt-" + s: 1 for s in there.split()}
            with self.subTest(there):
                self.assertEqual(
                    health.metric.best(values, "latency-rtt"),
                    best and "latency-rtt-" + best)


def rows(sort, members, **more):
    group = cache.Group("web")
    group.members = members
    for name, value in more.items():
        setattr(group, name, value)
    return row.Rows(cache.Host("h"), group,
                    health.Thresholds(health.defaults(), 0.3), sort)


def order(sort, members):
    return [r.member for r in rows(sort, members).members]


class Order(unittest.TestCase):
    MEMBERS = {
        "10.0.0.10": dict(HEALTHY, **{"count-connections": 1}),
        "10.0.0.9": dict(HEALTHY, **{"count-connections": 2}),
        "warning": dict(HEALTHY, **{"latency-rtt-p95": 1.9}),
        "failure": dict(HEALTHY, **{"latency-rtt-p95": 2.1}),
        "worse": dict(HEALTHY, **{"count-stalled": 9, "latency-rtt-p95": 0.6}),
        "unknown": {"count-connections": 2},
    }

    def test_failure_is_before_warning_before_okay(self):
        """Equal verdicts are sorted by how far a value is beyond its limit, then
        by the number of connections."""
        self.assertEqual(order("health", self.MEMBERS),
                         ["worse", "failure", "warning", "10.0.0.9", "unknown",
                          "10.0.0.10"])

    def test_names_are_sorted_by_their_numbers(self):
        self.assertEqual(order("name", self.MEMBERS),
                         ["10.0.0.9", "10.0.0.10", "failure", "unknown",
                          "warning", "worse"])

    def test_natural_order_of_names(self):
        names = ["a9", "a10", "a10b", "b", "2", "10", "a²", ""]
        self.assertEqual(sorted(names, key=row.natural),
                         ["", "2", "10", "a9", "a10", "a10b", "a²", "b"])

    def test_column_is_sorted_largest_first_without_value_last(self):
        self.assertEqual(order("rtt", self.MEMBERS),
                         ["failure", "warning", "worse", "10.0.0.9", "10.0.0.10",
                          "unknown"])

    def test_other_and_worst_come_last(self):
        failing = {"latency-rtt-p95": 9}
        found = rows("health", self.MEMBERS, other=failing, worst={
            2: failing, 10: failing, 1: failing}).all()
        self.assertEqual([r.member for r in found][-4:],
                         ["other", "worst1", "worst2", "worst10"])
        self.assertIsNone(found[0].member)


if __name__ == "__main__":
    unittest.main()
