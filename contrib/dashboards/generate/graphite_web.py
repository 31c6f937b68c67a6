"""A dashboard for graphite-web itself: the same panels, for all hosts and
groups, because graphite-web has no variables for them."""

import urllib.parse

from panels import TOTAL
from queries import Graphite

NAME = "tcpinfo"
SIZE = {"width": 600, "height": 300}
DEFAULT = {"from": "-1hours", "until": "now", **SIZE}


def targets(language, panel):
    """Returns the queries of a panel. Members are left out of the totals of
    groups by the "-" in their names."""
    out = []
    for series in panel.series:
        text = (language.query(series, "*", "tcpinfo-(self\\.|[^.]*-)")
                if series.scope == TOTAL else language.query(series))
        out.append(text.replace("$host", "*").replace("$group", "*"))
    return out


def graph(language, panel):
    queries = targets(language, panel)
    params = {"target": queries, "title": panel.title, "lineMode": "connected",
              "yMin": "0", "vtitle": {"s": "seconds", "percent": "%"}.get(
                  panel.unit, "")}
    if not params["vtitle"]:
        del params["vtitle"]
    ident = urllib.parse.urlencode({"target": queries}, doseq=True)
    return [ident, ident, params, "/render?" + urllib.parse.urlencode(
        {**params, **DEFAULT}, doseq=True)]


def dashboard(rows):
    language = Graphite()
    return {"name": NAME, "defaultGraphParams": DEFAULT, "graphSize": SIZE,
            "timeConfig": {"type": "relative", "relativeStartQuantity": "1",
                           "relativeStartUnits": "hours",
                           "relativeUntilQuantity": "",
                           "relativeUntilUnits": "now",
                           "startDate": "1970-01-01T00:00:00", "startTime":
                           "00:00", "endDate": "1970-01-01T00:00:00",
                           "endTime": "00:00"},
            "refreshConfig": {"enabled": True, "interval": 10000},
            "graphs": [graph(language, p) for row in rows for p in row.panels]}
