"""A program of the oracle's traffic: opens, answers and ends TCP connections in
every way, and keeps exact counts of each socket. Run by programs.py inside a
namespace:

    program.py ORDER

ORDER is JSON, see Program. On stdin it takes the words go, rest, report and end,
one a line, and answers each with a line of JSON. When a socket is over, its
record becomes a line of the file ORDER["log"].

A client's request has a head (HEAD) that says which way the connection ends,
so that both ends act alike. A way:

    active    the client closes after the last answer
    passive   the server closes after the last answer
    half      the client shuts its half after the last answer, the server answers
              once more and closes
    together  both close at the same time
    reset     the client discards the connection (SO_LINGER 0)
    dropped   the server does
    unread    the client closes and has not read the answer: a reset
    killed    a process that alone holds the client's socket is killed
    keepalive the path ends; the client's keepalives give up
    timeout   the path ends; what the client sends is not ACKed in time
    anew      connect() to nothing discards the connection; the same socket
              then connects again
  and without a connection:
    refused, blocking  no listener; in a connect() that waits
    silent, given_up   no answer; the client gives up before the kernel does
    unused             a socket that is bound and never connected
"""

import collections
import contextlib
import ctypes
import errno
import heapq
import itertools
import json
import os
import random
import select
import signal
import socket
import struct
import sys
import time

# way, rounds, bytes of request and of answer, seconds for which the server holds
# its end, time to close, time of connect()
HEAD = struct.Struct("!BHQQddd")
WAYS = ("active", "passive", "half", "together", "reset", "dropped", "unread",
        "killed", "keepalive", "timeout", "anew")
NO_CONNECTION = ("refused", "blocking", "silent", "given_up", "unused")
REFUSED, BLACK = 9190, 9191 # ports: no listener; the path drops
SO_COOKIE, TCP_USER_TIMEOUT, TCP_SYNCNT = 57, 18, 7
TCP_CONGESTION = 13
DROPPED_TOS = 0x28 # DSCP 10: the path drops these packets
DATA = memoryview(bytes(1 << 20))
WATCHDOG = 15 # seconds after which an end closes what its peer forgot
LIBC = ctypes.CDLL(None)


def plain(address):
    """A mapped IPv4 address is an IPv4 address."""
    return address[7:] if address.startswith("::ffff:") else address


def cookie(sock):
    return struct.unpack("=Q", sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE,
                                               8))[0]


def discard(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))


class End:
    """One socket: `record` is what this program says of it."""

    def __init__(self, program, sock, side, target):
        family, source, address, port, device = target
        self.program, self.sock = program, sock
        self.head, self.pending, self.awaited = b"", 0, 0
        self.way, self.rounds, self.request, self.answer = "active", 1, 0, 0
        self.hold, self.close_at, self.pause, self.my_hold = 0, 0, 0, 0
        self.persistent = self.talks = self.guarded = False
        self.last, self.idle = time.monotonic(), 0
        self.state = "talk"
        now = time.time()
        self.record = {
            "cookie": cookie(sock), "side": side, "way": "", "uid":
            program.uid, "local": source, "lport": 0, "remote": address,
            "rport": port, "begin": now, "opened": 0, "alive": now,
            "closed": None, "failed": 0, "written": 0, "read": 0,
            "waiting": 0, "eof": False, "error": "", "cleared": False,
            "established": None, "expired": False, "first": None, "devices": [[0, device]],
            "algorithms": [[0, program.algorithm(sock)]]}

    def established(self):
        r = self.record
        r["opened"] += 1
        r["alive"] = time.time()
        if r["opened"] == 1:
            r["established"] = r["alive"]
        with contextlib.suppress(OSError):
            local = self.sock.getsockname()
            r["local"], r["lport"] = plain(local[0]), local[1]

    # Sending and receiving.

    def send(self, size):
        self.pending += size
        self.flush()

    def flush(self):
        while self.pending:
            try:
                n = self.sock.send(DATA[:min(self.pending, len(DATA))])
            except BlockingIOError:
                break
            self.wrote(n)
            self.pending -= n
        self.program.watch(self)

    def wrote(self, n):
        self.record["written"] += n
        self.record["alive"] = time.time()
        self.last = time.monotonic()

    def receive(self):
        """The number of bytes; 0 at the end, None: nothing there."""
        try:
            n = self.sock.recv_into(self.program.buffer)
        except BlockingIOError:
            return None
        if n:
            self.record["read"] += n
            self.record["alive"] = time.time()
        else:
            self.record["eof"] = True
        return n

    def close(self):
        self.program.over(self)

    def close_after(self, seconds):
        """Holds the socket meanwhile, and no longer looks at it."""
        self.state = "held"
        self.program.unwatch(self)
        if seconds:
            self.program.after(seconds, self.close)
        else:
            self.close()

    def event(self, events):
        try:
            if self.pending and events & select.EPOLLOUT:
                self.flush()
            if events & ~select.EPOLLOUT:
                self.readable()
        except OSError as e:
            self.died(e)

    def died(self, e):
        self.record["error"] = errno.errorcode.get(e.errno, str(e))
        self.close_after(self.hold_of_dead())


class Client(End):
    def __init__(self, program, sock, target):
        super().__init__(program, sock, "client", target)
        self.state = "connecting"

    def hold_of_dead(self):
        return self.my_hold

    def event(self, events):
        if self.state != "connecting":
            super().event(events)
            return
        code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self.record["failed"] = int(not self.record["opened"])
            self.record["error"] = errno.errorcode.get(code, str(code))
            self.close_after(self.my_hold)
            return
        self.established()
        self.state = "talk"
        try:
            self.ask(first=True)
        except OSError as e:
            self.died(e)

    def ask(self, first=False):
        self.awaited = self.answer
        if first:
            head = HEAD.pack(WAYS.index(self.way), self.rounds, self.request,
                             self.answer, self.hold, self.close_at,
                             self.record["begin"])
            self.wrote(self.sock.send(head))
        if self.way == "unread" and self.rounds == 1:
            self.state = "unread"
            self.send(self.request)
            self.look()
        else:
            self.send(self.request)

    def look(self):
        """Waits until the answer is there, and does not read it."""
        if self.state != "unread":
            return
        try:
            there = self.sock.recv(1 << 20, socket.MSG_PEEK)
        except BlockingIOError:
            there = b""
        except OSError as e:
            self.died(e)
            return
        if len(there) < self.answer and there != b"":
            there = None
        if there:
            self.record["waiting"] = len(there)
            self.close()
        else:
            self.program.after(0.01, self.look)

    def readable(self):
        if self.state == "unread":
            return
        n = self.receive()
        if n is None:
            return
        if n == 0: # the server has closed
            self.close_after(self.my_hold)
            return
        self.program.busy(self)
        self.awaited -= n
        if self.awaited or self.state != "talk":
            return
        self.rounds -= 1
        if self.rounds:
            self.program.after(self.pause, self.again)
        elif self.persistent:
            self.state = "idle"
            self.program.watch(self)
        else:
            self.finish()

    def again(self):
        if self.state == "held" or self.record["closed"]:
            return
        if self.program.resting and self.persistent:
            self.program.paused.append(self)
            return
        try:
            self.ask()
        except OSError as e:
            self.died(e)

    def end(self):
        """Of a persistent one: an orderly end."""
        self.persistent = False
        self.close()

    def finish(self):
        """Most connections that are discarded do nothing before for longer than
        an interval, so that a read has seen all that they did."""
        if self.state == "held" or self.record["closed"]:
            return
        if self.idle:
            idle, self.idle = self.idle, 0
            self.program.after(idle, self.finish)
            return
        try:
            getattr(self, "finish_" + self.way)()
        except OSError as e:
            self.died(e)

    def finish_active(self):
        if self.my_hold:
            self.sock.shutdown(socket.SHUT_WR)
            self.state = "shut"
        else:
            self.close()

    def finish_passive(self):
        self.state = "shut" # until the server's end is read

    def finish_half(self):
        self.state = "shut"
        self.sock.shutdown(socket.SHUT_WR)

    def finish_together(self):
        self.program.at(self.close_at, self.close)
        self.state = "shut"
        self.program.unwatch(self)

    def finish_reset(self):
        discard(self.sock)
        self.record["cleared"] = True
        self.close()

    def finish_dropped(self):
        self.state = "shut"
        self.send(1)

    def finish_killed(self):
        self.program.kill_holder(self)

    def finish_keepalive(self):
        s = self.sock
        s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in ((socket.TCP_KEEPIDLE, 1),
                              (socket.TCP_KEEPINTVL, 1),
                              (socket.TCP_KEEPCNT, 2)):
            s.setsockopt(socket.IPPROTO_TCP, option, value)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, DROPPED_TOS)
        self.state = "shut"

    def finish_timeout(self):
        s = self.sock
        s.setsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 600)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, DROPPED_TOS)
        self.state = "shut"
        self.send(1000)

    def finish_anew(self):
        r = self.record
        if LIBC.connect(self.sock.fileno(), bytes(16), 16): # AF_UNSPEC
            raise OSError("connect to nothing")
        self.program.unwatch(self)
        r["first"] = {"written": r["written"], "read": r["read"],
                      "closed": time.time(), "lport": r["lport"]}
        r["written"] = r["read"] = 0
        self.way, self.rounds, self.state = "active", 1, "connecting"
        self.program.connect(self)


class Server(End):
    def __init__(self, program, sock, remote):
        super().__init__(program, sock, "server",
                         (sock.family, "", plain(remote[0]), remote[1], ""))
        self.established()
        self.asked = False
        self.record["begin"] -= 5 # until the head tells

    def hold_of_dead(self):
        return self.hold

    def readable(self):
        n = self.receive()
        if n is None:
            return
        if n == 0:
            self.ended()
            return
        self.program.busy(self)
        if not self.asked:
            self.head += bytes(self.program.buffer[:min(
                n, HEAD.size - len(self.head))])
            if len(self.head) < HEAD.size:
                return
            (way, self.rounds, self.request, self.answer, self.hold,
             self.close_at, self.record["begin"]) = HEAD.unpack(self.head)
            self.way = self.record["way"] = WAYS[way]
            self.asked = True
            self.awaited = self.request
            n = self.record["read"] - HEAD.size
        if self.state == "acknowledged":
            discard(self.sock)
            self.record["cleared"] = True
            self.close()
            return
        self.awaited -= n
        while self.awaited <= 0 and self.rounds and self.request:
            self.rounds -= 1
            self.awaited += self.request
            self.send(self.answer)
            if not self.rounds:
                self.served()

    def served(self):
        if self.way == "passive":
            self.state = "shut"
            self.when_sent()
        elif self.way == "dropped":
            self.state = "acknowledged"
        elif self.way == "together":
            self.program.at(self.close_at, self.close)
            self.state = "shut"
        elif self.way in ("keepalive", "timeout"):
            self.program.after(self.hold, self.close)

    def when_sent(self):
        if self.pending:
            self.program.after(0.01, self.when_sent)
        elif self.hold:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)
        else:
            self.close()

    def ended(self):
        if self.way == "half" and self.state != "half":
            self.state = "half"
            self.program.unwatch(self)
            self.program.after(self.hold, self.last_answer)
        elif self.state != "half":
            self.close_after(self.hold)

    def last_answer(self):
        try:
            self.sock.setblocking(True)
            self.sock.sendall(DATA[:self.answer])
            self.wrote(self.answer)
        except OSError as e:
            self.record["error"] = str(e)
        self.close()


class Program:
    """ORDER: log (a file), uid, seed, listen ([[family, address, port]]),
    targets ([[family, source, address, port, device]]), ways ({way: weight}),
    rate (connections a second), count (of them, or None), idle and talking
    (persistent connections), hold (seconds: the longest time for which a socket
    is held), algorithms, big (bytes to send on a connection), size (requests and answers
    are so many times as long), protocol (0: TCP)."""

    def __init__(self, order):
        self.order, self.uid = order, order.get("uid", 0)
        self.protocol = order.get("protocol", 0)
        self.random = random.Random(order.get("seed"))
        self.log = open(order["log"], "w", encoding="ascii")
        self.poll = select.epoll()
        self.ends, self.listeners, self.watched = {}, {}, {}
        self.timers, self.number = [], itertools.count()
        self.buffer = memoryview(bytearray(1 << 20))
        self.went, self.resting, self.made = None, True, 0
        self.paused, self.surprises = [], collections.Counter()
        self.control = sys.stdin.buffer.raw
        self.poll.register(self.control, select.EPOLLIN)
        for family, address, port in order.get("listen", ()):
            self.listen(getattr(socket, family), address, port)
        if self.uid: # all modules of Python are loaded
            os.setuid(self.uid)

    def listen(self, family, address, port):
        s = socket.socket(family, socket.SOCK_STREAM, self.protocol)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.bind((address, port))
        s.listen(1024)
        s.setblocking(False)
        self.poll.register(s, select.EPOLLIN)
        self.listeners[s.fileno()] = s

    def algorithm(self, sock):
        try:
            name = sock.getsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, 16)
        except OSError: # of MPTCP
            return ""
        return name.split(b"\0")[0].decode()

    # Sockets.

    def watch(self, end):
        fd = end.sock.fileno()
        if fd < 0 or end.state == "held":
            return
        events = select.EPOLLIN
        if end.pending or end.state == "connecting":
            events |= select.EPOLLOUT
        if end.state == "unread":
            events = select.EPOLLOUT if end.pending else 0
        known = self.watched.get(fd)
        if known is None:
            self.poll.register(fd, events)
        elif known != events:
            self.poll.modify(fd, events)
        self.watched[fd] = events

    def unwatch(self, end):
        if self.watched.pop(end.sock.fileno(), None) is not None:
            self.poll.unregister(end.sock)

    def at(self, when, act):
        """`when`: of time.monotonic()."""
        heapq.heappush(self.timers, (when, next(self.number), act))

    def after(self, seconds, act):
        self.at(time.monotonic() + seconds, act)

    def busy(self, end):
        """Something came; if nothing more does, the peer is gone."""
        end.last = time.monotonic()
        if not end.guarded:
            end.guarded = True
            self.after(WATCHDOG, lambda: self.guard(end))

    def guard(self, end):
        if end.record["closed"]:
            return
        left = end.last + WATCHDOG - time.monotonic()
        stays = end.persistent or end.rounds > 30000 or end.state == "held"
        if left <= 0 and not stays:
            end.record["expired"] = True
            end.close()
        else:
            self.after(max(left, 1), lambda: self.guard(end))

    def over(self, end):
        if end.record["closed"]:
            return
        self.unwatch(end)
        self.ends.pop(end.sock.fileno(), None)
        end.record["closed"] = time.time()
        end.sock.close()
        self.log.write(json.dumps(end.record) + "\n")
        self.log.flush()

    def accept(self, listener):
        for _ in range(64):
            try:
                s, remote = listener.accept()
            except BlockingIOError:
                return
            s.setblocking(False)
            end = Server(self, s, remote)
            self.ends[s.fileno()] = end
            self.busy(end)
            self.watch(end)

    # Connections.

    def target(self):
        family, *rest = self.random.choice(self.order["targets"])
        return getattr(socket, family), *rest

    def new(self, way, target):
        s = socket.socket(target[0], socket.SOCK_STREAM, self.protocol)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if target[4]:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE,
                         target[4].encode())
        algorithms = self.order.get("algorithms")
        if algorithms:
            s.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION,
                         self.random.choice(algorithms).encode())
        if target[1]:
            s.setsockopt(socket.IPPROTO_IP, 24, 1) # IP_BIND_ADDRESS_NO_PORT
            s.bind((target[1], 0))
        end = Client(self, s, target)
        end.record["remote"] = plain(target[2])
        end.record["way"] = way
        end.address = target[2], target[3]
        return end

    def connect(self, end):
        self.ends[end.sock.fileno()] = end
        end.sock.setblocking(False)
        end.sock.connect_ex(end.address)
        with contextlib.suppress(OSError):
            local = end.sock.getsockname()
            if local[1]:
                end.record["local"], end.record["lport"] = plain(
                    local[0]), local[1]
        self.busy(end)
        self.watch(end)

    def open(self, way, **more):
        r, target = self.random, self.target()
        if way in NO_CONNECTION:
            self.open_none(way, target)
            return None
        if way in ("keepalive", "timeout"):
            ipv4 = [t for t in self.order["targets"] if t[0] == "AF_INET"]
            if not ipv4:
                return None
            family, *rest = r.choice(ipv4)
            target = (getattr(socket, family), *rest)
        end = self.new(way, target)
        end.way = way
        size = self.order.get("size", 1)
        end.request = r.randrange(1, 6000) * size
        end.answer = r.randrange(1, 8000) * size
        long_hold = r.random() < 0.15
        hold = r.uniform(1, self.order.get("hold", 3)) if long_hold else 0
        end.my_hold = hold if r.random() < 0.5 else 0
        end.hold = hold if not end.my_hold else 0
        if way in ("keepalive", "timeout"):
            end.my_hold, end.hold = r.uniform(0, 3), r.uniform(5, 8)
        if r.random() < 0.15:
            end.rounds, end.pause = r.randrange(2, 12), r.uniform(0.05, 0.6)
        if way in ("reset", "dropped", "anew") and r.random() < 0.8:
            end.idle = r.uniform(1.3, 1.6)
        if way == "together":
            end.rounds = 1
            end.close_at = time.monotonic() + 0.3
        for name, value in more.items():
            setattr(end, name, value)
        self.connect(end)
        return end

    def open_none(self, way, target):
        port = REFUSED if way in ("refused", "blocking") else BLACK
        end = self.new(way, (*target[:3], port, ""))
        end.address = target[2], port
        if way == "unused":
            end.sock.bind(("", 0))
            self.over(end)
            return
        if way == "blocking":
            self.ends[end.sock.fileno()] = end
            try:
                end.sock.connect(end.address)
            except OSError as e:
                end.record["error"] = errno.errorcode.get(e.errno, str(e))
                end.record["failed"] = 1
                end.record["cleared"] = True
            self.over(end)
            return
        if way in ("silent", "given_up"):
            end.sock.setsockopt(socket.IPPROTO_TCP, TCP_SYNCNT, 1)
            end.sock.setsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 500)
        end.my_hold = self.random.choice((0, 0, 1.5))
        self.connect(end)
        if way == "given_up":
            end.record["failed"] = 1
            end.close_after(self.random.choice((0.001, 0.2, 0.4)))

    def kill_holder(self, end):
        """A child alone holds the socket, and is killed."""
        ready, told = os.pipe()
        fd = end.sock.fileno()
        child = os.fork()
        if child == 0:
            os.dup2(fd, 3) if fd != 3 else None
            os.dup2(told, 4) if told != 4 else None
            os.closerange(5, 65536)
            os.write(4, b"x")
            while True:
                signal.pause()
        os.read(ready, 1)
        os.close(ready)
        os.close(told)
        self.unwatch(end)
        self.ends.pop(fd, None)
        end.sock.close()
        end.record["closed"] = time.time()
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        self.log.write(json.dumps(end.record) + "\n")
        self.log.flush()

    def persist(self):
        """Persistent connections; the seconds of pause of those that talk."""
        for i in range(self.order.get("idle", 0)):
            self.open("active", persistent=True, rounds=40000, pause=1e9,
                      my_hold=0, hold=0)
        for i in range(self.order.get("talking", 0)):
            self.open("active", persistent=True, talks=True, rounds=60000,
                      pause=self.random.uniform(0.05, 0.7), my_hold=0, hold=0)

    def established(self):
        return all(e.state != "connecting" and not e.awaited
                   for e in self.ends.values() if isinstance(e, Client))

    def change(self):
        """Moves a persistent connection to another algorithm or device."""
        ends = [e for e in self.ends.values() if e.talks]
        if not ends or self.resting:
            return
        end = self.random.choice(ends)
        now = time.time()
        if self.order.get("algorithms") and self.random.random() < 0.6:
            name = self.random.choice(self.order["algorithms"])
            end.sock.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION,
                                name.encode())
            end.record["algorithms"].append([now, self.algorithm(end.sock)])
        elif self.order.get("device") and not self.uid:
            name = self.random.choice(("", self.order["device"]))
            end.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE,
                                name.encode() + b"\0")
            end.record["devices"].append([now, name])

    # The parent.

    def do_go(self):
        self.went, self.made, self.resting = time.monotonic(), 0, False
        for end in self.paused:
            end.again()
        self.paused = []
        return {}

    def do_rest(self):
        self.resting, self.went = True, None
        return {}

    def do_report(self):
        clients = [e for e in self.ends.values() if isinstance(e, Client)]
        return {"persistent": sum(e.persistent for e in clients),
                "paused": len(self.paused), "talking": sum(
                    e.talks for e in clients),
                "living": len(self.ends), "ready": self.established(),
                "made_all": self.order.get("count") == 0,
                "records": [e.record for e in self.ends.values()],
                "surprises": dict(self.surprises)}

    def do_end(self):
        for end in list(self.ends.values()):
            if isinstance(end, Client):
                end.end()
        return {}

    def command(self):
        line = self.control.readline()
        if not line:
            sys.exit(0)
        answer = getattr(self, "do_" + line.decode().strip())()
        print(json.dumps(answer), flush=True)

    def generate(self):
        if self.went is None:
            return
        count = self.order.get("count")
        due = int((time.monotonic() - self.went) * self.order.get("rate", 0))
        if due - self.made > 40: # this machine is busy: no storm
            self.went, self.made = time.monotonic(), 0
            return
        ways = self.order.get("ways", {})
        while self.made < due and (count is None or count > 0):
            self.made += 1
            self.order["count"] = count = count - 1 if count else count
            self.open(self.random.choices(*zip(*ways.items()))[0])
            if self.random.random() < 0.05:
                self.change()
            if self.random.random() < 0.02: # some within a millisecond
                for _ in range(5):
                    self.open("active", rounds=1, my_hold=0, hold=0)

    def step(self):
        now = time.monotonic()
        while self.timers and self.timers[0][0] <= now:
            heapq.heappop(self.timers)[2]()
        self.generate()
        wait = 0.02 if self.went is not None else 0.2
        if self.timers:
            wait = min(wait, max(0, self.timers[0][0] - time.monotonic()))
        for fd, events in self.poll.poll(wait):
            if fd in self.listeners:
                self.accept(self.listeners[fd])
            elif fd == self.control.fileno():
                self.command()
            elif fd in self.ends:
                try:
                    self.ends[fd].event(events)
                except Exception as e:
                    self.surprises["%s: %r" % (self.ends[fd].way, e)] += 1
                    self.ends[fd].close()

    def run(self):
        self.persist()
        if self.order.get("big"):
            self.open("active", request=self.order["big"],
                      answer=1, rounds=1, my_hold=0, hold=0)
        print("{}", flush=True)
        while True:
            self.step()


if __name__ == "__main__":
    Program(json.loads(sys.argv[1])).run()
