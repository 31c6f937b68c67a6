"""A broker as librdkafka's own tests have it (Debian has no other): a real one on
the wire, in memory. kcat makes it, and reads what is there."""

import json
import re
import shutil
import subprocess

from live import netns
from live.wait import LIMIT

PORT = 9092


def here():
    return shutil.which("kcat") is not None


class Broker:
    def __init__(self, at):
        self.place = at
        # It keeps the broker for as long as it waits for lines to send.
        self.process = subprocess.Popen(
            [*at.within(), "kcat", "-P", "-t", "unused", "-b", "none", "-X",
             "test.mock.num.brokers=1"], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ready(self):
        """True once it listens; it chooses its port itself, so that Kafka's own is
        led there."""
        text = netns.run(*netns.enter(self.place.namespace), "ss", "-ltnpH")
        found = re.search(r":(\d+) .*pid=%d,fd" % self.process.pid, text)
        if not found:
            return False
        netns.run(*netns.enter(self.place.namespace), "nft", "-f", "-", input=(
            "table ip kafka {\nchain out {\ntype nat hook output priority 0;\n"
            "tcp dport %d redirect to :%s\n}\n}\n" % (PORT, found.group(1))))
        return True

    def end(self):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait()

    def messages(self, topic):
        """All values in it so far."""
        out = subprocess.run(
            [*self.place.within(), "kcat", "-C", "-q", "-e", "-t", topic, "-b",
             "kafka.example.org:%d" % PORT], check=True, timeout=LIMIT,
            stdout=subprocess.PIPE, text=True).stdout
        return [v for line in out.splitlines() for v in json.loads(line)]
