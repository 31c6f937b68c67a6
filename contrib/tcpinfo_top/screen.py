"""The report on a whole terminal, drawn anew as it changes or the terminal
does. What was there before comes back at the end."""

import curses
import os
import time

from . import table
from .paper import cut

QUIT = ("q", "Q") # no Esc: arrows and the wheel begin with it


class Screen:
    def __init__(self):
        self.window, self.styles, self.report = None, {}, None

    def __enter__(self):
        self.window = curses.initscr()
        try:
            curses.noecho()
            curses.cbreak()
            self._hide_cursor()
            self._colours()
        except BaseException:
            curses.endwin()
            raise
        return self

    def __exit__(self, *_):
        curses.echo()
        curses.nocbreak()
        curses.endwin()

    @staticmethod
    def _hide_cursor():
        try:
            curses.curs_set(0)
        except curses.error: # this terminal cannot
            pass

    def _colours(self):
        if os.environ.get("NO_COLOR") or not curses.has_colors():
            return
        curses.start_color()
        curses.use_default_colors()
        curses.init_pair(1, curses.COLOR_YELLOW, -1)
        curses.init_pair(2, curses.COLOR_RED, -1)
        self.styles = {"heading": curses.A_BOLD,
                       "warning": curses.color_pair(1),
                       "bad": curses.color_pair(2) | curses.A_BOLD}

    def show(self, report, _=None):
        """Also of the same values as before: their age has changed."""
        self.report = report
        self._draw()

    def wait(self, seconds):
        """Whether to go on."""
        end = time.monotonic() + seconds
        while True:
            rest = end - time.monotonic()
            if rest <= 0:
                return True
            began = time.monotonic()
            self.window.timeout(int(rest * 1000) + 1)
            key = self.window.getch()
            if key == curses.KEY_RESIZE:
                self._draw()
            elif 0 <= key < 256 and chr(key) in QUIT:
                return False
            elif key < 0 and time.monotonic() - began < 0.01:
                time.sleep(min(rest, 0.1)) # no keyboard

    def _draw(self):
        height, width = self.window.getmaxyx()
        # The last place of the last line cannot be written without scrolling.
        width -= 1
        self.window.erase()
        for y, line in enumerate(page(self.report, width, height)[:height]):
            x = 0
            for text, style in cut(line, width):
                self._write(y, x, text, self.styles.get(style, 0))
                x += len(text)
        self.window.refresh()

    def _write(self, y, x, text, style):
        try:
            self.window.addstr(y, x, text, style)
        except curses.error: # the terminal has become smaller meanwhile
            pass


def page(report, width, height):
    """The lines for a screen of this size: rows that have no place are
    counted, the legend is there where a place is left."""
    heads, feet = report.heads(), [[]] + report.feet()
    heading, *rows = report.table(width)
    room = height - len(heads) - 1 - len(feet)
    if len(rows) > room:
        shown = max(room - 1, 1)
        rows = rows[:shown] + [[("... and %d more" % (len(rows) - shown), "")]]
    lines = heads + [heading] + rows + feet
    extra = [[]] + table.legend()
    return lines + extra if len(lines) + len(extra) <= height else lines
