#!/usr/bin/env python3
"""The rules for Prometheus by promtool: each is right by itself, and fires and
records when it should and not else (rules.test.yml); the part of prometheus.yml
is one."""

import os
import re
import subprocess
import sys
import tempfile

from ends import place
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
    files = [place.conf(n) for n in RULES]
    promtool("check rules", "check", "rules", *files)
    promtool("test rules", "test", "rules", tests)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "prometheus.yml")
        with open(path, "w", encoding="utf-8") as out:
            out.write("rule_files: %r\n" % files +
                      place.conf_text("prometheus-scrape.yml"))
        promtool("check config", "check", "config", path)
    with open(tests, encoding="utf-8") as f:
        tested = f.read()
    names = re.findall(r"- (?:alert|record): (\S+)", "".join(
        map(place.conf_text, RULES)))
    for name in names:
        # An alert has to be seen silent, too.
        least = 1 if ":" in name else 2
        check.true("%s: in the unit tests" % name, len(re.findall(
            r"(?:alertname|expr): %s\b" % re.escape(name), tested)) >= least)


sys.exit(check.main(main))
