"""What tcpinfo-top knows as one JSON document."""

import json
import time

from . import health, metric


def known(name):
    """Bytes that are no text, in names from elsewhere, are not JSON either."""
    return name.encode("utf-8", "replace").decode("utf-8")


def metrics(values):
    return {known(s): {"value": v, "unit": metric.unit(s)}
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
    return {"member": known(row.member), **judged(row)}


def group(rows):
    out = {"group": known(rows.total.group), **judged(rows.total),
           "members": [member(r) for r in rows.members]}
    if rows.other:
        out["other"] = judged(rows.other)
    if rows.worst:
        out["worst"] = [member(r) for r in rows.worst]
    return out


def host(h, groups):
    return {"host": known(h.name), "time": round(h.time, 3),
            "age": round(time.time() - h.time, 3), "stale": h.dropped,
            "self": metrics(h.own), "groups": [group(g) for g in groups]}


def text(hosts, groups):
    """`groups`: [Rows] of all these hosts, in order."""
    return json.dumps({"time": round(time.time(), 3), "hosts": [
        host(h, [g for g in groups if g.total.host == h.name])
        for h in hosts]})
