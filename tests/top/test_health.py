"""Verdicts, and the order of rows."""

import unittest

import fake_collectd # pylint: disable=unused-import # where tcpinfo_top is
from tcpinfo_top import cache, health, row

WELL = {"count-connections": 10, "latency-rtt-p95": 0.001,
        "packets-retrans": 0, "percent-retrans_percent": 0, "count-stalled": 0,
        "percent-limited-network": 100}


def verdict(least_retrans=0.3, limits=(), **changed):
    """Of WELL but for `changed`, with "__" for "-"."""
    values = {**WELL, **{k.replace("__", "-"): v for k, v in changed.items()}}
    values = {k: v for k, v in values.items() if v is not None}
    return health.Thresholds({**health.defaults(), **dict(limits)},
                             least_retrans).verdict(values)


def level(**changed):
    return health.VERDICTS[verdict(**changed).level]


class Levels(unittest.TestCase):
    def test_well(self):
        v = verdict()
        self.assertEqual((v.level, v.findings), (health.OK, []))
        self.assertEqual(v.judged, ["latency-rtt-p95",
                                    "percent-retrans_percent", "count-stalled"])

    def test_edges(self):
        for series, warning, bad in (
                ("latency__rtt__p95", 0.5, 2),
                ("latency__queue_delay__p99", 0.1, 0.5),
                ("total_connections__failed", 0.1, 1),
                ("percent__accept_percent__max", 50, 100)):
            with self.subTest(series):
                self.assertEqual(level(**{series: warning * 0.999}), "ok")
                self.assertEqual(level(**{series: warning}), "warning")
                self.assertEqual(level(**{series: bad * 0.999}), "warning")
                self.assertEqual(level(**{series: bad}), "bad")
        self.assertEqual(level(count__outliers=500), "warning")

    def test_retransmissions_of_little_traffic(self):
        self.assertEqual(level(percent__retrans_percent=5,
                               packets__retrans=0.29), "ok")
        self.assertEqual(level(percent__retrans_percent=5,
                               packets__retrans=0.3), "bad")
        self.assertEqual(level(percent__retrans_percent=1,
                               packets__retrans=None), "warning")
        self.assertEqual(level(percent__retrans_percent=5, least_retrans=0,
                               packets__retrans=0.01), "bad")

    def test_retransmissions_after_a_first_read(self):
        """How many a second is not known yet, which is not "many"."""
        values = cache.Values(WELL, **{"percent-retrans_percent": 100})
        del values["packets-retrans"]
        thresholds = health.Thresholds(health.defaults(), 0.3)
        self.assertEqual(thresholds.verdict(values).level, health.BAD)
        values.unknown = {"packets-retrans"}
        self.assertEqual(thresholds.verdict(values).level, health.OK)

    def test_stalled_is_a_share(self):
        for connections, stalled, expected in (
                (100, 4, "ok"), (100, 5, "warning"), (100, 50, "bad"),
                (1, 1, "bad"), (0, 0, "ok"),
                # Of how many nobody knows.
                (None, 1, "warning"), (None, 1000, "warning"), (None, 0, "ok")):
            with self.subTest((connections, stalled)):
                self.assertEqual(level(count__connections=connections,
                                       count__stalled=stalled), expected)

    def test_closed_window_is_a_share(self):
        for connections, closed, expected in (
                (100, 4, "ok"), (100, 5, "warning"), (1, 1, "bad"),
                (None, 1, "warning")):
            with self.subTest((connections, closed)):
                self.assertEqual(level(count__connections=connections,
                                       count__zero_window=closed), expected)

    def test_receiver_that_takes_nothing(self):
        """One that takes a little is the path's or the receiver's own pace."""
        for share, sent, expected in (
                (100, 0, "bad"), (50, 0, "bad"), (5, 0, "warning"),
                (4.9, 0, "ok"), (0, 0, "ok"), (100, 1, "ok"),
                (100, None, "ok")):
            with self.subTest((share, sent)):
                self.assertEqual(level(percent__limited__receiver=share,
                                       total_bytes__bytes_sent=sent), expected)

    def test_nothing_known(self):
        v = health.Thresholds(health.defaults(), 0).verdict(
            {"count-connections": 3})
        self.assertEqual((v.level, v.judged), (health.OK, []))

    def test_own_thresholds(self):
        off = health.Limit(None, None)
        self.assertEqual(level(latency__rtt__p95=9,
                               limits=[("rtt", off)]), "ok")
        self.assertEqual(level(limits=[("network", health.Limit(99, None))]),
                         "warning")

    def test_finding(self):
        finding = verdict(count__stalled=6).findings[0]
        self.assertEqual(finding[1:], ("count-stalled", 60,
                                       "% of connections", 50, health.BAD))


class Statistic(unittest.TestCase):
    """What stands for a distribution: the percentile closest to p95, or else
    the most telling one."""

    def test_best(self):
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
        "10.0.0.10": dict(WELL, **{"count-connections": 1}),
        "10.0.0.9": dict(WELL, **{"count-connections": 2}),
        "warning": dict(WELL, **{"latency-rtt-p95": 1.9}),
        "bad": dict(WELL, **{"latency-rtt-p95": 2.1}),
        "worse": dict(WELL, **{"count-stalled": 9, "latency-rtt-p95": 0.6}),
        "unknown": {"count-connections": 2},
    }

    def test_by_health(self):
        """Then by how far it is beyond its limit, then the busiest."""
        self.assertEqual(order("health", self.MEMBERS),
                         ["worse", "bad", "warning", "10.0.0.9", "unknown",
                          "10.0.0.10"])

    def test_by_name(self):
        self.assertEqual(order("name", self.MEMBERS),
                         ["10.0.0.9", "10.0.0.10", "bad", "unknown",
                          "warning", "worse"])

    def test_natural(self):
        names = ["a9", "a10", "a10b", "b", "2", "10", "a²", ""]
        self.assertEqual(sorted(names, key=row.natural),
                         ["", "2", "10", "a9", "a10", "a10b", "a²", "b"])

    def test_by_column(self):
        """Largest first, without a value last."""
        self.assertEqual(order("rtt", self.MEMBERS),
                         ["bad", "warning", "worse", "10.0.0.9", "10.0.0.10",
                          "unknown"])

    def test_other_and_worst_are_last(self):
        ill = {"latency-rtt-p95": 9}
        found = rows("health", self.MEMBERS, other=ill, worst={
            2: ill, 10: ill, 1: ill}).all()
        self.assertEqual([r.member for r in found][-4:],
                         ["other", "worst1", "worst2", "worst10"])
        self.assertIsNone(found[0].member)


if __name__ == "__main__":
    unittest.main()
