"""python3 contrib/dashboards/generate [FOLDER]: writes the dashboards of
contrib/dashboards/ anew from panels.py, or into another folder."""

import json
import os
import sys

import grafana
import graphite_web
from panels import BOARDS, OVERVIEW
from queries import LANGUAGES


def files():
    """{name: dashboard}"""
    out = {"graphite-web.json": graphite_web.board(OVERVIEW)}
    for language in LANGUAGES:
        for name, title, rows in BOARDS:
            out["grafana-%s-%s.json" % (language.name, name)] = grafana.board(
                language, name, title, rows)
    return out


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(
        os.path.dirname(os.path.abspath(__file__)))
    for name, made in files().items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
            json.dump(made, out, indent=1)
            out.write("\n")


main()
