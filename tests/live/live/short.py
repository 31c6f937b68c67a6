"""Connections that live for a moment: ShortServer and ShortClient stand for
short_agent.py in a namespace.

Their counts are a Counts: for each remote address and port of the server what the
applications sent and received, the ends of file that they read, and the number
of connections."""

import json
import os
import subprocess
import sys
import time

from .netns import enter
from .wait import LIMIT, Progress
from .short_agent import CLIENT, COUNT, ENDS, HALF, RECEIVED, SENT, SERVER

HERE = os.path.dirname(os.path.abspath(__file__))
EVERY_WAY = (SERVER, HALF, CLIENT)


def start(namespace, role, order):
    return subprocess.Popen(
        [*enter(namespace), "setpriv", "--pdeathsig", "KILL", sys.executable,
         os.path.join(HERE, "short_agent.py"), role, json.dumps(order)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)


class Counts:
    def __init__(self, rows):
        """[[remote address, port of the server, counts]]"""
        self.all = rows

    @classmethod
    def of(cls, said):
        return cls([(*key.split(" "), row)
                    for key, row in said["rows"].items()])

    def minus(self, before):
        """The counts since `before`."""
        old = {(a, p): row for a, p, row in before.all}
        return Counts([(a, p, [n - o for n, o in zip(
            row, old.get((a, p), (0, 0, 0, 0)))]) for a, p, row in self.all])

    def sum(self, what, address=None, port=None):
        return sum(row[what] for a, p, row in self.all
                   if address in (None, a) and port in (None, int(p)))

    def addresses(self):
        return {a for a, _, _ in self.all}

    def ports(self):
        return {int(p) for _, p, _ in self.all}


class ShortServer:
    """`listen`: [family, address, port] each; AF_INET6 takes IPv4, too."""

    def __init__(self, namespace, *listen):
        self.process = start(namespace, "server", {"listen": listen})
        self._answer()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("a server of short connections ended")
        return json.loads(line)

    def said(self):
        self.process.stdin.write(b"say\n")
        self.process.stdin.flush()
        return self._answer()

    def settle(self):
        """Waits until no connection is left; the counts since the start."""
        progress = Progress("end of short connections")
        said = self.said()
        while said["living"]:
            progress.see(said["living"])
            time.sleep(0.1)
            said = self.said()
        if said["errors"]:
            raise RuntimeError("server: %s" % said["errors"])
        return Counts.of(said)


class ShortClient:
    """Opens `count` connections, `parallel` at most at a time and, if given,
    `rate` a second: `targets` in turn, [family, source address or "", address,
    port] each, and ended in turn in the `ways`."""

    def __init__(self, namespace, count, targets, ways=EVERY_WAY, parallel=150,
                 rate=None):
        self.process = start(namespace, "client", {
            "count": count, "targets": targets, "ways": ways,
            "parallel": parallel, "rate": rate, "limit": LIMIT})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def run(self, meanwhile):
        """Calls `meanwhile` now and then until the end: (Counts, seconds that the
        longest lived)."""
        while self.process.poll() is None:
            meanwhile()
            time.sleep(0.2)
        text = self.process.stdout.read()
        if self.process.wait() or not text:
            raise RuntimeError("a client of short connections failed")
        said = json.loads(text)
        if said["errors"] or said["living"]:
            raise RuntimeError("client: %s, %d left" % (said["errors"],
                                                        said["living"]))
        return Counts.of(said), said["longest"]
