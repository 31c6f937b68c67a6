"""Cgroups of version 2 that a test makes and removes."""

import os
import re

from .netns import PREFIX
from .wait import poll


def mount():
    """The folder of the first cgroup v2 that is mounted; None: there is none."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        for line in mounts:
            word = line.split()
            if word[2] == "cgroup2":
                return word[1]
    return None


def clean(name):
    """As names of values have it."""
    return re.sub(r"[^A-Za-z0-9_.@-]", "_", name)


def name(path):
    """The member's name of a cgroup, by its path below the mount."""
    parts = path.strip("/").split("/")
    for i, part in enumerate(parts):
        if re.fullmatch(r".+\.(service|scope)", part):
            return clean("/".join(parts[i:]))
    return clean(parts[-1]) or "root"


def own():
    """The name of the cgroup of this process."""
    with open("/proc/self/cgroup", encoding="utf-8") as f:
        path, = (l[3:] for l in f.read().splitlines() if l.startswith("0::"))
    return name(path)


def _remove(path):
    """With all that is in it. A process that has ended leaves it a little
    later."""
    for folder, inner, _ in os.walk(path, topdown=False):
        for i in inner:
            os.rmdir(os.path.join(folder, i))
    poll(lambda: _removed(path), "end of the processes in " + path)


def _removed(path):
    try:
        os.rmdir(path)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


class Tree:
    """A folder of cgroups below the mount. `reason`: why there is none."""

    def __init__(self):
        self.mount = mount()
        self.path = "%s%d" % (PREFIX, os.getpid())
        self.top = os.path.join(self.mount or "", self.path)
        self.reason = None if self.mount else "no cgroup v2 is mounted"

    def __enter__(self):
        if self.reason:
            return self
        self.sweep()
        try:
            os.mkdir(self.top)
            with open(os.path.join(self.top, "cgroup.procs"), "a",
                      encoding="ascii"):
                pass
        except OSError as e:
            self.reason = str(e)
        return self

    def __exit__(self, *_):
        if os.path.isdir(self.top):
            _remove(self.top)

    def make(self, path):
        """Makes the cgroup, and those above it; its folder."""
        folder = os.path.join(self.top, path)
        os.makedirs(folder)
        return folder

    def remove(self, path):
        _remove(os.path.join(self.top, path))

    def sweep(self):
        """Removes what a killed test has left behind."""
        for entry in os.listdir(self.mount):
            pid = entry[len(PREFIX):].split("-")[0]
            if (entry.startswith(PREFIX) and pid.isdigit()
                    and not os.path.exists("/proc/" + pid)):
                _remove(os.path.join(self.mount, entry))
