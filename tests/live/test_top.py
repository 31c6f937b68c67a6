#!/usr/bin/env python3
"""contrib/tcpinfo-top asks the real collectd, while one server of three loses
packets and another one does not answer any more; and while one does not read."""

import json
import os
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
PORT, QUIET, MUTE = 9001, 9002, 9003
WELL, LOSSY, DEAD = "10.99.0.2", "10.99.0.3", "10.99.0.4"
CONNECTIONS = {WELL: 1, LOSSY: 3, DEAD: 2}
SIZE = 45000 # to each server, ten times a second

UNIXSOCK = """\
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
MUTED = """\
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
                          stderr=subprocess.PIPE, text=True, timeout=60)


def table(path, *options):
    """{first word: words} of the rows in order, and the heading."""
    done = top(path, "--once", *options)
    check.equal("exit code of --once " + " ".join(options), done.returncode, 0)
    lines = done.stdout.splitlines()
    check.true("no escape sequences in a pipe", "\033" not in done.stdout)
    return {line.split()[0]: line.split() for line in lines[2:]}, lines[1]


def document(path, *options):
    done = top(path, "--json", *options)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)["hosts"]


def group(host, name):
    return next(g for g in host["groups"] if g["group"] == name)


class Traffic(threading.Thread):
    """The same to every server, whatever becomes of it."""

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


def as_expected(path, expected):
    """The host, once its members in the group api have these verdicts."""
    host, = document(path, "--group", "api", "--threshold",
                     "retrans_percent=1,20")
    got = {m["member"]: m["verdict"] for m in group(host, "api")["members"]}
    return host if got == expected else None


def check_verdicts(path):
    expected = {WELL: "ok", LOSSY: "warning", DEAD: "bad"}
    host = poll(lambda: as_expected(path, expected), "verdicts %s" % expected)
    check.equal("groups", [g["group"] for g in host["groups"]], ["api"])
    members = group(host, "api")["members"]
    check.equal("members, the worst first", [m["member"] for m in members],
                [DEAD, LOSSY, WELL])
    check.equal("verdicts", [m["verdict"] for m in members],
                ["bad", "warning", "ok"])
    dead, lossy, well = members
    check.equal("why the one does not answer", [
        (r["metric"], r["value"], r["unit"]) for r in dead["reasons"]
        if r["verdict"] == "bad"], [("count-stalled", 100,
                                     "% of connections")])
    reason = next(r for r in lossy["reasons"]
                  if r["metric"].startswith("percent"))
    check.true("why the other one loses", reason["metric"] ==
               "percent-retrans_percent" and reason["threshold"] == 1 and
               reason["verdict"] == "warning" and reason["value"] ==
               lossy["metrics"][reason["metric"]]["value"], reason)
    check.equal("nothing against the third", well["reasons"], [])
    check.true("though it was judged", "percent-retrans_percent" in
               well["judged"], well["judged"])


def check_values(daemon, path):
    """What it shows is what collectd wrote for the same read."""
    host, = document(path)
    daemon.wait(lambda r: r[-1] > host["time"], "read")
    written = {("self" if k[0] == "self" else k[0], k[1] + "-" + k[2]): v
               for k, v in at(daemon.values(), host["time"]).items()}
    shown = {("self", s): m for s, m in host["self"].items()}
    for g in host["groups"]:
        parts = {g["group"]: g, g["group"] + "-other": g.get("other")}
        parts.update(("%s-%s" % (g["group"], m["member"]), m)
                     for m in g["members"])
        shown.update(((instance, s), m) for instance, part in parts.items()
                     if part for s, m in part["metrics"].items())
    check.true("all series of the read", set(shown) == set(written),
               sorted(set(shown) ^ set(written))[:9] or len(shown))
    rates = [k for k, m in shown.items() if m["unit"].endswith("/s")]
    check.true("rates are among them", len(rates) >= 20, len(rates))
    wrong = {k: (m["value"], written[k]) for k, m in shown.items()
             if k in written and k not in rates and
             # One has seven digits, the other one six behind the point.
             abs(m["value"] - written[k]) > 1e-6 * abs(written[k]) + 1e-6}
    check.true("gauges as collectd wrote them", not wrong, wrong or
               len(shown) - len(rates))


def check_rates(daemon, path):
    """bytes_sent a second, against the counter's growth in that read."""
    host, = document(path)
    now = host["time"]
    daemon.wait(lambda r: r[-1] > now, "read")
    rows = daemon.values("api")[("api", "total_bytes", "bytes_sent")]
    before, then = max((t, v) for t, v in rows if t < now)
    after = dict(rows)[now]
    rate = (after - then) / (now - before)
    check.equal("bytes sent a second", group(host, "api")["metrics"][
        "total_bytes-bytes_sent"]["value"], rate, 0.01 * rate)


def check_tables(path):
    rows, heading = table(path)
    check.equal("groups alone, the worst first", [r for r in rows
                                                  if r != "self:"],
                ["api", "quiet"])
    check.true("columns", all(part in heading for part in (
        "conns", "rtt p95", "queue p95", "retr/s", "retr %", "stalled",
        "net %", "idle %", "B/s out")), heading)
    check.true("no column without a value", "failed" not in heading and
               "accept" not in heading)
    check.equal("connections", rows["api"][2], str(sum(CONNECTIONS.values())))
    check.true("its own health", rows["self:"][1:3] == ["sockets", "6,"],
               " ".join(rows["self:"]))
    for sort, expected in (("health", [DEAD, LOSSY, WELL]),
                           ("connections", [LOSSY, DEAD, WELL]),
                           ("name", [WELL, LOSSY, DEAD]),
                           ("bytes_sent", [LOSSY, WELL, DEAD])):
        rows, _ = table(path, "--members", "--sort", sort)
        names = [r for r in rows if r.startswith("10.")]
        check.equal("sorted by " + sort, names, expected)
        check.equal("connections of each", {n: int(rows[n][2]) for n in names},
                    CONNECTIONS)


def check_colours(path):
    command = [TOP, "--socket", path, "--group", "api", "--once"]
    for environment, wanted in (({"TERM": "xterm", "NO_COLOR": ""}, True),
                                ({"TERM": "xterm", "NO_COLOR": "1"}, False),
                                ({"TERM": "dumb", "NO_COLOR": ""}, False)):
        text, code = terminal.on_terminal(command, **environment)
        check.equal("exit code on a terminal", code, 0)
        lines = {n: line for line in text.splitlines() for n in CONNECTIONS
                 if n in line}
        coloured = {n: "\033[33m" in line or "\033[1;31m" in line
                    for n, line in lines.items()}
        check.equal("coloured with %s" % environment, coloured,
                    {WELL: False, LOSSY: wanted, DEAD: wanted})
        check.equal("escape sequences at all", "\033" in text, wanted)
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
    refused("not allowed", top(path, "--once", before=NOBODY), 3,
            "no permission for %s, which is for user root" % path)
    refused("no such group", top(path, "--json", "--group", "nix"), 5,
            "there is api, quiet")
    refused("no such host", top(path, "--host", "nix"), 5, "there is h")
    other = os.path.join(folder, "other")
    with Collectd(UNIXSOCK % (own_modules(), other), plugin="uptime",
                  modules=own_modules()) as daemon:
        daemon.wait(len, "read")
        refused("without the plugin", top(other, "--json"), 4, "no values")
        check.equal("exit code", daemon.end(), 0)
    refused("nobody at the socket", top(other, "--json"), 3, other)


def put(path, lines):
    """What the network plugin would bring from other hosts."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        answers = s.makefile("r")
        for line in lines:
            s.sendall(("PUTVAL %s\n" % line).encode())
            answer = answers.readline()
            if not answer.startswith("0 "):
                raise RuntimeError(answer)


def both_hosts(path, values):
    """The hosts of the cache, once the first has so many values. collectd
    takes them in one by one and writes files meanwhile, for so long that what
    it knows of itself may expire."""
    hosts = document(path)
    got = sum(len(m["metrics"]) for g in hosts[0]["groups"]
              for m in g["members"])
    return hosts if len(hosts) == 2 and got == values else None


def check_hosts(path):
    now = time.time()
    series = ["count-x%d" % i for i in range(20)] + ["count-connections"]
    names = ["big/tcpinfo-web%s/%s" % (m, s) for s in series
             for m in ["", *("-m%d" % i for i in range(100))]]
    put(path, ("%s interval=30 %.3f:%d" % (n, now, i)
               for i, n in enumerate(names)))
    members = {n: i for i, n in enumerate(names) if "-m" in n}
    hosts = poll(lambda: both_hosts(path, len(members)), "all values", 60)
    check.equal("hosts", [h["host"] for h in hosts], ["big", "h"])
    got = {"big/tcpinfo-web-%s/%s" % (m["member"], s): v["value"]
           for m in group(hosts[0], "web")["members"]
           for s, v in m["metrics"].items()}
    check.true("thousands of values, each with its own name", got == members,
               len(got))
    check.equal("values of others are not mixed in",
                [g["group"] for g in hosts[1]["groups"]], ["api", "quiet"])
    hosts = document(path, "--host", "h")
    check.equal("one of them", [h["host"] for h in hosts], ["h"])
    done = top(path, "--once")
    rows = [line.split()[:2] for line in done.stdout.splitlines()[2:5]]
    check.equal("a table of all", sorted(rows),
                [["big", "web"], ["h", "api"], ["h", "quiet"]])


def check_screen(tmux, path):
    tmux.line("stty", "-g")
    settings = [line for line in tmux.until(":") if ":" in line][-1]
    tmux.line(TOP, "--socket", path, "--interval", "0.3", "--members",
              "--host", "h")
    lines = tmux.until("self:")
    check.say("\n".join(lines))
    check.true("the whole screen", lines[0].startswith("h  ") and
               lines[1].startswith("group") and settings not in lines)
    coloured = [line for line in tmux.screen(colours=True) if DEAD in line]
    check.true("in colours", coloured and "\033[" in coloured[0], coloured)
    heading = lines[1]
    for columns in (100, 60, 40):
        tmux.resize(columns, 24)
        # A column that went is where others were, or nothing is.
        poll(lambda: all(len(x) < columns for x in tmux.screen()), # pylint: disable=W0640
             "narrower table", 10)
        narrow = tmux.screen()[1]
        check.true("%d columns: whole headings" % columns,
                   heading.startswith(narrow) and
                   heading[len(narrow):][:1] in ("", " "), narrow)
    tmux.resize(180, 8)
    lines = tmux.until("more")
    check.true("8 lines: says what is left out", "... and 3 more" in lines and
               "self:" in lines[7], lines)
    tmux.resize(180, 30)
    tmux.until("more", gone=True)
    return settings


def check_end(tmux, settings):
    tmux.keys("C-c")
    lines = tmux.until("self:", gone=True)
    check.true("Ctrl-C: the terminal shows what it showed before",
               settings in lines and not any("self:" in x for x in lines),
               lines[:4])
    tmux.keys("c=$?; stty -g; echo code $c", "Enter")
    lines = tmux.until("code 0")
    # Behind a prompt, where the keys were faster than it.
    check.true("and is set as before", sum(x.endswith(settings) for x in lines)
               == 2 and "code 0" in lines, lines[3:6])


def check_restart(tmux, daemon, start):
    lines = tmux.until("last read", gone=True)
    check.equal("exit code", daemon.end(), 0)
    lines = tmux.until("was the last read: ")
    check.true("a daemon that ended is told",
               "was the last read: there is no socket" in lines[1], lines[1])
    check.true("what it said last stays", any(DEAD in x for x in lines))
    with start() as again:
        again.wait(lambda r: len(r) >= 2, "read")
        lines = tmux.until("was the last read", gone=True)
        check.true("a new one is found", lines[1].startswith("group") and
                   any(DEAD in x for x in lines), lines[:2])
        yield again


def reasons(path, wanted):
    """{group: {metric: (value, verdict)}}, once these are all."""
    got = {g["group"]: {r["metric"]: (round(r["value"]), r["verdict"])
                        for r in g["reasons"]}
           for g in document(path)[0]["groups"]}
    return got if {n: set(r) for n, r in got.items()} == wanted and all(
        r == (100, "bad") for g in got.values() for r in g.values()) else None


def check_mute(link, client, mute, path):
    """A peer that does not read, with the default metrics and with the one
    that tells more."""
    mute.listen(MUTE)
    with Collectd(MUTED + UNIXSOCK % (own_modules(), path),
                  link.client) as daemon:
        numbers = client.open(1, WELL, MUTE)
        daemon.wait(lambda r: len(r) >= 2, "read")
        client.send(numbers, SIZE)
        for name, paused, expected in (
                ("it reads", False, {"default": set(), "window": set()}),
                ("it does not", True, {
                    "default": {"percent-limited-receiver"},
                    "window": {"count-zero_window"}}),
                ("it reads again", False, {"default": set(),
                                           "window": set()})):
            mute.pause(paused)
            if paused:
                client.send(numbers, 64 << 20)
            found = poll(lambda: reasons(path, expected), # pylint: disable=W0640
                         "reasons %s" % expected)
            check.true(name, found is not None, found)
        check.equal("exit code", daemon.end(), 0)


def run(link, client, server, folder):
    for port in (PORT, QUIET):
        server.listen(port)
    path = os.path.join(folder, "socket")

    def start():
        return Collectd(BLOCK + UNIXSOCK % (own_modules(), path), link.client)

    with start() as daemon, Traffic(client):
        daemon.wait(lambda r: len(r) >= 2, "read")
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
