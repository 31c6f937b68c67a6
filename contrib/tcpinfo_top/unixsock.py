"""collectd's unixsock plugin: the names of all values, and values by name. What
they mean is not known here."""

import errno
import grp
import math
import os
import pwd
import socket

from .problem import NO_ANSWER, Problem

TIMEOUT = 10 # seconds without a byte
# Requests under way. So many fit into a socket's buffer, so that collectd and
# this program never both wait for the other to read.
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
    return ", which is for user %s and group %s, mode %o" % (
        name_of(pwd.getpwuid, st.st_uid), name_of(grp.getgrgid, st.st_gid),
        st.st_mode & 0o777)


def why(error, path, timeout):
    code = getattr(error, "errno", None)
    if code in (errno.ENOENT, errno.ENOTDIR):
        return ("there is no socket %s: does collectd run, with LoadPlugin "
                "unixsock? Is its SocketFile another one (--socket)?" % path)
    if code in (errno.EACCES, errno.EPERM):
        return ("no permission for %s%s: see SocketGroup and SocketPerms of "
                "collectd's unixsock plugin" % (path, owner(path)))
    if code == errno.ECONNREFUSED:
        return "nobody answers at %s: collectd does not run" % path
    if isinstance(error, socket.timeout):
        return "no answer at %s for %.0f s" % (path, timeout)
    return "%s: %s" % (path, getattr(error, "strerror", None) or error)


def quoted(name):
    return '"%s"' % name.replace("\\", "\\\\").replace('"', '\\"')


class Connection:
    """Raises Problem, whatever goes wrong. `patience`: seconds without a byte,
    where they are less than usual."""

    def __init__(self, path, patience=None):
        self.path = path
        self.timeout = TIMEOUT if patience is None else min(TIMEOUT, patience)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(self.timeout)
        try:
            self.socket.connect(path)
        except OSError as error:
            self.socket.close()
            raise self._problem(error) from error
        self.lines = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.socket.close()

    def names(self):
        """Yields (time of the last update, name) of every value."""
        self._send("LISTVAL\n")
        for _ in range(self._count()):
            when, _, name = self._line().partition(" ")
            yield self._number(when), name

    def values(self, names):
        """{name: value}, counters as rates, without those that are gone
        meanwhile or are not a finite number."""
        out = {}
        for start in range(0, len(names), BATCH):
            part = names[start:start + BATCH]
            self._send("".join("GETVAL %s\n" % quoted(n) for n in part))
            for name in part:
                value = self._value()
                if value is not None and math.isfinite(value):
                    out[name] = value
        return out

    def _problem(self, error):
        return Problem(NO_ANSWER, why(error, self.path, self.timeout))

    def _value(self):
        found = [self._line() for _ in range(self._count())]
        return self._number(found[0].partition("=")[2]) if found else None

    def _send(self, text):
        try:
            self.socket.sendall(text.encode("utf-8", "surrogateescape"))
        except OSError as error:
            raise self._problem(error) from error

    def _line(self):
        try:
            line = self.lines.readline()
        except OSError as error:
            raise self._problem(error) from error
        if not line.endswith(b"\n"):
            raise Problem(NO_ANSWER, "%s: the connection was closed: collectd "
                          "has ended" % self.path)
        return line[:-1].decode("utf-8", "surrogateescape")

    def _count(self):
        """How many lines follow; below 0, which tells of a failure, none."""
        line = self._line()
        while not line: # some failures are followed by an empty line
            line = self._line()
        return int(self._number(line.partition(" ")[0]))

    def _number(self, text):
        try:
            return float(text)
        except ValueError:
            raise Problem(NO_ANSWER, "%s does not answer as collectd's "
                          "unixsock plugin does: %r" % (self.path, text)
                          ) from None
