"""A socket that answers as collectd's unixsock plugin does: with what was
recorded of one, or from values of the test."""

import os
import re
import socketserver
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "contrib"))


def recorded(name="recorded.txt"):
    """A function from a request to the answer that stands behind it."""
    answers, request = {}, None
    with open(os.path.join(HERE, name), encoding="ascii") as f:
        for line in f:
            if line.startswith("> "):
                request = line[2:].rstrip("\n")
                answers[request] = ""
            else:
                answers[request] += line[2:]
    return answers.__getitem__


class Values:
    """`known`: {name: (time, value)}; value None: it goes before it is asked
    for. `before_list` is called before each LISTVAL."""

    def __init__(self, known):
        self.known, self.asked, self.looks = known, [], 0
        self.before_list = lambda: None

    def __call__(self, request):
        if request == "LISTVAL":
            self.looks += 1
            self.before_list()
            return "%d Value%s found\n" % (
                len(self.known), "" if len(self.known) == 1 else "s") + "".join(
                    "%.3f %s\n" % (when, name)
                    for name, (when, _) in sorted(self.known.items()))
        name = re.sub(r"\\(.)", r"\1", request[len('GETVAL "'):-1])
        self.asked.append(name)
        value = self.known.get(name, (0, None))[1]
        if value is None:
            return "-1 No such value.\n"
        if value == "unknown type":
            return "-1 Type `x' is unknown.\n\n"
        return "1 Value found\nvalue=%s\n" % (
            "NaN" if value != value else "%e" % value)

    def wait(self, looks):
        """Until it was looked at so many times more."""
        end = self.looks + looks
        while self.looks < end:
            time.sleep(0.01)


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            answer = self.server.answer(line.decode(
                "utf-8", "surrogateescape").rstrip("\n"))
            for part in answer.splitlines(True): # collectd buffers by line
                self.wfile.write(part.encode("utf-8", "surrogateescape"))


class FakeCollectd(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, answer):
        self.answer = answer
        self.folder = tempfile.TemporaryDirectory(
            prefix="tcpinfo-test-%d-" % os.getpid())
        self.path = os.path.join(self.folder.name, "socket")
        super().__init__(self.path, Handler)
        threading.Thread(target=self.serve_forever, daemon=True,
                         kwargs={"poll_interval": 0.02}).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
        self.folder.cleanup()

    def handle_error(self, request, client_address):
        """The client went away, as some tests want."""
