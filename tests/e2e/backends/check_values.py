"""Compares a backend's values with the expected ones: all series, and single ones
in queries by name, group and member."""

from live import check

from . import compare, expected as expected_values
from .traffic import LOSSY

# Relative error of the sum of a backend's rates.
RATE_ERROR = 0.03


def check_backend(backend, daemon, when, programs):
    backend.settle(when)
    got = backend.series()
    truth = expected_values.of_collectd(daemon)
    compare.names(backend, truth, got)
    compare.sane(backend, got)
    # The values of the last reads may still arrive.
    samples(backend, truth, got, when - 2)
    check_groups_and_members(backend, truth)
    bytes_of_programs(backend, got, bytes_as_stored(backend, truth, programs))
    own_rates(backend, truth)


def samples(backend, truth, got, when):
    """Compares all samples; of RRD files, which store averages, only constant
    values."""
    if backend.name == "rrdtool":
        constant_values(backend, truth, got)
        return
    gauges = {k: r for k, r in truth.items() if k[1] not in compare.DERIVES}
    compare.every_sample(backend, gauges, got, "gauges", when)
    derives = {k: r for k, r in truth.items() if k not in gauges}
    if backend.raw:
        compare.every_sample(backend, derives, got, "counters", when)
    else:
        compare.every_sample(backend, {
            k: expected_values.rates(r) for k, r in derives.items()}, got,
                             "rates", when)


def constant_values(backend, truth, got):
    """Checks gauges that were constant for the last seconds: their average is the
    same value."""
    wrong, seen = [], 0
    for key, rows in truth.items():
        mine = got.get(key)
        # The file's last value is an average of some seconds, and older than
        # what collectd has written since.
        since = mine[-1][0] - backend.step - 1 if mine else 0
        last = {v for _, v in rows[-8:]} | {v for t, v in rows if t > since}
        if key[1] not in compare.DERIVES and len(last) == 1:
            seen += 1
            if not mine or not compare.close(mine[-1][1], rows[-1][1]):
                wrong.append((key, mine and mine[-1], rows[-1]))
    check.true("%s: %d constant gauges have the value that collectd wrote" % (
        backend.name, seen), seen > 50 and not wrong, wrong[:3] or "")


def check_groups_and_members(backend, truth):
    """Checks the queries for a group without its members, and for the members
    without their group."""
    for group, kind, what in (("outbound", "latency", "rtt-p95"),
                              ("inbound", "total_bytes", "bytes_sent"),
                              ("outbound", "percent", "retrans_percent")):
        total = backend.of_group(group, kind, what)
        check.equal("%s: %s of the group %s alone" % (backend.name, what, group),
                    sorted(total), [backend.encode((group, kind, what))])
        members = backend.of_members(group, kind, what)
        expected = sorted(backend.encode(k) for k in truth if k[1:] == (kind, what)
                          and k[0].startswith(group + "-"))
        check.true("%s: %s of its %d members alone" % (backend.name, what,
                                                       len(expected)),
                   sorted(members) == expected and len(expected) >= 2,
                   sorted(members) if sorted(members) != expected else "")
    name = LOSSY.replace(".", "_") if backend.name == "Graphite" else LOSSY
    lossy = backend.of_group("outbound-" + name, "percent", "retrans_percent")
    worst = max((v for rows in lossy.values() for _, v in rows), default=0)
    check.true("%s: retrans_percent of the peer with loss, by its name" %
               backend.name, worst > 10, "up to %.1f %%" % worst)


def growth_of(backend, rows):
    """Returns the growth of a counter, from its values or its rates."""
    if backend.raw:
        return compare.growth(rows)
    return sum(seconds * v for seconds, v in compare.spans(rows))


def bytes_as_stored(backend, truth, programs):
    """Returns the programs' bytes as the backend stores them. If its points are of
    whole seconds, two reads of a busy machine may be in the same second; then the
    backend does not store the first of them."""
    if not backend.whole_seconds:
        return programs

    def stored(who, what):
        rows = expected_values.rates(truth[who, "total_bytes", what])
        return sum(seconds * v for seconds, v in compare.spans(
            [(int(t + 0.5), v) for t, v in compare.last_of_seconds(rows)]))
    return {who: (stored(who, "bytes_sent") - stored(who, "bytes_retrans"),
                  stored(who, "bytes_received")) for who in programs}


def bytes_of_programs(backend, got, programs):
    """Compares counters with the bytes that the programs wrote and read: exactly
    if the backend stores counters, roughly if it stores rates."""
    for who, (wrote, read) in sorted(programs.items()):
        value = {m: growth_of(backend, got.get(backend.encode(
            (who, "total_bytes", m)), []))
                 for m in ("bytes_sent", "bytes_retrans", "bytes_received")}
        for what, number, expected in (
                ("bytes_sent less bytes_retrans",
                 value["bytes_sent"] - value["bytes_retrans"], wrote),
                ("bytes_received", value["bytes_received"], read)):
            check.equal("%s: %s %s" % (backend.name, who, what), number, expected,
                        0 if backend.raw else RATE_ERROR * expected)


def own_rates(backend, truth):
    """Checks the rates and the growth that the query language computes."""
    if not backend.raw:
        return
    for key in (("outbound", "total_bytes", "bytes_sent"),
                ("outbound-" + LOSSY, "packets", "retrans"),
                ("inbound", "total_bytes", "bytes_received")):
        rows = truth[key]
        got = backend.rates(key, rows[0][0], rows[-1][0])
        invalid = [r for r in got if not compare.is_number(r[1]) or r[1] < 0]
        check.true("%s: rate of %s %s: %d points, none NaN or negative" % (
            backend.name, key[0], key[2], len(got)), len(got) > 20 and not invalid,
                   invalid[:3] or "up to %.9g" % max(v for _, v in got))
        check.equal("%s: growth of %s %s" % (backend.name, key[0], key[2]),
                    backend.increase(key, rows[0][0], rows[-1][0]),
                    compare.growth(rows), backend.rough * compare.growth(rows))
