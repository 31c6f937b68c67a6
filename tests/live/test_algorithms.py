#!/usr/bin/env python3
"""Congestion control algorithms side by side, and what BBR and DCTCP say of
themselves: on live sockets against ss(8), and from recorded dumps of other
kernels (tests/data) against the bytes in them."""

import struct

from live import check, details, interval, netns, recording, ss
from live.daemon import Collectd, at
from live.delay import FAR, Delay
from live.observe import Observer
from live.traffic import Agents

PORT, DELAY = 9001, 0.01
SEGMENTS = ("all", "packets", "segs_out")
COUNT = {"reno": 4, "cubic": 3, "bbr": 2, "dctcp": 2}
# Recordings, and the algorithms in them besides Reno. The kernel 6.18
# has no DCTCP.
ALGORITHMS = {"linux-5.10": "bbr cubic dctcp vegas",
              "linux-6.12": "bbr cubic dctcp vegas",
              "linux-6.18": "bbr cubic", "linux-7.2": "bbr cubic dctcp vegas"}
STATISTICS = ("min", "max", "avg", "p50")

METRICS = """\
Metric "connections" "congestion" "active"
Metric "bbr_bandwidth" %(s)s
Metric "bbr_min_rtt" %(s)s
Metric "min_rtt" %(s)s
Metric "dctcp_alpha" %(s)s
""" % {"s": " ".join('"%s"' % s for s in STATISTICS)}
LIVE = """\
<Plugin tcpinfo>
  <Group "all">
    RemotePort %d
    By "congestion"
    Metric "segs_out"
    %s
  </Group>
</Plugin>
""" % (PORT, METRICS)


def available():
    with open("/proc/sys/net/ipv4/tcp_available_congestion_control",
              encoding="ascii") as f:
        return f.read().split()


def groups(values):
    """{member, "" for the total: {instance: value}}"""
    out = {}
    for (group, _, instance), value in values.items():
        out.setdefault(group.partition("-")[2], {})[instance] = value
    return out


def compare(what, got, metric, expected):
    """All statistics of one distribution; without values, no series."""
    ours = {s: got.get("%s-%s" % (metric, s)) for s in STATISTICS}
    theirs = {s: ss.statistic(s, expected) if expected else None
              for s in STATISTICS}
    same = all(ours[s] == theirs[s] or None not in (ours[s], theirs[s]) and
               abs(ours[s] - theirs[s]) < 1e-6 + 1e-9 * theirs[s]
               for s in STATISTICS)
    check.true("%s %s of %d sockets" % (what, metric, len(expected)), same,
               ours if same else "%s, expected %s" % (ours, theirs))


# --- Live --------------------------------------------------------------------

def established(namespace):
    """The connections as ss shows them, without the clocks."""
    return sorted(({k: v for k, v in s.items() if k not in ss.CLOCKS}
                   for s in details.sockets(namespace)
                   if s["state"] == "ESTAB"), key=lambda s: s["cookie"])


def live_sockets_are_as_ss_says(link, client, server, both):
    names = [n for n in COUNT if n in available()]
    check.say("--- live: %s (not here: %s)" % (", ".join(names), ", ".join(
        n for n in COUNT if n not in names) or "none"))
    server.listen(PORT, echo=True)
    numbers = []
    for name in names:
        numbers += client.open(COUNT[name], FAR, PORT, (
            "IPPROTO_TCP", "TCP_CONGESTION", name))
    with Collectd(LIVE, link.client) as daemon:
        observer = Observer(daemon)
        for i, number in enumerate(numbers):
            client.send([number], 100000 + 7000 * i)
        both.settle()
        listed, every = observer.between(lambda: established(link.client))
        rows = groups(every)
        # DCTCP without ECN is Reno, by a name of its own (linux:
        # net/ipv4/tcp_dctcp.c, dctcp_init()).
        shown = sorted({s["congestion"] for s in listed})
        check.equal("sockets as opened", {n: sum(
            s["congestion"] in (n, n + "-reno") for s in listed)
                                          for n in names},
                    {n: COUNT[n] for n in names})
        for name in shown:
            there = sum(s["congestion"] == name for s in listed)
            check.equal("congestion-%s, and ss" % name,
                        rows[""].get("congestion-" + name), there)
            check.equal("member %s" % name,
                        rows.get(name, {}).get("connections"), there)
        for member in ("", *shown):
            mine = [s for s in listed if member in ("", s["congestion"])]
            compare(member or "all", rows[member], "bbr_bandwidth",
                    [s["bbr_bandwidth"] for s in mine
                     if "bbr_bandwidth" in s])
        if "bbr" in names:
            min_rtt_of_active_sockets_is_that_of_ss(link, client, both,
                                                    observer, numbers)
        check.equal("exit code", daemon.end(), 0)


def min_rtt_of_active_sockets_is_that_of_ss(link, client, both, observer,
                                            numbers):
    """bbr_min_rtt is reported of active sockets only: those that talk in an
    interval of their own."""
    found = interval.interval(observer.daemon, link.client, lambda: (
        client.pingpong(numbers, 2, 500), both.settle()), SEGMENTS)
    if found is None:
        return
    rows = groups(found[2])
    check.equal("active", rows[""]["active"], len(numbers))
    before = sorted(s["bbr_min_rtt"] for s in details.sockets(link.client)
                    if "bbr_min_rtt" in s)
    compare("bbr", rows["bbr"], "bbr_min_rtt", before)
    compare("reno", rows["reno"], "bbr_min_rtt", [])
    check.true("bbr_min_rtt is the way there and back", all(
        2 * DELAY <= x < 4 * DELAY + 0.1 for x in before), before)


# --- Recorded ----------------------------------------------------------------

TRAFFIC = (1, 2, 4, 5, 8, 9, 11)


def recorded_sockets(dump):
    """The sockets with traffic: what their algorithms say."""
    out = []
    for header, blocks in dump:
        if header[1] not in TRAFFIC:
            continue
        s = {"name": blocks.get(recording.CONG, b"").rstrip(b"\0").decode()}
        if recording.DCTCPINFO in blocks:
            enabled, _, alpha = struct.unpack_from(
                "<HHI", blocks[recording.DCTCPINFO])
            if enabled:
                s["dctcp_alpha"] = alpha * 100 / 1024
        if recording.BBRINFO in blocks:
            low, high = struct.unpack_from("<II", blocks[recording.BBRINFO])
            s["bbr_bandwidth"] = high << 32 | low
        out.append(s)
    return out


def recording_is_as_its_bytes_say(name, algorithms):
    check.say("--- recorded: " + name)
    block = '<Plugin tcpinfo>\nReplay "%s"\n<Group "all">\n%s\n' \
        'Histogram "dctcp_alpha"\n</Group>\n</Plugin>' % (
            recording.path(name), METRICS)
    key = ("all", "count", "connections")
    with Collectd(block) as daemon:
        # The first read is whole once there is another one.
        daemon.wait(lambda reads: len(reads) >= 2, "dump")
        check.equal("exit code", daemon.end(), 0)
        values = daemon.values()
    when = values[key][0][0] # the first of several dumps
    rows = groups(at(values, when))[""]
    sockets = recorded_sockets(recording.dumps(name)[0][1])
    check.equal("connections", rows["connections"], len(sockets))
    check.equal("algorithms", sorted({s["name"] for s in sockets if s["name"]}),
                sorted(["reno", *algorithms]))
    for algorithm in {s["name"] for s in sockets if s["name"]}:
        check.equal("congestion-" + algorithm,
                    rows.get("congestion-" + algorithm),
                    sum(s["name"] == algorithm for s in sockets))
    for metric in ("bbr_bandwidth", "dctcp_alpha"):
        compare("recorded", rows, metric, [s[metric] for s in sockets
                                           if metric in s])
        there = {s[metric] for s in sockets if metric in s}
        check.true("%s: different values" % metric, len(there) >= 2 or
                   metric.partition("_")[0] not in algorithms, there)
    alphas = [s["dctcp_alpha"] for s in sockets if "dctcp_alpha" in s]
    buckets = {k[len("dctcp_alpha-"):]: v for k, v in rows.items()
               if k.startswith("dctcp_alpha-") and
               k[len("dctcp_alpha-"):] not in STATISTICS}
    wrong = {k: v for k, v in buckets.items() if v != (
        len(alphas) if k == "inf" else sum(a <= float(k) for a in alphas))}
    check.true("histogram of dctcp_alpha", len(buckets) == 10 and not wrong,
               wrong or ", ".join("%s: %d" % b for b in buckets.items()))


def main():
    check.need("ip", "ss", "ethtool", "collectd", "setpriv")
    with netns.Link() as link, Delay(link, DELAY), \
            Agents(link) as (client, server, both):
        live_sockets_are_as_ss_says(link, client, server, both)
    for name, algorithms in ALGORITHMS.items():
        recording_is_as_its_bytes_say(name, algorithms.split())


check.main(main)
