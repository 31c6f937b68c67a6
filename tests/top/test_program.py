"""Tests of the whole program: JSON, errors, output, and a collectd that starts and
ends meanwhile."""

import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
from unittest import mock

from fake_collectd import HERE, LIMIT, FakeCollectd, Values, recorded

PROGRAM = os.path.join(HERE, "..", "..", "contrib", "tcpinfo-top")


def run(path, *options, program=PROGRAM, python=(), stdout=subprocess.PIPE,
        env=None):
    return subprocess.run([sys.executable, "-E", *python, program, "--socket",
                           path, *options], check=False, stdout=stdout,
                          stderr=subprocess.PIPE, text=True, timeout=LIMIT,
                          env=env)


def document(answer, *options):
    with FakeCollectd(answer) as fake:
        done = run(fake.path, "--json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["hosts"]


def connections(**numbers):
    """Returns {identifier: (time, value)} of count-connections of the instances
    NAME, with "__" for "-"."""
    return {"h/tcpinfo-%s/count-connections" % name.replace("__", "-"): (5, n)
            for name, n in numbers.items()}


class Json(unittest.TestCase):
    def test_recorded_values_are_in_the_document(self):
        host, = document(recorded())
        self.assertEqual((host["host"], host["stale"]), ("h1", False))
        self.assertGreater(host["age"], 0)
        self.assertEqual(host["self"]["bytes-tcp_info"]["unit"], "bytes")
        api, backup = host["groups"]
        self.assertEqual([api["group"], backup["group"]], ["api", "backup"])
        # A value without a column.
        self.assertEqual(api["metrics"]["count-cwnd-p50"]["unit"], "segments")
        self.assertEqual([w["member"] for w in api["worst"]],
                         ["worst1", "worst2"])
        self.assertEqual(api["other"]["verdict"], "okay")
        self.assertEqual(backup["members"], [])
        self.assertNotIn("other", backup)

    def test_members_have_verdicts_with_reasons(self):
        host, = document(recorded(), "--group", "api")
        self.assertEqual([g["group"] for g in host["groups"]], ["api"])
        lossy, healthy = host["groups"][0]["members"]
        self.assertEqual((lossy["member"], lossy["verdict"]),
                         ("10.99.0.3", "warning"))
        self.assertEqual(lossy["reasons"], [{
            "metric": "percent-retrans_percent", "value": 3.231939, "unit": "%",
            "threshold": 1, "verdict": "warning"}])
        self.assertEqual((healthy["member"], healthy["verdict"],
                          healthy["reasons"]),
                         ("10.99.0.2", "okay", []))
        self.assertIn("count-stalled", healthy["judged"])

    def test_thresholds_can_be_set(self):
        host, = document(recorded(), "--threshold", "retrans_percent=0.1,3",
                         "--threshold", "rtt=0.0258", "--group", "api")
        self.assertEqual([m["verdict"] for m in host["groups"][0]["members"]],
                         ["failure", "okay"])
        self.assertEqual([r["metric"] for r in
                          host["groups"][0]["members"][0]["reasons"]],
                         ["latency-rtt-p95", "percent-retrans_percent"])

    def test_hosts_are_sorted_and_selected(self):
        values = Values({"%s/tcpinfo-web/count-connections" % h: (5, 1)
                         for h in ("b", "a10", "a9")})
        self.assertEqual([h["host"] for h in document(values)],
                         ["a9", "a10", "b"])
        self.assertEqual([h["host"] for h in document(values, "--host", "b")],
                         ["b"])
        values.known["b/tcpinfo-only/count-connections"] = (5, 1)
        self.assertEqual([h["host"] for h in document(values, "--group",
                                                      "only")], ["b"])

    def test_failed_dump_makes_values_stale(self):
        host, = document(Values({
            "h/tcpinfo-self/total_events-dump_errors": (9, 1),
            **connections(web=1)}))
        self.assertTrue(host["stale"])

    def test_invalid_utf8_in_names_is_replaced(self):
        host, = document(Values({"\udcff/tcpinfo-web/count-connections": (5, 1)}))
        self.assertEqual(host["host"], "?")

    def test_infinite_values_are_left_out(self):
        """JSON has no such number, and jq reads a missing value as null."""
        host, = document(Values({
            "h/tcpinfo-web/latency-rtt-max": (5, float("inf")),
            **connections(web=1)}))
        self.assertEqual(set(host["groups"][0]["metrics"]),
                         {"count-connections"})


class Errors(unittest.TestCase):
    def refused(self, code, part, path, *options):
        for output in (("--once",), ("--json",), ()):
            done = run(path, *options, *output)
            self.assertEqual((done.returncode, done.stdout), (code, ""))
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertTrue(done.stderr.startswith("tcpinfo-top: "))
            self.assertIn(part, done.stderr)

    def test_missing_socket_is_an_error(self):
        self.refused(3, "/nowhere/socket", "/nowhere/socket")

    def test_socket_without_a_server_is_an_error(self):
        with tempfile.NamedTemporaryFile() as file:
            self.refused(3, "nobody answers", file.name)

    def test_path_that_is_too_long_is_an_error(self):
        self.refused(3, "too long", "/" + "x" * 200)

    def test_cache_without_the_plugin_is_an_error(self):
        with FakeCollectd(Values({"h/load/load": (5, 1)})) as fake:
            self.refused(4, "no values of the plugin", fake.path)

    def test_error_lists_the_groups_or_hosts(self):
        with FakeCollectd(Values(connections(web=1, api__m=2))) as fake:
            self.refused(5, "no group 'wbe'; available: api, web", fake.path,
                         "--group", "wbe")
            self.refused(5, "no host 'g'; available: h", fake.path,
                         "--host", "g")

    def test_socket_that_does_not_answer_is_given_up_after_wait(self):
        """A stopped daemon has a socket, too."""
        with socket.socket(socket.AF_UNIX) as s, \
                tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "socket")
            s.bind(path)
            s.listen(5)
            done = run(path, "--once", "--wait", "1")
        self.assertEqual(done.returncode, 3)
        self.assertIn("no answer at %s for 1 s" % path, done.stderr)


class Output(unittest.TestCase):
    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full")
    def test_output_to_a_full_disk_is_an_error(self):
        for option in ("--once", "--json", "--members"):
            with self.subTest(option), open("/dev/full", "w") as full, \
                    FakeCollectd(recorded()) as fake:
                done = run(fake.path, option, stdout=full)
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr,
                                 "^tcpinfo-top: cannot write .*\n$")

    def test_closed_output_is_an_error(self):
        with FakeCollectd(recorded()) as fake:
            done = subprocess.run(
                ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-E",
                 PROGRAM, "--once", "--socket", fake.path], check=False,
                stderr=subprocess.PIPE, text=True, timeout=LIMIT)
        self.assertEqual((done.returncode, done.stderr),
                         (1, "tcpinfo-top: the output is closed\n"))

    def test_ascii_output_replaces_other_characters(self):
        values = Values({"caf\u00e9/tcpinfo-web/count-connections": (5, 1)})
        with FakeCollectd(values) as fake:
            done = run(fake.path, "--once", python=("-X", "utf8=0"),
                       env={**os.environ, "LC_ALL": "C"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith("caf?  "), done.stdout)


class Live(unittest.TestCase):
    """The output is no terminal, so each read is a table of its own."""

    def start(self, path, *options):
        p = subprocess.Popen(
            [sys.executable, "-E", PROGRAM, "--socket", path, "--interval", "0.05",
             *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)
        self.addCleanup(p.wait)
        self.addCleanup(p.stderr.close)
        self.addCleanup(p.stdout.close)
        self.addCleanup(p.kill)
        watchdog = threading.Timer(LIMIT, p.kill)
        watchdog.start()
        self.addCleanup(watchdog.cancel)
        return p

    def until(self, p, part):
        """Returns the lines up to the one with `part`."""
        lines = []
        for line in p.stdout:
            lines.append(line)
            if part in line:
                return lines
        self.fail("no %r in %s; %s" % (part, lines, p.stderr.read()))

    def test_each_read_is_shown_once(self):
        values = Values(connections(web=11))
        with FakeCollectd(values) as fake:
            p = self.start(fake.path)
            lines = self.until(p, " 11")
            for n in (22, 33):
                values.wait_for_listings(5)
                values.known["h/tcpinfo-web/count-connections"] = (n, n)
                lines += self.until(p, " %d" % n)
            p.terminate()
            lines += p.stdout.readlines()
        self.assertEqual([x.split()[2] for x in lines
                          if x.startswith("web")], ["11", "22", "33"])
        self.assertEqual(p.wait(), 143)

    def test_ctrl_c_ends_the_program(self):
        with FakeCollectd(Values(connections(web=11))) as fake:
            p = self.start(fake.path)
            self.until(p, " 11")
            for _ in range(20): # a terminal and a shell may both send it
                p.send_signal(2)
            p.terminate()
            self.assertIn(p.wait(), (0, 143))
            self.assertEqual(p.stderr.read(), "")
            p = self.start(fake.path)
            self.until(p, " 11")
            p.send_signal(2)
            self.assertEqual((p.wait(), p.stderr.read()), (0, ""))

    def test_closed_pipe_ends_the_program(self):
        values = Values(connections(web=11))
        with FakeCollectd(values) as fake:
            p = self.start(fake.path)
            self.until(p, " 11")
            p.stdout.close()
            values.known["h/tcpinfo-web/count-connections"] = (6, 1)
            self.assertEqual((p.wait(), p.stderr.read()), (0, ""))

    def test_daemon_may_start_late_end_and_start_again(self):
        values = Values({})
        with FakeCollectd(values) as fake:
            p = self.start(fake.path, "--wait", str(LIMIT))
            values.wait_for_listings(3)
            values.known.update(connections(web=11))
            self.until(p, " 11")
            os.rename(fake.path, fake.path + "-away")
            self.until(p, "there is no socket")
            values.known["h/tcpinfo-web/count-connections"] = (7, 22)
            os.rename(fake.path + "-away", fake.path)
            lines = self.until(p, " 22")
            self.assertNotIn("no new values", "".join(lines))
            values.known.clear()
            self.until(p, "collectd has no values")

    def test_host_that_is_gone_is_named_until_it_comes_back(self):
        values = Values({**connections(web=11),
                         "g/tcpinfo-web/count-connections": (5, 1)})
        with FakeCollectd(values) as fake:
            p = self.start(fake.path)
            self.until(p, " 11")
            del values.known["g/tcpinfo-web/count-connections"]
            self.until(p, "host g is gone; its last read was at ")
            values.wait_for_listings(5)
            values.known["g/tcpinfo-web/count-connections"] = (9, 22)
            lines = self.until(p, " 22")
            self.assertEqual("".join(lines).count("is gone"), 0)

    def test_latest_hosts_that_are_gone_are_named(self):
        gone = {"g%d/tcpinfo-web/count-connections" % i: (i, 1)
                for i in range(1, 10)}
        values = Values({**connections(web=11), **gone})
        with FakeCollectd(values) as fake:
            p = self.start(fake.path)
            self.until(p, " 11")
            values.known = connections(web=11)
            lines = self.until(p, "and 6 more hosts are gone")
        self.assertEqual([x.split()[1] for x in lines if "is gone" in x],
                         ["g9", "g8", "g7"])

    def test_error_is_shown_once(self):
        values = Values(connections(web=11))
        with FakeCollectd(values) as fake:
            p = self.start(fake.path)
            self.until(p, " 11")
            values.known.clear()
            values.wait_for_listings(5)
            values.known.update(connections(web=11))
            values.wait_for_listings(2)
            values.known["h/tcpinfo-web/count-connections"] = (6, 22)
            lines = self.until(p, " 22")
        self.assertEqual("".join(lines).count("no new values"), 1)


class Signals(unittest.TestCase):
    def test_two_signals_at_once_end_the_program_quietly(self):
        """Both are blocked first, so that Python finds both pending."""
        code = ("import os, signal, sys; sys.path.insert(0, %r)\n"
                "from tcpinfo_top import main\n"
                "def run(_):\n"
                "    signal.pthread_sigmask(signal.SIG_BLOCK, main.ENDING)\n"
                "    for s in main.ENDING: os.kill(os.getpid(), s)\n"
                "    signal.pthread_sigmask(signal.SIG_UNBLOCK, main.ENDING)\n"
                "main.run = run\n"
                "sys.argv[1:] = []\n"
                "sys.exit(main.main())" % os.path.dirname(PROGRAM))
        done = subprocess.run([sys.executable, "-E", "-B", "-c", code],
                              check=False, stderr=subprocess.PIPE, text=True,
                              timeout=LIMIT)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Keys(unittest.TestCase):
    def screen(self, *keys):
        """Returns a Screen on which these keys are typed."""
        try:
            from tcpinfo_top.screen import Screen
        except ImportError:
            self.skipTest("no curses")
        screen = Screen()
        screen.window = mock.Mock()
        screen.window.getch.side_effect = itertools.chain(
            map(ord, keys), itertools.repeat(-1))
        return screen

    def keys_until_end(self, *keys):
        """Returns how many of the keys were read when the program ended."""
        screen = self.screen(*keys)
        self.assertFalse(screen.wait(LIMIT))
        return screen.window.getch.call_count

    def test_no_key_does_not_end_the_program(self):
        self.assertTrue(self.screen().wait(0.01))

    def test_q_ends_the_program(self):
        for keys in ("q", "Q", "xQ"):
            self.assertEqual(self.keys_until_end(*keys), len(keys))

    def test_other_keys_are_ignored(self):
        """Escape, the arrow keys and the mouse wheel among them."""
        for keys in ("\x1bq", "\x1b[A\x1bOB\x1b[<64;1;1Mq"):
            self.assertEqual(self.keys_until_end(*keys), len(keys))


class Installed(unittest.TestCase):
    def test_program_runs_by_a_symbolic_link(self):
        with tempfile.TemporaryDirectory() as folder, \
                FakeCollectd(recorded()) as fake:
            link = os.path.join(folder, "tcpinfo-top")
            os.symlink(os.path.abspath(PROGRAM), link)
            done = run(fake.path, "--once", program=link)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("backup", done.stdout)


if __name__ == "__main__":
    unittest.main()
