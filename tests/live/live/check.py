"""Comparisons that say their figures; skipping; an end that cleans up."""

import os
import shutil
import signal
import subprocess
import sys

SKIP = 77
done = 0
failures = [] # as printed


def say(*text):
    print(*text, flush=True)


def _compared(ok, text):
    global done
    done += 1
    line = "%-4s %s" % ("ok" if ok else "FAIL", text)
    say(line)
    if not ok:
        failures.append(line)
    return ok


def equal(what, got, expected, tolerance=0.0):
    """Prints the comparison; counts it when it does not hold."""
    return _compared(
        got is not None and expected is not None and
        abs(got - expected) <= tolerance
        if isinstance(expected, (int, float)) and
        isinstance(got, (int, float, type(None))) else got == expected,
        "%s: %s, expected %s" % (what, number(got), number(expected)))


def true(what, condition, figures=""):
    _compared(condition, what + (": " + str(figures) if figures != "" else ""))
    return condition


def number(value):
    return "%.9g" % value if isinstance(value, float) else str(value)


def skip(reason):
    say("skipped: " + reason)
    sys.exit(SKIP)


def _end(signum, _):
    sys.exit(128 + signum)


def need(*programs, root=True, namespaces=True, module=True):
    """Ends the test with SKIP where it cannot run here."""
    for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(s, _end)
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if root and os.geteuid() != 0:
        skip("not root")
    for p in programs:
        if shutil.which(p) is None:
            skip("no " + p)
    if namespaces:
        name = "tcpinfo-test-%d-probe" % os.getpid()
        made = subprocess.run(["ip", "netns", "add", name], check=False,
                              stderr=subprocess.PIPE, text=True)
        if made.returncode:
            skip("no network namespaces here: " + made.stderr.strip())
        subprocess.run(["ip", "netns", "del", name], check=False)
    if module:
        where = os.environ.get("TCPINFO_MODULE_DIR", "")
        if not os.path.isfile(os.path.join(where, "tcpinfo.so")):
            skip("no tcpinfo.so in TCPINFO_MODULE_DIR (%s)" % where)


def main(test):
    """Runs `test`, prints the sum, ends with 0 or 1."""
    test()
    for line in failures: # again: of a long output, often only the end is kept
        say(line)
    say("%d compared, %d failed" % (done, len(failures)))
    sys.exit(1 if failures or not done else 0)
