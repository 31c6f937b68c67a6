"""A socket that answers like collectd's unixsock plugin: with recorded answers,
or with values that the test sets."""

import os
import re
import socketserver
import sys
import tempfile
import threading
import time

LIMIT = 120 # seconds to wait for a condition; the machine may be busy
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "contrib"))


def recorded(name="recorded.txt"):
    """Returns a function that maps a request to its recorded answer."""
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
    """`known` is {identifier: (time, value)}; a value None is listed, and gone
    when it is requested. `before_list` is called before each LISTVAL.
    `requested` lists the identifiers of all GETVALs, `listings` counts the
    LISTVALs."""

    def __init__(self, known):
        self.known, self.requested, self.listings = known, [], 0
        self.before_list = lambda: None

    def __call__(self, request):
        if request == "LISTVAL":
            self.listings += 1
            self.before_list()
            known = list(self.known.items()) # the test may change it meanwhile
            return "%d Value%s found\n" % (
                len(known), "" if len(known) == 1 else "s") + "".join(
                    "%.3f %s\n" % (when, name)
                    for name, (when, _) in sorted(known))
        name = re.sub(r"\\(.)", r"\1", request[len('GETVAL "'):-1])
        self.requested.append(name)
        value = self.known.get(name, (0, None))[1]
        if value is None:
            return "-1 No such value.\n"
        if value == "unknown type":
            return "-1 Type `x' is unknown.\n\n"
        return "1 Value found\nvalue=%s\n" % (
            "NaN" if value != value else "%e" % value)

    def wait_for_listings(self, count):
        """Waits until the values were listed so many times more."""
        wanted, end = self.listings + count, time.monotonic() + LIMIT
        while self.listings < wanted:
            if time.monotonic() > end:
                raise TimeoutError("no %d LISTVAL in %d s" % (count, LIMIT))
            time.sleep(0.01)


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            answer = self.server.answer(line.decode(
                "utf-8", "surrogateescape").rstrip("\n"))
            for part in answer.splitlines(True): # like collectd, line by line
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
        """Ignores that the client closed the connection; some tests do that."""
