"""The program as a whole: its JSON, its errors, and what it does while collectd
comes and goes."""

import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from unittest import mock

from fake_collectd import HERE, FakeCollectd, Values, recorded

PROGRAM = os.path.join(HERE, "..", "..", "contrib", "tcpinfo-top")


def run(path, *options, program=PROGRAM, python=(), stdout=subprocess.PIPE,
        env=None):
    return subprocess.run([sys.executable, "-E", *python, program, "--socket",
                           path, *options], check=False, stdout=stdout,
                          stderr=subprocess.PIPE, text=True, timeout=60,
                          env=env)


def document(answer, *options):
    with FakeCollectd(answer) as fake:
        done = run(fake.path, "--json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["hosts"]


def connections(**numbers):
    """Of h/tcpinfo-NAME with "__" for "-"."""
    return {"h/tcpinfo-%s/count-connections" % name.replace("__", "-"): (5, n)
            for name, n in numbers.items()}


class Json(unittest.TestCase):
    def test_recorded(self):
        host, = document(recorded())
        self.assertEqual((host["host"], host["stale"]), ("h1", False))
        self.assertGreater(host["age"], 0)
        self.assertEqual(host["self"]["bytes-tcp_info"]["unit"], "bytes")
        api, backup = host["groups"]
        self.assertEqual([api["group"], backup["group"]], ["api", "backup"])
        # A value that has no column.
        self.assertEqual(api["metrics"]["count-cwnd-p50"]["unit"], "segments")
        self.assertEqual([w["member"] for w in api["worst"]],
                         ["worst1", "worst2"])
        self.assertEqual(api["other"]["verdict"], "ok")
        self.assertEqual(backup["members"], [])
        self.assertNotIn("other", backup)

    def test_which_backend_is_healthy(self):
        host, = document(recorded(), "--group", "api")
        self.assertEqual([g["group"] for g in host["groups"]], ["api"])
        lossy, well = host["groups"][0]["members"]
        self.assertEqual((lossy["member"], lossy["verdict"]),
                         ("10.99.0.3", "warning"))
        self.assertEqual(lossy["reasons"], [{
            "metric": "percent-retrans_percent", "value": 3.231939, "unit": "%",
            "threshold": 1, "verdict": "warning"}])
        self.assertEqual((well["member"], well["verdict"], well["reasons"]),
                         ("10.99.0.2", "ok", []))
        self.assertIn("count-stalled", well["judged"])

    def test_own_thresholds(self):
        host, = document(recorded(), "--threshold", "retrans_percent=0.1,3",
                         "--threshold", "rtt=0.0258", "--group", "api")
        self.assertEqual([m["verdict"] for m in host["groups"][0]["members"]],
                         ["bad", "ok"])
        self.assertEqual([r["metric"] for r in
                          host["groups"][0]["members"][0]["reasons"]],
                         ["latency-rtt-p95", "percent-retrans_percent"])

    def test_hosts(self):
        values = Values({"%s/tcpinfo-web/count-connections" % h: (5, 1)
                         for h in ("b", "a10", "a9")})
        self.assertEqual([h["host"] for h in document(values)],
                         ["a9", "a10", "b"])
        self.assertEqual([h["host"] for h in document(values, "--host", "b")],
                         ["b"])
        values.known["b/tcpinfo-only/count-connections"] = (5, 1)
        self.assertEqual([h["host"] for h in document(values, "--group",
                                                      "only")], ["b"])

    def test_dropped_dump(self):
        host, = document(Values({
            "h/tcpinfo-self/total_events-dump_errors": (9, 1),
            **connections(web=1)}))
        self.assertTrue(host["stale"])

    def test_names_that_are_no_text(self):
        host, = document(Values({"\udcff/tcpinfo-web/count-connections": (5, 1)}))
        self.assertEqual(host["host"], "?")

    def test_infinite(self):
        """JSON has no such number, and what is not there is null for jq."""
        host, = document(Values({
            "h/tcpinfo-web/latency-rtt-max": (5, float("inf")),
            **connections(web=1)}))
        self.assertEqual(set(host["groups"][0]["metrics"]),
                         {"count-connections"})


class Errors(unittest.TestCase):
    def refused(self, code, part, path, *options):
        for how in (("--once",), ("--json",), ()):
            done = run(path, *options, *how)
            self.assertEqual((done.returncode, done.stdout), (code, ""))
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertTrue(done.stderr.startswith("tcpinfo-top: "))
            self.assertIn(part, done.stderr)

    def test_no_socket(self):
        self.refused(3, "/nowhere/socket", "/nowhere/socket")

    def test_nobody_there(self):
        with tempfile.NamedTemporaryFile() as file:
            self.refused(3, "nobody answers", file.name)

    def test_name_too_long(self):
        self.refused(3, "too long", "/" + "x" * 200)

    def test_no_values(self):
        with FakeCollectd(Values({"h/load/load": (5, 1)})) as fake:
            self.refused(4, "no values of the plugin", fake.path)

    def test_no_such_group_or_host(self):
        with FakeCollectd(Values(connections(web=1, api__m=2))) as fake:
            self.refused(5, "no group 'wbe'; there is api, web", fake.path,
                         "--group", "wbe")
            self.refused(5, "no host 'g'; there is h", fake.path, "--host", "g")


    def test_stopped_daemon(self):
        """It has a socket, and does not answer."""
        with socket.socket(socket.AF_UNIX) as s, \
                tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "socket")
            s.bind(path)
            s.listen(5)
            began = time.monotonic()
            done = run(path, "--once", "--wait", "1")
            self.assertLess(time.monotonic() - began, 8)
        self.assertEqual(done.returncode, 3)
        self.assertIn("no answer at %s for 1 s" % path, done.stderr)


class Output(unittest.TestCase):
    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full")
    def test_full(self):
        for how in ("--once", "--json", "--members"):
            with self.subTest(how), open("/dev/full", "w") as full, \
                    FakeCollectd(recorded()) as fake:
                done = run(fake.path, how, stdout=full)
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr,
                                 "^tcpinfo-top: cannot write .*\n$")

    def test_closed(self):
        with FakeCollectd(recorded()) as fake:
            done = subprocess.run(
                ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-E",
                 PROGRAM, "--once", "--socket", fake.path], check=False,
                stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr),
                         (1, "tcpinfo-top: the output is closed\n"))

    def test_ascii(self):
        values = Values({"caf\u00e9/tcpinfo-web/count-connections": (5, 1)})
        with FakeCollectd(values) as fake:
            done = run(fake.path, "--once", python=("-X", "utf8=0"),
                       env={**os.environ, "LC_ALL": "C"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith("caf?  "), done.stdout)


class Live(unittest.TestCase):
    """Not on a terminal, so that each read is a table of its own."""

    def start(self, path, *options):
        p = subprocess.Popen(
            [sys.executable, "-E", PROGRAM, "--socket", path, "--interval", "0.05",
             *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)
        self.addCleanup(p.wait)
        self.addCleanup(p.stderr.close)
        self.addCleanup(p.stdout.close)
        self.addCleanup(p.kill)
        watchdog = threading.Timer(60, p.kill)
        watchdog.start()
        self.addCleanup(watchdog.cancel)
        return p

    def until(self, p, part):
        """The lines up to the one with `part`."""
        lines = []
        for line in p.stdout:
            lines.append(line)
            if part in line:
                return lines
        self.fail("no %r in %s; %s" % (part, lines, p.stderr.read()))

    def test_each_read_once(self):
        values = Values(connections(web=11))
        with FakeCollectd(values) as fake:
            p = self.start(fake.path)
            lines = self.until(p, " 11")
            for n in (22, 33):
                values.wait(5)
                values.known["h/tcpinfo-web/count-connections"] = (n, n)
                lines += self.until(p, " %d" % n)
            p.terminate()
            lines += p.stdout.readlines()
        self.assertEqual([x.split()[2] for x in lines
                          if x.startswith("web")], ["11", "22", "33"])
        self.assertEqual(p.wait(), 143)

    def test_ends_at_ctrl_c(self):
        with FakeCollectd(Values(connections(web=11))) as fake:
            p = self.start(fake.path)
            self.until(p, " 11")
            for _ in range(20): # from a terminal and from a shell, say
                p.send_signal(2)
            p.terminate()
            self.assertIn(p.wait(), (0, 143))
            self.assertEqual(p.stderr.read(), "")
            p = self.start(fake.path)
            self.until(p, " 11")
            p.send_signal(2)
            self.assertEqual((p.wait(), p.stderr.read()), (0, ""))

    def test_ends_with_its_reader(self):
        values = Values(connections(web=11))
        with FakeCollectd(values) as fake:
            p = self.start(fake.path)
            self.until(p, " 11")
            p.stdout.close()
            values.known["h/tcpinfo-web/count-connections"] = (6, 1)
            self.assertEqual((p.wait(), p.stderr.read()), (0, ""))

    def test_daemon_that_comes_late_goes_and_comes_back(self):
        values = Values({})
        with FakeCollectd(values) as fake:
            p = self.start(fake.path, "--wait", "50")
            values.wait(3)
            values.known.update(connections(web=11))
            self.until(p, " 11")
            os.rename(fake.path, fake.path + "-away")
            self.until(p, "was the last read: there is no socket")
            values.known["h/tcpinfo-web/count-connections"] = (7, 22)
            os.rename(fake.path + "-away", fake.path)
            lines = self.until(p, " 22")
            self.assertNotIn("last read", "".join(lines))
            values.known.clear()
            self.until(p, "was the last read: collectd has no values")

    def test_one_of_two_hosts_goes(self):
        values = Values({**connections(web=11),
                         "g/tcpinfo-web/count-connections": (5, 1)})
        with FakeCollectd(values) as fake:
            p = self.start(fake.path)
            self.until(p, " 11")
            del values.known["g/tcpinfo-web/count-connections"]
            self.until(p, "was the last read of g, which is not there any more")
            values.wait(5)
            values.known["g/tcpinfo-web/count-connections"] = (9, 22)
            lines = self.until(p, " 22")
            self.assertEqual("".join(lines).count("any more"), 0)

    def test_many_hosts_go(self):
        """The latest are named."""
        gone = {"g%d/tcpinfo-web/count-connections" % i: (i, 1)
                for i in range(1, 10)}
        values = Values({**connections(web=11), **gone})
        with FakeCollectd(values) as fake:
            p = self.start(fake.path)
            self.until(p, " 11")
            values.known = connections(web=11)
            lines = self.until(p, "and 6 more hosts are not there any more")
        self.assertEqual([x.split(",")[0].split()[-1] for x in lines
                          if "was the last read of" in x], ["g9", "g8", "g7"])

    def test_trouble_is_told_once(self):
        values = Values(connections(web=11))
        with FakeCollectd(values) as fake:
            p = self.start(fake.path)
            self.until(p, " 11")
            values.known.clear()
            values.wait(5)
            values.known.update(connections(web=11))
            values.wait(2)
            values.known["h/tcpinfo-web/count-connections"] = (6, 22)
            lines = self.until(p, " 22")
        self.assertEqual("".join(lines).count("was the last read"), 1)


class Signals(unittest.TestCase):
    def test_two_at_once(self):
        """Both are pending when Python looks at them: blocked until then."""
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
                              timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Keys(unittest.TestCase):
    """What the screen makes of them."""

    def ends(self, *keys):
        try:
            from tcpinfo_top.screen import Screen
        except ImportError:
            self.skipTest("no curses")
        screen = Screen()
        screen.window = mock.Mock()
        screen.window.getch.side_effect = itertools.chain(
            map(ord, keys), itertools.repeat(-1))
        return not screen.wait(0.05)

    def test_q(self):
        self.assertTrue(self.ends("q"))
        self.assertTrue(self.ends("x", "Q"))

    def test_others(self):
        self.assertFalse(self.ends("\x1b"))
        self.assertFalse(self.ends(*"\x1b[A\x1bOB\x1b[<64;1;1M")) # the wheel


class Installed(unittest.TestCase):
    def test_by_a_link(self):
        with tempfile.TemporaryDirectory() as folder, \
                FakeCollectd(recorded()) as fake:
            link = os.path.join(folder, "tcpinfo-top")
            os.symlink(os.path.abspath(PROGRAM), link)
            done = run(fake.path, "--once", program=link)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("backup", done.stdout)


if __name__ == "__main__":
    unittest.main()
