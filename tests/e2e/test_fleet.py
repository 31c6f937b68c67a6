#!/usr/bin/env python3
"""Two hosts that send encrypted to a central collectd, which hands their values on
to InfluxDB and to Kafka (a broker in memory): fleet.conf, fleet-central.conf and
fleet-kafka.conf as they stand, but for the place of the file of passwords."""

import contextlib
import os
import socket
import sys
import time

from ends import compare, fill, influx, kafka, place
from live import check, netns
from live.daemon import own_modules
from live.observe import poll
from live.traffic import Agents
from live.wait import LIMIT

PROGRAMS = ("ip", "nft", "ethtool", "collectd", "setpriv", "unshare")
AUTH = "/etc/collectd/fleet.auth"
SECRET = "change-this"
PORT, SINK = 25826, 9000


class Host(place.Collectd):
    """A collectd of that name; `change`: [(from, to)] in its files of conf/."""

    def __init__(self, at, name, files, modules, change=()):
        super().__init__(at, (), modules=modules)
        with open(self.conf, encoding="ascii") as f:
            text = f.read().replace('Hostname "h"', 'Hostname "%s"' % name)
        for file in files:
            piece = place.conf_text(file)
            for old, new in change:
                piece = piece.replace(old, new)
            text += piece
        with open(self.conf, "w", encoding="ascii") as out:
            out.write(text)


def sniff(namespace, count):
    """The next datagrams to the central's port."""
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


def wire_cannot_be_read(link):
    seen = sniff(link.server, 50)
    check.true("what goes over the wire cannot be read", seen and not any(
        b"tcpinfo" in d or b"bytes_sent" in d for d in seen),
               "%d datagrams" % len(seen))


def values_of_the_host_have_come(who, mine, got, since, until):
    """`got` has all that `mine` has of that time, the same."""
    count, wrong = 0, []
    for key, rows in mine.items():
        there = sorted(got.get(key, []))
        for t, v in rows:
            if since <= t <= until:
                count += 1
                near = compare.nearest(there, t, 0.0015)
                if not any(compare.close(v, x) for x in near):
                    wrong.append((key, t, v, near))
    check.true("%s: %d values of the host are there, and the same" % (
        who, count), count > 500 and not wrong, "%d are not: %s" % (
            len(wrong), wrong[:2]) if wrong else "")


def of_messages(messages, host):
    """{key: [(time, value)]} as csv has it."""
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


def wrong_password_is_not_heard(central, intruder):
    """It did read and send, and is not heard, while others are that have sent
    as much since then."""
    key = ("self", "total_events", "dump_errors")
    poll(lambda: len(intruder.values("self", "intruder").get(key, ())) > 5,
         "values of the host with another password")
    before = len(central.values("self", "h2").get(key, ()))
    poll(lambda: len(central.values("self", "h2").get(key, ())) > before + 5,
         "values of a host with the right password")
    check.equal("central: of the host with another password",
                central.values("self", "intruder"), {})


def write_queue_drops_nothing(central):
    """The bounded queue is watched, and dropped nothing."""
    folder = os.path.join(central.folder, "csv", "central",
                          "collectd-write_queue")
    files = sorted(os.listdir(folder))
    dropped = [f for f in files if f.startswith("derive-dropped")]
    with open(os.path.join(folder, dropped[0]), encoding="ascii") as f:
        # The last line may be half written.
        last = f.read().split("\n")[-2].split(",")[1]
    check.true("central: its write queue tells its length and what it dropped",
               any("queue_length" in f for f in files) and float(last) == 0,
               "dropped " + last)


def run(link, central, host, influxdb, broker):
    wait_for(central, ("h", "h2", "central"))
    begun = host.read_after(time.time())[0]
    wire_cannot_be_read(link)
    end = host.read_after(time.time() + 3)[0]
    influxdb.settle(end)
    mine = host.values()
    check.true("the host's groups and members", {
        k[0] for k in mine} >= {"self", "all", "outbound",
                                "outbound-" + netns.SERVER4}, len(mine))
    values_of_the_host_have_come("central", mine, central.values(), begun, end)
    values_of_the_host_have_come("InfluxDB, by the central", mine,
                                 influxdb.series(), begun, end)
    check.true("central: the second host apart", central.values("self", "h2"))
    if broker:
        def messages():
            got = of_messages(broker.messages("collectd"), "h")
            return got if any(t > end + 0.002 for t, _ in got.get(
                compare.LAST, ())) else None
        # A later read has come, so all of those before it have.
        values_of_the_host_have_come("Kafka, by the central", mine, poll(
            messages, "values of a later read in Kafka"), begun, end)
    write_queue_drops_nothing(central)


def start(link, modules, stack):
    """(central, host, intruder, InfluxDB, broker or None)"""
    here = stack.enter_context(place.Place(link.client, {
        "central.example.org": netns.SERVER4}))
    there = stack.enter_context(place.Place(link.server, {
        "influxdb.example.org": netns.CLIENT4}))
    influxdb = influx.InfluxDB(here)
    stack.callback(influxdb.end)
    influxdb.ready()
    broker, files = None, ["fleet-central.conf"]
    if not fill.library_lacks(modules, "write_kafka") and kafka.here():
        broker = kafka.Broker(there)
        stack.callback(broker.end)
        poll(broker.ready, "broker")
        files.append("fleet-kafka.conf")
    else:
        check.say("not here: Kafka, for want of kcat or librdkafka")
    auth = there.write("auth", "fleet: %s\n" % SECRET)
    central = stack.enter_context(Host(there, "central", files, modules, [
        (AUTH, auth)]))
    hosts = [stack.enter_context(Host(here, name, [
        "groups.conf", "fleet.conf"], modules, change))
             for name, change in (("h", ()), ("h2", ()),
                                  ("intruder", [(SECRET, "guessed")]))]
    return central, hosts[0], hosts[2], influxdb, broker


def main():
    check.need(*PROGRAMS, *influx.PROGRAMS)
    modules = own_modules()
    if fill.library_lacks(modules, "network"):
        check.skip("collectd's plugin network cannot be loaded")
    with netns.Link() as link, contextlib.ExitStack() as stack:
        client, server, _ = stack.enter_context(Agents(link))
        server.listen(SINK, echo=True)
        numbers = client.open(3, netns.SERVER4, SINK)
        client.pingpong(numbers, 10 ** 4, 1000)
        central, host, intruder, influxdb, broker = start(link, modules, stack)
        run(link, central, host, influxdb, broker)
        wrong_password_is_not_heard(central, intruder)


sys.exit(check.main(main))
