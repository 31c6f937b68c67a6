"""The parent's side of program.py and observer.py."""

import json
import os
import subprocess
import sys
import time

from live import netns
from live.wait import LIMIT, Progress, poll

HERE = os.path.dirname(os.path.abspath(__file__))


class Child:
    """A process in a namespace that answers each line with a line of JSON."""

    def __init__(self, namespace, script, *arguments, cgroup=None):
        self.namespace = namespace
        enter = []
        if cgroup: # before it opens anything
            enter = ["sh", "-c", 'echo $$ >"$0/cgroup.procs"; exec "$@"',
                     cgroup]
        self.process = subprocess.Popen(
            [*netns.enter(namespace), *enter, "setpriv", "--pdeathsig",
             "KILL", sys.executable, "-B", os.path.join(HERE, script),
             *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def tell(self, word):
        self.process.stdin.write(word.encode() + b"\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("a child of the oracle in %s ended: %s" % (
                self.namespace, self.process.args[-1][:200]))
        return json.loads(line)

    def ask(self, word):
        self.tell(word)
        return self.answer()

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Program(Child):
    number = 0

    def __init__(self, namespace, folder, cgroup=None, **order):
        Program.number += 1
        self.log = os.path.join(folder, "program-%d" % Program.number)
        super().__init__(namespace, "program.py",
                         json.dumps({"log": self.log, **order}),
                         cgroup=cgroup)
        self.records, self.surprises = [], {}

    def ready(self):
        self.answer()
        poll(lambda: self.ask("report")["ready"], "start of a program")

    def report(self):
        said = self.ask("report")
        self.records, self.surprises = said["records"], said["surprises"]
        return said


class Observer(Child):
    def __init__(self, namespace, folder):
        self.rows = os.path.join(folder, "rows-" + namespace)
        super().__init__(namespace, "observer.py", self.rows)

    def mark(self):
        return self.ask("mark")


def at_rest(programs, observers):
    """Waits until only persistent connections are left, and they do nothing; in
    the kernel there is nothing else."""
    progress = Progress("end of traffic")
    while True:
        said = [p.report() for p in programs]
        persistent = sum(s["persistent"] for s in said)
        state = ([s["living"] for s in said], [s["paused"] for s in said])
        over = (sum(s["living"] for s in said) == 2 * persistent and
                all(s["paused"] == s["talking"] for s in said))
        if over:
            living = [o.mark()["living"] for o in observers]
            state = (*state, [len(l) for l in living])
            if sum(len(l) for l in living) == 2 * persistent:
                return
        progress.see(state)
        time.sleep(0.2)


def events_are_read(namespaces):
    """No close event waits in the kernel for anybody."""
    def waiting():
        for n in namespaces:
            for line in netns.run(*netns.enter(n), "cat",
                                  "/proc/net/netlink").splitlines()[1:]:
                word = line.split()
                if word[1] == "4" and int(word[3], 16) and int(word[4]):
                    return True
        return False
    poll(lambda: not waiting(), "end of close events")
