"""From the command line to the exit status."""

import os
import signal
import sys

from . import document, options, paper
from .problem import Problem
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


def end(number, _):
    """Once: what follows would disturb the end, which leaves the terminal as it
    was."""
    for s in ENDING:
        signal.signal(s, signal.SIG_IGN)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


def main():
    o = options.parse(sys.argv[1:])
    for s in ENDING:
        if signal.getsignal(s) != signal.SIG_IGN:
            signal.signal(s, end)
    try:
        run(o)
    except Problem as problem:
        print("tcpinfo-top: %s" % problem, file=sys.stderr)
        return problem.code
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        # Python would say so once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
