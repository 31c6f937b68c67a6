#!/usr/bin/env python3
"""TCP options, socket memory, accept queues and the host's own counts, which do
not move while they are read: to the last byte as ss(8) and /proc say."""

import contextlib
import os
import re
import socket
import time

from live import check, details, expect, netns, ss
from live.daemon import Collectd
from live.delay import FAR, Delay
from live.observe import Observer, poll
from live.traffic import Agents
from live.wait import LIMIT

OPTIONS, MEMORY, SHORT, LONG, EMPTY, ORPHAN = range(9001, 9007)
STATISTICS = ("min", "max", "avg", "sum", "p50", "p95")
ACCEPT = ("accept_queue", "accept_limit", "accept_percent")
FASTOPEN_CONNECT = 30 # linux/tcp.h

CLIENT = """\
<Plugin tcpinfo>
  <Group "options">
    RemotePort %d
    Metric "connections" "options"
  </Group>
  <Group "memory">
    RemotePort %d
    %s
  </Group>
</Plugin>
"""
SERVER = """\
<Plugin tcpinfo>
  <Group "options">
    LocalPort %d
    Metric "connections" "options"
  </Group>
  <Group "memory">
    LocalPort %d
    %s
  </Group>
  <Group "accept">
    LocalPort "%d-%d"
    By "local-port"
    Metric "connections" %s
  </Group>
</Plugin>
"""


def memory_metrics():
    lines = ['Metric "connections" "drops"']
    for name in details.MEMORY_NAMES:
        if name != "drops":
            lines.append('Metric "%s" %s' % (name, " ".join(
                '"%s"' % s for s in STATISTICS)))
    return "\n".join(lines)


def blocks():
    metrics = memory_metrics()
    accept = " ".join('"%s" "max" "p50" %s' % (
        name, "" if name == "accept_percent" else '"sum"') for name in ACCEPT)
    return (CLIENT % (OPTIONS, MEMORY, metrics),
            SERVER % (OPTIONS, MEMORY, metrics, SHORT, EMPTY, accept))


def of_port(namespace, port):
    return [s for s in ss.connections(details.sockets(namespace))
            if port in (s["local_port"], s["remote_port"])]


@contextlib.contextmanager
def sysctl(namespace, name, value):
    """Connections that are opened within have this setting."""
    path = "net.ipv4." + name
    was = netns.run("ip", "netns", "exec", namespace, "sysctl", "-n",
                    path).strip()
    netns.run("ip", "netns", "exec", namespace, "sysctl", "-qw",
              "%s=%s" % (path, value))
    try:
        yield
    finally:
        netns.run("ip", "netns", "exec", namespace, "sysctl", "-qw",
                  "%s=%s" % (path, was))


# --- Options -----------------------------------------------------------------

def open_with_options(link, client, server):
    """1 with all that is usual, 2 without timestamps, 3 without SACK, 4 without
    window scaling, 5 with ECN, 2 whose first data came with the SYN. Linux has
    SACK and timestamps in options of their own: neither needs the other."""
    # The client's and the server's, without cookies, on all listeners.
    with sysctl(link.server, "tcp_fastopen", 0x602):
        server.listen(OPTIONS)
    client.open(1, netns.SERVER4, OPTIONS)
    for n, name in ((2, "tcp_timestamps"), (3, "tcp_sack"),
                    (4, "tcp_window_scaling")):
        with sysctl(link.client, name, 0):
            client.open(n, netns.SERVER4, OPTIONS)
    netns.run("ip", "-n", link.client, "route", "change", "10.98.0.0/24",
              "dev", "far", "features", "ecn")
    client.open(5, FAR, OPTIONS)
    with sysctl(link.client, "tcp_fastopen", 0x5), \
            sysctl(link.server, "tcp_fastopen", 0x602):
        client.send(client.open(2, netns.SERVER4, OPTIONS, (
            "IPPROTO_TCP", FASTOPEN_CONNECT, 1)), 100)
        poll(lambda: len(server.report()) == 17, "connection")
    return {"timestamps": 15, "sack": 14, "wscale": 13, "ecn": 5,
            "fastopen": 2}


def options_are_those_of_ss(observers, link, designed):
    check.say("--- TCP options")
    for observer, namespace in zip(observers, (link.client, link.server)):
        there, values = observer.between(
            lambda n=namespace: sorted(
                (s["cookie"], sorted(s["options"])) for s in of_port(
                    n, OPTIONS)), "options")
        for name, count in designed.items():
            check.equal("%s options-%s of %d, and ss" % (
                namespace, name, len(there)), values.get("options-" + name),
                sum(name in options for _, options in there))
            check.equal("... as it was made", values.get("options-" + name),
                        count)


# --- Memory ------------------------------------------------------------------

def fill_memory(client, mute):
    """Receive buffers with nothing, little and too much in them, and the send
    buffers before these."""
    mute.listen(MEMORY)
    numbers = client.open(5, netns.SERVER4, MEMORY)
    numbers += client.open(2, netns.SERVER4, MEMORY, (
        "SOL_SOCKET", "SO_SNDBUF", 30000))
    poll(lambda: len(mute.report()) == len(numbers), "connection")
    mute.pause(True)
    for i, number in enumerate(numbers[1:]):
        client.send([number], 7 * 10 ** (i + 1))


def memory_is_that_of_ss(observer, namespace):
    """ss before and after a read that lies between them says the same."""
    before, values = observer.between(
        lambda: sorted((s["cookie"], *(s[n] for n in details.MEMORY_NAMES))
                       for s in of_port(namespace, MEMORY)), "memory")
    columns = list(zip(*before))[1:]
    for name, column in zip(details.MEMORY_NAMES, columns):
        if name == "drops": # of what was there first, nothing counts
            check.equal("%s drops" % namespace, values["drops"], sum(column))
            continue
        got = {s: values.get("%s-%s" % (name, s)) for s in STATISTICS}
        expected = {s: ss.statistic(s, column) for s in STATISTICS}
        check.true("%s %s of %d sockets" % (namespace, name, len(column)),
                   all(got[s] is not None and abs(got[s] - expected[s]) < 1e-5
                       for s in STATISTICS), expect.compact(got))


# --- Accept queues -----------------------------------------------------------

def listeners_of(namespace):
    return {s["local_port"]: (s["recv_queue"], s["send_queue"])
            for s in ss.sockets(namespace) if s["state"] == "LISTEN"
            and SHORT <= s["local_port"] <= EMPTY}


def compare_accept(observer, namespace, made):
    """Each listener's queue in its port's series, with connections or
    without. `made`: the connections that wait in each."""
    ports = (SHORT, LONG, EMPTY)
    listeners, total, *members = observer.between(
        lambda: listeners_of(namespace), "accept",
        *("accept-%d" % p for p in ports),
        accept=lambda said, *_: [said[p][0] for p in ports] == made)
    check.equal("connections that wait, as ss says",
                [listeners[p][0] for p in ports], made)
    for port, got in zip(ports, members):
        queue, limit = listeners[port]
        check.equal("port %d accept_queue, and ss" % port,
                    got.get("accept_queue-max"), queue)
        check.equal("port %d accept_limit, and ss" % port,
                    got.get("accept_limit-max"), limit)
        check.equal("port %d accept_percent" % port,
                    got.get("accept_percent-max"),
                    min(100, 100 * queue / limit), 0.01)
    for index, metric in enumerate(ACCEPT[:2]):
        every = [pair[index] for pair in listeners.values()]
        for s in ("sum", "max", "p50"):
            check.equal("all %s-%s" % (metric, s), total.get(
                "%s-%s" % (metric, s)), ss.statistic(s, every))


def accept_queues_are_those_of_ss(observer, link, client, server):
    check.say("--- accept queues")
    server.listen(SHORT, backlog=4, accept=False)
    server.listen(LONG, backlog=8, accept=False)
    server.listen(EMPTY, backlog=16, accept=False)
    client.open(2, netns.SERVER4, SHORT)
    client.open(1, netns.SERVER4, LONG)
    compare_accept(observer, link.server, [2, 1, 0])
    check.say("--- one of them full")
    # Linux lets one more in than listen() was told.
    client.open(3, netns.SERVER4, SHORT)
    with contextlib.ExitStack() as waiting, netns.inside(link.client):
        for _ in range(3): # their SYNs are dropped
            s = waiting.enter_context(socket.socket())
            s.setblocking(False)
            s.connect_ex((netns.SERVER4, SHORT))
        compare_accept(observer, link.server, [5, 1, 0])


# --- The host ----------------------------------------------------------------

def sockstat(namespace):
    """{key: number} of TCP in /proc/net/sockstat."""
    text = netns.run("ip", "netns", "exec", namespace, "cat",
                     "/proc/net/sockstat")
    words = re.search(r"^TCP: (.*)$", text, re.M).group(1).split()
    return {k: int(v) for k, v in zip(words[::2], words[1::2])}


def limits(namespace):
    """The limits in /proc/sys: only the first namespace has them all."""
    out = {}
    for name, file, column in (("host_orphans_limit", "tcp_max_orphans", 0),
                               ("host_time_wait_limit", "tcp_max_tw_buckets",
                                0),
                               ("host_tcp_mem_limit", "tcp_mem", 2)):
        with contextlib.suppress(RuntimeError):
            out[name] = int(netns.run(
                "ip", "netns", "exec", namespace, "cat",
                "/proc/sys/net/ipv4/" + file).split()[column])
    if "host_tcp_mem_limit" in out:
        out["host_tcp_mem_limit"] *= os.sysconf("SC_PAGESIZE")
    return out


def orphan(link, client):
    """A socket that its process has closed, with data that cannot leave."""
    link.drop([])
    last = client.open(1, netns.SERVER4, ORPHAN)
    link.drop(["tcp dport %d" % ORPHAN])
    client.send(last, 1000)
    client.close(last)


def time_wait(client, server):
    """Two whose close was the first: TIME_WAIT."""
    there = len(server.report())
    first = client.open(2, netns.SERVER4, OPTIONS)
    poll(lambda: len(server.report()) == there + 2, "connection")
    client.close(first)


def host_expected(counts):
    return {"host_orphans": counts["orphan"], "host_time_wait": counts["tw"],
            "host_tcp_mem": counts["mem"] * os.sysconf("SC_PAGESIZE")}


def host_counts_are_those_of_proc(observer, link, client, server):
    """Orphans and memory are those of all namespaces together, so that they may
    move: a read counts that lies between two equal looks. TIME_WAIT ends after
    a minute, an orphan later: both are then made anew."""
    check.say("--- the host's own counts")
    server.listen(ORPHAN)

    def look():
        if not any(s["state"] == "FIN-WAIT-1" for s in ss.sockets(
                link.client)):
            orphan(link, client)
        if sockstat(link.client)["tw"] == 0:
            time_wait(client, server)
        poll(lambda: sockstat(link.client)["tw"] in (0, 2), "TIME_WAIT")
        return sockstat(link.client)

    end = time.monotonic() + LIMIT
    while True:
        before = look()
        _, every = observer.daemon.read_after(time.time())
        values = {k[2]: v for k, v in every.items()
                  if k[0] == "self" and k[1] != "percent"}
        expected = host_expected(before)
        if before["tw"] == 2 and sockstat(link.client) == before and all(
                values.get(k) == v for k, v in expected.items()):
            break
        if time.monotonic() > end:
            break
    for name, value in (*expected.items(), *limits(link.client).items()):
        check.equal(name, values.get(name), value)
    check.true("an orphan and two in TIME_WAIT are among them",
               expected["host_orphans"] >= 1 and
               expected["host_time_wait"] == 2)
    extra = {k for k in values if k.endswith("_limit") and
             k.startswith("host_")} - set(limits(link.client))
    check.true("no limit that this namespace does not show", not extra, extra)


def main():
    check.need("ip", "ss", "nft", "ethtool", "collectd", "setpriv")
    first, second = blocks()
    with netns.Link() as link, Delay(link, 0.001), \
            Agents(link) as (client, server, both), \
            Collectd(first, link.client, 0.5) as dc, \
            Collectd(second, link.server, 0.5) as ds:
        observers = Observer(dc), Observer(ds)
        for observer in observers:
            observer.last()
        mute = both.more(link.server)
        designed = open_with_options(link, client, server)
        fill_memory(client, mute)
        options_are_those_of_ss(observers, link, designed)
        check.say("--- socket memory")
        memory_is_that_of_ss(observers[0], link.client)
        memory_is_that_of_ss(observers[1], link.server)
        accept_queues_are_those_of_ss(observers[1], link, client, server)
        host_counts_are_those_of_proc(observers[0], link, client, server)
        for daemon in (dc, ds):
            check.equal("exit code", daemon.end(), 0)


check.main(main)
