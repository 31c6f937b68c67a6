#!/usr/bin/env python3
"""Checks that the folders of plugin/ are floors.

A file includes only from its own folder and from folders below it, headers of
the project are included by folder and name, and no modules include each other
in a circle. A module is a header and the source file of the same name. The
order of the floors is read from plugin/CMakeLists.txt, which builds them.

usage: check_floors.py [PLUGIN_FOLDER]
"""

import os
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def floors(plugin):
    """The folders, ground floor first."""
    with open(os.path.join(plugin, "CMakeLists.txt"), encoding="utf-8") as f:
        found = re.search(r"set\(TCPINFO_FLOORS\s+([a-z\s]+)\)", f.read())
    return found.group(1).split() if found else []


def files(plugin):
    """Each source file, as folder/name."""
    for folder, _, names in sorted(os.walk(plugin)):
        for name in sorted(names):
            if name.endswith((".c", ".h")):
                yield os.path.relpath(os.path.join(folder, name), plugin)


def includes(plugin, path):
    with open(os.path.join(plugin, path), encoding="utf-8") as f:
        return INCLUDE.findall(f.read())


def module(path):
    """NAME_layout.h is a private header of the module NAME."""
    return re.sub("_layout$", "", os.path.splitext(path)[0])


def circle(graph):
    """The modules of one circle, or None."""
    done, trail = set(), []

    def visit(node):
        if node in trail:
            return trail[trail.index(node):] + [node]
        if node in done:
            return None
        trail.append(node)
        for below in sorted(graph.get(node, ())):
            found = visit(below)
            if found:
                return found
        done.add(trail.pop())
        return None

    for node in sorted(graph):
        found = visit(node)
        if found:
            return found
    return None


def problems(plugin):
    order = floors(plugin)
    if not order:
        return ["%s/CMakeLists.txt: TCPINFO_FLOORS not found" % plugin]
    found, graph = [], {}
    for path in files(plugin):
        floor = os.path.dirname(path)
        if floor not in order:
            found.append("%s: is on no floor; floors are %s" %
                         (path, ", ".join(order)))
            continue
        for header in includes(plugin, path):
            target = os.path.dirname(header)
            if not os.path.exists(os.path.join(plugin, header)):
                found.append('%s: includes "%s"; write it as "folder/name.h"' %
                             (path, header))
            elif order.index(target) > order.index(floor):
                found.append('%s: includes "%s" from a floor above its own' %
                             (path, header))
            elif module(header) != module(path):
                graph.setdefault(module(path), set()).add(module(header))
    loop = circle(graph)
    if loop:
        found.append("modules include each other in a circle: " +
                     " -> ".join(loop))
    return found


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    plugin = sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..",
                                                                "plugin")
    found = problems(plugin)
    for problem in found:
        print(problem)
    print("%d files, %d problems" % (len(list(files(plugin))), len(found)))
    return 1 if found or not list(files(plugin)) else 0


if __name__ == "__main__":
    sys.exit(main())
