#!/usr/bin/env python3
"""Each cause that holds a connection back, made on real sockets: a receiver
that does not read, a slow application, small buffers on a long path, loss, a
path that swallows everything, a queue. Two daemons read the two ends; ss(8),
the drop rules' counters and probes are the witnesses."""

import contextlib
import socket
import time

from live import check, details, expect, netns
from live.daemon import Collectd
from live.delay import FAR, Delay
from live.observe import Observer, poll, text
from live.traffic import Agents
from live.wait import LIMIT

UNREAD, SLOW, RCVBUF, SNDBUF, UNPACED = range(9001, 9006)
LOSSY, HOLE, SPURIOUS, QUEUE = range(9006, 9010)
NAMES = {"unread": UNREAD, "slow": SLOW, "rcvbuf": RCVBUF, "sndbuf": SNDBUF,
         "unpaced": UNPACED, "lossy": LOSSY, "hole": HOLE,
         "spurious": SPURIOUS, "queue": QUEUE}
SMALL = ("SOL_SOCKET", "SO_SNDBUF", 65536)
PACED = ("SOL_SOCKET", 47, 20000000) # SO_MAX_PACING_RATE
DELAY = 0.02 # one way
RATE, BURST, LATENCY = 20e6 / 8, 15000, 0.03

METRICS = """\
Metric "connections" "active" "unread" "unsent" "zero_window" "app_limited"
Metric "stalled" "ca_state" "limited" "retrans_percent" "spurious_percent"
Metric "retrans" "data_segs_out" "total_rto" "rto_recoveries" "rto_time"
Metric "busy_time" "rwnd_limited" "sndbuf_limited"
Metric "dsack_dups" "reord_seen" "drops"
Metric "recv_queue" "max"
Metric "notsent" "max"
Metric "reordering" "max"
Metric "rmem" "max"
Metric "rcvbuf" "max"
Metric "sndbuf" "max"
Metric "wmem_queued" "max"
Metric "rtt" "p50"
Metric "min_rtt" "p50"
Metric "queue_delay" "p50"
Metric "delivery_rate" "max"
"""
LIMITED = tuple("limited-" + w for w in ("network", "receiver", "sender",
                                         "idle"))
ENDLESS = 1 << 40
STEADY = 4 # reads


def tcp_info_size():
    """Bytes of struct tcp_info on this kernel."""
    with socket.socket() as s:
        return len(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1024))


# Up to tcpi_total_rto_time (Linux 6.7).
RTO = ("total_rto", "rto_recoveries", "rto_time") \
    if tcp_info_size() >= 248 else ()


def block(end):
    lines = ["<Plugin tcpinfo>"]
    for name, port in NAMES.items():
        lines += ['<Group "%s">' % name, "%s %d" % (end, port), METRICS,
                  "</Group>"]
    return "\n".join(lines + ["</Plugin>"])


def look(namespace, port):
    """The one connection to this port, as ss sees it."""
    found = [s for s in details.sockets(namespace) if s["info"] and
             s["state"] == "ESTAB" and port in (s["local_port"],
                                                s["remote_port"])]
    return found[0] if found else None


class Scene:
    """Everything that the states below need."""

    def __init__(self, link, both, client, server, dc, ds):
        self.link, self.both = link, both
        self.client, self.server = client, server
        self.at_client, self.at_server = Observer(dc), Observer(ds)
        self.dc, self.ds = dc, ds
        self.numbers = {}

    def open(self, port, address=netns.SERVER4, *options):
        self.numbers[port] = self.client.open(1, address, port, *options)

    def send(self, port, size):
        self.client.send(self.numbers[port], size)

    def stop(self, port):
        self.client.close(self.numbers[port], reset=True)

    def drip(self, what, group, condition):
        """Sends little by little until a read that has seen some of that
        fulfils the condition; its values."""
        began = self.at_client.last()

        def drop():
            self.send(NAMES[group], 2000)
            reads = [v for _, v in self.at_client.since(began, group)]
            return [b for a, b in zip(reads, reads[1:]) if
                    b["data_segs_out"] > a["data_segs_out"] and condition(b)]
        return poll(drop, what)[0]


def receiver_that_does_not_read_limits_its_sender(scene, mute):
    """The receiver's window closes; its data wait."""
    check.say("--- a receiver that does not read")
    scene.send(UNREAD, 64 << 20)
    scene.at_client.until(
        "its sender is limited by the receiver and probes", "unread",
        lambda v: v.get("limited-receiver", 0) > 90 and v["zero_window"] == 1
        and v["unsent"] == 1, ("zero_window", "unsent", "notsent-max",
                               *LIMITED))
    keys = ("recv_queue", "rmem", "rcvbuf")
    said, found = scene.at_server.between(
        lambda: [look(scene.link.server, UNREAD)[k] for k in keys], "unread",
        accept=lambda said, v: v["unread"] == 1 and said[0] > 0 and
        said[1] > said[2] / 2)
    check.equal("the receiver has unread data", found["unread"], 1)
    here = look(scene.link.client, UNREAD)
    check.equal("ss: the sender's timer", here["timer"], "persist")
    for key, value in zip(keys, said):
        check.equal("%s-max, and ss" % key, found[key + "-max"], value)
    check.true("rmem is within the buffer that is full",
               found["rmem-max"] > 0.5 * found["rcvbuf-max"],
               "%.0f of %.0f" % (found["rmem-max"], found["rcvbuf-max"]))
    mute.pause(False)
    scene.at_server.until("it reads again", "unread",
                          lambda v: v["unread"] == 0 and
                          v["recv_queue-max"] == 0,
                          ("unread", "recv_queue-max", "rmem-max"))
    scene.at_client.until("and nothing limits its sender any more", "unread",
                          lambda v: v["zero_window"] == v["unsent"] == 0 and
                          v["limited-idle"] > 90, ("zero_window", *LIMITED))


def slow_sender_is_app_limited(scene):
    check.say("--- a slow sender")
    found = scene.drip(
        "read of an idle sender", "slow",
        lambda v: v["app_limited"] == 1 and v.get("limited-idle", 0) > 80 and
        v["limited-receiver"] == v["limited-sender"] == 0 and
        "delivery_rate-max" not in v)
    check.true("most of the time idle, and its rate is its own", True,
               text(found, ("app_limited", *LIMITED, "delivery_rate-max")))
    check.true("ss: app_limited", look(scene.link.client, SLOW)["app_limited"])


def small_buffers_limit_their_ends(scene, before):
    """Transfers that never end, with a small buffer at one end each. `before`:
    what ss said of them at first."""
    check.say("--- small buffers, %d ms away" % (DELAY * 2000))
    show = (*LIMITED, "rtt-p50", "sndbuf-max", "wmem_queued-max")
    scene.at_client.until(
        "SO_RCVBUF 8192: limited by the receiver", "rcvbuf",
        lambda v: v.get("limited-receiver", 0) > 60, show)
    scene.at_client.until(
        "SO_SNDBUF 65536: limited by the sender", "sndbuf",
        lambda v: v.get("limited-sender", 0) > 30, show)
    # Linux takes note of a full send buffer only while it sends what waited
    # (net/ipv4/tcp_output.c, tcp_cwnd_validate()), and without pacing nothing
    # waits when the buffer is full: all goes out as it is written.
    scene.at_client.until(
        "the same without pacing: the network's, says the kernel; the buffer "
        "is full", "unpaced", lambda v: v["wmem_queued-max"] >
        v["sndbuf-max"] / 2 and v.get("limited-idle", 100) < 20, show)
    for name, port, key in (("rcvbuf", RCVBUF, "rwnd_limited"),
                            ("sndbuf", SNDBUF, "sndbuf_limited"),
                            ("unpaced", UNPACED, "sndbuf_limited")):
        now = look(scene.link.client, port)
        grown = now[key] - before[port][key]
        check.true("ss: %s %s grew" % (name, key), grown > 0 or
                   port == UNPACED, "%d ms of busy %d ms" % (
                       grown, now["busy"] - before[port]["busy"]))
        scene.stop(port)


def lost_segments_are_retransmitted(scene, began):
    """3 % of the segments lost at the receiver, since `began`."""
    check.say("--- 3 % of the segments lost")
    observer, shown = scene.at_client, "ca_state-recovery"
    poll(lambda: sum(v.get(shown, 0) for _, v in observer.since(
        began, "lossy")) >= 2 and scene.link.dropped() > 30, "recovery")
    scene.stop(LOSSY)
    dropped = scene.link.dropped()
    end = observer.last()
    observer.rows(end, 2, "lossy")
    reads = [v for t, v in observer.since(began, "lossy")]
    states = {s: sum(v["ca_state-" + s] for v in reads) for s in (
        "open", "disorder", "cwr", "recovery", "loss")}
    check.true("recovery seen in some of %d reads" % len(reads),
               states["recovery"] > 0, expect.compact(states))
    check.true("one state in each read with the connection", all(
        sum(v["ca_state-" + s] for s in states) == v["connections"]
        for v in reads))
    grown = {m: reads[-1][m] - reads[0][m] for m in (
        "retrans", "data_segs_out", "dsack_dups", "reord_seen", *RTO)}
    # On a busy machine an ACK may be late, and what it is for is retransmitted:
    # the receiver tells of that. What was lost last may not have been
    # retransmitted at the end; a probe for the tail may have been sent for
    # nothing.
    needed = grown["retrans"] - grown["dsack_dups"]
    check.equal("retransmitted but for the %d duplicates, and dropped by the "
                "rule" % grown["dsack_dups"], needed, dropped,
                5 + 0.2 * dropped)
    percent = 100 * needed / grown["data_segs_out"]
    check.equal("retransmitted, %", percent, 3, 2)
    check.say("     %s; reordering %s; per read %s" % (
        expect.compact(grown), reads[-3].get("reordering-max"),
        " ".join("%.3g" % v["retrans_percent"] for v in reads
                 if "retrans_percent" in v)))


def path_that_swallows_all_stalls(scene):
    """Nothing arrives for some seconds: of the one the data, of the other the
    ACKs, so that each of its retransmissions is one too many."""
    check.say("--- a path that swallows everything")
    link, began = scene.link, scene.at_client.last()
    link.drop(["tcp dport %d" % HOLE])
    link.drop(["tcp sport %d" % SPURIOUS], link.client)
    scene.send(HOLE, 200000)
    scene.send(SPURIOUS, 1000)
    start = time.monotonic()
    scene.at_client.until(
        "stalled", "hole", lambda v: v["stalled"] == 1 and
        v["ca_state-loss"] == 1 and (not RTO or v["total_rto"] >= 3),
        ("stalled", "ca_state-loss", *RTO, *LIMITED))
    seen = look(link.client, HOLE)
    check.say("     ss: backoff %s, lost %s, timer %s" % (
        seen.get("backoff"), seen["lost"], seen["timer"]))
    swallowed = link.dropped()
    link.drop([])
    link.drop([], link.client)
    found = scene.at_client.until(
        "goes on", "hole", lambda v: v["stalled"] == 0 and
        v["ca_state-loss"] == 0 and (not RTO or v["rto_recoveries"] >= 1),
        ("stalled", "ca_state-open", *RTO))
    most = 1000 * (time.monotonic() - start)
    if not RTO:
        check.say("     skipped: no total_rto before Linux 6.7")
    elif found:
        check.true("rto_time is within the time it took",
                   1000 < found[1]["rto_time"] < most,
                   "%.0f ms of %.0f ms" % (found[1]["rto_time"], most))
        check.true("not more timeouts than packets swallowed",
                   3 <= found[1]["total_rto"] <= swallowed,
                   "%d, %d packets" % (found[1]["total_rto"], swallowed))
    needless_retransmissions_are_told(scene, began)


def needless_retransmissions_are_told(scene, began):
    scene.at_client.until(
        "retransmissions that were not needed", "spurious",
        lambda v: v["dsack_dups"] > 0, ("retrans", "dsack_dups",
                                        "spurious_percent"), began)
    here, at_sender = scene.at_client.between(
        lambda: look(scene.link.client, SPURIOUS)["dsack_dups"], "spurious")
    there, values = scene.at_server.between(
        lambda: look(scene.link.server, SPURIOUS)["drops"], "spurious")
    reads = [v for _, v in scene.at_client.since(began, "spurious")]
    seen = [v["spurious_percent"] for v in reads if "spurious_percent" in v]
    check.true("spurious_percent is within 0 and 100", seen and all(
        0 <= p <= 100 for p in seen), seen)
    check.true("the receiver dropped them", there > 0, there)
    check.equal("drops, and ss", values["drops"], there)
    check.equal("dsack_dups, and ss", at_sender["dsack_dups"], here)


class Probe:
    """UDP through the queue that everything else waits in."""

    def __init__(self, link):
        with netns.inside(link.server):
            self.there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.there.bind((netns.SERVER4, 7))
        with netns.inside(link.client):
            self.here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.here.connect((netns.SERVER4, 7))
        self.there.settimeout(0.5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.here.close()
        self.there.close()

    def delay(self):
        """(when it was sent, seconds), or None if the queue was full."""
        sent, began = time.time(), time.monotonic_ns()
        self.here.send(b"%d" % began)
        with contextlib.suppress(TimeoutError):
            while int(self.there.recv(64)) != began:
                pass
            return sent, (time.monotonic_ns() - began) / 1e9
        return None


def queue_delay_is_what_probes_wait(scene, probe):
    check.say("--- a queue: tbf of %g Mbit/s, %g ms" % (RATE * 8e-6,
                                                        LATENCY * 1000))
    numbers = scene.numbers[QUEUE]
    scene.client.pingpong(numbers, 20, 100) # knows the empty path
    poll(lambda: not any(r["rounds"] for r in scene.client.report().values()),
         "echo")
    empty = look(scene.link.client, QUEUE)
    netns.run("tc", "-n", scene.link.client, "qdisc", "add", "dev", "veth",
              "root", "tbf", "rate", "%dbit" % (RATE * 8), "burst",
              "%d" % BURST, "latency", "%dms" % (LATENCY * 1000))
    # The other way round nothing comes back but ACKs: the echo is not read.
    scene.send(QUEUE, ENDLESS)
    began = scene.at_client.last()
    probes, found, count, end = [], [], 0, time.monotonic() + LIMIT
    while len(found) < STEADY and time.monotonic() < end:
        for _ in range(10):
            probes.append(probe.delay())
            time.sleep(0.01)
        if len(scene.dc.reads()) > count:
            count = len(scene.dc.reads())
            found = reads_beside_steady_probes(
                scene.at_client.since(began, "queue"), probes)
    scene.stop(QUEUE)
    netns.run("tc", "-n", scene.link.client, "qdisc", "del", "dev", "veth",
              "root")
    compare_with_probes(found, empty)


def reads_beside_steady_probes(reads, probes):
    """[(values, delays)] of the reads beside which probes waited equally long,
    give or take; the first two reads apart: the window has to grow first. If a
    busy machine lets packets and programs wait, it does so by fits and
    starts."""
    out = []
    for when, values in reads[2:]:
        near = [d for t, d in filter(None, probes) if abs(when - t) < 0.12]
        if ("queue_delay-p50" in values and len(near) >= 4 and
                max(near) < 2 * min(near)):
            out.append((values, near))
    return out


def compare_with_probes(found, empty):
    ours, theirs = [], []
    for values, near in found:
        ours.append(values["queue_delay-p50"])
        theirs.append(sum(near) / len(near))
        check.say("     queue_delay p50 %.1f ms, rtt %.1f, min_rtt %.3f; "
                  "%d probes %.1f to %.1f ms, mean %.1f" % (
                      ours[-1] * 1e3, values["rtt-p50"] * 1e3,
                      values["min_rtt-p50"] * 1e3, len(near),
                      min(near) * 1e3, max(near) * 1e3, theirs[-1] * 1e3))
    if not check.true("reads with a queue", len(ours) >= STEADY, len(ours)):
        return
    mean = sum(theirs) / len(theirs)
    check.equal("mean queue_delay and what a probe waited, ms",
                1e3 * sum(ours) / len(ours), 1e3 * mean, 0.4e3 * mean)
    most = LATENCY + BURST / RATE
    check.true("not more than the bucket holds and a jiffy or so",
               max(ours) < 1.3 * most, "%.1f of %.1f ms" % (
                   1e3 * max(ours), 1e3 * most))
    check.true("the empty path was far shorter", empty["minrtt"] < 5,
               "min_rtt %.3f ms" % empty["minrtt"])


def open_all(scene, mute):
    for port in (SLOW, LOSSY, HOLE, SPURIOUS, SNDBUF, UNPACED):
        scene.server.listen(port)
    scene.server.listen(QUEUE, echo=True)
    scene.server.listen(RCVBUF, options=[("SOL_SOCKET", "SO_RCVBUF", 8192)])
    mute.listen(UNREAD)
    for port in (UNREAD, SLOW, HOLE, SPURIOUS, QUEUE):
        scene.open(port)
    for port in (RCVBUF, LOSSY):
        scene.open(port, FAR)
    scene.open(SNDBUF, FAR, SMALL, PACED)
    scene.open(UNPACED, FAR, SMALL)
    poll(mute.report, "accept")
    mute.pause(True)


def main():
    check.need("ip", "ss", "nft", "tc", "ethtool", "collectd", "setpriv")
    with netns.Link() as link, Delay(link, DELAY), \
            Agents(link) as (client, server, both), \
            Collectd(block("RemotePort"), link.client) as dc, \
            Collectd(block("LocalPort"), link.server) as ds:
        scene = Scene(link, both, client, server, dc, ds)
        mute = both.more(link.server)
        scene.at_client.last()
        scene.at_server.last()
        open_all(scene, mute)
        link.drop(["tcp dport %d numgen random mod 1000 < 30" % LOSSY])
        began = scene.at_client.last()
        before = {}
        for port in (RCVBUF, SNDBUF, UNPACED, LOSSY):
            before[port] = look(link.client, port)
            scene.send(port, ENDLESS)
        receiver_that_does_not_read_limits_its_sender(scene, mute)
        slow_sender_is_app_limited(scene)
        small_buffers_limit_their_ends(scene, before)
        lost_segments_are_retransmitted(scene, began)
        path_that_swallows_all_stalls(scene)
        with Probe(link) as probe:
            queue_delay_is_what_probes_wait(scene, probe)
        for daemon in (dc, ds):
            check.equal("exit code", daemon.end(), 0)


check.main(main)
