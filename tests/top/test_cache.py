"""Tests of cache.py and unixsock.py: collectd's answers become hosts, groups and
members."""

import math
import unittest

from fake_collectd import FakeCollectd, Values, recorded
from tcpinfo_top import cache, unixsock
from tcpinfo_top.problem import NO_ANSWER, NO_VALUES, Problem


def read(answer, want=lambda name: True):
    with FakeCollectd(answer) as fake:
        return cache.Cache(fake.path, want).read()


class Recorded(unittest.TestCase):
    """The answers of a real collectd: a group with members and the option Worst,
    and a group without."""

    def setUp(self):
        self.host = read(recorded())["h1"]

    def test_groups_have_their_members(self):
        self.assertEqual(set(self.host.groups), {"api", "backup"})
        api = self.host.groups["api"]
        self.assertEqual(set(api.members), {"10.99.0.2", "10.99.0.3"})
        self.assertEqual(api.total["count-connections"], 30)
        self.assertEqual(api.members["10.99.0.3"]["count-connections"], 10)
        self.assertEqual(api.other["count-connections"], 0)
        self.assertEqual(self.host.groups["backup"].members, {})
        self.assertIsNone(self.host.groups["backup"].other)

    def test_worst_are_not_members(self):
        worst = self.host.groups["api"].worst
        self.assertEqual(set(worst), {1, 2})
        self.assertAlmostEqual(worst[1]["percent-retrans_percent"], 3.231939)

    def test_own_values_of_the_plugin_are_apart(self):
        self.assertEqual(self.host.own["total_events-dump_errors"], 0)
        self.assertFalse(self.host.dropped)

    def test_a_read_has_one_time(self):
        self.assertEqual(self.host.time, self.host.own_time)
        self.assertGreater(self.host.time, 1e9)


class Names(unittest.TestCase):
    def test_parse_and_identifier_of_are_inverse(self):
        for text in ("h/tcpinfo-web/latency-rtt-p95",
                     "h/tcpinfo-web-nginx.service-www-data/count-connections",
                     "a-b.example/tcpinfo-self/latency-dump_time"):
            self.assertEqual(cache.identifier_of(cache.parse(text)), text)

    def test_member_may_have_dashes(self):
        host = read(Values({"h/tcpinfo-web-a-b-c/count-connections": (5, 1)}))
        self.assertEqual(list(host["h"].groups["web"].members), ["a-b-c"])

    def test_other_plugins_are_ignored(self):
        for text in ("h/tcpconns-80-local/tcp_connections-LISTEN",
                     "h/tcpinfo/count-x", "h/load/load", "nonsense"):
            self.assertIsNone(cache.parse(text))

    def test_quotes_and_backslashes_are_escaped(self):
        name = 'a "b\\c\udcff/tcpinfo-web/count-connections'
        host = read(Values({name: (5, 7)}))
        self.assertEqual(next(iter(host.values())).groups["web"].total,
                         {"count-connections": 7})

    def test_member_called_worst1_has_another_name(self):
        group = read(Values({
            "h/tcpinfo-web-_worst1/count-connections": (5, 1),
            "h/tcpinfo-web-worst1-x/count-connections": (5, 1),
            "h/tcpinfo-web-worst2/latency-rtt-p95": (5, 1)}))["h"].groups["web"]
        self.assertEqual((sorted(group.members), list(group.worst)),
                         (["_worst1", "worst1-x"], [2]))


class Current(unittest.TestCase):
    """Only values of a host's last read count."""

    def test_values_of_older_reads_are_left_out(self):
        group = read(Values({
            "h/tcpinfo-web/count-connections": (20, 3),
            "h/tcpinfo-web/percent-retrans_percent": (10, 50),
            "h/tcpinfo-web-gone/count-connections": (10, 9)}))["h"].groups["web"]
        self.assertEqual(group.total, {"count-connections": 3})
        self.assertEqual(group.members, {})

    def test_each_host_has_its_own_last_read(self):
        hosts = read(Values({"a/tcpinfo-web/count-connections": (10, 1),
                             "b/tcpinfo-web/count-connections": (99, 2)}))
        self.assertEqual([hosts[h].groups["web"].total["count-connections"]
                          for h in "ab"], [1, 2])

    def test_failed_dump_keeps_values_of_the_read_before(self):
        host = read(Values({
            "h/tcpinfo-web/count-connections": (10, 1),
            "h/tcpinfo-self/count-sockets_dumped": (10, 5),
            "h/tcpinfo-self/total_events-dump_errors": (20, 0.1)}))["h"]
        self.assertTrue(host.dropped)
        self.assertEqual(host.groups["web"].total, {"count-connections": 1})
        self.assertEqual(host.own, {"total_events-dump_errors": 0.1})

    def test_value_without_a_number_is_left_out(self):
        """A counter after its first read, a value that is gone, a type that
        collectd does not know: the values behind it are read all the same."""
        values = {"h/tcpinfo-web/total_bytes-bytes_sent": (5, math.nan),
                  "h/tcpinfo-web/count-active": (5, None),
                  "h/tcpinfo-web/count-odd": (5, "unknown type"),
                  "h/tcpinfo-web/count-stalled": (5, 4)}
        total = read(Values(values))["h"].groups["web"].total
        self.assertEqual(total, {"count-stalled": 4})
        self.assertIn("total_bytes-bytes_sent", total.unknown)

    def test_infinite_value_is_left_out(self):
        self.assertEqual(read(Values({
            "h/tcpinfo-web/count-active": (5, math.inf),
            "h/tcpinfo-web/count-stalled": (5, 4)}))["h"].groups["web"].total,
                         {"count-stalled": 4})


class LateValues(unittest.TestCase):
    """The end of a read arrives only with the next read."""

    VALUES = {
        "h/tcpinfo-web/count-connections": (20, 3),
        "h/tcpinfo-web/packets-retrans": (20, 1),
        "h/tcpinfo-web-a/count-connections": (20, 1),
        "h/tcpinfo-web-a/packets-retrans": (10, 2),
        "h/tcpinfo-web-b/packets-retrans": (10, 3),
        "h/tcpinfo-web-gone/packets-retrans": (0.5, 9),
        "h/tcpinfo-self/count-members": (10, 2),
        "h/tcpinfo-self/total_events-malformed": (10, 0)}

    def test_members_and_own_values_of_the_read_before_count(self):
        host = read(Values(self.VALUES))["h"]
        self.assertEqual(host.groups["web"].members, {
            "a": {"count-connections": 1, "packets-retrans": 2},
            "b": {"packets-retrans": 3}})
        self.assertEqual(host.own, {"count-members": 2,
                                    "total_events-malformed": 0})
        self.assertFalse(host.dropped)

    def test_own_values_may_arrive_in_parts(self):
        host = read(Values({**self.VALUES,
                            "h/tcpinfo-web-a/packets-retrans": (20, 2),
                            "h/tcpinfo-self/count-members": (20, 3)}))["h"]
        self.assertEqual(set(host.groups["web"].members), {"a"})
        self.assertEqual(host.own, {"count-members": 3,
                                    "total_events-malformed": 0})

    def test_old_gauges_of_a_member_that_came_back_do_not_count(self):
        host = read(Values({
            "h/tcpinfo-web-a/packets-retrans": (20, 2),
            "h/tcpinfo-web-a/count-connections": (10, 1),
            "h/tcpinfo-self/count-members": (20, 1)}))["h"]
        self.assertEqual(host.groups["web"].members["a"],
                         {"packets-retrans": 2})


class WholeReads(unittest.TestCase):
    def test_read_that_is_in_progress_is_awaited(self):
        """The first listing has only the first of ten members of the read."""
        members = ["h/tcpinfo-web-m%d/count-connections" % i for i in range(10)]
        values = Values({name: (10, 1) for name in members})
        steps = iter([members[:1], members[1:5], members[5:]])

        def continue_read():
            for name in next(steps, ()):
                values.known[name] = (20, 2)
        values.before_list = continue_read
        group = read(values)["h"].groups["web"]
        self.assertEqual([m["count-connections"]
                          for m in group.members.values()], [2] * 10)

    def test_own_values_end_a_read(self):
        """They arrive last, so a read without them is in progress."""
        names = ["h/tcpinfo-web/count-connections",
                 "h/tcpinfo-web/count-active", "h/tcpinfo-self/count-members"]
        values = Values({name: (10, 1) for name in names})
        steps = iter([names[:1], (), (), names[1:]])

        def continue_read():
            for name in next(steps, ()):
                values.known[name] = (20, 2)
        values.before_list = continue_read
        host = read(values)["h"]
        self.assertEqual(host.groups["web"].total,
                         {"count-connections": 2, "count-active": 2})
        self.assertEqual(host.own, {"count-members": 2})

    def test_host_that_changes_all_the_time_does_not_delay_others(self):
        values = Values({"a/tcpinfo-web/count-connections": (10, 1),
                         "b/tcpinfo-web/count-connections": (10, 1)})

        def continue_read():
            if values.listings == 4: # after `a` was fetched
                values.known["a/tcpinfo-web/count-connections"] = (20, 2)
            when, value = values.known["b/tcpinfo-web/count-connections"]
            values.known["b/tcpinfo-web/count-connections"] = (when + 1,
                                                               value + 1)
        values.before_list = continue_read
        hosts = read(values)
        self.assertEqual(hosts["a"].groups["web"].total["count-connections"], 1)
        self.assertIn("count-connections", hosts["b"].groups["web"].total)
        self.assertEqual(values.requested.count(
            "a/tcpinfo-web/count-connections"), 1)


class Requests(unittest.TestCase):
    def test_thousands_of_values_are_read(self):
        values = Values({"h/tcpinfo-web-m%d/count-x%d" % (i, j): (5, i * j)
                         for i in range(200) for j in range(100)})
        members = read(values)["h"].groups["web"].members
        self.assertEqual(sum(len(m) for m in members.values()), 20000)
        self.assertEqual(members["m199"]["count-x99"], 199 * 99)

    def test_only_wanted_values_are_requested(self):
        values = Values({"h/tcpinfo-web/count-connections": (5, 1),
                         "h/tcpinfo-web/count-cwnd-p50": (5, 2)})
        read(values, lambda name: name.series == "count-connections")
        self.assertEqual(values.requested, ["h/tcpinfo-web/count-connections"])

    def test_only_new_values_are_requested(self):
        values = Values({"h/tcpinfo-web/count-connections": (5, 1),
                         "g/tcpinfo-web/count-connections": (5, 1),
                         "g/tcpinfo-old/count-connections": (5, 1)})
        with FakeCollectd(values) as fake:
            known = cache.Cache(fake.path)
            known.read()
            del values.requested[:], values.known["g/tcpinfo-old/count-connections"]
            values.known["h/tcpinfo-web/count-connections"] = (6, 2)
            hosts = known.read()
        self.assertEqual(values.requested, ["h/tcpinfo-web/count-connections"])
        self.assertEqual(hosts["h"].groups["web"].total["count-connections"], 2)
        self.assertEqual(list(hosts["g"].groups), ["web"])


class Failures(unittest.TestCase):
    def code(self, answer):
        with self.assertRaises(Problem) as caught:
            read(answer)
        self.assertNotIn("\n", str(caught.exception))
        return caught.exception.code

    def test_cache_without_the_plugin_is_an_error(self):
        self.assertEqual(self.code(Values({})), NO_VALUES)
        self.assertEqual(self.code(Values({"h/load/load": (5, 1)})), NO_VALUES)

    def test_own_values_alone_are_an_error(self):
        self.assertEqual(self.code(Values({
            "h/tcpinfo-self/total_events-dump_errors": (5, 1)})), NO_VALUES)

    def test_answer_of_another_program_is_an_error(self):
        self.assertEqual(self.code(lambda _: "220 ready\nhello\n" * 300),
                         NO_ANSWER)
        self.assertEqual(self.code(lambda _: "hello\n"), NO_ANSWER)

    def test_closed_connection_is_an_error(self):
        def answer(request):
            if request != "LISTVAL":
                raise ConnectionError # closes the connection
            return "1 Value found\n5 h/tcpinfo-web/count-connections\n"
        self.assertEqual(self.code(answer), NO_ANSWER)

    def test_no_answer_is_an_error(self):
        limit, unixsock.TIMEOUT = unixsock.TIMEOUT, 0.2
        try:
            self.assertEqual(self.code(lambda _: ""), NO_ANSWER)
        finally:
            unixsock.TIMEOUT = limit


if __name__ == "__main__":
    unittest.main()
