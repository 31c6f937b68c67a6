"""Two network namespaces with a veth pair between them, removed again."""

import contextlib
import ctypes
import os
import subprocess

CLIENT4, SERVER4 = "10.99.0.1", "10.99.0.2"
CLIENT6, SERVER6 = "fd99::1", "fd99::2"
PREFIX = "tcpinfo-test-"


def run(*command, **more):
    done = subprocess.run(command, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          **more)
    if done.returncode:
        raise RuntimeError("%s: %s" % (" ".join(command), done.stdout))
    return done.stdout


def enter(name):
    """A command's words before it runs in that namespace. `ip netns exec` would
    also hide the file system of cgroups."""
    return ["nsenter", "--net=/var/run/netns/" + name]


@contextlib.contextmanager
def inside(name):
    """Sockets that are made within are that namespace's, and stay so."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net", "rb") as home, \
            open("/run/netns/" + name, "rb") as there:
        if libc.setns(there.fileno(), 0):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            libc.setns(home.fileno(), 0)


def sweep():
    """Removes namespaces that a killed test has left behind."""
    for line in run("ip", "netns", "list").splitlines():
        name = line.split()[0] if line.strip() else ""
        pid = name[len(PREFIX):].split("-")[0]
        if (name.startswith(PREFIX) and pid.isdigit()
                and not os.path.exists("/proc/" + pid)):
            subprocess.run(["ip", "netns", "del", name], check=False)


class Link:
    """`client` and `server` are the names of the two namespaces. `more` is how
    many IPv4 addresses the server has besides its own (SERVER4 + 1 ...),
    `sources` how many the client has (10.99.0.129 ...)."""

    def __init__(self, more=0, sources=0):
        self.client = "%s%d-c" % (PREFIX, os.getpid())
        self.server = "%s%d-s" % (PREFIX, os.getpid())
        self.more = ["10.99.0.%d" % (3 + i) for i in range(more)]
        self.sources = ["10.99.0.%d" % (129 + i) for i in range(sources)]

    def __enter__(self):
        sweep()
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in (self.client, self.server):
            subprocess.run(["ip", "netns", "del", name], check=False,
                           stderr=subprocess.DEVNULL)

    def _make(self):
        run("ip", "netns", "add", self.client)
        run("ip", "netns", "add", self.server)
        run("ip", "link", "add", "veth", "netns", self.client, "type", "veth",
            "peer", "name", "veth", "netns", self.server)
        ends = ((self.client, CLIENT4, CLIENT6, self.sources),
                (self.server, SERVER4, SERVER6, self.more))
        for name, ip4, ip6, more in ends:
            for address in (ip4, *more):
                run("ip", "-n", name, "addr", "add", address + "/24", "dev",
                    "veth")
            run("ip", "-n", name, "addr", "add", ip6 + "/64", "dev", "veth",
                "nodad")
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "-n", name, "link", "set", "veth", "up")
            # One segment of tcp_info is then one packet on the wire.
            run("ip", "netns", "exec", name, "ethtool", "-K", "veth", "tso",
                "off", "gso", "off", "gro", "off")
            # A path that is remembered would start the next test elsewhere.
            run("ip", "netns", "exec", name, "sysctl", "-qw",
                "net.ipv4.tcp_congestion_control=reno",
                "net.ipv4.tcp_no_metrics_save=1")

    def drop(self, rules, where=None):
        """Drops at the receiver (the server's input, or that of the namespace
        `where`), where a loss looks like one to the sender: a list of nft
        matches; replaces the ones before."""
        text = "table inet loss\ndelete table inet loss\n"
        if rules:
            text += ("table inet loss {\nchain in {\n"
                     "type filter hook input priority 0;\n")
            text += "".join("%s counter drop\n" % r for r in rules)
            text += "}\n}\n"
        run("ip", "netns", "exec", where or self.server, "nft", "-f", "-",
            input=text)

    def dropped(self, where=None):
        """Packets that the rules of drop() have taken so far."""
        text = run("ip", "netns", "exec", where or self.server, "nft", "list",
                   "ruleset")
        return sum(int(line.split("packets")[1].split()[0])
                   for line in text.splitlines() if "counter packets" in line)
