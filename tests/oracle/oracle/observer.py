"""The process that looks at one namespace beside the plugin: it receives close
events, dumps the sockets every PERIOD seconds, and writes each change to a file.

    observer.py FILE

The word mark on stdin makes it look once more, and then answer with a line of
JSON: {"lost": close events that it has missed, "living": [[cookie, state] ...]}.
"""

import json
import os
import select
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from oracle import kernel # noqa: E402

PERIOD = 0.15
# NONE: the event of a socket that was never connected, or of a listener. SHOWN:
# dumps showed the socket in a state with traffic, from the row's first field, the
# end of the first of them, to the second, the begin of the last.
DUMP, EVENT, CLEARED, NONE, SHOWN = range(5)
EVENTS = (EVENT, CLEARED, NONE)
TRAFFIC = {1, 2, 4, 5, 8, 9, 11}
# begin and end of the look, kind, whether tcp_info was there, state, cookie, fields
ROW = struct.Struct("<ddBBBQ%dQ" % len(kernel.NAMES))
NOTHING = (0,) * len(kernel.NAMES)


class Observer:
    def __init__(self, path):
        self.out = open(path, "wb")
        self.events, self.dumps = kernel.Events(), kernel.Dumps()
        self.last, self.shown = {}, {}
        self.control = sys.stdin.buffer.raw

    def take(self, began):
        for s in self.events.take():
            kind = EVENT
            if s.remote_port == 0:
                kind = CLEARED if any(s.remote) else NONE
            self.last.pop(s.cookie, None)
            self.write_times(began, time.time(), kind, s)

    def write_times(self, began, ended, kind, s):
        self.out.write(ROW.pack(began, ended, kind, s.info is not None,
                                s.state, s.cookie, *(s.info or NOTHING)))

    def look(self):
        began = time.time()
        self.take(began)
        began = time.time()
        living = list(self.dumps.all())
        ended = time.time()
        for s in living:
            if s.info is not None and self.last.get(s.cookie) != s.info:
                self.last[s.cookie] = s.info
                self.write_times(began, ended, DUMP, s)
        self.note_shown([s for s in living if s.state in TRAFFIC], began,
                        ended)
        self.take(began)
        self.out.flush()
        return living

    def note_shown(self, living, began, ended):
        now = {}
        for s in living:
            first, _, _ = self.shown.pop(s.cookie, (ended, 0, None))
            now[s.cookie] = first, began, s
        self.write_shown()
        self.shown = now

    def write_shown(self):
        for first, last, s in self.shown.values():
            self.write_times(first, last, SHOWN, s)

    def run(self):
        while True:
            start = time.monotonic()
            self.look()
            while True:
                left = start + PERIOD - time.monotonic()
                if left <= 0:
                    break
                ready = select.select([self.control, self.events.sock], [],
                                      [], left)[0]
                if self.control in ready:
                    if not self.control.readline():
                        return
                    living = self.look()
                    self.write_shown()
                    self.out.flush()
                    print(json.dumps({"lost": self.events.lost, "living": [
                        [s.cookie, s.state] for s in living]}), flush=True)
                if self.events.sock in ready:
                    self.take(time.time())


if __name__ == "__main__":
    Observer(sys.argv[1]).run()
