"""A program of the benchmarks, which exchanges lines with the script."""

import os
import select
import subprocess
import sys

from namespace import enter


# The maximum wait, in seconds, for an answer that is immediate on an idle machine.
LIMIT = 300


class Program:
    """Runs the program in the namespace until the end of the `with`. `cpu`: the
    CPU that the program is bound to."""

    def __init__(self, namespace, folder, name, *arguments, cpu=None):
        pin = [] if cpu is None else ["taskset", "-c", str(cpu)]
        self.command = [*enter(namespace.name), *pin,
                        os.path.join(folder, name), *map(str, arguments)]
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        return self

    def receive(self, limit):
        """Returns the next line of the program, which writes complete lines and
        waits for a command after each. `limit`: the maximum wait in seconds, if
        longer than LIMIT."""
        limit = max(limit, LIMIT)
        if not select.select([self.process.stdout], [], [], limit)[0]:
            sys.exit("no answer in %d s: %s" % (limit, " ".join(self.command)))
        line = self.process.stdout.readline()
        if not line:
            sys.exit("program ended early: " + " ".join(self.command))
        return line.strip()

    def expect(self, word, limit=LIMIT):
        answer = self.receive(limit)
        if answer != word:
            sys.exit("%s: answered \"%s\", not \"%s\"" % (
                " ".join(self.command), answer, word))

    def send(self, line):
        self.process.stdin.write("%s\n" % line)
        self.process.stdin.flush()

    def ask(self, line, limit):
        self.send(line)
        return self.receive(limit)

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
