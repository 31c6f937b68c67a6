#!/usr/bin/env python3
"""Filters follow the names that they were written with: a control group is
removed and made anew, one appears after the start, devices are renamed, come
and go, the range of local ports changes. At each step the groups count as many
connections as ss(8) lists, and none counts as opened or closed that was not.
A list of services that cannot be read at the start is read later.

Two daemons watch the same connections: `all` has a group of every connection,
so that the kernel shows it all sockets; `few` only selects control groups, so
that the kernel hides the other sockets from it."""

import contextlib
import os
import subprocess
import time

from live import check, netns
from live.daemon import Collectd
from live.traffic import Agents
from live.wait import poll

PORT, OTHER_PORT, LATER_PORT = 8000, 9000, 9100
LATER_CLIENT, LATER_SERVER = "10.98.0.1", "10.98.0.2"
STATES = ("established", "syn-sent", "fin-wait-1", "fin-wait-2", "close-wait",
          "last-ack", "closing")


class Cgroups:
    """Control groups of this test, made and removed one by one."""

    def __init__(self):
        self.mount = ""
        with open("/proc/self/mounts", encoding="utf-8") as f:
            for line in f:
                word = line.split()
                if word[2] == "cgroup2" and not self.mount:
                    self.mount = word[1]
        self.name = "%s%d-follows" % (netns.PREFIX, os.getpid())

    def __enter__(self):
        if not self.mount:
            check.skip("no cgroup2 file system is mounted")
        try:
            os.mkdir(os.path.join(self.mount, self.name))
            self.make("probe")
            with open(os.path.join(self.folder("probe"), "cgroup.procs"), "a",
                      encoding="ascii"):
                pass
        except OSError as e:
            self.__exit__()
            check.skip("no control groups: %s" % e)
        return self

    def __exit__(self, *_):
        top = os.path.join(self.mount, self.name)
        if os.path.isdir(top):
            for name in os.listdir(top):
                if os.path.isdir(os.path.join(top, name)):
                    self.remove(name)
            os.rmdir(top)

    def path(self, name):
        return "/%s/%s" % (self.name, name)

    def folder(self, name):
        return os.path.join(self.mount, self.name, name)

    def make(self, name):
        os.mkdir(self.folder(name))

    def remove(self, name):
        """Once its last process has left, which may take a moment."""
        def removed():
            with contextlib.suppress(OSError):
                os.rmdir(self.folder(name))
            return not os.path.exists(self.folder(name))
        poll(removed, "removal of a control group")

    def leave(self, process):
        """Moves a process to the topmost one; its sockets stay."""
        with open(os.path.join(self.mount, "cgroup.procs"), "w",
                  encoding="ascii") as f:
            f.write(str(process.pid))


def block(expressions):
    lines = ["<Plugin tcpinfo>"]
    for name, expression in expressions.items():
        lines += ['<Group "%s">' % name,
                  '  Metric "connections" "opened" "closed"']
        if expression:
            lines.append('  Filter "%s"' % expression)
        lines.append("</Group>")
    return "\n".join(lines + ["</Plugin>"])


class World:
    """The daemons, and what ss lists in the same namespace."""

    def __init__(self, namespace, cgroups):
        self.namespace, self.stack = namespace, contextlib.ExitStack()
        self.unit, self.later = cgroups.path("unit"), cgroups.path("later")
        self.few = {"unit": "cgroup " + self.unit,
                    "late": "cgroup " + self.later}
        self.all = {
            **self.few, "every": "",
            "not_unit": "not cgroup " + self.unit,
            "not_late": "not cgroup " + self.later,
            "unit_port": "cgroup %s and dport = :%d" % (self.unit, PORT),
            "unit_or_veth": "cgroup %s or dev veth" % self.unit,
            "veth": "dev veth", "not_veth": "not dev veth",
            "uplink": "dev uplink", "not_uplink": "dev != uplink",
            "added": "dev added", "not_added": "not dev added",
            "unbound": "dev 0",
            "autobound": "autobound", "not_autobound": "not autobound",
        }

    def __enter__(self):
        self.daemons = [
            (expressions, self.stack.enter_context(
                Collectd(block(expressions), self.namespace)))
            for expressions in (self.all, self.few)]
        return self

    def __exit__(self, *_):
        self.stack.close()

    def listed(self, *words):
        """The number of connections; None if ss refuses the words, because a
        name does not exist."""
        states = [w for state in STATES for w in ("state", state)]
        done = subprocess.run(
            [*netns.enter(self.namespace), "ss", "-tnOH", *states, *words],
            check=False, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        return None if done.returncode else len(done.stdout.splitlines())

    def expected(self, gone):
        """{group: connections}; `gone`: those of groups that ss cannot ask
        for."""
        every = self.listed()
        ports = netns.run(*netns.enter(self.namespace), "sysctl", "-n",
                          "net.ipv4.ip_local_port_range").split()
        out = {name: self.listed(text) if text else every
               for name, text in self.all.items()}
        # ss asks the kernel who chose the port, too.
        out["autobound"] = self.listed("sport >= :%s and sport <= :%s" %
                                       tuple(ports))
        out["not_autobound"] = every - out["autobound"]
        if out["unit_or_veth"] is None:
            out["unit_or_veth"] = out["unit"]
        for name in out:
            if name in gone:
                out[name] = gone[name]
            elif out[name] is None: # nothing has the name
                out[name] = every if name.startswith("not_") else 0
        return out

    def compare(self, step, gone=None):
        """Compares all groups of both daemons with ss. Returns the values of
        the group `unit` by daemon."""
        check.say("--- " + step)
        expected = self.expected(gone or {})
        out = []
        for (expressions, daemon), kind in zip(self.daemons, ("all", "few")):
            _, values = daemon.read_after(time.time())
            for name in expressions:
                check.equal("%s: %s" % (kind, expressions[name] or "all"),
                            values.get((name, "count", "connections")),
                            expected[name])
            out.append({metric: values.get(("unit", "total_connections",
                                            metric))
                        for metric in ("opened", "closed")})
            if kind == "few":
                self.wait_until_hidden(daemon,
                                       expected["unit"] + expected["late"])
        check.equal("ss says the same after as before",
                    self.expected(gone or {}), expected)
        return out

    def wait_until_hidden(self, daemon, shown):
        """Until the kernel shows no others: a former control group's sockets
        are shown until a complete dump has seen that they left."""
        def hidden():
            _, values = daemon.read_after(time.time())
            return values["self", "count", "sockets_dumped"] == shown
        poll(hidden, "filter that shows %d sockets" % shown,
             hopeless=daemon.ended)

    def counts(self, what, before, now, opened, closed):
        for one, other in zip(before, now):
            check.equal(what + ": opened", other["opened"] - one["opened"],
                        opened)
            check.equal(what + ": closed", other["closed"] - one["closed"],
                        closed)


def rename(namespace, old, new):
    """Down and up again, as kernels before 6.2 want it; connections stay."""
    ip = ("ip", "-n", namespace)
    netns.run(*ip, "link", "set", old, "down")
    netns.run(*ip, "link", "set", old, "name", new)
    netns.run(*ip, "link", "set", new, "up")


def add_device(link):
    netns.run("ip", "link", "add", "added", "netns", link.client, "type",
              "veth", "peer", "name", "added", "netns", link.server)
    for name, address in ((link.client, LATER_CLIENT),
                          (link.server, LATER_SERVER)):
        netns.run("ip", "-n", name, "addr", "add", address + "/24", "dev",
                  "added")
        netns.run("ip", "-n", name, "link", "set", "added", "up")


def bound_to(device):
    return ("SOL_SOCKET", "SO_BINDTODEVICE", device)


def unit_is_restarted(world, cgroups, link, agents, first, start):
    """Twice. The first time some of its connections outlive it: a process that
    has left the control group holds them."""
    before = start
    holder = first
    for round_ in (1, 2):
        held = len(holder.report()) if round_ == 1 else 0
        if round_ == 1:
            cgroups.leave(holder.process)
        else:
            holder.end()
            poll(lambda: world.listed("cgroup " + world.unit) == 0, "end")
        cgroups.remove("unit")
        every = world.listed()
        bound = world.listed("dev veth")
        now = world.compare(
            "the control group is removed, round %d" % round_,
            {"unit": held, "not_unit": every - held, "unit_port": held - 1
             if held else 0, "unit_or_veth": held + bound})
        world.counts("removed", before, now, 0, 0 if held else 4)
        before = now

        cgroups.make("unit")
        holder = agents.more(link.client, cgroup=cgroups.folder("unit"))
        holder.open(4, netns.SERVER4, PORT)
        now = world.compare("it is made anew, round %d" % round_)
        world.counts("made anew", before, now, 4, 0)
        before = now
    return before


def cgroup_appears(world, cgroups, link, agents):
    cgroups.make("later")
    late = agents.more(link.client, cgroup=cgroups.folder("later"))
    late.open(2, netns.SERVER4, PORT)
    world.compare("a control group appears")
    check.equal("in it", world.listed("cgroup " + world.later), 2)


def devices_change(world, link, agents, before):
    rename(link.client, "veth", "uplink")
    world.compare("a device is renamed")
    check.equal("bound to it", world.listed("dev uplink"), 3)
    rename(link.client, "uplink", "veth")
    now = world.compare("it is renamed back")
    world.counts("renamed", before, now, 0, 0)

    add_device(link)
    more = agents.more(link.client)
    more.open(2, LATER_SERVER, LATER_PORT, bound_to("added"))
    world.compare("a device appears")
    check.equal("bound to it", world.listed("dev added"), 2)
    netns.run("ip", "-n", link.client, "link", "del", "added")
    world.compare("it is removed; its connections are not")
    return now


def local_ports_change(world, before):
    for low, high in ((1024, 2000), (40000, 60999), (32768, 60999)):
        netns.run("ip", "netns", "exec", world.namespace, "sysctl", "-qw",
                  "net.ipv4.ip_local_port_range=%d %d" % (low, high))
        now = world.compare("local ports are %d to %d" % (low, high))
    world.counts("ports", before, now, 0, 0)


def notices_name_what_is_absent(world):
    """One for each condition on it, at the start, and no more."""
    check.say("--- the log")
    for expressions, daemon in world.daemons:
        got = sorted(line.split("tcpinfo: ", 1)[1]
                     for line in daemon.log().splitlines()
                     if "tcpinfo: Group" in line)
        absent = {"cgroup " + world.later: "control group",
                  "dev uplink": "network device",
                  "dev added": "network device"}
        want = []
        for name, text in expressions.items():
            for condition, what in absent.items():
                if condition in text.replace("!= ", ""):
                    want.append('Group "%s": Filter "%s": no such %s yet; '
                                'matches nothing until there is one; looked up '
                                'at every read' % (name, condition, what))
        check.equal("notices", got, sorted(want))
        check.equal("exit code", daemon.end(), 0)


# /etc without its list of services, for the daemon alone.
WITHOUT_SERVICES = """
mkdir {folder}/etc && mount --rbind /etc {folder}/etc &&
mount -t tmpfs tmpfs /etc && for f in {folder}/etc/* {folder}/etc/.[!.]*; do
  [ "${{f##*/}}" = services ] || ln -s "$f" "/etc/${{f##*/}}"
done; exec "$@"
"""


def services_come_later(link, client, server):
    """A list of services that cannot be read is no error."""
    check.say("--- services")
    if not os.path.exists("/etc/services"):
        check.say("skipped: no /etc/services")
        return
    server.listen(8080)
    client.open(3, netns.SERVER4, 8080)
    daemon = Collectd("""
<Plugin tcpinfo>
  <Group "option">
    RemotePort 4711 "http-alt"
    Metric "connections" "opened"
  </Group>
  <Group "filter">
    Filter "dport = :http-alt"
    Metric "connections" "opened"
  </Group>
  <Group "negated">
    Filter "dport != :http-alt and dport = :8080"
    Metric "connections" "opened"
  </Group>
</Plugin>""", link.client)
    daemon.command = ["unshare", "--mount", "--", "sh", "-c",
                      WITHOUT_SERVICES.format(folder=daemon.folder), "sh",
                      *daemon.command]

    def counted():
        _, values = daemon.read_after(time.time())
        return [values[name, "count", "connections"]
                for name in ("option", "filter", "negated")]
    with daemon:
        check.equal("without services", counted(), [0, 0, 3])
        log = sorted(line.split("tcpinfo: ", 1)[1]
                     for line in daemon.log().splitlines()
                     if "tcpinfo: Group" in line)
        check.equal("notices", log, [
            'Group "%s": %s "http-alt": services cannot be looked up now; '
            'matches nothing until the port is known; looked up every minute'
            % row for row in (("filter", "Filter"), ("negated", "Filter"),
                              ("option", "RemotePort"))])
        netns.run("nsenter", "-t", str(daemon.process.pid), "-m", "ln", "-s",
                  daemon.folder + "/etc/services", "/etc/services")
        poll(lambda: counted() == [3, 3, 0], "port of the service",
             hopeless=daemon.ended)
        _, values = daemon.read_after(time.time())
        check.equal("they moved, and did not open",
                    [values[name, "total_connections", "opened"]
                     for name in ("option", "filter")], [0, 0])
        check.equal("exit code", daemon.end(), 0)


def main():
    check.need("ip", "ss", "nsenter", "unshare", "setpriv", "sysctl",
               "collectd")
    with Cgroups() as cgroups, netns.Link() as link, \
            Agents(link) as (client, server, agents):
        netns.run("ip", "netns", "exec", link.client, "sysctl", "-qw",
                  "net.ipv4.ip_local_port_range=32768 60999")
        for port in (PORT, OTHER_PORT, LATER_PORT):
            server.listen(port)
        client.open(5, netns.SERVER4, PORT)
        client.open(4, netns.SERVER6, OTHER_PORT)
        client.open(3, netns.SERVER4, OTHER_PORT, bound_to("veth"))
        cgroups.make("unit")
        unit = agents.more(link.client, cgroup=cgroups.folder("unit"))
        unit.open(3, netns.SERVER4, PORT)
        unit.open(1, netns.SERVER4, OTHER_PORT)
        with World(link.client, cgroups) as world:
            before = world.compare("at the start")
            before = unit_is_restarted(world, cgroups, link, agents, unit,
                                       before)
            cgroup_appears(world, cgroups, link, agents)
            before = devices_change(world, link, agents, before)
            local_ports_change(world, before)
            notices_name_what_is_absent(world)
        services_come_later(link, client, server)


check.main(main)
