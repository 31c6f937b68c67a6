"""Traffic with exact byte counts: an Agent stands for agent.py in a namespace.

A call returns when the agent has the order, not when the data has arrived;
Agents.settle() waits for that."""

import json
import os
import subprocess
import sys
import time

from . import ss
from .wait import LIMIT

HERE = os.path.dirname(os.path.abspath(__file__))


class Agent:
    """`cgroup`: the folder of the cgroup (v2) to run in; `uid`: the user that
    its sockets belong to."""

    def __init__(self, namespace, cgroup=None, uid=0):
        self.namespace = namespace
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", namespace, sys.executable,
             os.path.join(HERE, "agent.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if cgroup:
            with open(os.path.join(cgroup, "cgroup.procs"), "w",
                      encoding="ascii") as procs:
                procs.write(str(self.process.pid))
        if uid:
            self._ask("become", uid)

    def _ask(self, *order):
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("agent in %s ended at %s" %
                               (self.namespace, order[0]))
        return json.loads(line)

    def listen(self, port, family="AF_INET6", address="::", echo=False,
               backlog=512, accept=True, options=()):
        """Without anything else, on IPv4 and IPv6 alike."""
        self._ask("listen", family, address, port, echo, backlog, accept,
                  options)

    def deaf(self, port):
        """Ends listening there; connections stay."""
        self._ask("deaf", port)

    def open(self, n, address, port, *options):
        """Connects n times, with socket options such as ("SOL_SOCKET",
        "SO_BINDTODEVICE", "eth0"); returns the numbers of the connections."""
        family = "AF_INET6" if ":" in address else "AF_INET"
        return self._ask("open", n, family, address, port, options)

    def set(self, numbers, *option):
        """A socket option of open connections."""
        self._ask("set", numbers, option)

    def send(self, numbers, size):
        """`size` bytes on each."""
        self._ask("send", numbers, size)

    def pingpong(self, numbers, rounds, size):
        """`size` bytes and their echo, `rounds` times, on each."""
        self._ask("pingpong", numbers, rounds, size)

    def pause(self, on):
        self._ask("pause", on)

    def close(self, numbers, reset=False):
        self._ask("close", numbers, reset)

    def shut(self, numbers):
        """Ends sending; they close when the other end does."""
        self._ask("shut", numbers)

    def report(self):
        """{number: what the application counts on this connection}"""
        return {r["id"]: r for r in self._ask("report")}

    def totals(self):
        """Bytes written and read on all connections so far, also closed
        ones."""
        return self._ask("totals")

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Agents:
    """A client and a server, each in its namespace of a netns.Link; more where
    asked for."""

    def __init__(self, link):
        self.link = link
        self.all = []

    def __enter__(self):
        return self.more(self.link.client), self.more(self.link.server), self

    def __exit__(self, *_):
        for agent in self.all:
            agent.end()

    def more(self, namespace, **options):
        self.all.append(Agent(namespace, **options))
        return self.all[-1]

    def settle(self):
        """Waits until both ends have got all that was sent and the kernel has
        nothing more to do: two looks of ss apart by more than a delayed ACK
        are the same. Returns ({namespace: connections}, when it was seen)."""
        end = time.monotonic() + LIMIT
        before = None
        while time.monotonic() < end:
            reports = [r for a in self.all for r in a.report().values()]
            busy = any(r["pending"] or r["rounds"] for r in reports)
            now = {n: ss.sockets(n) for n in (self.link.client,
                                              self.link.server)}
            seen = time.time()
            # The last ACK of a handshake was lost: more will come.
            busy = busy or any(s["state"] == "SYN-RECV"
                               for l in now.values() for s in l)
            queued = any(s["send_queue"] or s["recv_queue"] or
                         s.get("unacked")
                         for l in now.values() for s in ss.connections(l))
            still = {n: ss.still(l) for n, l in now.items()}
            if not busy and not queued and still == before:
                return {n: ss.connections(l) for n, l in now.items()}, seen
            before = still
            time.sleep(0.25)
        raise TimeoutError("traffic has not settled in %d s" % LIMIT)
