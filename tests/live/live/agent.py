"""One end of the test traffic: a process that opens, feeds and closes TCP
connections as its parent says on stdin, one JSON list per line, and answers on
stdout. It ends with its stdin. Run by traffic.py inside a namespace."""

import json
import os
import selectors
import socket
import struct
import sys

SO_COOKIE = 57
CHUNK = bytes(65536)


class Connection:
    def __init__(self, sock, number, echo=False):
        self.sock, self.number, self.echo = sock, number, echo
        self.sent = self.received = self.pending = 0
        self.rounds = self.size = self.awaited = 0
        self.paused = False

    def report(self):
        return {"id": self.number, "cookie": struct.unpack(
                    "=Q", self.sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE,
                                               8))[0],
                "sent": self.sent, "received": self.received,
                "pending": self.pending, "rounds": self.rounds}


def set_option(sock, option):
    """["SOL_SOCKET", "SO_BINDTODEVICE", "eth0"]; the name may be its number."""
    level, name, value = option
    sock.setsockopt(getattr(socket, level),
                    getattr(socket, name) if isinstance(name, str) else name,
                    value.encode() if isinstance(value, str) else value)


class Agent:
    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.connections = {}
        self.unattended = [] # listeners whose connections nobody accepts
        self.opened = self.sent = self.received = 0

    def adopt(self, sock, echo=False):
        sock.setblocking(False)
        self.opened += 1
        c = Connection(sock, self.opened, echo)
        self.connections[c.number] = c
        self.selector.register(sock, selectors.EVENT_READ, c)
        return c

    def watch(self, c):
        events = 0
        if not c.paused:
            events |= selectors.EVENT_READ
        if c.pending:
            events |= selectors.EVENT_WRITE
        known = self.selector.get_map().get(c.sock)
        if events and known:
            self.selector.modify(c.sock, events, c)
        elif events:
            self.selector.register(c.sock, events, c)
        elif known:
            self.selector.unregister(c.sock)

    def drop(self, c):
        if self.selector.get_map().get(c.sock):
            self.selector.unregister(c.sock)
        c.sock.close()
        self.connections.pop(c.number, None)

    def write(self, c):
        try:
            n = c.sock.send(CHUNK[:min(c.pending, len(CHUNK))])
        except BlockingIOError:
            return
        c.pending -= n
        c.sent += n
        self.sent += n
        if not c.pending:
            self.watch(c)

    def read(self, c):
        data = c.sock.recv(65536)
        if not data: # the other end has closed
            self.drop(c)
            return
        c.received += len(data)
        self.received += len(data)
        if c.echo:
            c.pending += len(data)
            self.watch(c)
        if c.rounds:
            c.awaited -= len(data)
            if c.awaited == 0:
                c.rounds -= 1
                if c.rounds:
                    c.pending = c.awaited = c.size
                    self.watch(c)

    def serve(self):
        while True:
            for key, events in self.selector.select():
                if key.data == "stdin":
                    line = sys.stdin.buffer.raw.readline()
                    if not line:
                        return
                    name, *args = json.loads(line)
                    answer = getattr(self, "do_" + name)(*args)
                    sys.stdout.write(json.dumps(answer) + "\n")
                    sys.stdout.flush()
                elif isinstance(key.data, tuple):
                    self.adopt(key.fileobj.accept()[0], key.data[1])
                elif key.data.number in self.connections:
                    try:
                        if events & selectors.EVENT_WRITE:
                            self.write(key.data)
                        if events & selectors.EVENT_READ:
                            self.read(key.data)
                    except OSError: # reset by the other end
                        self.drop(key.data)

    # The orders of the parent.

    def do_listen(self, family, address, port, echo, backlog, accept, options):
        s = socket.socket(getattr(socket, family))
        for option in options:
            set_option(s, option)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == "AF_INET6":
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.bind((address, port))
        s.listen(backlog)
        s.setblocking(False)
        if accept:
            self.selector.register(s, selectors.EVENT_READ, ("listener", echo))
        else:
            self.unattended.append(s)

    def do_deaf(self, port):
        """Closes the listener on this port."""
        for key in list(self.selector.get_map().values()):
            if (isinstance(key.data, tuple) and
                    key.fileobj.getsockname()[1] == port):
                self.selector.unregister(key.fileobj)
                key.fileobj.close()

    def do_become(self, uid):
        """Sockets from now on belong to this user."""
        os.setuid(uid)

    def do_open(self, n, family, address, port, options):
        made = []
        for _ in range(n):
            s = socket.socket(getattr(socket, family))
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for option in options:
                set_option(s, option)
            s.connect((address, port))
            made.append(self.adopt(s).number)
        return made

    def do_set(self, numbers, option):
        for c in map(self.connections.get, numbers):
            set_option(c.sock, option)

    def do_send(self, numbers, size):
        for c in map(self.connections.get, numbers):
            c.pending += size
            self.watch(c)

    def do_pingpong(self, numbers, rounds, size):
        for c in map(self.connections.get, numbers):
            c.rounds, c.size = rounds, size
            c.pending = c.awaited = size
            self.watch(c)

    def do_pause(self, on):
        """Makes all connections stop reading (true) or read on (false)."""
        for c in list(self.connections.values()):
            c.paused = on
            self.watch(c)

    def do_close(self, numbers, reset):
        for number in numbers:
            c = self.connections.get(number)
            if c is None: # the other end was first
                continue
            if reset:
                c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                  struct.pack("ii", 1, 0))
            self.drop(c)

    def do_shut(self, numbers):
        """Sends a FIN; the connection closes with the other end's, which it
        still reads."""
        for c in map(self.connections.get, numbers):
            if c is not None:
                c.sock.shutdown(socket.SHUT_WR)

    def do_totals(self):
        return [self.sent, self.received]

    def do_report(self):
        return [c.report() for c in self.connections.values()]


if __name__ == "__main__":
    agent = Agent()
    agent.selector.register(sys.stdin.buffer.raw, selectors.EVENT_READ,
                            "stdin")
    agent.serve()
