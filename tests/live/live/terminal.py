"""Programs on a terminal: a pseudo terminal for what they write once, and tmux,
which keeps a screen as a terminal does."""

import errno
import fcntl
import os
import shlex
import struct
import subprocess
import termios
import time

from . import netns
from .wait import LIMIT


def on_terminal(command, columns=200, **environment):
    """Runs a program on a terminal of its own: its output with the escape
    sequences, and its exit code."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0,
                                                        0))
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs,
                          env={**os.environ, **environment}) as process:
        os.close(theirs)
        out = b""
        while True:
            try:
                out += os.read(ours, 65536)
            except OSError as e:
                if e.errno != errno.EIO: # nobody has it open any more
                    raise
                break
    os.close(ours)
    return out.decode().replace("\r\n", "\n"), process.returncode


class Tmux:
    """A shell on a screen. `environment` is the shell's."""

    def __init__(self, columns, lines, **environment):
        self.name = "%s%d" % (netns.PREFIX, os.getpid())
        self.size = "-x", str(columns), "-y", str(lines)
        self.environment = {**os.environ, "PS1": "$ ", **environment}

    def _tmux(self, *words):
        return netns.run("tmux", "-L", self.name, "-f", "/dev/null", *words,
                         env=self.environment)

    def __enter__(self):
        self._tmux("new-session", "-d", *self.size, "sh")
        return self

    def __exit__(self, *_):
        self._tmux("kill-server")

    def keys(self, *keys):
        """Such as "C-c"."""
        self._tmux("send-keys", *keys)

    def line(self, *words):
        """Types a command."""
        self._tmux("send-keys", "-l", shlex.join(words))
        self.keys("Enter")

    def resize(self, columns, lines):
        self._tmux("resize-window", "-x", str(columns), "-y", str(lines))

    def screen(self, colours=False):
        """Its lines as they are now."""
        return self._tmux("capture-pane", "-p", *["-e"] * colours).split("\n")

    def until(self, part, limit=LIMIT, gone=False):
        """The screen once it shows `part`, or does not any more; or the last
        one, in `limit` seconds."""
        end = time.monotonic() + limit
        while True:
            lines = self.screen()
            if (part in "\n".join(lines)) != gone or time.monotonic() > end:
                return lines
            time.sleep(0.1)
