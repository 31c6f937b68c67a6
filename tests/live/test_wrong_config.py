#!/usr/bin/env python3
"""With each configuration of tests/config/wrong.txt the real collectd does not
start (exit status 1), and its log has one line of the plugin, the expected one.
This checks what the daemon's own parser makes of the text as well."""

import os
import shutil
import subprocess
import tempfile

from live import check
from live.wait import LIMIT

PAIRS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                     "config", "wrong.txt")
LOG_HEAD = "tcpinfo: "

CONFIGURATION = """\
Hostname "h"
FQDNLookup false
BaseDir "{folder}"
PIDFile "{folder}/collectd.pid"
LoadPlugin logfile
<Plugin logfile>
  LogLevel info
  File "{folder}/log"
  Timestamp false
</Plugin>
PluginDir "{modules}"
LoadPlugin tcpinfo
<Plugin tcpinfo>
{block}</Plugin>
"""


def pairs():
    """[(text within <Plugin tcpinfo>, expected line)]"""
    out, block = [], ""
    with open(PAIRS, encoding="utf-8") as f:
        for line in f:
            if line.startswith("=> "):
                out.append((block, line[3:].rstrip("\n")))
                block = ""
            else:
                block += line
    return out


def run(folder, block):
    """Exit status (None: it did start, and was ended) and the log's lines."""
    conf, log = (os.path.join(folder, n) for n in ("collectd.conf", "log"))
    with open(conf, "w", encoding="utf-8") as f:
        f.write(CONFIGURATION.format(
            folder=folder, modules=os.environ["TCPINFO_MODULE_DIR"],
            block=block))
    env = dict(os.environ)
    if "TCPINFO_PRELOAD" in env: # a sanitizer's library
        env.update(LD_PRELOAD=env["TCPINFO_PRELOAD"],
                   ASAN_OPTIONS="detect_leaks=0")
    try:
        code = subprocess.run(["collectd", "-f", "-C", conf], check=False,
                              stdout=subprocess.DEVNULL, timeout=LIMIT, env=env,
                              stderr=subprocess.DEVNULL).returncode
    except subprocess.TimeoutExpired: # run() has killed it
        code = None
    lines = []
    if os.path.exists(log):
        with open(log, encoding="utf-8") as f:
            lines = f.read().splitlines()
        os.unlink(log)
    return code, lines


def main():
    check.need("collectd", root=False, namespaces=False)
    folder = tempfile.mkdtemp(prefix="tcpinfo-test-%d-" % os.getpid())
    try:
        for block, expected in pairs():
            code, lines = run(folder, block)
            ours = [line[line.index(LOG_HEAD) + len(LOG_HEAD):]
                    for line in lines if LOG_HEAD in line]
            check.equal("exit status and line", (code, ours),
                        (1, [expected]))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


check.main(main)
