"""The manual pages agree with the program."""

import contextlib
import io
import os
import re
import unittest

import fake_collectd
from tcpinfo_top import column, health, metric, options

TOP = os.path.join(fake_collectd.HERE, "..", "..")


def page(*path):
    with open(os.path.join(TOP, *path), encoding="utf-8") as f:
        return f.read()


def usage():
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        options.parse(["--help"])
    return out.getvalue()


class Options(unittest.TestCase):
    PAGE = page("contrib", "tcpinfo-top.1")

    def test_page_has_all_options(self):
        real = set(re.findall(r"^  --([a-z-]+)", usage(), re.M))
        self.assertGreater(len(real), 8)
        self.assertEqual(set(re.findall(r"^\.It Fl -([a-z-]+)", self.PAGE,
                                        re.M)), real)
        self.assertEqual(set(re.findall(r"Fl -([a-z-]+)", self.PAGE.split(
            ".Sh DESCRIPTION")[0])), real)

    def test_page_has_the_defaults(self):
        o = options.parse([])
        for option, value in (("socket", o.socket), ("sort", o.sort),
                              ("interval", "%g" % o.interval),
                              ("least-retrans", "%g" % o.least_retrans)):
            text = re.search(r"\.It Fl -%s\b.*?Default:\s*(\.\w+ |\.Ql )?(\S+?)"
                             r"[,.]?\s" % option, self.PAGE, re.S).group(2)
            self.assertEqual(text, value, option)

    def test_page_has_the_exit_codes(self):
        from tcpinfo_top import problem
        documented = re.findall(r"^\.It (\d)$", self.PAGE, re.M)
        self.assertEqual(sorted(documented), sorted(["0", "2"] + [
            str(c) for n, c in vars(problem).items()
            if n.startswith("NO_")]))

    def test_page_has_the_columns_with_thresholds(self):
        def limit(value):
            return "-" if value is None else "%g" % value
        documented = [tuple(row.split(" Ta ")) for row in re.findall(
            r"^\.It (\w+ Ta .*)$", self.PAGE, re.M)]
        self.assertEqual(documented, [(
            c.name, c.heading, "% of connections" if c.warning and c.share_of
            else metric.unit(c.series), limit(c.warning), limit(c.failure))
            for c in column.COLUMNS])


class Refused(unittest.TestCase):
    def test_error_names_option_value_and_legal_values(self):
        for words in (["--interval", "0"], ["--interval", "x"],
                      ["--wait", "-1"], ["--interval", "3601"],
                      ["--least-retrans", "-1"], ["--least-retrans", "inf"],
                      ["--sort", "colour"], ["--threshold", "rtt"],
                      ["--threshold", "colour=1"], ["--threshold", "rtt=1,"],
                      ["--threshold", "rtt=2,1"], ["--threshold", "rtt=nan"],
                      ["--threshold", "rtt=-1"]):
            out = io.StringIO()
            with self.subTest(words), contextlib.redirect_stderr(out):
                with self.assertRaises(SystemExit) as end:
                    options.parse(words)
                self.assertEqual(end.exception.code, 2)
                last = out.getvalue().splitlines()[-1]
                self.assertIn("argument " + words[0], last)
                self.assertIn("'%s'" % words[1], last)
                self.assertRegex(last, "legal is|choose from")


class Thresholds(unittest.TestCase):
    def test_thresholds_are_parsed(self):
        o = options.parse(["--threshold", "rtt=0.02,0.1", "--threshold",
                           "idle=off", "--threshold", "stalled=1"])
        self.assertEqual(o.threshold, [
            ("rtt", health.Limit(0.02, 0.1)), ("idle", health.Limit(None,
                                                                    None)),
            ("stalled", health.Limit(1, None))])


class Units(unittest.TestCase):
    def test_metrics_have_the_units_of_the_manual_page(self):
        text = page("doc", "collectd-tcpinfo.5")
        rows = re.findall(r"^\.It Va (.+) Pq (.+)$", text, re.M)
        found = [(name, *more.split(", ")[:3]) for names, more in rows
                 for name in re.split(" , ", names)]
        self.assertGreater(len(found), 60)
        for name, kind, of_type, unit in found:
            statistic = "-p95" if kind == "distribution" else ""
            with self.subTest(name):
                self.assertEqual(
                    metric.unit("%s-%s%s" % (of_type, name, statistic)),
                    unit + "/s" if kind == "counter" else unit)

    def test_unknown_type_has_no_unit(self):
        self.assertEqual(metric.unit("voltage-x"), "")


if __name__ == "__main__":
    unittest.main()
