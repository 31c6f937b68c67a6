"""Shows the report on the whole terminal, and draws it again if the report or
the size of the terminal changes. The end restores the terminal's contents."""

import curses
import os
import time

from . import table
from .text_output import cut

QUIT = ("q", "Q") # not Esc: arrow keys and the mouse wheel send it, too


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
        except curses.error: # not supported by this terminal
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
                       "failure": curses.color_pair(2) | curses.A_BOLD}

    def show(self, report, _=None):
        """Draws the report, also if only the age of the values has changed."""
        self.report = report
        self._draw()

    def wait(self, seconds):
        """Waits for a key; returns false if it is one that ends the program."""
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
                time.sleep(min(rest, 0.1)) # stdin is closed

    def _draw(self):
        height, width = self.window.getmaxyx()
        # Writing to the last column of the last line would scroll.
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
        except curses.error: # the terminal has just become smaller
            pass


def page(report, width, height):
    """Returns the lines for a screen of this size. A last line counts the rows
    that do not fit; the legend is shown if there is space for it."""
    header, footer = report.header(), [[]] + report.footer()
    heading, *rows = report.table(width)
    free = height - len(header) - 1 - len(footer)
    if len(rows) > free:
        shown = max(free - 1, 1)
        rows = rows[:shown] + [[("... and %d more" % (len(rows) - shown), "")]]
    lines = header + [heading] + rows + footer
    extra = [[]] + table.legend()
    return lines + extra if len(lines) + len(extra) <= height else lines
