#!/usr/bin/env python3
"""The table "The manual's promises" of doc/internals.md: each sentence is one of
the manual page, in the section that the table says, and each test exists."""

import os
import re
import shutil
import subprocess
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
PAGE = os.path.join(TOP, "doc", "collectd-tcpinfo.5")
INTERNALS = os.path.join(TOP, "doc", "internals.md")
LEAST = 50 # rows


def plain(text):
    """The words of a text: how it is wrapped and quoted does not matter."""
    return " ".join(re.sub("[\u201c\u201d\u2018\u2019\"'\x60]", "", text).split())


def sections(page):
    """{heading: words} of the page as people read it."""
    text = subprocess.run(["mandoc", "-Tascii", "-Owidth=200", page], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    text = re.sub(".\b", "", text) # bold and underlined
    parts = re.split("^([A-Z][A-Z ']+)$", text, flags=re.M)
    return {name: plain(body) for name, body in zip(parts[1::2], parts[2::2])}


def rows(text):
    """(heading, sentence, tests) of the table."""
    part = text.split("## The manual's promises\n")[1].split("\n## ")[0]
    heading = None
    for line in part.splitlines():
        if line.startswith("### "):
            heading = line[4:]
        columns = [c.strip() for c in line.strip("|").split("|")]
        if line.startswith("|") and len(columns) == 2 and columns[0] not in (
                "sentence", "---"):
            yield heading, columns[0], [t.strip() for t in columns[1].split(";")]


def source(test):
    """The text of a test that ctest knows by that name, or None."""
    name = test.partition(":")[0]
    if name == "live_oracle":
        path = os.path.join(TOP, "tests", "oracle", "run")
    elif name.startswith("live_"):
        path = os.path.join(TOP, "tests", "live", "test_%s.py" % name[5:])
    else:
        found = [os.path.join(folder, "test_%s.c" % name)
                 for folder, _, files in os.walk(os.path.join(TOP, "tests"))
                 if "test_%s.c" % name in files]
        path = found[0] if found else ""
    if not os.path.isfile(path):
        return None
    with open(path, encoding="utf-8") as f:
        return f.read()


def problems(page, internals):
    known = sections(page)
    with open(internals, encoding="utf-8") as f:
        table = list(rows(f.read()))
    if len(table) < LEAST:
        yield "only %d rows" % len(table)
    for heading, sentence, tests in table:
        if plain(sentence) not in known.get(heading, ""):
            yield "%s has no sentence that begins: %s" % (heading, sentence)
        for test in tests:
            text = source(test)
            function = test.partition(":")[2].strip()
            if text is None or (function and not re.search(
                    r"\b%s\(" % re.escape(function), text)):
                yield "no test %s" % test


def main():
    if shutil.which("mandoc") is None:
        print("skipped: no mandoc")
        return 77
    found = list(problems(PAGE, INTERNALS))
    for line in found:
        print(line)
    print("%d problems" % len(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
