"""python3 contrib/dashboards/generate [FOLDER]: generates the dashboards from
panels.py, in contrib/dashboards/ or in another folder."""

import json
import os
import sys

import grafana
import graphite_web
from panels import DASHBOARDS, OVERVIEW
from queries import LANGUAGES


def files():
    """Returns {name of the file: dashboard}."""
    out = {"graphite-web.json": graphite_web.dashboard(OVERVIEW)}
    for language in LANGUAGES:
        for name, title, rows in DASHBOARDS:
            out["grafana-%s-%s.json" % (language.name, name)] = \
                grafana.dashboard(language, name, title, rows)
    return out


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(
        os.path.dirname(os.path.abspath(__file__)))
    for name, dashboard in files().items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
            json.dump(dashboard, out, indent=1)
            out.write("\n")


main()
