"""A Kafka broker: librdkafka's mock cluster, because Debian has no broker. It
speaks the real protocol and stores messages in memory. kcat starts it and reads
the messages."""

import json
import re
import shutil
import subprocess

from live import netns
from live.wait import LIMIT

PORT = 9092


def is_available():
    return shutil.which("kcat") is not None


class Broker:
    def __init__(self, box):
        self.sandbox = box
        # The broker runs while kcat waits for lines on stdin.
        self.process = subprocess.Popen(
            [*box.within(), "kcat", "-P", "-t", "unused", "-b", "none", "-X",
             "test.mock.num.brokers=1"], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ready(self):
        """Returns true once the broker listens. It chooses its port itself, so
        Kafka's default port is redirected to it."""
        text = netns.run(*netns.enter(self.sandbox.namespace), "ss", "-ltnpH")
        found = re.search(r":(\d+) .*pid=%d,fd" % self.process.pid, text)
        if not found:
            return False
        netns.run(*netns.enter(self.sandbox.namespace), "nft", "-f", "-", input=(
            "table ip kafka {\nchain out {\ntype nat hook output priority 0;\n"
            "tcp dport %d redirect to :%s\n}\n}\n" % (PORT, found.group(1))))
        return True

    def end(self):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait()

    def messages(self, topic):
        """Returns all values of a topic."""
        out = subprocess.run(
            [*self.sandbox.within(), "kcat", "-C", "-q", "-e", "-t", topic, "-b",
             "kafka.example.org:%d" % PORT], check=True, timeout=LIMIT,
            stdout=subprocess.PIPE, text=True).stdout
        return [v for line in out.splitlines() for v in json.loads(line)]
