"""The files of a package, unpacked in a folder, hold what they should."""

import gzip
import os
import re
import stat

from build import LINK, TOP, expected, files
from live import check

LINE = "#LoadPlugin tcpinfo"


def read(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as f:
        return f.read().decode()


def same_text(there, here):
    """But for the interpreter of a script."""
    text = read(os.path.join(TOP, here))
    return read(there) == re.sub(r"\A#!/usr/bin/env python3\b",
                                 "#!/usr/bin/python3", text)


def disabled(text):
    """The sample with every line commented out, and one that enables it."""
    sample = read(os.path.join(TOP, "conf", "tcpinfo.conf")).split("\n")
    lines = text.split("\n")
    check.true("the configuration: nothing but comments", all(
        l.lstrip().startswith("#") for l in lines if l.strip()), len(lines))
    check.true("the configuration: every line of the sample", len(sample) ==
               len(lines) and all(l in (s, "#" + s)
                                  for s, l in zip(sample, lines)))
    check.equal("the configuration: lines that enable it", lines.count(LINE), 1)


def modes(top, module, module_mode):
    """All readable, and root's."""
    wrong = []
    for path in files(top):
        st = os.stat(top + path) # a link's is the program's
        mode = (module_mode if path == module else
                0o755 if path.endswith("/tcpinfo-top") else 0o644)
        if (stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid) != (mode, 0, 0):
            wrong.append((path, oct(st.st_mode), st.st_uid, st.st_gid))
    check.equal("files with another mode or owner", wrong, [])


def look(top, module, module_mode, configuration, documents, more):
    """`more`: paths that only this package has."""
    both = expected(documents)
    links = [path for path in files(top) if os.path.islink(top + path)]
    check.equal("links", [(path, os.readlink(top + path)) for path in links],
                [LINK])
    check.equal("files", sorted(set(files(top)) - set(links)),
                sorted([module, configuration, *both, *more]))
    wrong = [there for there, here in both.items()
             if not os.path.exists(top + there) or
             not same_text(top + there, here)]
    check.equal("files that differ from the project's", wrong, [])
    modes(top, module, module_mode)
    disabled(read(top + configuration))
