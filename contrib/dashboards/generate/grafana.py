"""Dashboards for Grafana 9 to 11; the import asks for the data source."""

HEIGHT = 8
LABELS = {"host": "Host", "group": "Group", "member": "Member"}


def source(language):
    return {"type": language.kind, "uid": "${DS}"}


def variable(language, name, several):
    query, regex = language.variables[name]
    return {"type": "query", "name": name, "label": LABELS[name],
            "datasource": source(language),
            "query": language.variable(query), "definition": query,
            "regex": regex, "refresh": 2, "sort": 1, "multi": several,
            "includeAll": several, "current": {}, "options": [], "hide": 0}


def thresholds(limits):
    """Returns the thresholds; without limits, a single green step replaces
    Grafana's default ones."""
    steps = [{"color": "green", "value": None}]
    steps += [{"color": c, "value": v} for c, v in zip(("orange", "red"),
                                                       limits)]
    return {"mode": "absolute", "steps": steps}


def field_config(panel):
    return {"defaults": {
        "unit": panel.unit, "min": 0, "color": {"mode": "palette-classic"},
        "thresholds": thresholds(panel.limits),
        "custom": {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 5,
                   "showPoints": "never", "spanNulls": False,
                   "thresholdsStyle": {"mode": "line" if panel.limits else
                                       "off"}}}, "overrides": []}


def graph(language, panel, number, x, y):
    targets = []
    for letter, series in zip("ABCDEFGH", panel.series):
        targets.append({"refId": letter, "datasource": source(language),
                        **language.target(series)})
    return {"type": "timeseries", "id": number, "title":
            panel.title if language.has_topk else panel.title.replace(
                "the highest ten", "all"),
            "description": panel.description, "datasource": source(language),
            "gridPos": {"h": HEIGHT, "w": panel.width, "x": x, "y": y},
            "fieldConfig": field_config(panel), "targets": targets,
            "options": {"tooltip": {"mode": "multi", "sort": "desc"},
                        "legend": {"displayMode": "table", "showLegend": True,
                                   "placement": "bottom", "sortBy": "Max",
                                   "sortDesc": True,
                                   "calcs": ["lastNotNull", "max"]}}}


def panels(language, rows):
    out, y = [], 0
    for row in rows:
        out.append({"type": "row", "id": len(out) + 1, "title": row.title,
                    "collapsed": False, "panels": [],
                    "gridPos": {"h": 1, "w": 24, "x": 0, "y": y}})
        x, y = 0, y + 1
        for panel in row.panels:
            if x + panel.width > 24:
                x, y = 0, y + HEIGHT
            out.append(graph(language, panel, len(out) + 1, x, y))
            x += panel.width
        y += HEIGHT
    return out


def dashboard(language, name, title, rows):
    one_group = name == "members"
    names = [("host", True), ("group", not one_group)]
    if one_group:
        names.append(("member", True))
    return {
        "__inputs": [{"name": "DS", "label": language.title,
                      "description": "The data source with collectd's values",
                      "type": "datasource", "pluginId": language.kind,
                      "pluginName": language.title}],
        "__requires": [
            {"type": "grafana", "id": "grafana", "name": "Grafana",
             "version": "9.0.0"},
            {"type": "datasource", "id": language.kind,
             "name": language.title, "version": "1.0.0"},
            {"type": "panel", "id": "timeseries", "name": "Time series",
             "version": ""}],
        "id": None, "uid": "tcpinfo-%s-%s" % (name, language.name),
        "title": title, "tags": ["collectd", "tcpinfo"], "schemaVersion": 36,
        "version": 1, "editable": True, "graphTooltip": 1, "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"}, "timezone": "",
        "annotations": {"list": []},
        "links": [{"type": "dashboards", "tags": ["tcpinfo"], "title": "tcpinfo",
                   "asDropdown": False, "includeVars": True, "keepTime": True,
                   "icon": "external link", "targetBlank": False,
                   "tooltip": "", "url": ""}],
        "templating": {"list": [variable(language, n, s) for n, s in names]},
        "panels": panels(language, rows)}
