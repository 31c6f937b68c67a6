"""Every query of contrib/dashboards/, its variables filled in as Grafana does,
run against the back end that it is for."""

import json
import os
import re
import time

from live import check

from . import compare, place
from .traffic import LOSSY

FOLDER = os.path.join(place.TOP, "contrib", "dashboards")
GROUPS = ["all", "inbound", "outbound"]
# Their limits are those of the host's first network namespace, so collectd has no
# such values in another: without any in csv, none is right.
FIRST_NAMESPACE = ("host_orphans", "host_tcp_mem")


def load(name):
    return place.json_of(os.path.join(FOLDER, name))


def targets(board):
    """[(title of the panel, target)], wherever they stand."""
    return [(p["title"], t) for p in board["panels"]
            for t in p.get("targets", ())]


def fill(text, values, many):
    """`many` makes the text for several values of a variable."""
    for name, chosen in values.items():
        text = text.replace("$" + name, many(chosen))
    return text


class Prometheus:
    name = "prometheus"

    def __init__(self, end, start):
        self.end, self.start = end, start

    @staticmethod
    def many(values):
        """Escaped for a regex within a string."""
        values = [re.sub(r"([.\\|()*+?^${}\[\]])", r"\\\\\1", v)
                  for v in values]
        return values[0] if len(values) == 1 else "(%s)" % "|".join(values)

    def variable(self, query):
        selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)",
                                       query["query"]).groups()
        return sorted({s[label] for s in self.end.ask(
            "/api/v1/series", **{"match[]": self.fill(selector, self.values),
                                 "start": self.start})})

    def fill(self, text, values):
        return fill(text, values, self.many).replace("$__rate_interval", "5s")

    def points(self, target, values):
        """[[value]] of each series."""
        answer = self.end.ask(
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
        return [row[1] for s in self.end.query(self.fill(query, self.values))
                for row in s["values"]]

    def fill(self, text, values):
        return fill(text, values, self.many).replace(
            "$timeFilter", "time >= %dms" % (self.start * 1000)).replace(
                "$__interval", "2s")

    def points(self, target, values):
        return [[v for _, v in s["values"] if v is not None] for s in
                self.end.query(self.fill(target["query"], values))]


class Graphite(Prometheus):
    name = "graphite"

    @staticmethod
    def many(values):
        return values[0] if len(values) == 1 else "{%s}" % ",".join(values)

    def variable(self, query):
        return [n["text"] for n in self.end.find(self.fill(query,
                                                           self.values))]

    def fill(self, text, values):
        return fill(text, values, self.many)

    def points(self, target, values):
        return [[v for _, v in rows] for rows in self.end.render(
            self.fill(target["target"], values)).values()]


def choose(asker, board, group):
    """{variable: values}, each by its own query; `group` where one is chosen,
    all of the rest."""
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


def nowhere(daemon):
    """Values of FIRST_NAMESPACE that collectd does not have either."""
    here = {what for _, kind, what in daemon.values("self")
            if kind == "percent"}
    return [w for w in FIRST_NAMESPACE if w not in here]


def check_board(asker, name, absent):
    """Each query returns data in one of the groups at least, not all of it 0."""
    board = load("grafana-%s-%s.json" % (asker.name, name))
    got = [[] for _ in targets(board)]
    for group in ("outbound", "inbound") if name == "members" else (None,):
        values = choose(asker, board, group)
        check_variables(asker, values, group)
        for points, (_, target) in zip(got, targets(board)):
            points += asker.points(target, values)
    for points, (title, target) in zip(got, targets(board)):
        every = [v for rows in points for v in rows]
        what = "%s %s, %s: %s" % (asker.end.name, name, title, target["refId"])
        if any(w in json.dumps(target) for w in absent):
            check.true(what + ": none, like collectd here", not points)
            continue
        high = max(every, default=0)
        check.true(what, high > 0 and all(
            compare.is_number(v) and v >= 0 for v in every),
                   "%d series, %d points, up to %.4g" % (
                       len(points), len(every), high))


def check_graphite_web(end):
    """The dashboard is taken, given back as it was, and each graph drawn."""
    board = load("graphite-web.json")
    end.post("/dashboard/save/tcpinfo", state=json.dumps(board))
    check.true("graphite-web: keeps its dashboard", end.get(
        "/dashboard/load/tcpinfo")["state"] == board)
    for _, _, params, url in board["graphs"]:
        every = [v for rows in end.render(*params["target"]).values()
                 for _, v in rows]
        check.true("graphite-web, %s: data" % params["title"],
                   every and all(v >= 0 for v in every),
                   "%d points, up to %.4g" % (len(every), max(every,
                                                              default=0)))
        png = end.picture(url)
        check.true("graphite-web, %s: a picture" % params["title"],
                   png.startswith(b"\x89PNG") and len(png) > 3000,
                   "%d bytes" % len(png))


def check_all(filled, when):
    """Values until `when` are there."""
    askers = (("Prometheus", Prometheus), ("VictoriaMetrics", Prometheus),
              ("Graphite", Graphite), ("InfluxDB", InfluxDB))
    for name, kind in askers:
        end = filled.end(name)
        if end:
            check.say("--- dashboards for " + name)
            end.settle(when)
            for board in ("overview", "members"):
                check_board(kind(end, filled.began), board,
                            nowhere(filled.daemon))
    if filled.end("Graphite"):
        check_graphite_web(filled.end("Graphite"))
