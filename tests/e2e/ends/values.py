"""Compares what a back end says of all series, and of single ones if it is asked
for them by name, group and member as a person would."""

from live import check

from . import compare, truth as true_values
from .traffic import LOSSY

# The share by which the sum of rates over seconds may differ.
ROUGH = 0.03


def check_end(end, daemon, when, programs):
    end.settle(when)
    got = end.series()
    truth = true_values.of_collectd(daemon)
    compare.names(end, truth, got)
    compare.sane(end, got)
    # One read may still be on its way.
    samples(end, truth, got, when - 2)
    separable(end, truth)
    bytes_of_programs(end, got, as_kept(end, truth, programs))
    own_rates(end, truth)


def samples(end, truth, got, when):
    """Each of them, but where RRD files have made averages of them."""
    if end.name == "rrdtool":
        standing(end, truth, got)
        return
    gauges = {k: r for k, r in truth.items() if k[1] not in compare.DERIVES}
    compare.every_sample(end, gauges, got, "gauges", when)
    derives = {k: r for k, r in truth.items() if k not in gauges}
    if end.raw:
        compare.every_sample(end, derives, got, "counters", when)
    else:
        compare.every_sample(end, {k: true_values.rates(r) for k, r in
                                   derives.items()}, got, "rates",
                             when)


def standing(end, truth, got):
    """A value that did not change for the last seconds is the same on average."""
    wrong, seen = [], 0
    for key, rows in truth.items():
        mine = got.get(key)
        # The file's last value is an average of some seconds, and older than
        # what collectd has written since.
        since = mine[-1][0] - end.step - 1 if mine else 0
        last = {v for _, v in rows[-8:]} | {v for t, v in rows if t > since}
        if key[1] not in compare.DERIVES and len(last) == 1:
            seen += 1
            if not mine or not compare.close(mine[-1][1], rows[-1][1]):
                wrong.append((key, mine and mine[-1], rows[-1]))
    check.true("%s: %d gauges that stand are what collectd wrote last" % (
        end.name, seen), seen > 50 and not wrong, wrong[:3] or "")


def separable(end, truth):
    """A group without its members, and its members without it, by the query
    that says so."""
    for group, kind, what in (("outbound", "latency", "rtt-p95"),
                              ("inbound", "total_bytes", "bytes_sent"),
                              ("outbound", "percent", "retrans_percent")):
        total = end.of_group(group, kind, what)
        check.equal("%s: %s of the group %s alone" % (end.name, what, group),
                    sorted(total), [end.encode((group, kind, what))])
        members = end.of_members(group, kind, what)
        expected = sorted(end.encode(k) for k in truth if k[1:] == (kind, what)
                          and k[0].startswith(group + "-"))
        check.true("%s: %s of its %d members alone" % (end.name, what,
                                                       len(expected)),
                   sorted(members) == expected and len(expected) >= 2,
                   sorted(members) if sorted(members) != expected else "")
    lossy = end.of_group("outbound-" + LOSSY if end.name != "Graphite" else
                         "outbound-" + LOSSY.replace(".", "_"), "percent",
                         "retrans_percent")
    worst = max((v for rows in lossy.values() for _, v in rows), default=0)
    check.true("%s: the peer with loss, by its name: retrans_percent" %
               end.name, worst > 10, "up to %.1f %%" % worst)


def grown(end, rows):
    """The growth of a counter, from its values or its rates there."""
    if end.raw:
        return compare.growth(rows)
    return sum(seconds * v for seconds, v in compare.spans(rows))


def as_kept(end, truth, programs):
    """The programs' bytes. If points are of whole seconds, as many as their
    rates tell then: a busy machine's reads may fall into one second, and of the
    first of them nothing is kept."""
    if not end.whole_seconds:
        return programs

    def kept(who, what):
        rows = true_values.rates(truth[who, "total_bytes", what])
        return sum(seconds * v for seconds, v in compare.spans(
            [(int(t + 0.5), v) for t, v in compare.last_of_seconds(rows)]))
    return {who: (kept(who, "bytes_sent") - kept(who, "bytes_retrans"),
                  kept(who, "bytes_received")) for who in programs}


def bytes_of_programs(end, got, programs):
    """The bytes that the programs wrote and read: exactly if counters are kept,
    and by the sum of the rates if rates are."""
    for who, (wrote, read) in sorted(programs.items()):
        value = {m: grown(end, got.get(end.encode((who, "total_bytes", m)), []))
                 for m in ("bytes_sent", "bytes_retrans", "bytes_received")}
        for what, number, expected in (
                ("bytes_sent less bytes_retrans",
                 value["bytes_sent"] - value["bytes_retrans"], wrote),
                ("bytes_received", value["bytes_received"], read)):
            check.equal("%s: %s %s" % (end.name, who, what), number, expected,
                        0 if end.raw else ROUGH * expected)


def own_rates(end, truth):
    """Rates and growth that the query language makes of counters."""
    if not end.raw:
        return
    for key in (("outbound", "total_bytes", "bytes_sent"),
                ("outbound-" + LOSSY, "packets", "retrans"),
                ("inbound", "total_bytes", "bytes_received")):
        rows = truth[key]
        got = end.rates(key, rows[0][0], rows[-1][0])
        bad = [r for r in got if not compare.is_number(r[1]) or r[1] < 0]
        check.true("%s: rate of %s %s: %d points, none NaN or negative" % (
            end.name, key[0], key[2], len(got)), len(got) > 20 and not bad,
                   bad[:3] or "up to %.9g" % max(v for _, v in got))
        check.equal("%s: growth of %s %s" % (end.name, key[0], key[2]),
                    end.increase(key, rows[0][0], rows[-1][0]),
                    compare.growth(rows), end.rough * compare.growth(rows))
