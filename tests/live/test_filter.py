#!/usr/bin/env python3
"""The filter language against ss(8) itself: for hundreds of expressions, a
group with that Filter counts as many connections as ss lists.

One namespace with connections of many kinds that nothing moves: IPv4, IPv6 and
IPv4-mapped, established over lo and half closed, and others that wait for an
answer to their SYN, on two interfaces, bound to a device or not, with marks and
in control groups. One daemon counts all groups."""

import contextlib
import os
import random
import socket
import subprocess

from live import check, filters, netns, ss
from live.daemon import Collectd, at

NAME = "%s%d-f" % (netns.PREFIX, os.getpid())
GENERATED = 260

STATES = ("established", "syn-sent", "fin-wait-1", "fin-wait-2", "close-wait",
          "last-ack", "closing")


# --- the namespace and its sockets ------------------------------------------

@contextlib.contextmanager
def namespace():
    netns.sweep()
    netns.run("ip", "netns", "add", NAME)
    try:
        ip = ("ip", "-n", NAME)
        for i, name in ((1, "one"), (2, "two")):
            # Without ARP nobody answers, and nobody is missed.
            netns.run(*ip, "link", "add", name, "arp", "off", "type", "veth",
                      "peer", "name", name + "p")
            netns.run(*ip, "addr", "add", "10.%d.0.1/16" % i, "dev", name)
            netns.run(*ip, "addr", "add", "fd0%d::1/64" % i, "dev", name,
                      "nodad")
            netns.run(*ip, "link", "set", name, "up")
            netns.run(*ip, "link", "set", name + "p", "up")
        netns.run(*ip, "link", "set", "lo", "up")
        netns.run("ip", "netns", "exec", NAME, "sysctl", "-qw",
                  "net.ipv4.tcp_syn_retries=12",
                  "net.ipv4.ip_local_port_range=32768 60999",
                  "net.ipv4.tcp_fin_timeout=600")
        yield
    finally:
        subprocess.run(["ip", "netns", "del", NAME], check=False)


class Sockets:
    def __init__(self):
        self.all = []

    def listen(self, address, port):
        s = socket.socket(socket.AF_INET6)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port))
        s.listen(100)
        self.all.append(s)
        return s

    def client(self, address, device="", mark=0, bound=None, mapped=False):
        s = socket.socket(socket.AF_INET6 if ":" in address or mapped
                          else socket.AF_INET)
        if device:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE,
                         device.encode())
        if mark:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        if bound:
            s.bind(bound)
        self.all.append(s)
        return s

    def pair(self, listener, address, **how):
        """An established connection over lo; its two ends."""
        s = self.client(address, **how)
        s.connect((address, listener.getsockname()[1]))
        accepted = listener.accept()[0]
        self.all.append(accepted)
        return s, accepted

    def waiting(self, address, port, **how):
        """One that stays in SYN-SENT."""
        s = self.client(address, **how)
        s.setblocking(False)
        s.connect_ex((("::ffff:" if how.get("mapped") else "") + address,
                      port))

    def make(self):
        web, other = self.listen("::", 8080), self.listen("::", 9000)
        for address, n in (("127.0.0.1", 4), ("::1", 3), ("127.9.9.9", 1),
                           ("::ffff:127.0.0.1", 2), ("10.1.0.1", 2),
                           ("fd01::1", 2)):
            for _ in range(n):
                self.pair(web, address)
            self.pair(other, address)
        self.pair(web, "127.0.0.1", device="lo", mark=0x1)
        self.pair(other, "::1", device="lo")
        self.pair(other, "127.0.0.1", bound=("127.0.0.2", 20001))
        for end in (0, 1): # FIN-WAIT-2 and CLOSE-WAIT
            self.pair(web, "127.0.0.1")[end].shutdown(socket.SHUT_WR)
            self.pair(other, "::1")[end].shutdown(socket.SHUT_WR)
        for port in (443, 9000, 65535):
            for i, device in ((1, "one"), (2, "two")):
                self.waiting("10.%d.0.99" % i, port)
                self.waiting("10.%d.0.98" % i, port, device=device)
                self.waiting("fd0%d::99" % i, port, device=device)
                self.waiting("10.%d.4.%d" % (i, port % 250), port)
                self.waiting("fd0%d::1:%d" % (i, port % 250), port, mark=1)
        for mark in (1, 2, 0x11, 0x12, 0x21, 0x80000001, 0xffffffff):
            self.waiting("10.1.0.99", 443, mark=mark - (mark >> 31 << 32))
            self.waiting("fd02::99", 443, mark=mark - (mark >> 31 << 32),
                         device="two")
        self.waiting("10.1.0.77", 443, mapped=True)
        self.waiting("10.2.0.77", 9000, mapped=True, mark=0x11)
        self.waiting("10.1.0.99", 443, bound=("10.1.0.1", 40000))
        self.waiting("10.1.0.99", 443, bound=("10.1.0.1", 443))

    def close(self):
        for s in self.all:
            s.close()


class Cgroups:
    """Control groups of ours, each with some connections."""

    def __init__(self):
        self.mount = ""
        with open("/proc/self/mounts", encoding="utf-8") as f:
            for line in f:
                word = line.split()
                if word[2] == "cgroup2" and not self.mount:
                    self.mount = word[1]
        self.top = "%s%d" % (netns.PREFIX, os.getpid())
        self.made = []

    def names(self):
        return ("a", "b", "x\\x2dy.slice", "two words", "a(1)")

    def __enter__(self):
        if not self.mount:
            check.say("no control groups: no cgroup2 file system")
            return self
        try:
            for name in ("", *self.names()):
                path = os.path.join(self.mount, self.top, name)
                os.mkdir(path)
                self.made.append(path)
            # Only a process that can be told may be moved.
            with self.within("a"):
                pass
        except OSError as e:
            check.say("no control groups: %s" % e)
            self.__exit__()
        return self

    def __exit__(self, *_):
        for path in reversed(self.made):
            os.rmdir(path)
        self.made = []

    @contextlib.contextmanager
    def within(self, name):
        with open("/proc/self/cgroup", encoding="utf-8") as f:
            home = next(line.split(":", 2)[2].strip() for line in f
                        if line.startswith("0::"))
        me = str(os.getpid())

        def move(path):
            with open(os.path.join(path, "cgroup.procs"), "w",
                      encoding="ascii") as f:
                f.write(me)
        move(os.path.join(self.mount, self.top, name))
        try:
            yield
        finally:
            move(self.mount + home)

    def make(self, sockets):
        for i, name in enumerate(self.names() if self.made else ()):
            with self.within(name):
                for _ in range(i + 2):
                    sockets.waiting("10.1.0.99", 443)
                sockets.waiting("10.1.0.99", 443, device="one")

    def expressions(self):
        lines = filters.CGROUPS.strip().split("\n") if self.made else []
        return [e.format(top=self.top, mount=self.mount) for e in lines]


# --- ss and the plugin ------------------------------------------------------

# Not `ip netns exec`: it hides the control groups.
ENTER = ["nsenter", "--net=/run/netns/" + NAME]


def listed(*words):
    """The lines of ss; None if it takes the words for wrong."""
    states = [w for state in STATES for w in ("state", state)]
    done = subprocess.run([*ENTER, "ss", "-tanieOH", *states, *words],
                          check=False, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    if done.returncode:
        check.say("ss says of %s: %s" % (words, done.stderr[:200]))
        return None
    return done.stdout.splitlines()


def connections():
    """All of them as dictionaries, with the device."""
    lines = listed()
    out = ss.parse("\n".join(lines))
    for line, s in zip(lines, out):
        host, _, s["dev"] = line.split()[3].rpartition(":")[0].partition("%")
        s["local"] = ss.address(host + ":0")[0]
    return out


def count(expression):
    lines = listed(expression)
    return None if lines is None else len(lines)


def block(expressions):
    lines = ["<Plugin tcpinfo>"]
    for i, expression in enumerate(expressions):
        quoted = expression.replace("\\", "\\\\").replace('"', '\\"')
        lines += ['<Group "e%d">' % i, '  Metric "connections"',
                  '  Filter "%s"' % quoted, "</Group>"]
    return "\n".join(lines + ["</Plugin>"])


def counted(expressions):
    """The plugin's count for each."""
    daemon = Collectd(block(expressions))
    daemon.command = ENTER + daemon.command
    with daemon:
        daemon.wait(lambda reads: len(reads) >= 2, "read")
        values = at(daemon.values(), daemon.reads()[0])
        code = daemon.end()
    check.equal("exit code", code, 0)
    return [values.get(("e%d" % i, "count", "connections"))
            for i in range(len(expressions))]


def groups_count_as_ss_lists(cgroups):
    source = random.Random(1)
    generated = [filters.generate(source, 3) for _ in range(GENERATED)]
    same = filters.SAME.strip().split("\n") + cgroups.expressions() + generated
    check.true("300 expressions or more", len(same) >= 300, len(same))

    everything = connections()
    before = [count(e) for e in same]
    also = [count(theirs) for _, theirs in filters.ALSO]
    different = [sum(map(bool, map(holds, everything)))
                 for _, holds in filters.DIFFERENT]
    got = counted(same + [e for e, _ in filters.ALSO + filters.DIFFERENT])
    check.equal("ss says the same after as before",
                [count(e) for e in same], before)

    check.say("--- as ss lists, of %d" % len(everything))
    for expression, ours, theirs in zip(same, got, before):
        check.equal(expression[:200], ours, theirs)
    check.say("--- as ss lists when told in its own way")
    got = got[len(same):]
    rest = got[len(filters.ALSO):]
    for (expression, _), ours, theirs in zip(filters.ALSO, got, also):
        check.equal(repr(expression), ours, theirs)
    check.say("--- where ss means something else")
    for (expression, _), ours, right in zip(filters.DIFFERENT, rest,
                                            different):
        check.equal("%s (ss: %s)" % (expression, count(expression)), ours,
                    right)

    # An expression that selects nothing or everything says little.
    telling = sum(0 < n < len(everything) for n in before if n is not None)
    check.true("most expressions select some and not all",
               telling > len(same) * 2 / 3, "%d of %d" % (telling, len(same)))


def main():
    check.need("ip", "ss", "nsenter", "setpriv", "collectd")
    sockets = Sockets()
    with namespace(), Cgroups() as cgroups:
        try:
            with netns.inside(NAME):
                sockets.make()
                cgroups.make(sockets)
            groups_count_as_ss_lists(cgroups)
        finally:
            sockets.close()


check.main(main)
