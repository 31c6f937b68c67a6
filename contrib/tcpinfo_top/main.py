"""From the command line to the exit status."""

import os
import signal
import sys

from . import document, options, paper
from .problem import NO_OUTPUT, Problem
from .viewer import Viewer


def display():
    """A terminal's whole screen where that is possible."""
    if not sys.stdout.isatty() or paper.plain_terminal():
        return paper.Paper()
    try:
        import curses # pylint: disable=import-outside-toplevel
        from .screen import Screen # pylint: disable=import-outside-toplevel
    except ImportError: # a small Python
        return paper.Paper()
    try:
        curses.setupterm()
    except curses.error: # a terminal that nobody knows
        return paper.Paper()
    return Screen()


def live(viewer, interval):
    with display() as out:
        while True:
            out.show(viewer.report(), viewer.times())
            if not out.wait(interval):
                return
            viewer.again()


def run(o):
    viewer = Viewer(o)
    viewer.first()
    if o.json:
        print(document.text(viewer.hosts, viewer.groups), flush=True)
    elif o.once:
        paper.Paper().show(viewer.report())
    else:
        live(viewer, o.interval)


ENDING = signal.SIGINT, signal.SIGTERM


def nothing(*_):
    """Not SIG_IGN: of a signal that came with the first one, Python would then
    print an OSError."""


def end(number, _):
    """Once: what follows would disturb the end, which leaves the terminal as it
    was."""
    for s in ENDING:
        signal.signal(s, nothing)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


def no_more_output():
    """Python would fail to write the rest once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def refuse(code, text):
    print("tcpinfo-top: %s" % text, file=sys.stderr)
    return code


def safely(o):
    """The exit status."""
    try:
        if sys.stdout is None:
            raise Problem(NO_OUTPUT, "the output is closed")
        sys.stdout.reconfigure(errors="replace") # names come from elsewhere
        run(o)
    except Problem as problem:
        return refuse(problem.code, problem)
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        no_more_output()
    except OSError as error: # those of the socket are Problems
        no_more_output()
        return refuse(NO_OUTPUT, "cannot write the output: %s" % (
            error.strerror or error))
    return 0


def main():
    o = options.parse(sys.argv[1:])
    for s in ENDING:
        if signal.getsignal(s) != signal.SIG_IGN:
            signal.signal(s, end)
    try:
        return safely(o)
    finally:
        # Python sets the default at its end, but does not touch this.
        for s in ENDING:
            signal.signal(s, signal.SIG_IGN)
