"""A dashboard of graphite-web itself: the same panels, of all hosts and groups,
as it has no variables of this kind."""

import urllib.parse

from panels import TOTAL
from queries import Graphite

NAME = "tcpinfo"
SIZE = {"width": 600, "height": 300}
DEFAULT = {"from": "-1hours", "until": "now", **SIZE}


def targets(language, panel):
    """The totals of groups are those without a "-"."""
    out = []
    for show in panel.shows:
        text = (language.query(show, "*", "tcpinfo-(self\\.|[^.]*-)")
                if show.whose == TOTAL else language.query(show))
        out.append(text.replace("$host", "*").replace("$group", "*"))
    return out


def graph(language, panel):
    wanted = targets(language, panel)
    params = {"target": wanted, "title": panel.title, "lineMode": "connected",
              "yMin": "0", "vtitle": {"s": "seconds", "percent": "%"}.get(
                  panel.unit, "")}
    if not params["vtitle"]:
        del params["vtitle"]
    ident = urllib.parse.urlencode({"target": wanted}, doseq=True)
    return [ident, ident, params, "/render?" + urllib.parse.urlencode(
        {**params, **DEFAULT}, doseq=True)]


def board(rows):
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
