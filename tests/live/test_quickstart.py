#!/usr/bin/env python3
"""contrib/quickstart in a copy of the checkout, in a network namespace with some
traffic: it builds, shows values, ends after --seconds and at SIGINT, and writes
to its own folder only."""

import os
import shutil
import signal
import subprocess
import tempfile
import time

from live import check, netns, terminal
from live.traffic import Agents

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
PORT = 9000
LIMIT = 120 # seconds to wait for a condition; the machine may be busy
BUILD_LIMIT = 600 # seconds, with the build
# collectd's default folders.
DEFAULT_FOLDERS = ("/var/lib/collectd", "/etc/collectd")
PACKAGES = ("collectd-core", "collectd-dev", "libmnl-dev", "cmake", "gcc",
            "libc6-dev", "make", "pkg-config", "python3")


def copy(to):
    """Copies the files of the checkout, without those that are built."""
    shutil.copytree(TOP, to, symlinks=True, ignore=lambda folder, names: [
        n for n in names if n in (".git", "__pycache__") or
        folder == TOP and (n.startswith("build") or n == "quickstart")])


def tree(top):
    """Returns {path: (size, time)} of all files and folders in `top`."""
    out = {}
    for folder, _, files in os.walk(top):
        out[folder] = None
        for name in files:
            path = os.path.join(folder, name)
            try:
                st = os.lstat(path)
            except OSError: # removed in the meantime
                continue
            out[path] = (st.st_size, st.st_mtime_ns)
    return out


def running(folder):
    """Returns the ids of processes with `folder` in their command line."""
    out = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                if folder.encode() in f.read():
                    out.append(pid)
        except OSError:
            pass
    return out


def start(namespace, folder, *options):
    return subprocess.Popen(
        ["ip", "netns", "exec", namespace,
         os.path.join(folder, "contrib", "quickstart"), *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def check_table(text, port_connections):
    check.true("an explanation of the columns", "Look at" in text)
    heading = [l for l in text.splitlines() if l.split()[:1] == ["group"]]
    check.true("a heading", heading, heading[:1])
    rows = [l for l in text.splitlines() if l.startswith("all ")]
    check.true("rows of the group all", len(rows) >= 3, len(rows))
    check.equal("connections in the last row", rows[-1].split()[2],
                str(port_connections))
    check.true("round trips and rates shown", any(
        " us " in l or " ms " in l for l in rows))


def check_end_after_seconds(namespace, folder, connections):
    for seconds in 8, LIMIT: # the longer time if the machine is too busy
        p = start(namespace, folder, "--seconds", str(seconds), "--interval",
                  "1")
        text = p.communicate(timeout=BUILD_LIMIT)[0]
        if p.returncode or text.count("\nall ") >= 3:
            break
    check.say(text)
    check.equal("exit code after --seconds", p.returncode, 0)
    check_table(text, connections)
    values = [f for f in tree(os.path.join(folder, "quickstart", "csv"))
              if "tcpinfo-all" in f and "connections" in f]
    check.true("CSV files in the folder that is printed", values and
               os.path.join(folder, "quickstart", "csv") in text, len(values))
    check.equal("processes left", running(folder), [])


def check_end_at_sigint(namespace, folder):
    conf = os.path.join(folder, "own.conf")
    with open(conf, "w", encoding="ascii") as f:
        f.write('<Plugin tcpinfo>\n<Group "mine">\nRemotePort %d\n'
                'By "remote-address"\n</Group>\n</Plugin>\n' % PORT)
    p = start(namespace, folder, "--interval", "1", "--config", conf)
    text, end = "", time.time() + BUILD_LIMIT
    while "\n  10.99" not in text and time.time() < end:
        line = p.stdout.readline()
        if not line:
            break
        text += line
    p.send_signal(signal.SIGINT)
    text += p.communicate(timeout=LIMIT)[0]
    os.unlink(conf)
    check.say(text)
    check.true("group and members of the given configuration",
               "\nmine " in text and "\n  10.99.0.2 " in text)
    check.equal("exit code at SIGINT", p.returncode, 0)
    check.true("the folder of the values is printed", "Stopped." in text)
    check.equal("processes left", running(folder), [])


def check_terminal(namespace, folder):
    with terminal.Tmux(140, 30, TERM="xterm-256color") as tmux:
        tmux.line("ip", "netns", "exec", namespace, os.path.join(
            folder, "contrib", "quickstart"), "--interval", "1")
        lines = tmux.until("B/s out", BUILD_LIMIT)
        check.say("\n".join(lines))
        check.true("the table uses the whole terminal", lines[1].startswith(
            "group") and lines[2].startswith("all "))
        tmux.keys("C-c")
        lines = tmux.until("Stopped. ", LIMIT)
        check.true("Ctrl-C restores the terminal, and the folder of the values "
                   "is printed", any("Look at" in x for x in lines) and
                   any(x.startswith("Stopped. ") for x in lines) and
                   not any("B/s out" in x or "Traceback" in x
                           for x in lines), lines)
        tmux.keys("echo code $?", "Enter")
        check.true("exit code 0", any(x.endswith("code 0")
                                      for x in tmux.until("code 0",
                                                           LIMIT)))
    check.equal("processes left", running(folder), [])


def check_wrong_options(namespace, folder):
    conf = os.path.join(folder, "wrong.conf")
    with open(conf, "w", encoding="ascii") as f:
        f.write("<Plugin tcpinfo>\nNoSuchOption 1\n</Plugin>\n")
    for options, part in ((("--interval", "no"), "--interval"),
                          (("--nonsense",), "--nonsense"),
                          (("--config", conf), "NoSuchOption")):
        p = start(namespace, folder, *options)
        text = p.communicate(timeout=BUILD_LIMIT)[0]
        check.true("%s: refused" % " ".join(options), p.returncode == 1 and
                   part in text, text.splitlines()[-1:])
    os.unlink(conf)
    p = start(namespace, folder, "--help")
    check.true("--help", "Usage:" in p.communicate()[0] and p.returncode == 0)


def installed():
    return subprocess.run(
        ["dpkg-query", "-W", *PACKAGES], check=False,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def run(link, client, server):
    server.listen(PORT, echo=True)
    numbers = (client.open(3, netns.SERVER4, PORT) +
               client.open(2, netns.SERVER6, PORT))
    client.pingpong(numbers, 10 ** 9, 100)
    with tempfile.TemporaryDirectory(prefix=netns.PREFIX + "%d-" %
                                     os.getpid()) as top:
        folder = os.path.join(top, "checkout")
        copy(folder)
        os.mkdir(os.path.join(top, "home"))
        os.environ["HOME"] = os.path.join(top, "home")
        before = tree(folder)
        outside = {p: tree(p) for p in DEFAULT_FOLDERS}
        check_end_after_seconds(link.client, folder, len(numbers))
        check_end_at_sigint(link.client, folder)
        check_terminal(link.client, folder)
        check_wrong_options(link.client, folder)
        own = os.path.join(folder, "quickstart")
        after = {k: v for k, v in tree(folder).items()
                 if not k.startswith(own)}
        check.true("the checkout is unchanged, except quickstart/ (%d files)"
                   % len(before), after == before,
                   sorted(set(after) ^ set(before))[:5] or "")
        check.equal("files in the home folder", os.listdir(
            os.environ["HOME"]), [])
        for path, files in outside.items():
            check.true("unchanged: " + path, tree(path) == files)


def main():
    check.need("ip", "ethtool", "collectd", "cmake", "gcc", "make", "tmux",
               module=False)
    if not installed():
        check.skip("quickstart would have to install packages here")
    with netns.Link() as link, Agents(link) as (client, server, _):
        run(link, client, server)


check.main(main)
