"""Whatever answers at the socket: one line of error, or a report. Good answers are
changed at random, in their bytes and in their structure; each run has to end with
a known exit status, without an exception, and write nothing that a terminal would
obey."""

import contextlib
import io
import json
import os
import random
import resource
import subprocess
import sys
import time
import unittest

from fake_collectd import HERE, FakeCollectd, recorded
from tcpinfo_top import main, options, unixsock
from tcpinfo_top.problem import NO_ANSWER, NO_SUCH, NO_VALUES

CASES = 600
STATUS = {0, NO_ANSWER, NO_SUCH, NO_VALUES}
NUMBERS = ("inf", "nan", "-inf", "1e400", "-1", "0", "1e15", "1e308", "-1e308",
           "9" * 5000, "", " ", "0x10", "1_0", "\u0661", "-0", "1e-320", "\x00")
NAMES = ("h/tcpinfo-/x", "h/tcpinfo-web-/count-connections", "h//", "///", "",
         "h/tcpinfo-web-worst999/latency-rtt-p95", "h/tcpinfo-web/latency-rtt-p",
         "h/tcpinfo-web/latency-rtt-pfoo", "h/tcpinfo-web/latency-rtt-p1e9",
         "h/tcpinfo-self/count-sockets_dumped", "h/tcpinfo-web/count-connections",
         "h/tcpinfo-%s/count-connections" % ("9" * 4000),
         "\x1b]0;owned\x07/tcpinfo-web-\x1b[31m\u202e/count-connections")


def mutated(dice, text):
    """Some of the ways to be wrong."""
    lines = text.split("\n")
    for _ in range(dice.randrange(1, 4)):
        at = dice.randrange(len(lines))
        way = dice.randrange(10)
        if way == 0: # bytes
            line = bytearray(lines[at].encode("utf-8", "surrogateescape"))
            for _ in range(dice.randrange(1, 5)):
                line[dice.randrange(len(line) + 1):][:1] = b""
                line.insert(dice.randrange(len(line) + 1), dice.randrange(256))
            lines[at] = line.decode("utf-8", "surrogateescape")
        elif way == 1:
            words = lines[at].split(" ")
            words[0] = dice.choice(NUMBERS)
            lines[at] = " ".join(words)
        elif way == 2:
            lines[at] = "value=" + dice.choice(NUMBERS)
        elif way == 3:
            del lines[at]
            lines = lines or [""]
        elif way == 4:
            lines.insert(at, lines[dice.randrange(len(lines))])
        elif way == 5:
            lines[at] = ""
        elif way == 6:
            lines[at] = lines[at][:dice.randrange(len(lines[at]) + 1)]
        elif way == 7:
            lines[at] = lines[at] + "x" * dice.choice((10, 5000))
        elif way == 8:
            lines[at] = "%s %s" % (dice.choice(("1.5", *NUMBERS)),
                                   dice.choice(NAMES))
        else:
            dice.shuffle(lines)
    return "\n".join(lines)


class Answers:
    """Recorded answers; one of them in `every` is changed. With a value for each
    name that is listed."""

    def __init__(self, seed, every):
        self.dice, self.every = random.Random(seed), every
        self.good = recorded()

    def __call__(self, request):
        try:
            text = self.good(request)
        except KeyError: # a name that a change has made
            text = "1 Value found\nvalue=1.0\n"
        if self.dice.randrange(self.every) == 0:
            text = mutated(self.dice, text)
        return text


def is_harmless(text):
    return all(c == "\n" or c.isprintable() for c in text)


class Hostile(unittest.TestCase):
    def run_case(self, path, arguments):
        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main.run_and_report(options.parse(
                ["--socket", path, *arguments]))
            out.flush()
        return status, out.buffer.getvalue().decode(), err.getvalue()

    def check(self, what, arguments, status, out, err):
        self.assertIn(status, STATUS, what)
        self.assertEqual(err.count("\n"), 0 if status == 0 else 1, what)
        self.assertLess(len(err), 4096, what)
        self.assertTrue(is_harmless(out) and is_harmless(err), what)
        if status == 0 and "--json" in arguments:
            json.loads(out, parse_constant=self.fail)

    def test_mutated_answers(self):
        limit, unixsock.TIMEOUT = unixsock.TIMEOUT, 0.05
        seen = set()
        try:
            for seed in range(CASES):
                # In a listing of hundreds of lines, or in any answer.
                answers = Answers(seed, 1 if seed % 3 else 40)
                with FakeCollectd(answers) as fake:
                    arguments = (("--once", "--members"), ("--json",),
                                 ("--once", "--sort", "name"))[seed % 3]
                    status, out, err = self.run_case(fake.path, arguments)
                self.check("seed %d" % seed, arguments, status, out, err)
                seen.add(status)
        finally:
            unixsock.TIMEOUT = limit
        self.assertTrue({0, NO_ANSWER} <= seen, seen)

    def program(self, answer, *arguments):
        """The program itself, with as much memory as it may need."""
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        with FakeCollectd(answer) as fake:
            begin = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-B", os.path.join(HERE, "..", "..", "contrib",
                                                    "tcpinfo-top"),
                 "--socket", fake.path, *arguments], check=False, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                preexec_fn=limit, timeout=120)
        return done, time.monotonic() - begin

    def test_an_endless_line_takes_no_memory(self):
        done, _ = self.program(lambda request: "A" * 300000000, "--once")
        self.check("endless", (), done.returncode, done.stdout, done.stderr)
        self.assertIn("unexpected answer", done.stderr)

    def test_too_many_values_are_refused(self):
        done, _ = self.program(lambda request: "2000000 Values found\n" +
                               "1.0 h/tcpinfo-a/b\n" * 1000, "--once")
        self.check("many", (), done.returncode, done.stdout, done.stderr)
        self.assertIn("unexpected answer", done.stderr)

    def test_a_reason_is_only_given_if_it_is_so(self):
        for names, said in (
                ((), "is the plugin loaded"),
                (("total_events-dump_errors", "total_events-malformed"),
                 "its dumps fail"),
                (("total_events-dump_errors", "count-sockets_dumped"),
                 "no group, or their values have expired")):
            def answer(request, names=names):
                if request == "LISTVAL":
                    return "%d Values found\n" % len(names) + "".join(
                        "%.3f h/tcpinfo-self/%s\n" % (time.time(), n)
                        for n in names)
                return "1 Value found\nvalue=1.0\n"
            done, _ = self.program(answer, "--once")
            self.assertEqual(done.returncode, NO_VALUES)
            self.assertIn(said, done.stderr)


if __name__ == "__main__":
    unittest.main()
