"""A program of the benchmarks, told and heard line by line."""

import os
import select
import subprocess
import sys

from namespace import enter


# Seconds: the upper limit of a wait for what takes no time on a calm machine.
LIMIT = 300


class Program:
    """It runs in the namespace, and ends with the `with`. `cpu`: the one that
    it is kept to."""

    def __init__(self, namespace, folder, name, *arguments, cpu=None):
        pin = [] if cpu is None else ["taskset", "-c", str(cpu)]
        self.command = [*enter(namespace.name), *pin,
                        os.path.join(folder, name), *map(str, arguments)]
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        return self

    def hear(self, limit):
        """It writes whole lines, and waits to be told after each. `limit`:
        what it should take at most, where that may be more than LIMIT."""
        limit = max(limit, LIMIT)
        if not select.select([self.process.stdout], [], [], limit)[0]:
            sys.exit("no answer in %d s: %s" % (limit, " ".join(self.command)))
        line = self.process.stdout.readline()
        if not line:
            sys.exit("it ended: " + " ".join(self.command))
        return line.strip()

    def expect(self, word, limit=LIMIT):
        heard = self.hear(limit)
        if heard != word:
            sys.exit("%s: %s" % (" ".join(self.command), heard))

    def tell(self, line):
        self.process.stdin.write("%s\n" % line)
        self.process.stdin.flush()

    def ask(self, line, limit):
        self.tell(line)
        return self.hear(limit)

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
