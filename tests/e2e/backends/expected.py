"""The values that a backend should have: those that collectd's csv plugin wrote,
those of its unixsock plugin, and the bytes that the programs at both ends of the
connections counted."""

import socket

from live import check
from live.delay import FAR
from live.wait import LIMIT

from . import compare


def ask(daemon, *lines):
    """Sends requests to collectd's unixsock plugin; returns the answers, each a
    list of lines."""
    out = []
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(LIMIT)
        s.connect(daemon.folder + "/socket")
        with s.makefile("rw", encoding="utf-8") as f:
            for line in lines:
                f.write(line + "\n")
                f.flush()
                count = int(f.readline().split()[0])
                out.append([f.readline().strip() for _ in range(count)])
    return out


def name(key):
    return "h/tcpinfo-%s/%s" % (key[0], "-".join(p for p in key[1:] if p))


def of_collectd(daemon):
    """Returns {key: [(time, value)]} of the CSV files."""
    return {k: rows for k, rows in daemon.values().items() if rows}


def rates(rows):
    """Returns [(time, rate)] of a counter, as collectd computes it."""
    return [(b[0], (b[1] - a[1]) / (b[0] - a[0]))
            for a, b in zip(rows, rows[1:])]


def check_unixsock(daemon, truth, when):
    """Checks that GETVAL and csv agree on gauges, which do not change without
    traffic."""
    keys = [k for k, rows in truth.items() if k[1] not in compare.DERIVES
            and k[0] != "self" and rows[-1][0] >= when]
    answers = ask(daemon, *('GETVAL "%s"' % name(k) for k in keys))
    wrong = [(k, a) for k, a in zip(keys, answers) if len(a) != 1 or
             not compare.close(float(a[0].partition("=")[2]),
                               truth[k][-1][1])]
    check.true("unixsock and csv agree on %d series" % len(keys),
               keys and not wrong, wrong[:3] or "")


def of_programs(traffic):
    """Returns {group or member: (bytes written, bytes read)} of all connections,
    as the programs counted them. No connection has been closed."""
    out = {}
    mine = {n: "outbound-" + peer for peer, n in traffic.sink.items()}
    mine[traffic.narrow[0]] = "outbound-" + FAR
    for n, r in traffic.client.report().items():
        member = mine.get(n)
        others = traffic.echo + traffic.bulk
        group = "outbound" if member or n in others else "inbound"
        for who in filter(None, ("all", group, member)):
            wrote, read = out.get(who, (0, 0))
            out[who] = wrote + r["sent"], read + r["received"]
    # Left out: the first peer has other connections as well.
    return {k: v for k, v in out.items()
            if k != "outbound-" + traffic.peers[0]}


def check_programs(truth, programs):
    """Checks that collectd's counters equal those of the programs."""
    for who, (wrote, read) in sorted(programs.items()):
        total = {m: compare.growth(truth[who, "total_bytes", m]) for m in (
            "bytes_sent", "bytes_retrans", "bytes_received")}
        check.equal("collectd: %s bytes_sent less %d retransmitted" % (
            who, total["bytes_retrans"]),
                    total["bytes_sent"] - total["bytes_retrans"], wrote)
        check.equal("collectd: %s bytes_received" % who,
                    total["bytes_received"], read)
