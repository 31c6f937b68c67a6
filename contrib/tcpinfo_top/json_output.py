"""Groups and members with values and verdicts as one JSON document, for
--json."""

import json
import time

from . import health, metric


def valid_text(name):
    """Replaces bytes that are not valid UTF-8: JSON cannot hold them."""
    return name.encode("utf-8", "replace").decode("utf-8")


def metrics(values):
    return {valid_text(s): {"value": v, "unit": metric.unit(s)}
            for s, v in sorted(values.items())}


def judged(row):
    v = row.verdict
    return {
        "verdict": health.VERDICTS[v.level],
        "reasons": [{"metric": f.series, "value": f.value, "unit": f.unit,
                     "threshold": f.limit,
                     "verdict": health.VERDICTS[f.level]} for f in v.findings],
        "judged": v.judged,
        "metrics": metrics(row.values),
    }


def member(row):
    return {"member": valid_text(row.member), **judged(row)}


def group(rows):
    out = {"group": valid_text(rows.total.group), **judged(rows.total),
           "members": [member(r) for r in rows.members]}
    if rows.other:
        out["other"] = judged(rows.other)
    if rows.worst:
        out["worst"] = [member(r) for r in rows.worst]
    return out


def host(h, groups):
    return {"host": valid_text(h.name), "time": round(h.time, 3),
            "age": round(time.time() - h.time, 3), "stale": h.dropped,
            "self": metrics(h.own), "groups": [group(g) for g in groups]}


def text(hosts, groups):
    """Returns the document. `groups` is [Rows] of all these hosts, in order."""
    return json.dumps({"time": round(time.time(), 3), "hosts": [
        host(h, [g for g in groups if g.total.host == h.name])
        for h in hosts]})
