#!/usr/bin/env python3
"""Checks the rules for Prometheus with promtool: their syntax; that each alert
fires and each record is written when it should, and not otherwise
(rules.test.yml); and that prometheus-scrape.yml is valid."""

import os
import re
import subprocess
import sys
import tempfile

from backends import sandbox
from live import check

HERE = os.path.dirname(os.path.abspath(__file__))
RULES = ("prometheus-alerts.yml", "prometheus-records.yml")


def promtool(what, *words):
    done = subprocess.run(["promtool", *words], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    check.true("promtool: " + what, done.returncode == 0, done.stdout.strip()
               if done.returncode else "")


def main():
    check.need("promtool", root=False, namespaces=False, module=False)
    tests = os.path.join(HERE, "rules.test.yml")
    files = [sandbox.conf(n) for n in RULES]
    promtool("check rules", "check", "rules", *files)
    promtool("test rules", "test", "rules", tests)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "prometheus.yml")
        with open(path, "w", encoding="utf-8") as out:
            out.write("rule_files: %r\n" % files +
                      sandbox.conf_text("prometheus-scrape.yml"))
        promtool("check config", "check", "config", path)
    with open(tests, encoding="utf-8") as f:
        tested = f.read()
    names = re.findall(r"- (?:alert|record): (\S+)", "".join(
        map(sandbox.conf_text, RULES)))
    for name in names:
        # An alert needs a test in which it does not fire, too.
        least = 1 if ":" in name else 2
        check.true("%s has a unit test" % name, len(re.findall(
            r"(?:alertname|expr): %s\b" % re.escape(name), tested)) >= least)


sys.exit(check.main(main))
