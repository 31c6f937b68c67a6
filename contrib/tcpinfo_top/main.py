"""Runs the program: options, output, signals, exit status."""

import os
import signal
import sys

from . import json_output, options, text_output
from .problem import NO_OUTPUT, Problem
from .viewer import Viewer


def display():
    """Returns a Screen, or a TextOutput if stdout is no terminal, or one that
    curses cannot use."""
    if not sys.stdout.isatty() or text_output.plain_terminal():
        return text_output.TextOutput()
    try:
        import curses # pylint: disable=import-outside-toplevel
        from .screen import Screen # pylint: disable=import-outside-toplevel
    except ImportError: # Python without curses
        return text_output.TextOutput()
    try:
        curses.setupterm()
    except curses.error: # unknown terminal type
        return text_output.TextOutput()
    return Screen()


def live(viewer, interval):
    with display() as out:
        while True:
            out.show(viewer.report(), viewer.times())
            if not out.wait(interval):
                return
            viewer.read_again()


def run(o):
    viewer = Viewer(o)
    viewer.read_first()
    if o.json:
        print(json_output.text(viewer.hosts, viewer.groups), flush=True)
    elif o.once:
        text_output.TextOutput().show(viewer.report())
    else:
        live(viewer, o.interval)


ENDING = signal.SIGINT, signal.SIGTERM


def ignore_signal(*_):
    """Does nothing. SIG_IGN does not suit: if a second signal is pending
    already, Python would print an OSError."""


def end(number, _):
    """Ends the program at its first signal, and ignores later ones: they would
    interrupt restoring the terminal."""
    for s in ENDING:
        signal.signal(s, ignore_signal)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


def discard_output():
    """Redirects stdout to /dev/null: Python writes the rest of its buffer when
    it ends, and would fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(code, text):
    """Prints an error; returns the exit status."""
    print("tcpinfo-top: %s" % text, file=sys.stderr)
    return code


def run_and_report(o):
    """Returns the exit status; prints any error as one line."""
    try:
        if sys.stdout is None:
            raise Problem(NO_OUTPUT, "the output is closed")
        sys.stdout.reconfigure(errors="replace") # for names from other hosts
        run(o)
    except Problem as problem:
        return fail(problem.code, problem)
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        discard_output()
    except OSError as error: # of stdout; those of the socket are Problems
        discard_output()
        return fail(NO_OUTPUT, "cannot write the output: %s" % (
            error.strerror or error))
    return 0


def main():
    o = options.parse(sys.argv[1:])
    for s in ENDING:
        if signal.getsignal(s) != signal.SIG_IGN:
            signal.signal(s, end)
    try:
        return run_and_report(o)
    finally:
        # When Python ends it restores the default action of caught signals,
        # but not of ignored ones.
        for s in ENDING:
            signal.signal(s, signal.SIG_IGN)
