"""A network namespace for the load of the benchmarks, removed after use."""

import os
import subprocess
import sys

# The size of the kernel's hash table on hosts with a million sockets.
BUCKETS = 262144
PREFIX = "tcpinfo-bench-"


def run(*command):
    done = subprocess.run(command, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit("%s: %s" % (" ".join(command), done.stdout))
    return done.stdout


def enter(name):
    return ["nsenter", "--net=/var/run/netns/" + name]


class Namespace:
    """A network namespace, inside another one: the outer namespace sets the size
    of the inner one's hash table of established sockets. `settings`: further
    arguments of sysctl."""

    def __init__(self, *settings):
        self.outer = "%s%d-outer" % (PREFIX, os.getpid())
        self.name = "%s%d" % (PREFIX, os.getpid())
        self.settings = settings

    def __enter__(self):
        self.sweep()
        try:
            run("ip", "netns", "add", self.outer)
            run(*enter(self.outer), "sysctl", "-qw",
                "net.ipv4.tcp_child_ehash_entries=%d" % BUCKETS)
            run(*enter(self.outer), "ip", "netns", "add", self.name)
            inside = enter(self.name)
            run(*inside, "sysctl", "-qw",
                "net.ipv4.ip_local_port_range=10000 65535",
                "net.ipv4.tcp_congestion_control=reno",
                "net.ipv6.ip_nonlocal_bind=1", *self.settings)
            run(*inside, "ip", "link", "set", "lo", "up")
            run(*inside, "ip", "route", "replace", "local", "10.64.0.0/10",
                "dev", "lo")
            run(*inside, "ip", "-6", "route", "replace", "local", "fd64::/48",
                "dev", "lo")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in (self.name, self.outer):
            subprocess.run(["ip", "netns", "del", name], check=False,
                           stderr=subprocess.DEVNULL)

    @staticmethod
    def sweep():
        """Removes the namespaces of killed runs."""
        for line in run("ip", "netns", "list").splitlines():
            name = line.split()[0] if line.strip() else ""
            pid = name[len(PREFIX):].split("-")[0]
            if (name.startswith(PREFIX) and pid.isdigit()
                    and not os.path.exists("/proc/" + pid)):
                subprocess.run(["ip", "netns", "del", name], check=False)
