"""Writes the report line by line: once, or each new one below the last."""

import os
import sys
import time

# Parameters of the escape sequence that sets the style.
SGR = {"heading": "1", "warning": "33", "failure": "1;31"}


def plain_terminal():
    return os.environ.get("TERM", "") in ("", "dumb")


def colours_wanted(stream):
    return (stream.isatty() and not plain_terminal() and
            not os.environ.get("NO_COLOR"))


def width(stream):
    """Returns the columns of a terminal; None, for no limit, of a file."""
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except OSError:
        return None


def cut(line, columns):
    """Returns the [(text, style)] of a line that fit into so many columns."""
    out = []
    for text, style in line:
        if columns is not None:
            text = text[:max(columns, 0)]
            columns -= len(text)
        out.append((text, style))
    return out


class TextOutput:
    def __init__(self, stream=None):
        self.stream = stream or sys.stdout
        self.coloured = colours_wanted(self.stream)
        self.times, self.notes = None, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def show(self, report, times=()):
        """Writes the report. If `times` are those of the last report, the
        values are the same, and only new notes are written."""
        columns = width(self.stream)
        if times != self.times:
            lines = [[]] if self.times is not None else []
            lines += report.header() + report.table(columns) + report.footer()
        else:
            lines = [n for n in report.notes if n not in self.notes]
        self.times, self.notes = times, report.notes
        for line in lines:
            self._line(cut(line, columns))
        self.stream.flush()

    def wait(self, seconds):
        """Returns true: there is no key to end the program."""
        time.sleep(seconds)
        return True

    def _line(self, line):
        text = "".join("\033[%sm%s\033[0m" % (SGR[style], part)
                       if self.coloured and style and part else part
                       for part, style in line)
        self.stream.write(text.rstrip() + "\n")
