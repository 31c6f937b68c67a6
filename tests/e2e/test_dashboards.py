#!/usr/bin/env python3
"""The dashboard files are those that the generator writes, and Grafana can import
them. test_backends.py runs their queries."""

import itertools
import os
import re
import subprocess
import sys
import tempfile

from backends import dashboards
from live import check

GRAFANA = ["grafana-%s-%s.json" % pair for pair in itertools.product(
    ("prometheus", "influxdb", "graphite"), ("overview", "members"))]
# Variables of Grafana.
BUILT_IN = {"__rate_interval", "__interval", "timeFilter", "tag_host",
            "tag_instance"}


def read(path):
    with open(path, "rb") as f:
        return f.read()


def files_are_those_of_the_generator():
    """Checks that the committed files are those of the generator."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-B", os.path.join(
            dashboards.FOLDER, "generate"), folder], check=True)
        names = sorted(os.listdir(folder))
        check.equal("files", sorted(f for f in os.listdir(dashboards.FOLDER) if
                                    f.endswith(".json")), names)
        for name in names:
            check.true("%s is what the generator writes" % name, read(os.path.join(
                folder, name)) == read(os.path.join(dashboards.FOLDER, name)))


def strings(node):
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from strings(child)
    elif isinstance(node, str):
        yield node


def sources(node):
    """Yields the type and uid of every data source in the dashboard."""
    if isinstance(node, dict):
        if "datasource" in node:
            yield node["datasource"]["type"], node["datasource"]["uid"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from sources(child)


def grid_squares(panels):
    for p in panels:
        g = p["gridPos"]
        yield from itertools.product(range(g["x"], g["x"] + g["w"]),
                                     range(g["y"], g["y"] + g["h"]))


def dashboard_can_be_imported(name):
    board = dashboards.load(name)
    panels = board["panels"]
    check.true(name + ": has no id of its own, and a fixed uid",
               board["id"] is None and 0 < len(board["uid"]) <= 40,
               board["uid"])
    asked = [i["name"] for i in board["__inputs"] if i["type"] == "datasource"]
    used = set(sources(board))
    check.equal(name + ": data sources, and the one that the import asks for",
                used,
                {(board["__inputs"][0]["pluginId"], "${%s}" % asked[0])})
    ids = [p["id"] for p in panels]
    check.true(name + ": panels have different ids", len(set(ids)) == len(ids))
    taken = list(grid_squares(panels))
    check.true(name + ": panels lie side by side within the page",
               len(set(taken)) == len(taken) and
               all(x < 24 for x, _ in taken), "%d panels" % len(panels))
    check.true(name + ": targets have different refIds", all(
        len({t["refId"] for t in p["targets"]}) == len(p["targets"]) > 0
        for p in panels if p["type"] != "row"))
    known = {v["name"] for v in board["templating"]["list"]} | BUILT_IN
    named = {v for s in strings(board) for v in re.findall(r"\$(\w+)", s)}
    check.equal(name + ": undefined variables", sorted(
        named - known), [])


def main():
    check.need(root=False, namespaces=False, module=False)
    files_are_those_of_the_generator()
    for name in GRAFANA:
        dashboard_can_be_imported(name)
    check.equal("different uids of the files", len({dashboards.load(n)["uid"]
                                                      for n in GRAFANA}),
                len(GRAFANA))


sys.exit(check.main(main))
