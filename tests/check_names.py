#!/usr/bin/env python3
"""Checks names.

No struct, enum or union of plugin/ is defined in two files, and no identifier or
file name has a private word, for which the field has a better one.

usage: check_names.py [FOLDER]
"""

import os
import re
import sys

DEFINITION = re.compile(r"^\s*(?:typedef\s+|static\s+|const\s+)*"
                        r"((?:struct|enum|union)\s+\w+)\s*\{", re.MULTILINE)
WORD = re.compile(r"[A-Za-z_]\w*")
# In C, a comment or a text in quotes has no identifiers.
NO_CODE = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
                     re.DOTALL)
# Python: texts in three quotes, in quotes, and comments.
NO_PYTHON = re.compile(r'""".*?"""|"(?:\\.|[^"\\\n])*"|'
                       r"'(?:\\.|[^'\\\n])*'|#[^\n]*", re.DOTALL)

# The private word, and the name of today. A word also counts as a part of a name:
# ledger_new, old_roster, TestLedger.
PRIVATE = {
    "ledger": "connections", "roster": "key_table", "places": "membership",
    "cell": "accumulator", "cells": "accumulators", "mistake": "config_error",
    "closes": "close_policy", "subject": "socket_attrs", "pages": "buffer",
    "busiest": "top_k", "stranger": "unseen connection",
    "strangers": "unseen connections", "blank": "disconnected",
    "folded": "counted in other",
}
# As the first part of a name only: rows_free(), but not `rows`.
FIRST = {"rows": "socket_table"}

# Ordinary uses: {word: {file or folder: what the word means there}}.
ALLOWED = {
    "pages": {"tests/kernel/test_destroy_events_load.c": "of memory",
              "tests/kernel/test_proc_limits.c": "of memory",
              "tests/metric/test_accumulator.c": "of memory"},
    "blank": {"plugin/kernel/proc_snmp.c": "blanks between words"},
}

FOLDERS = ("plugin", "tests", "contrib", "doc")
SKIPPED = {"__pycache__", "check_names.py", "test_checks.py", "corpus", "data"}


def files(root):
    for folder in FOLDERS:
        for path, folders, names in os.walk(os.path.join(root, folder)):
            folders[:] = sorted(set(folders) - SKIPPED)
            for name in sorted(set(names) - SKIPPED):
                yield os.path.relpath(os.path.join(path, name), root)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8",
              errors="replace") as f:
        return f.read()


def is_python(path, text):
    return path.endswith(".py") or text.startswith("#!/usr/bin/env python3")


def code(path, text):
    """What can have identifiers, lines kept: of C and Python all but comments and
    texts in quotes, of other files the names with an underscore."""
    if path.endswith((".c", ".h")):
        pattern = NO_CODE
    elif is_python(path, text):
        pattern = NO_PYTHON
    else:
        return "\n".join(" ".join(re.findall(r"\w*[^\W_]_\w*", line))
                         for line in text.splitlines())
    return pattern.sub(lambda m: "\n" * m.group().count("\n"), text)


def private(name):
    """The private word in this name, or None."""
    parts = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower().strip("_")
    parts = parts.split("_")
    if len(parts) > 1 and parts[0] in FIRST:
        return parts[0]
    return next((p for p in parts if p in PRIVATE), None)


def inside(path, folders):
    return any(path == p or path.startswith(p + "/") for p in folders)


def is_problem(word, path):
    return word and not inside(path, ALLOWED.get(word, ()))


def private_words(root):
    for path in files(root):
        for part in path.split("/"):
            for name in WORD.findall(part):
                word = private(name)
                if is_problem(word, path):
                    yield "%s: the file name has the word %s" % (path, word)
        seen = set()
        for number, line in enumerate(
                code(path, read(root, path)).splitlines(), 1):
            for name in WORD.findall(line):
                word = private(name)
                if name not in seen and is_problem(word, path):
                    seen.add(name)
                    yield "%s:%d: %s: the word is %s today" % (
                        path, number, name,
                        PRIVATE.get(word) or FIRST[word])


def doubles(root):
    where = {}
    for path in files(root):
        if path.startswith("plugin/") and path.endswith((".c", ".h")):
            for name in DEFINITION.findall(code(path, read(root, path))):
                where.setdefault(" ".join(name.split()), []).append(path)
    for name, paths in sorted(where.items()):
        if len(paths) > 1:
            yield "%s is defined in %s" % (name, " and in ".join(paths))


def problems(root):
    return [*doubles(root), *private_words(root)]


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..")
    found = problems(root)
    for problem in found:
        print(problem)
    count = sum(1 for _ in files(root))
    print("%d files, %d problems" % (count, len(found)))
    return 1 if found or not count else 0


if __name__ == "__main__":
    sys.exit(main())
