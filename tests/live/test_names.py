#!/usr/bin/env python3
"""Names of members: a name means one thing, and its counters hold only what that
thing did, whatever is restarted, renamed, pushed out and comes back.

Services (cgroups) and devices in namespaces of the test send known numbers of
bytes; few members have a series at a time."""

import os
import socket
import subprocess
import sys
import time

from live import cgroup, check, netns
from live.daemon import Collectd
from live.traffic import Agents
from live.wait import poll

PORT = 7000
# A program in a cgroup: sends as many bytes as it is told, line by line; ends
# with its input.
SENDER = """
import socket, sys
open(sys.argv[1] + "/cgroup.procs", "w").write("0")
s = socket.socket()
s.connect(("127.0.0.1", int(sys.argv[2])))
print("open", flush=True)
for line in sys.stdin:
    left = int(line)
    while left > 0:
        left -= s.send(bytes(min(left, 65536)))
    print("sent", flush=True)
"""
BLOCK = """<Plugin tcpinfo>
  <Group "g">
    RemotePort %d
    By "cgroup"
    MaxMembers 2
    MemberTimeout 2
    Metric "connections" "bytes_sent" "opened"
  </Group>
  <Group "d">
    RemotePort %d
    By "interface"
    MemberTimeout 2
    Metric "connections" "bytes_sent"
  </Group>
  <Group "a">
    RemotePort %d
    By "remote-address"
    Metric "connections" "bytes_sent"
  </Group>
</Plugin>""" % (PORT, PORT + 1, PORT + 2)


class Service:
    """A process in a cgroup, with one connection."""

    def __init__(self, tree, path, namespace):
        self.tree, self.path = tree, path
        self.process = subprocess.Popen(
            [*netns.enter(namespace), sys.executable, "-c", SENDER,
             tree.make(path), str(PORT)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def send(self, size):
        self.process.stdin.write("%d\n" % size)
        self.process.stdin.flush()
        self.process.stdout.readline()
        return size

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.tree.remove(self.path)


def member(group, name, kind="total_bytes", what="bytes_sent"):
    return group + "-" + name, kind, what


def last(daemon, key):
    """The last value that a series has ever had."""
    rows = daemon.values(key[0]).get(key)
    return rows[-1][1] if rows else None


def grows_to(daemon, key, value):
    """Waits for the value, and says whether it is not exceeded."""
    try:
        poll(lambda: (last(daemon, key) or 0) >= value,
             "%s of %s" % (value, key), limit=60, hopeless=daemon.ended)
    except TimeoutError:
        pass
    daemon.begun_after(time.time())
    check.equal("%s has exactly what it sent" % key[0], last(daemon, key),
                float(value))


def reads(daemon, count):
    daemon.begun_after(time.time(), count)


def others_come_and_go(daemon, tree, namespace, count):
    """More members than the counters of series would be remembered for, each
    with more traffic than the service."""
    for i in range(count):
        batch = Service(tree, "batch%d.service" % i, namespace)
        batch.send(5000000)
        reads(daemon, 1)
        batch.end()


def restarted_service_goes_on(daemon, tree, namespace):
    name, sent = "shop.service", 0
    for generation in range(3):
        service = Service(tree, name, namespace)
        reads(daemon, 2)
        sent += service.send(1000)
        grows_to(daemon, member("g", name), sent)
        service.end()
        if generation == 0:
            others_come_and_go(daemon, tree, namespace, 10)
            reads(daemon, 3) # so the service has been forgotten as a member
    rows = [v for _, v in daemon.values("g-" + name)[member("g", name)]]
    check.true("its counter never fell", rows == sorted(rows), rows[-5:])


def containers_are_told_apart(daemon, tree, namespace):
    """Host-network containers of crun, started anew in the other order."""
    names = ["libpod-%s.scope" % i for i in ("one", "two")]
    sent = dict.fromkeys(names, 0)
    for order in (names, names[::-1]):
        boxes = [Service(tree, name + "/container", namespace)
                 for name in order]
        reads(daemon, 2)
        for name, box in zip(order, boxes):
            sent[name] += box.send(1000 if name == names[0] else 70000)
        for name in names:
            grows_to(daemon, member("g", name + "_container"), sent[name])
        for name, box in zip(order, boxes):
            box.end()
            os.rmdir(os.path.join(tree.top, name))
        reads(daemon, 3)


def services_of_one_name_are_two(daemon, tree, namespace):
    """Whoever may make a cgroup of a service's name does not get its series."""
    real = Service(tree, "system.slice/web.service", namespace)
    reads(daemon, 2)
    sent = real.send(3000)
    grows_to(daemon, member("g", "web.service"), sent)
    real.end()
    reads(daemon, 4)
    false = Service(tree, "user.slice/web.service", namespace)
    reads(daemon, 2)
    false.send(50000)
    reads(daemon, 3)
    check.equal("the series of the first one is as before",
                last(daemon, member("g", "web.service")), float(sent))
    hashed = [k for k in daemon.values() if k[0].startswith("g-web.service_")
              and k[2] == "bytes_sent"]
    check.true("the other one has a name of its own", len(hashed) == 1, hashed)
    if hashed:
        check.equal("and its own bytes", last(daemon, hashed[0]), 50000.0)
    false.end()


def renamed_device_has_its_present_name(daemon, client, server, namespace):
    server.listen(PORT + 1)
    one = client.open(1, netns.SERVER4, PORT + 1,
                      ("SOL_SOCKET", "SO_BINDTODEVICE", "veth"))
    client.send(one, 2000)
    grows_to(daemon, member("d", "veth"), 2000)
    netns.run("ip", "-n", namespace, "link", "set", "veth", "name", "uplink")
    poll(lambda: last(daemon, member("d", "uplink")) is not None,
         "member of the new name")
    reads(daemon, 2)
    client.send(one, 700)
    grows_to(daemon, member("d", "uplink"), 700)
    check.equal("the old name is as before",
                last(daemon, member("d", "veth")), 2000.0)
    netns.run("ip", "-n", namespace, "link", "set", "uplink", "name", "veth")
    poll(lambda: len(daemon.values("d-veth")[member("d", "veth")]) and
         daemon.values("d-veth")[member("d", "veth")][-1][0] >=
         daemon.reads()[-2], "member of the first name")
    reads(daemon, 2)
    client.send(one, 11)
    grows_to(daemon, member("d", "veth"), 2011)


def link_local_address_belongs_to_its_device(daemon, link):
    """Two routers of one address on two links; the second has more traffic."""
    sockets = []
    for device, size in (("veth", 1000), ("veth2", 60000)):
        with netns.inside(link.client):
            s = socket.socket(socket.AF_INET6)
            s.connect(("fe80::1", PORT + 2, 0, socket.if_nametoindex(device)))
        s.sendall(bytes(size))
        sockets.append(s)
    for device, size in (("veth", 1000), ("veth2", 60000)):
        grows_to(daemon, member("a", "fe80__1_" + device), size)
    for s in sockets:
        s.close()


def routers_make(link, third):
    """fe80::1 at the other end of both links of the client."""
    netns.run("ip", "netns", "add", third)
    netns.run("ip", "link", "add", "veth2", "netns", link.client, "type",
              "veth", "peer", "name", "veth2", "netns", third)
    for name, device, host in ((link.server, "veth", 1), (third, "veth2", 1),
                               (link.client, "veth", 2),
                               (link.client, "veth2", 2)):
        netns.run("ip", "-n", name, "link", "set", device, "up")
        netns.run("ip", "-n", name, "addr", "add", "fe80::%d/64" % host, "dev",
                  device, "nodad")


def main():
    check.need("ip", "ss", "ethtool", "nsenter", "collectd", "setpriv")
    with cgroup.Tree() as tree, netns.Link() as link:
        if tree.reason:
            check.skip(tree.reason)
        third = link.client[:-1] + "t"
        try:
            routers_make(link, third)
            run(tree, link, third)
        finally:
            subprocess.run(["ip", "netns", "del", third], check=False)


def run(tree, link, third):
    with Agents(link) as (client, server, agents):
        sink, other = agents.more(link.client), agents.more(third)
        sink.listen(PORT)
        for router in (server, other):
            router.listen(PORT + 2)
        with Collectd(BLOCK, link.client, interval=0.5) as daemon:
            daemon.wait(lambda r: len(r) >= 2, "read")
            restarted_service_goes_on(daemon, tree, link.client)
            containers_are_told_apart(daemon, tree, link.client)
            services_of_one_name_are_two(daemon, tree, link.client)
            link_local_address_belongs_to_its_device(daemon, link)
            renamed_device_has_its_present_name(daemon, client, server,
                                                link.client)


if __name__ == "__main__":
    check.main(main)
