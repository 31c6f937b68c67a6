#!/usr/bin/env python3
"""Two hosts send their values, encrypted, to a central collectd, which forwards
them to InfluxDB and to Kafka (a broker in memory). fleet.conf, fleet-central.conf
and fleet-kafka.conf are used unchanged, except for the path of AuthFile."""

import contextlib
import os
import socket
import sys
import time

from backends import compare, influxdb, kafka, sandbox, scenario
from live import check, netns
from live.daemon import own_modules
from live.observe import poll
from live.traffic import Agents
from live.wait import LIMIT

PROGRAMS = ("ip", "nft", "ethtool", "collectd", "setpriv", "unshare")
AUTH = "/etc/collectd/fleet.auth"
SECRET = "change-this"
PORT, SINK = 25826, 9000


class Host(sandbox.Collectd):
    """A collectd with this host name; `change` is [(old, new)] in its files of
    conf/."""

    def __init__(self, box, name, files, modules, change=()):
        super().__init__(box, (), modules=modules)
        with open(self.conf, encoding="ascii") as f:
            text = f.read().replace('Hostname "h"', 'Hostname "%s"' % name)
        for file in files:
            piece = sandbox.conf_text(file)
            for old, new in change:
                piece = piece.replace(old, new)
            text += piece
        with open(self.conf, "w", encoding="ascii") as out:
            out.write(text)


def sniff(namespace, count):
    """Returns the next `count` datagrams to the central collectd."""
    with netns.inside(namespace):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(
            0x0800))
    seen = []
    with s:
        s.settimeout(LIMIT)
        while len(seen) < count:
            data = s.recv(65536)
            if data[9] == 17 and data[22:24] == PORT.to_bytes(2, "big"):
                seen.append(data[28:])
    return seen


def datagrams_are_encrypted(link):
    seen = sniff(link.server, 50)
    check.true("the datagrams are encrypted", seen and not any(
        b"tcpinfo" in d or b"bytes_sent" in d for d in seen),
               "%d datagrams" % len(seen))


def values_are_stored_unchanged(name, sent, got, since, until):
    """Checks that `got` has all values that were sent in that time."""
    count, wrong = 0, []
    for key, rows in sent.items():
        stored = sorted(got.get(key, []))
        for t, v in rows:
            if since <= t <= until:
                count += 1
                near = compare.nearest(stored, t, 0.0015)
                if not any(compare.close(v, x) for x in near):
                    wrong.append((key, t, v, near))
    check.true("%s: %d values of the host are stored unchanged" % (
        name, count), count > 500 and not wrong, "%d are not: %s" % (
            len(wrong), wrong[:2]) if wrong else "")


def of_messages(messages, host):
    """Returns {key: [(time, value)]} as in the CSV files."""
    out = {}
    for m in messages:
        if m["host"] == host and m["plugin"] == "tcpinfo":
            out.setdefault((m["plugin_instance"], m["type"],
                            m["type_instance"]), []).append(
                                (m["time"], m["values"][0]))
    return out


def wait_for(central, names):
    poll(lambda: all(central.values("self", n) for n in names),
         "values of %s at the central collectd" % ", ".join(names))


def host_with_wrong_password_is_ignored(central, intruder):
    """Checks that the central collectd ignores values of a host with another
    password, while it gets as many values of a host with the right one."""
    poll(lambda: len(intruder.values("self", "intruder").get(
        compare.LAST, ())) > 5, "values of the host with another password")
    before = len(central.values("self", "h2").get(compare.LAST, ()))
    poll(lambda: len(central.values("self", "h2").get(
        compare.LAST, ())) > before + 5,
         "values of a host with the right password")
    check.equal("central: values of the host with another password",
                central.values("self", "intruder"), {})


def write_queue_drops_nothing(central):
    """Checks that the length of the write queue is reported, and that it dropped
    nothing."""
    folder = os.path.join(central.folder, "csv", "central",
                          "collectd-write_queue")
    files = sorted(os.listdir(folder))
    dropped = [f for f in files if f.startswith("derive-dropped")]
    with open(os.path.join(folder, dropped[0]), encoding="ascii") as f:
        # The last line may be incomplete.
        last = f.read().split("\n")[-2].split(",")[1]
    check.true("central: length and dropped values of the write queue",
               any("queue_length" in f for f in files) and float(last) == 0,
               "dropped " + last)


def run(link, central, host, database, broker):
    wait_for(central, ("h", "h2", "central"))
    begun = host.read_after(time.time())[0]
    datagrams_are_encrypted(link)
    end = host.read_after(time.time() + 3)[0]
    database.settle(end)
    sent = host.values()
    check.true("the host's groups and members", {
        k[0] for k in sent} >= {"self", "all", "outbound",
                                "outbound-" + netns.SERVER4}, len(sent))
    values_are_stored_unchanged("central", sent, central.values(), begun, end)
    values_are_stored_unchanged("InfluxDB, from central", sent,
                                database.series(), begun, end)
    check.true("central: values of the second host", central.values("self", "h2"))
    if broker:
        def messages():
            got = of_messages(broker.messages("collectd"), "h")
            return got if any(t > end + 0.002 for t, _ in got.get(
                compare.LAST, ())) else None
        # Kafka keeps the order, so once it has a later read it has all reads
        # before.
        values_are_stored_unchanged("Kafka, from central", sent, poll(
            messages, "values of a later read in Kafka"), begun, end)
    write_queue_drops_nothing(central)


def start(link, modules, stack):
    """Returns the collectds (central, host, host with another password), and
    (InfluxDB, broker or None)."""
    here = stack.enter_context(sandbox.Sandbox(link.client, {
        "central.example.org": netns.SERVER4}))
    there = stack.enter_context(sandbox.Sandbox(link.server, {
        "influxdb.example.org": netns.CLIENT4}))
    database = influxdb.InfluxDB(here)
    stack.callback(database.end)
    database.ready()
    broker, files = None, ["fleet-central.conf"]
    if not scenario.library_lacks(modules, "write_kafka") and kafka.is_available():
        broker = kafka.Broker(there)
        stack.callback(broker.end)
        poll(broker.ready, "broker")
        files.append("fleet-kafka.conf")
    else:
        check.say("not available: Kafka; missing: kcat or librdkafka")
    auth = there.write("auth", "fleet: %s\n" % SECRET)
    central = stack.enter_context(Host(there, "central", files, modules, [
        (AUTH, auth)]))
    hosts = [stack.enter_context(Host(here, name, [
        "groups.conf", "fleet.conf"], modules, change))
             for name, change in (("h", ()), ("h2", ()),
                                  ("intruder", [(SECRET, "guessed")]))]
    return central, hosts[0], hosts[2], database, broker


def main():
    check.need(*PROGRAMS, *influxdb.PROGRAMS)
    modules = own_modules()
    if scenario.library_lacks(modules, "network"):
        check.skip("collectd's plugin network cannot be loaded")
    with netns.Link() as link, contextlib.ExitStack() as stack:
        client, server, _ = stack.enter_context(Agents(link))
        server.listen(SINK, echo=True)
        numbers = client.open(3, netns.SERVER4, SINK)
        client.pingpong(numbers, 10 ** 4, 1000)
        central, host, intruder, database, broker = start(link, modules, stack)
        run(link, central, host, database, broker)
        host_with_wrong_password_is_ignored(central, intruder)


sys.exit(check.main(main))
