"""Comparisons that say their figures; skipping; an end that cleans up."""

import os
import shutil
import signal
import subprocess
import sys

SKIP = 77
failures = 0
done = 0


def say(*text):
    print(*text, flush=True)


def equal(what, got, expected, tolerance=0.0):
    """Prints the comparison; counts it when it does not hold."""
    global failures, done
    done += 1
    ok = (got is not None and expected is not None and
          abs(got - expected) <= tolerance
          if isinstance(expected, (int, float)) and
          isinstance(got, (int, float, type(None))) else got == expected)
    if not ok:
        failures += 1
    say("%-4s %s: %s, expected %s" % ("ok" if ok else "FAIL", what, number(got),
                                      number(expected)))
    return ok


def true(what, condition, figures=""):
    global failures, done
    done += 1
    if not condition:
        failures += 1
    say("%-4s %s%s" % ("ok" if condition else "FAIL", what,
                       ": " + str(figures) if figures != "" else ""))
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
    say("%d compared, %d failed" % (done, failures))
    sys.exit(1 if failures or not done else 0)
