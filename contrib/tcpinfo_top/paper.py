"""The report written out line by line: once, or below each other."""

import os
import sys
import time

SGR = {"heading": "1", "warning": "33", "bad": "1;31"}


def plain_terminal():
    return os.environ.get("TERM", "") in ("", "dumb")


def colours_wanted(stream):
    return (stream.isatty() and not plain_terminal() and
            not os.environ.get("NO_COLOR"))


def width(stream):
    """Of a terminal; a file has room for everything."""
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except OSError:
        return None


def cut(line, room):
    """The (text, style) of a line that fit into so many characters."""
    out = []
    for text, style in line:
        if room is not None:
            text = text[:max(room, 0)]
            room -= len(text)
        out.append((text, style))
    return out


class Paper:
    def __init__(self, stream=None):
        self.stream = stream or sys.stdout
        self.coloured = colours_wanted(self.stream)
        self.times, self.notes = None, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def show(self, report, times=()):
        """Of the same values as before (`times`) only notes that are new."""
        room = width(self.stream)
        if times != self.times:
            lines = [[]] if self.times is not None else []
            lines += report.heads() + report.table(room) + report.feet()
        else:
            lines = [n for n in report.notes if n not in self.notes]
        self.times, self.notes = times, report.notes
        for line in lines:
            self._line(cut(line, room))
        self.stream.flush()

    def wait(self, seconds):
        """Whether to go on."""
        time.sleep(seconds)
        return True

    def _line(self, line):
        text = "".join("\033[%sm%s\033[0m" % (SGR[style], part)
                       if self.coloured and style and part else part
                       for part, style in line)
        self.stream.write(text.rstrip() + "\n")
