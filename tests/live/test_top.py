#!/usr/bin/env python3
"""contrib/tcpinfo-top with the real collectd: one of three servers loses packets
and another one does not answer; then a server that does not read.

The machine may be busy: the tests wait for conditions, for up to LIMIT seconds.
Verdicts on delays are switched off, because a busy machine delays packets."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from live import check, netns, terminal
from live.daemon import NOBODY, Collectd, at, own_modules
from live.observe import poll
from live.traffic import Agents

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..",
                                   "contrib", "tcpinfo-top"))
LIMIT = 120 # seconds
PORT, QUIET, MUTE = 9001, 9002, 9003
HEALTHY, LOSSY, DEAD = "10.99.0.2", "10.99.0.3", "10.99.0.4"
CONNECTIONS = {HEALTHY: 1, LOSSY: 3, DEAD: 2}
SIZE = 45000 # bytes to each server, ten times a second
WAIT = "--wait", str(LIMIT)
NO_DELAYS = "--threshold", "rtt=off", "--threshold", "queue_delay=off"
# The lossy server loses 3 %, which stays a warning with this threshold.
THRESHOLDS = *NO_DELAYS, "--threshold", "retrans_percent=1,20"

# collectd keeps values for Timeout intervals. With the default of 2, they would
# expire if the machine is too busy for a read a second.
UNIXSOCK = """\
Timeout 200
PluginDir "%s"
LoadPlugin unixsock
<Plugin unixsock>
  SocketFile "%s"
  SocketPerms "0600"
  DeleteSocket true
</Plugin>
"""
BLOCK = """\
<Plugin tcpinfo>
  <Group "api">
    RemotePort %d
    By "remote-address"
  </Group>
  <Group "quiet">
    RemotePort %d
  </Group>
</Plugin>
""" % (PORT, QUIET)
MUTE_BLOCK = """\
<Plugin tcpinfo>
  <Group "default">
    RemotePort %d
  </Group>
  <Group "window">
    RemotePort %d
    Metric "connections" "zero_window"
  </Group>
</Plugin>
""" % (MUTE, MUTE)


def top(path, *options, before=()):
    return subprocess.run([*before, TOP, "--socket", path, *options],
                          check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True,
                          timeout=2 * LIMIT)


def settle(what, get, expected):
    """Calls get() until it returns `expected`, for LIMIT seconds; compares what
    it returned last."""
    end = time.monotonic() + LIMIT
    got = get()
    while got != expected and time.monotonic() < end:
        time.sleep(0.1)
        got = get()
    check.equal(what, got, expected)


def settle_true(what, get):
    """Calls get(), which returns (condition, figures), until the condition is
    true, for LIMIT seconds. Returns the last figures."""
    end = time.monotonic() + LIMIT
    condition, figures = get()
    while not condition and time.monotonic() < end:
        time.sleep(0.1)
        condition, figures = get()
    check.true(what, condition, figures)
    return figures


def table(path, *options):
    """Returns {first word: words} of the rows in order, and the heading."""
    done = top(path, "--once", *WAIT, *THRESHOLDS, *options)
    if done.returncode or "\033" in done.stdout:
        raise RuntimeError("exit code %d, or escape sequences in a pipe: %s%s" %
                           (done.returncode, done.stderr, done.stdout))
    lines = done.stdout.splitlines()
    return {line.split()[0]: line.split() for line in lines[2:]}, lines[1]


def document(path, *options):
    """Returns the hosts of the JSON document."""
    done = top(path, "--json", *WAIT, *THRESHOLDS, *options)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)["hosts"]


def group(host, name):
    return next(g for g in host["groups"] if g["group"] == name)


class Traffic(threading.Thread):
    """Sends the same amount of data to every server, if it takes the data."""

    def __init__(self, client):
        super().__init__()
        self.client, self.done = client, threading.Event()
        self.numbers = [n for address, count in CONNECTIONS.items()
                        for n in client.open(count, address, PORT)]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()

    def run(self):
        while not self.done.wait(0.1):
            pending = {n: r["pending"] for n, r in self.client.report().items()}
            self.client.send([n for n in self.numbers
                              if pending.get(n, SIZE) < SIZE], SIZE // 3)


def verdicts(path):
    """Returns [(member, verdict, its reasons as {metric: value})] of the group
    api, in order, and the members themselves."""
    host, = document(path, "--group", "api")
    members = group(host, "api")["members"]
    return [(m["member"], m["verdict"], {
        r["metric"] for r in m["reasons"]}) for m in members], members


def check_verdicts(path):
    expected = [(DEAD, "failure", {"count-stalled"}),
                (LOSSY, "warning", {"percent-retrans_percent"}),
                (HEALTHY, "okay", set())]
    last = []

    def get():
        got, last[:] = verdicts(path)
        return got, [r["value"] for m in last[:1] for r in m["reasons"]]
    # Both connections to the dead server stall, not only the first one.
    settle("members with verdicts and reasons, the worst first", get,
           (expected, [100]))
    dead, lossy, healthy = last
    check.equal("reason of the server that does not answer", [
        (r["metric"], r["value"], r["unit"], r["verdict"])
        for r in dead["reasons"]],
                [("count-stalled", 100, "% of connections", "failure")])
    reason, = lossy["reasons"]
    check.true("reason of the server that loses packets",
               reason["threshold"] == 1 and reason["verdict"] == "warning" and
               reason["value"] == lossy["metrics"][reason["metric"]]["value"],
               reason)
    check.true("the healthy server was judged", "percent-retrans_percent" in
               healthy["judged"], healthy["judged"])


def shown_values(host):
    """Returns {(instance, series): metric} of a host of the document."""
    shown = {("self", s): m for s, m in host["self"].items()}
    for g in host["groups"]:
        parts = {g["group"]: g, g["group"] + "-other": g.get("other")}
        parts.update(("%s-%s" % (g["group"], m["member"]), m)
                     for m in g["members"])
        shown.update(((instance, s), m) for instance, part in parts.items()
                     if part for s, m in part["metrics"].items())
    return shown


def check_values(daemon, path):
    """The program shows the values that collectd wrote to CSV files for the same
    read. While collectd still writes a read, some are those of the read
    before; so the document is read until all values are of one read."""
    def get():
        host, = document(path)
        daemon.wait(lambda r: r[-1] > host["time"], "read", LIMIT)
        written = {(k[0], k[1] + "-" + k[2]): v
                   for k, v in at(daemon.values(), host["time"]).items()}
        shown = shown_values(host)
        rates = [k for k, m in shown.items() if m["unit"].endswith("/s")]
        wrong = {k: (m["value"], written.get(k)) for k, m in shown.items()
                 if k not in rates and (k not in written or
                 # One has seven digits, the other one six decimals.
                 abs(m["value"] - written[k]) > 1e-6 * abs(written[k]) + 1e-6)}
        missing = sorted(set(shown) ^ set(written))
        return (not missing and not wrong and len(rates) >= 20,
                "%d rates, %d gauges; not in both: %s; different: %s" % (
                    len(rates), len(shown) - len(rates), missing[:9], wrong))
    settle_true("all series of a read, with the values that collectd wrote",
                get)


def check_rates(daemon, path):
    """bytes_sent a second is the counter's growth in that read."""
    def get():
        host, = document(path)
        now = host["time"]
        daemon.wait(lambda r: r[-1] > now, "read", LIMIT)
        rows = daemon.values("api")[("api", "total_bytes", "bytes_sent")]
        before, then = max((t, v) for t, v in rows if t < now)
        rate = (dict(rows)[now] - then) / (now - before)
        shown = group(host, "api")["metrics"]["total_bytes-bytes_sent"]["value"]
        return abs(shown - rate) <= 0.01 * rate, (shown, rate)
    settle_true("bytes sent a second, and the counter's growth", get)


def check_tables(path):
    def groups():
        rows, heading = table(path)
        columns = all(part in heading for part in (
            "conns", "rtt p95", "queue p95", "retr/s", "retr %", "stalled",
            "net %", "idle %", "B/s in", "B/s out"))
        empty = "failed" in heading or "accept" in heading
        return (columns and not empty and list(rows)[:2] == ["api", "quiet"] and
                list(rows)[2:] == ["self:"] and
                rows["api"][2] == str(sum(CONNECTIONS.values())) and
                rows["self:"][1:3] == ["sockets", "6,"],
                "%s\n%s" % (heading, rows))
    settle_true("groups without members, the worst first; columns with values "
                "only; connections; the plugin's own values", groups)
    for sort, expected in (("health", [DEAD, LOSSY, HEALTHY]),
                           ("connections", [LOSSY, DEAD, HEALTHY]),
                           ("name", [HEALTHY, LOSSY, DEAD]),
                           ("bytes_sent", [LOSSY, HEALTHY, DEAD])):
        def members():
            rows, _ = table(path, "--members", "--sort", sort) # pylint: disable=W0640
            return [(r, int(rows[r][2])) for r in rows if r.startswith("10.")]
        settle("members and their connections, sorted by " + sort, members,
               [(n, CONNECTIONS[n]) for n in expected])


def check_colours(path):
    command = [TOP, "--socket", path, "--group", "api", "--once", *WAIT,
               *THRESHOLDS]
    for environment, wanted in (({"TERM": "xterm", "NO_COLOR": ""}, True),
                                ({"TERM": "xterm", "NO_COLOR": "1"}, False),
                                ({"TERM": "dumb", "NO_COLOR": ""}, False)):
        def coloured():
            text, code = terminal.on_terminal(command, **environment) # pylint: disable=W0640
            lines = {n: line for line in text.splitlines() for n in CONNECTIONS
                     if n in line}
            return code, "\033" in text, {
                n: "\033[33m" in line or "\033[1;31m" in line
                for n, line in lines.items()}
        settle("exit code, any escape sequences, and coloured rows with %s" %
               environment, coloured, (0, wanted, {
                   HEALTHY: False, LOSSY: wanted, DEAD: wanted}))
    text, _ = terminal.on_terminal(command, columns=60, TERM="dumb")
    check.true("60 columns", max(map(len, text.splitlines())) <= 60 and
               "conns" in text and "B/s out" not in text,
               text.splitlines()[1])


def refused(what, done, code, part):
    check.true("%s: one line, exit code %d" % (what, code),
               done.returncode == code and done.stderr.count("\n") == 1 and
               part in done.stderr and not done.stdout,
               (done.returncode, done.stderr.strip()))


def check_errors(folder, path):
    refused("no socket", top(path + "-x", "--once"), 3, path + "-x")
    refused("no permission", top(path, "--once", before=NOBODY), 3,
            "no permission for %s (user root" % path)
    refused("no such group", top(path, "--json", "--group", "nix"), 5,
            "available: api, quiet")
    refused("no such host", top(path, "--host", "nix"), 5, "available: h")
    other = os.path.join(folder, "other")
    with Collectd(UNIXSOCK % (own_modules(), other), plugin="uptime",
                  modules=own_modules()) as daemon:
        daemon.wait(len, "read", LIMIT)
        refused("collectd without the plugin", top(other, "--json"), 4,
                "no values")
        check.equal("exit code", daemon.end(), 0)
    refused("collectd that has ended", top(other, "--json"), 3, other)


def put(path, lines):
    """Sends values to collectd, as the network plugin would from other hosts."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(LIMIT)
        s.connect(path)
        answers = s.makefile("r")
        for line in lines:
            s.sendall(("PUTVAL %s\n" % line).encode())
            answer = answers.readline()
            if not answer.startswith("0 "):
                raise RuntimeError(answer)


def check_hosts(path):
    now = time.time()
    series = ["count-x%d" % i for i in range(20)] + ["count-connections"]
    names = ["big/tcpinfo-web%s/%s" % (m, s) for s in series
             for m in ["", *("-m%d" % i for i in range(100))]]
    put(path, ("%s interval=30 %.3f:%d" % (n, now, i)
               for i, n in enumerate(names)))
    members = {n: i for i, n in enumerate(names) if "-m" in n}

    def get():
        """collectd stores the values one by one, and writes each to a file."""
        hosts = document(path)
        got = {"big/tcpinfo-web-%s/%s" % (m["member"], s): v["value"]
               for h in hosts if h["host"] == "big"
               for m in group(h, "web")["members"]
               for s, v in m["metrics"].items()}
        groups = {h["host"]: [g["group"] for g in h["groups"]] for h in hosts}
        return got == members and groups == {
            "big": ["web"], "h": ["api", "quiet"]}, (len(got), groups)
    settle_true("thousands of values of another host, each with its own name, "
                "and this host's groups apart", get)
    hosts = document(path, "--host", "h")
    check.equal("one of two hosts", [h["host"] for h in hosts], ["h"])

    def rows():
        done = top(path, "--once", *WAIT)
        return sorted(line.split()[:2] for line in done.stdout.splitlines()[2:5])
    settle("a table of all hosts", rows,
           [["big", "web"], ["h", "api"], ["h", "quiet"]])


SETTINGS = re.compile(r"[0-9a-f]+(:[0-9a-f]+)+$", re.M) # by stty -g


def headings(line):
    return re.split(" {2,}", line.strip())


def check_screen(tmux, path):
    """Returns the settings of the terminal before the program started."""
    tmux.line("stty", "-g")
    settings = SETTINGS.search("\n".join(tmux.until(":", LIMIT))).group()
    tmux.line(TOP, "--socket", path, "--interval", "0.3", "--members",
              "--host", "h", *WAIT, *THRESHOLDS)

    def whole():
        lines = tmux.screen()
        return (lines[0].startswith("h  ") and lines[1].startswith("group") and
                any(x.startswith("self:") for x in lines) and
                any(DEAD in x for x in lines) and
                not any(settings in x for x in lines),
                "\n".join(lines))
    lines = settle_true("the program uses the whole screen", whole).split("\n")

    def coloured():
        lines = [x for x in tmux.screen(colours=True) if DEAD in x]
        return bool(lines) and "\033[" in lines[0], lines
    settle_true("rows are coloured", coloured)
    wide = headings(lines[1])
    for columns in (100, 60, 40):
        tmux.resize(columns, 24)

        def narrow():
            lines = tmux.screen()
            shown = headings(lines[1])
            return all(len(x) < columns for x in lines) and ( # pylint: disable=W0640
                shown == wide[:len(shown)] and len(shown) < len(wide)), shown
        settle_true("%d columns: headings are left out whole" % columns, narrow)
    tmux.resize(180, 8)

    def low():
        lines = tmux.screen()
        return ("... and 3 more" in lines and len(lines) > 7 and
                lines[7].startswith("self:"), lines)
    settle_true("8 lines: the rows that do not fit are counted", low)
    tmux.resize(180, 30)
    tmux.until("more", LIMIT, gone=True)
    return settings


def check_end(tmux, settings):
    tmux.keys("C-c")

    def restored():
        lines = tmux.screen()
        return any(settings in x for x in lines) and \
            not any("self:" in x for x in lines), lines[:4]
    settle_true("Ctrl-C restores the contents of the terminal", restored)
    tmux.keys("c=$?; stty -g; echo code $c", "Enter")
    lines = tmux.until("code 0", LIMIT)
    check.true("Ctrl-C restores the settings of the terminal",
               sum(x.endswith(settings) for x in lines) == 2 and
               "code 0" in lines, lines[3:6])


def check_restart(tmux, daemon, start):
    tmux.until("no new values", LIMIT, gone=True)
    check.equal("exit code", daemon.end(), 0)

    def ended():
        lines = tmux.screen()
        return "no new values since" in lines[1] and \
            "there is no socket" in lines[1] and \
            any(DEAD in x for x in lines), lines[1]
    settle_true("the end of collectd is reported, and the last values stay",
                ended)
    with start() as again:
        again.wait(lambda r: len(r) >= 2, "read", LIMIT)

        def found():
            lines = tmux.screen()
            return lines[1].startswith("group") and \
                any(DEAD in x for x in lines), lines[:2]
        settle_true("a new collectd is found", found)
        yield again


def reasons(path):
    """Returns {group: {metric: (value, verdict)}} of all reasons."""
    return {g["group"]: {r["metric"]: (round(r["value"]), r["verdict"])
                         for r in g["reasons"]}
            for g in document(path)[0]["groups"]}


def check_mute(link, client, mute, path):
    """A peer that does not read, with the default metrics and with the metric
    zero_window."""
    mute.listen(MUTE)
    with Collectd(MUTE_BLOCK + UNIXSOCK % (own_modules(), path),
                  link.client) as daemon:
        numbers = client.open(1, HEALTHY, MUTE)
        daemon.wait(lambda r: len(r) >= 2, "read", LIMIT)
        client.send(numbers, SIZE)
        failure = 100, "failure"
        for name, paused, expected in (
                ("it reads", False, {"default": {}, "window": {}}),
                ("it does not read", True, {
                    "default": {"percent-limited-receiver": failure},
                    "window": {"count-zero_window": failure}}),
                ("it reads again", False, {"default": {}, "window": {}})):
            mute.pause(paused)
            if paused:
                client.send(numbers, 64 << 20)
            settle("reasons if " + name, lambda: reasons(path), expected)
        check.equal("exit code", daemon.end(), 0)


def run(link, client, server, folder):
    for port in (PORT, QUIET):
        server.listen(port)
    path = os.path.join(folder, "socket")

    def start():
        return Collectd(BLOCK + UNIXSOCK % (own_modules(), path), link.client)

    with start() as daemon, Traffic(client):
        daemon.wait(lambda r: len(r) >= 2, "read", LIMIT)
        link.drop(["ip daddr %s numgen inc mod 30 0" % LOSSY,
                   "ip daddr %s" % DEAD])
        check_verdicts(path)
        check_values(daemon, path)
        check_rates(daemon, path)
        check_tables(path)
        check_colours(path)
        check_errors(folder, path)
        check_hosts(path)
        with terminal.Tmux(180, 30, TERM="xterm-256color",
                           NO_COLOR="") as tmux:
            settings = check_screen(tmux, path)
            for again in check_restart(tmux, daemon, start):
                check_end(tmux, settings)
                check.equal("exit code", again.end(), 0)


def main():
    check.need("ip", "nft", "ethtool", "collectd", "setpriv", "tmux")
    if not os.path.isfile(os.path.join(own_modules(), "unixsock.so")):
        check.skip("no collectd plugin unixsock")
    folder = tempfile.mkdtemp(prefix="%s%d-" % (netns.PREFIX, os.getpid()))
    os.chmod(folder, 0o755)
    try:
        with netns.Link(more=2) as link, Agents(link) as (client, server, _):
            run(link, client, server, folder)
        with netns.Link() as link, Agents(link) as (client, server, _):
            check_mute(link, client, server, os.path.join(folder, "muted"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


check.main(main)
