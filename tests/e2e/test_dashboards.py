#!/usr/bin/env python3
"""The dashboards as files: what the generator makes of its table, and of the shape
that Grafana imports. What their queries return, test_backends.py says."""

import itertools
import os
import re
import subprocess
import sys
import tempfile

from ends import boards
from live import check

GRAFANA = ["grafana-%s-%s.json" % pair for pair in itertools.product(
    ("prometheus", "influxdb", "graphite"), ("overview", "members"))]
# Grafana's own.
BUILT_IN = {"__rate_interval", "__interval", "timeFilter", "tag_host",
            "tag_instance"}


def read(path):
    with open(path, "rb") as f:
        return f.read()


def files_are_as_generated():
    """The committed files are the generator's, and there is no other."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-B", os.path.join(
            boards.FOLDER, "generate"), folder], check=True)
        made = sorted(os.listdir(folder))
        check.equal("files", sorted(f for f in os.listdir(boards.FOLDER) if
                                    f.endswith(".json")), made)
        for name in made:
            check.true("%s is as generated" % name, read(os.path.join(
                folder, name)) == read(os.path.join(boards.FOLDER, name)))


def strings(node):
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from strings(child)
    elif isinstance(node, str):
        yield node


def sources(node):
    """Every data source that is named in it."""
    if isinstance(node, dict):
        if "datasource" in node:
            yield node["datasource"]["type"], node["datasource"]["uid"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from sources(child)


def squares(panels):
    for p in panels:
        g = p["gridPos"]
        yield from itertools.product(range(g["x"], g["x"] + g["w"]),
                                     range(g["y"], g["y"] + g["h"]))


def dashboard_can_be_imported(name):
    board = boards.load(name)
    panels = board["panels"]
    check.true(name + ": has no id of its own, and a fixed uid",
               board["id"] is None and 0 < len(board["uid"]) <= 40,
               board["uid"])
    asked = [i["name"] for i in board["__inputs"] if i["type"] == "datasource"]
    used = set(sources(board))
    check.equal(name + ": its sources are the one that import asks for", used,
                {(board["__inputs"][0]["pluginId"], "${%s}" % asked[0])})
    ids = [p["id"] for p in panels]
    check.true(name + ": panels have different ids", len(set(ids)) == len(ids))
    taken = list(squares(panels))
    check.true(name + ": panels lie side by side within the page",
               len(set(taken)) == len(taken) and
               all(x < 24 for x, _ in taken), "%d panels" % len(panels))
    check.true(name + ": targets have different refIds", all(
        len({t["refId"] for t in p["targets"]}) == len(p["targets"]) > 0
        for p in panels if p["type"] != "row"))
    known = {v["name"] for v in board["templating"]["list"]} | BUILT_IN
    named = {v for s in strings(board) for v in re.findall(r"\$(\w+)", s)}
    check.equal(name + ": variables that nobody defines", sorted(
        named - known), [])


def main():
    check.need(root=False, namespaces=False, module=False)
    files_are_as_generated()
    for name in GRAFANA:
        dashboard_can_be_imported(name)
    check.equal("files with a uid of their own", len({boards.load(n)["uid"]
                                                      for n in GRAFANA}),
                len(GRAFANA))


sys.exit(check.main(main))
