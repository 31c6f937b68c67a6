"""A client of collectd's unixsock plugin: lists the identifiers of all values,
and gets values by identifier. This module does not interpret them.

Whatever answers at the socket, an answer takes bounded time and memory, and is
either what collectd could say or a Problem."""

import errno
import grp
import os
import pwd
import re
import socket
import time

from .problem import NO_ANSWER, Problem

TIMEOUT = 10 # seconds without a line from collectd
ANSWER_TIME = 6 # most time for a whole answer, times the timeout
LINE_MOST = 4096 # bytes; an identifier of collectd has at most 5 x 128
LINES_MOST = 1000000 # values of collectd
TIME_MOST = 253402300799 # the end of the year 9999
# Larger than any counter of 64 bits and any rate of one.
VALUE_MOST = 1e30
# Requests sent before their answers are read. This many fit into a socket's
# buffer; with more, collectd and this program could block each other.
BATCH = 100


def name_of(lookup, number):
    try:
        return lookup(number)[0]
    except KeyError:
        return str(number)


def owner(path):
    try:
        st = os.stat(path)
    except OSError:
        return ""
    return " (user %s, group %s, mode %o)" % (
        name_of(pwd.getpwuid, st.st_uid), name_of(grp.getgrgid, st.st_gid),
        st.st_mode & 0o777)


def describe(error, path, timeout):
    code = getattr(error, "errno", None)
    if code in (errno.ENOENT, errno.ENOTDIR):
        return ("there is no socket %s: is collectd running with LoadPlugin "
                "unixsock? If its SocketFile differs, use --socket" % path)
    if code in (errno.EACCES, errno.EPERM):
        return ("no permission for %s%s: see SocketGroup and SocketPerms of "
                "collectd's unixsock plugin" % (path, owner(path)))
    if code == errno.ECONNREFUSED:
        return "nobody answers at %s: collectd is not running" % path
    if isinstance(error, socket.timeout):
        return "no answer at %s for %.0f s" % (path, timeout)
    return "%s: %s" % (path, getattr(error, "strerror", None) or error)


def quoted(name):
    return '"%s"' % name.replace("\\", "\\\\").replace('"', '\\"')


class Connection:
    """Every failure raises Problem. `timeout` is the number of seconds without
    a line from collectd after which to give up, at most TIMEOUT."""

    def __init__(self, path, timeout=None):
        self.path = path
        self.timeout = TIMEOUT if timeout is None else min(TIMEOUT, timeout)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(self.timeout)
        try:
            self.socket.connect(path)
        except OSError as error:
            self.socket.close()
            raise self._problem(error) from error
        self.received = bytearray() # and not returned yet
        self.answer_end = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def list_values(self):
        """Yields (time of the last update, identifier) of every value."""
        self._send("LISTVAL\n")
        for _ in range(self._count()):
            when, _, name = self._line().partition(" ")
            yield self._time(when), name

    def get_values(self, names):
        """Returns {identifier: value}; counters are rates. Values that are gone
        by now, or are no number that the plugin can have, are left out."""
        out = {}
        for start in range(0, len(names), BATCH):
            part = names[start:start + BATCH]
            self._send("".join("GETVAL %s\n" % quoted(n) for n in part))
            for name in part:
                value = self._value()
                if value is not None and abs(value) < VALUE_MOST: # not NaN
                    out[name] = value
        return out

    def _problem(self, error):
        return Problem(NO_ANSWER, describe(error, self.path, self.timeout))

    def _value(self):
        found = [self._line() for _ in range(self._count())]
        return self._number(found[0].partition("=")[2]) if found else None

    def _send(self, text):
        self.answer_end = time.monotonic() + ANSWER_TIME * self.timeout
        try:
            self.socket.settimeout(self.timeout)
            self.socket.sendall(text.encode("utf-8", "surrogateescape"))
        except OSError as error:
            raise self._problem(error) from error

    def _line(self):
        end = min(time.monotonic() + self.timeout, self.answer_end)
        at = self.received.find(b"\n")
        while at < 0:
            known = len(self.received)
            if known > LINE_MOST:
                raise self._unexpected(self.received)
            self._receive(end)
            at = self.received.find(b"\n", known)
        line = self.received[:at]
        del self.received[:at + 1]
        if at > LINE_MOST:
            raise self._unexpected(line)
        return line.decode("utf-8", "surrogateescape")

    def _receive(self, end):
        try:
            left = end - time.monotonic()
            if left <= 0:
                raise socket.timeout
            self.socket.settimeout(left)
            got = self.socket.recv(65536)
        except OSError as error:
            raise self._problem(error) from error
        if not got:
            raise Problem(NO_ANSWER, "%s: collectd closed the connection" %
                          self.path)
        self.received += got

    def _count(self):
        """Reads the line with the number of lines that follow; a number below 0
        is an error, without more lines."""
        line = self._line()
        while not line: # some errors are followed by an empty line
            line = self._line()
        text = line.partition(" ")[0]
        if not re.fullmatch("-?[0-9]{1,9}", text, re.ASCII) or \
                int(text) > LINES_MOST:
            raise self._unexpected(line)
        return int(text)

    def _number(self, text):
        try:
            return float(text)
        except ValueError:
            raise self._unexpected(text) from None

    def _time(self, text):
        when = self._number(text)
        if not 0 <= when <= TIME_MOST: # NaN is not
            raise self._unexpected(text)
        return when

    def _unexpected(self, text):
        text = ascii(bytes(text[:60]) if isinstance(text, bytearray)
                     else text[:60])
        return Problem(NO_ANSWER, "%s: unexpected answer, not of collectd's "
                       "unixsock plugin: %s" % (self.path, text))
