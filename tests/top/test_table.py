"""Tests of table.py, text_output.py and screen.py: the text of the table, on
screens of any size."""

import io
import os
import re
import unittest
from unittest import mock

from fake_collectd import FakeCollectd, Values, recorded
from tcpinfo_top import cache, column, health, row, screen, table, text_output

SELF = "h/tcpinfo-self/total_events-dump_errors"


def report(answer, members=True, sort="health"):
    with FakeCollectd(answer) as fake:
        hosts = list(cache.Cache(fake.path).read().values())
    return table.Report(hosts, row.groups(
        hosts, None, health.Thresholds(health.defaults(), 0.3), sort),
        members, sort)


def text(lines):
    return ["".join(part for part, _ in line).rstrip() for line in lines]


def table_of(answer, width=None, **more):
    return text(report(answer, **more).table(width))


def one(series, value, group="web"):
    return {"h/tcpinfo-%s/%s" % (group, series): (5, value)}


class Numbers(unittest.TestCase):
    def test_numbers_have_three_digits_and_a_unit(self):
        for value, expected in ((0, "0"), (5, "5"), (0.25, "0.25"),
                                (1234, "1.23k"), (999.4, "999"),
                                (999.6, "1k"), (123456, "123k"),
                                (1234567, "1.23M"), (2.5e9, "2.5G"),
                                (3e12, "3T")):
            self.assertEqual(column.number(value), expected)

    def test_latencies_have_their_unit(self):
        for value, expected in ((5e-5, "50 us"), (0.00205, "2.05 ms"),
                                (0.123, "123 ms"), (1.5, "1.5 s")):
            self.assertEqual(column.latency(value), expected)

    def test_percentages_below_10_have_two_decimals(self):
        for value, expected in ((0, "0"), (0.156, "0.16"), (9.96, "9.96"),
                                (63.4, "63"), (100, "100")):
            self.assertEqual(column.percent(value), expected)


class Columns(unittest.TestCase):
    def test_recorded_values_are_in_their_columns(self):
        heading, *rows = table_of(recorded())
        self.assertEqual(re.split("  +", heading)[:9], [
            "group", "health", "conns", "active", "rtt p95", "queue p95",
            "retr/s", "retr %", "stalled"])
        self.assertEqual([r.split()[0] for r in rows], [
            "api", "10.99.0.3", "10.99.0.2", "other", "worst1", "worst2",
            "backup"])
        self.assertEqual(re.split("  +", rows[1].strip())[:8], [
            "10.99.0.3", "warning", "10", "10", "26.2 ms", "26.2 ms", "10.2",
            "3.23"])
        self.assertEqual(len({len(r) for r in (heading, *rows)}), 1)

    def test_columns_without_values_are_left_out(self):
        heading, *rows = table_of(Values({
            **one("count-connections", 3), **one("latency-rtt-max", 0.1),
            **one("count-cwnd-p50", 10)}))
        self.assertEqual(re.split("  +", heading), [
            "group", "health", "conns", "rtt max"])
        self.assertEqual(re.split("  +", rows[0]), ["web", "okay", "3", "100 ms"])

    def test_statistics_have_columns_of_their_own(self):
        heading, *rows = table_of(Values({
            **one("latency-rtt-p95", 0.001, "a"),
            **one("latency-rtt-p50", 0.002, "b")}), sort="name")
        self.assertEqual(re.split("  +", heading)[2:], ["rtt p95", "rtt p50"])
        self.assertEqual([re.split("  +", r)[2:] for r in rows],
                         [["1 ms", "-"], ["-", "2 ms"]])

    def test_members_can_be_left_out(self):
        rows = table_of(recorded(), members=False)[1:]
        self.assertEqual([r.split()[0] for r in rows], ["api", "backup"])

    def test_several_hosts_have_a_column(self):
        heading, *rows = table_of(Values({
            "h%d/tcpinfo-web/count-connections" % i: (5, i)
            for i in range(1, 4)}), sort="connections")
        self.assertEqual(heading.split()[:2], ["host", "group"])
        self.assertEqual([r.split()[:2] for r in rows],
                         [["h3", "web"], ["h2", "web"], ["h1", "web"]])

    def test_row_and_value_beyond_a_threshold_are_coloured(self):
        lines = report(recorded()).table()
        style = {line[0][0].strip(): [(p.strip(), s) for p, s in line]
                 for line in lines}
        self.assertIn(("3.23", "warning"), style["10.99.0.3"])
        self.assertIn(("10.99.0.3", "warning"), style["10.99.0.3"])
        self.assertEqual([p for p, s in style["10.99.0.3"] if s],
                         ["10.99.0.3", "warning", "3.23"])
        self.assertEqual({s for _, s in style["10.99.0.2"]}, {""})


class Narrow(unittest.TestCase):
    def test_columns_are_left_out_whole_except_the_sorted_one(self):
        made = report(recorded(), sort="bytes_sent")
        whole = re.split("  +", text(made.table())[0])
        for width in range(24, 140):
            lines = text(made.table(width))
            self.assertLessEqual(max(map(len, lines)), max(width, 32))
            names = re.split("  +", lines[0])
            self.assertEqual(names[-1], "B/s out")
            self.assertEqual(names[1:-1], whole[1:len(names) - 1])

    def test_long_names_are_cut(self):
        long = {"a-very-long-name-of.example.org/tcpinfo-group_of_a_name_"
                "that_is_long/count-connections": (5, 123),
                "b/tcpinfo-x/count-connections": (5, 1)}
        for width in (25, 40, 60):
            lines = table_of(Values(long), width)
            self.assertLessEqual(max(map(len, lines)), width)
            self.assertIn("~", lines[1])
        self.assertIn("123", table_of(Values(long), 60)[1])

    def test_rows_that_do_not_fit_are_counted(self):
        made = report(Values({SELF: (5, 0), **{
            "h/tcpinfo-web-m%d/count-connections" % i: (5, i)
            for i in range(50)}}))
        for height in range(1, 60):
            for width in (1, 10, 80):
                screen.page(made, width, height)
        lines = text(screen.page(made, 80, 24))
        self.assertEqual(len(lines), 24)
        shown = sum(bool(re.match("  m[0-9]", line)) for line in lines)
        self.assertIn("... and %d more" % (50 - shown), lines)
        self.assertIn("self:", lines[-1])
        self.assertIn("limited them", "".join(text(screen.page(made, 80, 80))))


class Terminal(io.StringIO):
    def isatty(self):
        return True

    def fileno(self):
        return -1


class Colours(unittest.TestCase):
    def written(self, stream, **environment):
        made = report(recorded())
        with mock.patch.dict(os.environ, environment):
            text_output.TextOutput(stream).show(made)
        return stream.getvalue()

    def test_terminal_gets_colours(self):
        lines = self.written(Terminal(), TERM="xterm", NO_COLOR="").splitlines()
        line = next(x for x in lines if "10.99.0.3" in x)
        self.assertRegex(line, "\033\\[33m +3.23\033\\[0m")
        self.assertNotIn("\033", next(x for x in lines if "10.99.0.2" in x))

    def test_no_colours_if_no_terminal_or_not_wanted(self):
        plain = self.written(io.StringIO(), TERM="xterm", NO_COLOR="")
        self.assertNotIn("\033", plain)
        for environment in ({"TERM": "xterm", "NO_COLOR": "1"},
                            {"TERM": "dumb", "NO_COLOR": ""}):
            self.assertNotIn("\033", self.written(Terminal(), **environment))

    def test_control_characters_in_names_are_replaced(self):
        out = io.StringIO()
        text_output.TextOutput(out).show(report(Values({
            "\033[2Jh\udcff/tcpinfo-web-\033[31mm/count-connections": (5, 1)})))
        self.assertNotIn("\033", out.getvalue())
        self.assertIn("?[2Jh?", out.getvalue())
        out.getvalue().encode("ascii")


class Footer(unittest.TestCase):
    WEB = {"h/tcpinfo-web/count-connections": (5, 1)}

    def self_lines(self, known):
        return [line for line in report(Values(known)).footer()
                if "self" in line[0][0]]

    def test_recorded_own_values_are_shown(self):
        line = text(report(recorded()).footer())[0]
        self.assertRegex(line, r"^self: sockets 32, in groups 32, dump \d+ us, "
                         r"CPU \d+ us, dump errors 0/s, malformed 0/s, "
                         r"close events lost 0/s, suspended 0 ms/s$")

    def test_errors_of_the_plugin_are_coloured(self):
        for series, value, part in (
                ("total_events-dump_errors", 0.1, ("dump errors 0.1/s", "failure")),
                ("total_events-close_events_lost", 20,
                 ("close events lost 20/s", "warning")),
                ("total_time_in_ms-close_events_suspended", 1000,
                 ("suspended 1k ms/s", "warning"))):
            name = "h/tcpinfo-self/" + series
            self.assertIn(part, self.self_lines({**self.WEB, name: (5, value)})[0])
            self.assertEqual({s for _, s in self.self_lines(
                {**self.WEB, name: (5, 0)})[0]}, {""})

    def test_failed_dump_is_shown(self):
        line = self.self_lines({**self.WEB, SELF: (7, 0.5)})[0]
        self.assertEqual(line[1][1], "failure")
        self.assertIn("was dropped", line[1][0])

    def test_hosts_with_errors_come_first(self):
        known = {}
        for i in range(20):
            known["h%d/tcpinfo-web/count-connections" % i] = (5, 1)
            known["h%d/tcpinfo-self/total_events-dump_errors" % i] = (
                5, float(i in (15, 16)))
        lines = text(self.self_lines(known))
        self.assertEqual(len(lines), table.FOOTERS + 1)
        self.assertEqual({line.split(":")[0] for line in lines[:2]},
                         {"self of h15", "self of h16"})
        self.assertEqual(lines[-1], "self of 15 more hosts: no errors")


if __name__ == "__main__":
    unittest.main()
