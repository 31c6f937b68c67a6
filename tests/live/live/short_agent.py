"""Connections that live for a moment, at a rate that agent.py does not reach,
with exact counts of what the applications wrote and read. Run by short.py
inside a namespace, as one of

    short_agent.py client ORDER    opens ORDER["count"] connections, then ends
    short_agent.py server ORDER    answers them until its stdin ends

ORDER is JSON, see short.py. On each connection the client sends a request whose
head says how long the answer shall be, and who ends it how:

    SERVER  the server shuts its half after the answer, the client closes when
            it has read that
    HALF    the client shuts its half after the answer, the server closes when
            it has read that, and the client when it has read this
    CLIENT  the client closes after the answer; the server keeps its end open
            for HOLD seconds more

Whoever reads an end of file holds a full socket that got the peer's FIN; the
kernel counts that as a byte received. In the way CLIENT the FIN meets what is
left of the client's socket, and counts nowhere."""

import collections
import errno
import json
import select
import socket
import struct
import sys
import time

HEAD = struct.Struct("!III") # length of request, of answer; way
SERVER, HALF, CLIENT = range(3)
HOLD = 0.8 # seconds: by far longer than the ACK of the client's FIN takes
IP_BIND_ADDRESS_NO_PORT = 24 # else a port would do for one connection only
DATA = bytes(65536)
SENT, RECEIVED, ENDS, COUNT = range(4)


def plain(address):
    """A mapped IPv4 address is an IPv4 address."""
    return address[7:] if address.startswith("::ffff:") else address


class Connection:
    __slots__ = ("sock", "row", "way", "awaited", "request", "answer", "began",
                 "head")

    def __init__(self, sock, row):
        self.sock, self.row = sock, row
        self.way = self.awaited = self.request = self.answer = 0
        self.began = time.monotonic()
        self.head = b""
        row[COUNT] += 1


class End:
    """Shared by both ends: the living connections, and the counts by remote
    address and by the server's port."""

    def __init__(self):
        self.poll = select.epoll()
        self.living = {}
        self.rows = collections.defaultdict(lambda: [0, 0, 0, 0])
        self.errors = collections.Counter()
        self.longest = 0.0

    def adopt(self, sock, remote, port, events):
        c = Connection(sock, self.rows["%s %d" % (plain(remote), port)])
        self.living[sock.fileno()] = c
        self.poll.register(sock, events)
        return c

    def close(self, c):
        self.longest = max(self.longest, time.monotonic() - c.began)
        self.living.pop(c.sock.fileno(), None)
        c.sock.close()

    def write(self, c, data):
        """All of it: the kernel's buffer is larger."""
        n = c.sock.send(data)
        c.row[SENT] += n
        if n != len(data):
            self.fail(c, "short write")

    def read(self, c):
        """None: the other end has no more."""
        data = c.sock.recv(65536)
        if not data:
            c.row[ENDS] += 1
            return None
        c.row[RECEIVED] += len(data)
        return data

    def fail(self, c, what):
        self.errors[str(what)] += 1
        self.close(c)

    def step(self, wait):
        """Handles what has happened; waits for `wait` seconds at most."""
        for fd, events in self.poll.poll(wait):
            c = self.living.get(fd)
            if c is None:
                self.other(fd)
                continue
            try:
                self.event(c, events)
            except OSError as e:
                self.fail(c, errno.errorcode.get(e.errno, e))

    def say(self):
        print(json.dumps({"rows": self.rows, "errors": self.errors,
                          "living": len(self.living),
                          "longest": self.longest}), flush=True)


class Client(End):
    def __init__(self, order):
        super().__init__()
        self.order = order
        self.opened = 0

    def open(self):
        i, ways = self.opened, self.order["ways"]
        targets = self.order["targets"]
        family, source, address, port = targets[i // len(ways) % len(targets)]
        self.opened += 1
        s = socket.socket(getattr(socket, family))
        s.setblocking(False)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source:
            s.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            s.bind((source, 0))
        c = self.adopt(s, address, port, select.EPOLLOUT)
        c.way = ways[i % len(ways)]
        c.request = HEAD.size + i * 37 % 5000
        c.awaited = c.answer = 1 + i * 101 % 7000
        try:
            s.connect((address, port))
        except BlockingIOError:
            pass
        except OSError as e:
            self.fail(c, errno.errorcode.get(e.errno, e))

    def event(self, c, events):
        if events & select.EPOLLOUT:
            self.poll.modify(c.sock, select.EPOLLIN)
            self.write(c, HEAD.pack(c.request, c.answer, c.way) +
                       DATA[:c.request - HEAD.size])
        elif events & select.EPOLLIN:
            data = self.read(c)
            if data is None:
                self.fail(c, "early end") if c.awaited else self.close(c)
            else:
                c.awaited -= len(data)
                if not c.awaited and c.way == HALF:
                    c.sock.shutdown(socket.SHUT_WR)
                elif not c.awaited and c.way == CLIENT:
                    self.close(c)
        else:
            self.fail(c, "error %d" % c.sock.getsockopt(socket.SOL_SOCKET,
                                                        socket.SO_ERROR))

    def run(self):
        began, count = time.monotonic(), self.order["count"]
        rate = self.order.get("rate") or 1e9
        state, moved = None, began
        while self.opened < count or self.living:
            now = time.monotonic()
            passed = now - began
            if (self.opened, len(self.living)) != state:
                state, moved = (self.opened, len(self.living)), now
            elif now - moved > self.order["limit"]: # something hangs
                break
            room = min(count, 1 + int(passed * rate),
                       self.opened + self.order["parallel"] - len(self.living))
            while self.opened < room:
                self.open()
            self.step(0.01)
        self.say()


class Server(End):
    def __init__(self, order):
        super().__init__()
        self.listeners = {}
        self.held = collections.deque() # (when to close, connection)
        self.control = sys.stdin.buffer.raw
        self.poll.register(self.control, select.EPOLLIN)
        for family, address, port in order["listen"]:
            s = socket.socket(getattr(socket, family))
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == "AF_INET6":
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            s.bind((address, port))
            s.listen(4096)
            s.setblocking(False)
            self.poll.register(s, select.EPOLLIN)
            self.listeners[s.fileno()] = s, port

    def other(self, fd):
        if fd in self.listeners:
            self.accept(*self.listeners[fd])
        elif fd == self.control.fileno():
            if not self.control.readline():
                sys.exit(0)
            self.say()

    def accept(self, listener, port):
        for _ in range(64):
            try:
                s, remote = listener.accept()
            except BlockingIOError:
                return
            s.setblocking(False)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.adopt(s, remote[0], port, select.EPOLLIN)

    def event(self, c, _):
        data = self.read(c)
        if data is None:
            self.ended(c)
        elif not c.request:
            c.head += data
            if len(c.head) >= HEAD.size:
                c.request, c.answer, c.way = HEAD.unpack_from(c.head)
                self.served(c, len(c.head))
        else:
            self.served(c, len(data))

    def served(self, c, size):
        c.awaited += size
        if c.awaited == c.request:
            self.write(c, DATA[:c.answer])
            if c.way == SERVER:
                c.sock.shutdown(socket.SHUT_WR)

    def ended(self, c):
        if c.way == CLIENT:
            self.poll.unregister(c.sock)
            self.held.append((time.monotonic() + HOLD, c))
        else:
            self.close(c)

    def run(self):
        self.say()
        while True:
            self.step(0.05 if self.held else 1)
            while self.held and self.held[0][0] <= time.monotonic():
                self.close(self.held.popleft()[1])


if __name__ == "__main__":
    {"client": Client, "server": Server}[sys.argv[1]](
        json.loads(sys.argv[2])).run()
