"""Runs every query of contrib/dashboards/ against its backend, with the variables
filled in as Grafana does."""

import json
import os
import re
import time

from live import check

from . import compare, sandbox
from .traffic import LOSSY

FOLDER = os.path.join(sandbox.TOP, "contrib", "dashboards")
GROUPS = ["all", "inbound", "outbound"]
# Their limits are those of the first network namespace, so the plugin does not
# report them in another one. If csv has no such values, a query must have none.
FIRST_NAMESPACE = ("host_orphans", "host_tcp_mem")


def load(name):
    return sandbox.json_of(os.path.join(FOLDER, name))


def targets(board):
    """Returns [(title of the panel, target)] of all panels."""
    return [(p["title"], t) for p in board["panels"]
            for t in p.get("targets", ())]


def fill(text, values, many):
    """Fills {variable: chosen values} into a query; `many` converts several values
    of a variable to text."""
    for name, chosen in values.items():
        text = text.replace("$" + name, many(chosen))
    return text


class Prometheus:
    name = "prometheus"

    def __init__(self, backend, start):
        self.backend, self.start = backend, start

    @staticmethod
    def many(values):
        """Escapes the values for a regular expression in a string."""
        values = [re.sub(r"([.\\|()*+?^${}\[\]])", r"\\\\\1", v)
                  for v in values]
        return values[0] if len(values) == 1 else "(%s)" % "|".join(values)

    def variable(self, query):
        selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)",
                                       query["query"]).groups()
        return sorted({s[label] for s in self.backend.ask(
            "/api/v1/series", **{"match[]": self.fill(selector, self.values),
                                 "start": self.start})})

    def fill(self, text, values):
        return fill(text, values, self.many).replace("$__rate_interval", "5s")

    def points(self, target, values):
        """Returns [[value]] of each series."""
        answer = self.backend.ask(
            "/api/v1/query_range", query=self.fill(target["expr"], values),
            start=self.start, end=time.time(), step="1s")["result"]
        return [[float(v) for _, v in s["values"]] for s in answer]


class InfluxDB(Prometheus):
    name = "influxdb"

    @staticmethod
    def many(values):
        values = [re.sub(r"([.\\|()*+?^${}\[\]/])", r"\\\1", v)
                  for v in values]
        return values[0] if len(values) == 1 else "(%s)" % "|".join(values)

    def variable(self, query):
        return [row[1] for s in self.backend.query(self.fill(query, self.values))
                for row in s["values"]]

    def fill(self, text, values):
        return fill(text, values, self.many).replace(
            "$timeFilter", "time >= %dms" % (self.start * 1000)).replace(
                "$__interval", "2s")

    def points(self, target, values):
        return [[v for _, v in s["values"] if v is not None] for s in
                self.backend.query(self.fill(target["query"], values))]


class Graphite(Prometheus):
    name = "graphite"

    @staticmethod
    def many(values):
        return values[0] if len(values) == 1 else "{%s}" % ",".join(values)

    def variable(self, query):
        return [n["text"] for n in self.backend.find(self.fill(
            query, self.values))]

    def fill(self, text, values):
        return fill(text, values, self.many)

    def points(self, target, values):
        return [[v for _, v in rows] for rows in self.backend.render(
            self.fill(target["target"], values)).values()]


def choose(asker, board, group):
    """Returns {variable: values} as the variables' own queries return them. If
    `group` is not None, only that group is chosen."""
    asker.values = {}
    for v in board["templating"]["list"]:
        found = asker.variable(v["query"])
        if v["regex"]:
            found = [m.group(1) for m in map(re.compile(
                v["regex"].strip("/")).search, found) if m]
        found = sorted(set(found))
        if v["name"] == "group" and group:
            check.true("its variable group has %s" % group, group in found)
            found = [group]
        asker.values[v["name"]] = found
    return asker.values


def check_variables(asker, values, group):
    check.equal("its variable host", values["host"], ["h"])
    if not group:
        check.equal("its variable group", values["group"], GROUPS)
    elif group == "outbound":
        name = LOSSY.replace(".", "_") if asker.name == "graphite" else LOSSY
        check.true("its variable member has %s" % name,
                   name in values["member"], values["member"])


def not_reported(daemon):
    """Returns the values of FIRST_NAMESPACE that collectd does not have."""
    here = {what for _, kind, what in daemon.values("self")
            if kind == "percent"}
    return [w for w in FIRST_NAMESPACE if w not in here]


def check_board(asker, name, absent):
    """Checks that each query returns data for at least one of the groups, and
    that not all of it is 0."""
    board = load("grafana-%s-%s.json" % (asker.name, name))
    got = [[] for _ in targets(board)]
    for group in ("outbound", "inbound") if name == "members" else (None,):
        values = choose(asker, board, group)
        check_variables(asker, values, group)
        for points, (_, target) in zip(got, targets(board)):
            points += asker.points(target, values)
    for points, (title, target) in zip(got, targets(board)):
        every = [v for rows in points for v in rows]
        what = "%s %s, %s: %s" % (asker.backend.name, name, title, target["refId"])
        if any(w in json.dumps(target) for w in absent):
            check.true(what + ": no values, as in collectd", not points)
            continue
        high = max(every, default=0)
        check.true(what, high > 0 and all(
            compare.is_number(v) and v >= 0 for v in every),
                   "%d series, %d points, up to %.4g" % (
                       len(points), len(every), high))


def check_graphite_web(backend):
    """Checks that graphite-web stores the dashboard unchanged and draws each of
    its graphs."""
    board = load("graphite-web.json")
    backend.post("/dashboard/save/tcpinfo", state=json.dumps(board))
    check.true("graphite-web stores the dashboard", backend.get(
        "/dashboard/load/tcpinfo")["state"] == board)
    for _, _, params, url in board["graphs"]:
        every = [v for rows in backend.render(*params["target"]).values()
                 for _, v in rows]
        check.true("graphite-web, %s: data" % params["title"],
                   every and all(v >= 0 for v in every),
                   "%d points, up to %.4g" % (len(every), max(every,
                                                              default=0)))
        png = backend.picture(url)
        check.true("graphite-web, %s: a picture" % params["title"],
                   png.startswith(b"\x89PNG") and len(png) > 3000,
                   "%d bytes" % len(png))


def check_all(setup, when):
    """Checks all dashboards, with the values until `when`."""
    askers = (("Prometheus", Prometheus), ("VictoriaMetrics", Prometheus),
              ("Graphite", Graphite), ("InfluxDB", InfluxDB))
    for name, kind in askers:
        backend = setup.backend(name)
        if backend:
            check.say("--- dashboards for " + name)
            backend.settle(when)
            for board in ("overview", "members"):
                check_board(kind(backend, setup.began), board,
                            not_reported(setup.daemon))
    if setup.backend("Graphite"):
        check_graphite_web(setup.backend("Graphite"))
