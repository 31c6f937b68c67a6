#!/usr/bin/env python3
"""contrib/quickstart in a copy of the checkout, in a namespace with some
traffic: it builds, shows values, ends by itself and at SIGINT, and leaves
nothing behind outside of its own folder."""

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
# Where a collectd that is configured badly would write.
ELSEWHERE = ("/var/lib/collectd", "/etc/collectd")
PACKAGES = ("collectd-core", "collectd-dev", "libmnl-dev", "cmake", "gcc",
            "libc6-dev", "make", "pkg-config", "python3")


def copy(to):
    """The files of the checkout as they stand, without what is built."""
    shutil.copytree(TOP, to, symlinks=True, ignore=lambda folder, names: [
        n for n in names if n in (".git", "__pycache__") or
        folder == TOP and (n.startswith("build") or n == "quickstart")])


def tree(top):
    """{path: (size, time)} of all files and folders below."""
    out = {}
    for folder, _, files in os.walk(top):
        out[folder] = None
        for name in files:
            path = os.path.join(folder, name)
            try:
                st = os.lstat(path)
            except OSError: # gone meanwhile
                continue
            out[path] = (st.st_size, st.st_mtime_ns)
    return out


def left_behind(folder):
    """Processes that have anything of the copy in their command line."""
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
    check.true("says what to look at", "Look at" in text)
    heading = [l for l in text.splitlines() if l.split()[:1] == ["group"]]
    check.true("a heading", heading, heading[:1])
    rows = [l for l in text.splitlines() if l.startswith("all ")]
    check.true("rows of the group all", len(rows) >= 3, len(rows))
    check.equal("connections in the last row", rows[-1].split()[2],
                str(port_connections))
    check.true("round trips and rates shown", any(
        " us " in l or " ms " in l for l in rows))


def by_itself(namespace, folder, connections):
    p = start(namespace, folder, "--seconds", "8", "--interval", "1")
    text = p.communicate(timeout=300)[0]
    check.say(text)
    check.equal("exit code by itself", p.returncode, 0)
    check_table(text, connections)
    values = [f for f in tree(os.path.join(folder, "quickstart", "csv"))
              if "tcpinfo-all" in f and "connections" in f]
    check.true("values as CSV in the folder that it names", values and
               os.path.join(folder, "quickstart", "csv") in text, len(values))
    check.equal("processes left", left_behind(folder), [])


def interrupted(namespace, folder):
    conf = os.path.join(folder, "own.conf")
    with open(conf, "w", encoding="ascii") as f:
        f.write('<Plugin tcpinfo>\n<Group "mine">\nRemotePort %d\n'
                'By "remote-address"\n</Group>\n</Plugin>\n' % PORT)
    p = start(namespace, folder, "--interval", "1", "--config", conf)
    text, end = "", time.time() + 300
    while "\n  10.99" not in text and time.time() < end:
        line = p.stdout.readline()
        if not line:
            break
        text += line
    p.send_signal(signal.SIGINT)
    text += p.communicate(timeout=60)[0]
    os.unlink(conf)
    check.say(text)
    check.true("group and members of an own configuration",
               "\nmine " in text and "\n  10.99.0.2 " in text)
    check.equal("exit code at SIGINT", p.returncode, 0)
    check.true("says where the values are", "Stopped." in text)
    check.equal("processes left", left_behind(folder), [])


def on_a_terminal(namespace, folder):
    with terminal.Tmux(140, 30, TERM="xterm-256color") as tmux:
        tmux.line("ip", "netns", "exec", namespace, os.path.join(
            folder, "contrib", "quickstart"), "--interval", "1")
        lines = tmux.until("B/s out", 170)
        check.say("\n".join(lines))
        check.true("the table has the whole terminal", lines[1].startswith(
            "group") and lines[2].startswith("all "))
        tmux.keys("C-c")
        lines = tmux.until("Stopped. ", 60)
        check.true("Ctrl-C: what was there before is back, and where the "
                   "values are", any("Look at" in x for x in lines) and
                   any(x.startswith("Stopped. ") for x in lines) and
                   not any("B/s out" in x or "Traceback" in x
                           for x in lines), lines)
        tmux.keys("echo code $?", "Enter")
        check.true("exit code 0", any(x.endswith("code 0")
                                      for x in tmux.until("code 0")))
    check.equal("processes left", left_behind(folder), [])


def mistakes(namespace, folder):
    conf = os.path.join(folder, "bad.conf")
    with open(conf, "w", encoding="ascii") as f:
        f.write("<Plugin tcpinfo>\nNoSuchOption 1\n</Plugin>\n")
    for options, part in ((("--interval", "no"), "--interval"),
                          (("--what",), "--what"),
                          (("--config", conf), "NoSuchOption")):
        p = start(namespace, folder, *options)
        text = p.communicate(timeout=300)[0]
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
        outside = {p: tree(p) for p in ELSEWHERE}
        by_itself(link.client, folder, len(numbers))
        interrupted(link.client, folder)
        on_a_terminal(link.client, folder)
        mistakes(link.client, folder)
        own = os.path.join(folder, "quickstart")
        after = {k: v for k, v in tree(folder).items()
                 if not k.startswith(own)}
        check.true("the checkout is as before, but for quickstart/ (%d files)"
                   % len(before), after == before,
                   sorted(set(after) ^ set(before))[:5] or "")
        check.equal("and so is the home folder", os.listdir(
            os.environ["HOME"]), [])
        for path, files in outside.items():
            check.true("and so is " + path, tree(path) == files)


def main():
    check.need("ip", "ethtool", "collectd", "cmake", "gcc", "make", "tmux",
               module=False)
    if not installed():
        check.skip("quickstart would have to install packages here")
    with netns.Link() as link, Agents(link) as (client, server, _):
        run(link, client, server)


check.main(main)
