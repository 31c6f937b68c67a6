#!/usr/bin/env python3
"""Runs the benchmarks with 200 sockets, and with 300 connections that open and
close: the figures are complete and plausible, and no process or namespace is left.
Times are not compared.

    test_smoke.py DIR       (the folder of the programs)"""

import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time

from program import LIMIT

HERE = os.path.dirname(os.path.abspath(__file__))
SKIP = 77
MARK = "TCPINFO_BENCH_SMOKE"
SOCKETS, PAIRS = 200, 5
CLOSED = 300 # connections of each turn
# The sockets in the dump of each scenario, with any percentage of IPv6.
DUMPED = {"default": SOCKETS, "active": SOCKETS, "by": SOCKETS,
          "ten-groups": SOCKETS, "prefix-1": SOCKETS, "prefix-500": SOCKETS,
          "one-percent": SOCKETS // 100, "churn": SOCKETS}
# The programs that take turns with a read; some may not be installed.
OTHERS = {"two-walks", "ss -tin", "tcpconns"}
failures = 0


def check(label, condition, figures=""):
    global failures
    failures += not condition
    print("%-4s %s: %s" % ("ok" if condition else "FAIL", label, figures),
          flush=True)


def skip(reason):
    print("skipped: " + reason)
    sys.exit(SKIP)


def namespaces():
    return {line.split()[0] for line in subprocess.run(
        ["ip", "netns", "list"], check=True, stdout=subprocess.PIPE,
        text=True).stdout.splitlines() if line.startswith("tcpinfo-bench-")}


def check_times(row, columns):
    name = row["scenario"]
    for column in columns:
        check("%s %s" % (name, column), float(row[column]) > 0, row[column])
    q1, q3 = float(row["ratio_q1"]), float(row["ratio_q3"])
    check("%s quartiles of the ratio" % name, 0 < q1 <= q3,
          "%g <= %g" % (q1, q3))


def check_row(row):
    name = row["scenario"]
    check("%s size, pairs" % name, int(row["size"]) == SOCKETS and
          int(row["pairs"]) == PAIRS, "%(size)s, %(pairs)s" % row)
    if name in OTHERS:
        check_times(row, ("floor_s",))
        return
    check_times(row, ("floor_s", "read_s", "ratio", "first_s"))
    if name == "all-metrics": # states without traffic, too
        check(name + " dumped", int(row["dumped"]) >= SOCKETS, row["dumped"])
        check(name + " series", int(row["series"]) > 100, row["series"])
        return
    # The dump does not request TIME_WAIT, the state of replaced connections.
    for column in ("dumped", "matched"):
        check("%s %s" % (name, column), int(row[column]) == DUMPED[name],
              row[column])
    # The total has at least 8 values; members and `other` have as many.
    series = int(row["series"])
    check("%s series" % name, series > 1000 if name == "by"
          else 5 < series < 200, series)


def each_scenario_is_measured(programs, percent):
    """Runs all scenarios with both families; with one family, only those that
    depend on addresses."""
    print("--- %d %% of IPv6" % percent)
    only = () if percent == 50 else ("default", "prefix-1", "prefix-500")
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "out.csv")
        with subprocess.Popen(
                [sys.executable, os.path.join(HERE, "run"), "--programs",
                 programs, "--csv", file, "--ipv6", str(percent), "--pairs",
                 str(PAIRS), *("--only=" + name for name in only),
                 str(SOCKETS)], stdout=subprocess.PIPE, text=True) as process:
            table = process.stdout.read()
        check("run ended by itself", process.returncode in (0, 1),
              process.returncode)
        with open(file, encoding="ascii", newline="") as f:
            rows = list(csv.DictReader(f))
    names = [row["scenario"] for row in rows]
    check("a row for each scenario", sorted(set(names) - OTHERS) ==
          sorted(only or [*DUMPED, "all-metrics"]), names)
    check("a row for two walks", "two-walks" in names)
    for row in rows:
        check_row(row)
    check("the table has them, too", all(
         any(line.split()[:2] == [str(SOCKETS), name]
             for line in table.splitlines()) for name in only or DUMPED),
          "%d lines" % len(table.splitlines()))
    check("the output compares prefixes", "prefix-500 / prefix-1" in table)
    for text in ("memory: ", "echo on another CPU"):
        check("the output has " + text, bool(only) or text in table)
    nothing_is_left()


def sent_by_churn(connections):
    """Returns the bytes that one worker of churn.c sends over the connections."""
    return sum(100 + i % 128 + 300 + i // 128 % 128
               for i in range(connections))


def check_churn_row(row):
    n = {column: float(text) for column, text in row.items()
         if column not in ("turn", "broken")}
    label = "%(turn)s %(interval_s)s " % row
    check(label + "connections", n["connections"] == CLOSED,
          row["connections"])
    check(label + "events", n["events"] >= n["expected"] == 2 * CLOSED and
          n["lost"] == 0, "%(events)s, %(lost)s lost" % row)
    check(label + "bytes sent", n["sent"] == sent_by_churn(CLOSED),
          row["sent"])
    check(label + "resident memory", all(n["rss_%s_kb" % when] > 100
                                         for when in ("start", "third", "end")))
    check(label + "CPU", n["thread_us"] > 0 and n["ratio"] > 0,
          "%(thread_us)s us, ratio %(ratio)s" % row)
    if row["turn"] != "floor":
        # Retransmitted bytes count twice.
        more = n["bytes_sent"] - n["sent"]
        check(label + "bytes_sent", more == 0 or 0 < more <= 427 * n["retrans"],
              "%(bytes_sent)s, %(retrans)s retransmitted" % row)
        check(label + "opened, closed", n["opened"] == n["closed"] ==
              2 * CLOSED and n["failed"] == 0, "%(opened)s %(closed)s" % row)
    check(label + "breaks no bound", row["broken"] == "", row["broken"])


def churn_is_counted(programs):
    print("--- close events")
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "out.csv")
        done = subprocess.run(
            [sys.executable, os.path.join(HERE, "close_events"), "--programs",
             programs, "--csv", file, "--rate", str(CLOSED), "--seconds", "1"],
            check=False, stdout=subprocess.PIPE, text=True)
        check("exit code", done.returncode == 0, done.returncode)
        with open(file, encoding="ascii", newline="") as f:
            rows = list(csv.DictReader(f))
    turns = [row["turn"] for row in rows]
    check("the floor between all others", turns == [
         "floor", "default", "floor", "by", "floor", "default", "floor"], turns)
    for row in rows:
        check_churn_row(row)
    check("the table has them, too", [
         line.split()[0] for line in done.stdout.splitlines()[1:]] == turns)
    nothing_is_left()


def nothing_is_left():
    left = [n for n in namespaces() if not os.path.exists(
        "/proc/" + n.split("-")[2])]
    check("no namespace is left", not left, left or "")
    no_process_is_left()


def no_process_is_left():
    left = poll(lambda left: not left)
    check("no process is left", not left, left or "")


def poll(condition):
    """Returns processes() as soon as they meet the condition, or after LIMIT."""
    end = time.monotonic() + LIMIT
    while True:
        last = time.monotonic() > end
        found = processes()
        if condition(found) or last:
            return found
        time.sleep(0.05)


def killed_run_leaves_nothing(programs, script, *arguments):
    """Checks that the load ends with a killed run; the next run removes the
    namespaces."""
    print("--- killed: " + script)
    with tempfile.TemporaryDirectory() as folder:
        with subprocess.Popen(
                [sys.executable, os.path.join(HERE, script), "--programs",
                 programs, "--csv", os.path.join(folder, "out.csv"),
                 *arguments], stdout=subprocess.PIPE, text=True) as process:
            head = process.stdout.readline()
            process.stdout.readline()
            some = poll(lambda some: len(some) > 2)
            process.kill()
    check("the run had started", head.split()[:1] in (
         ["sockets"], ["turn"]) and len(some) > 2,
          "%d processes" % len(some))
    no_process_is_left()


def processes():
    """Returns the processes with our mark in their environment."""
    out = []
    for pid in os.listdir("/proc"):
        try:
            if pid.isdigit() and int(pid) != os.getpid():
                with open("/proc/%s/environ" % pid, "rb") as f:
                    if (MARK + "=" + os.environ[MARK]).encode() in \
                            f.read().split(b"\0"):
                        out.append(int(pid))
        except OSError: # gone, or ending
            pass
    return out


def main():
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if os.geteuid() != 0:
        skip("not root")
    for program in ("ip", "nsenter", "sysctl"):
        if shutil.which(program) is None:
            skip("no " + program)
    name = "tcpinfo-bench-%d-probe" % os.getpid()
    made = subprocess.run(["ip", "netns", "add", name], check=False,
                          stderr=subprocess.PIPE, text=True)
    if made.returncode:
        skip("no network namespaces here: " + made.stderr.strip())
    old = subprocess.run(
        ["nsenter", "--net=/var/run/netns/" + name, "sysctl", "-n",
         "net.ipv4.tcp_child_ehash_entries"], check=False,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
    subprocess.run(["ip", "netns", "del", name], check=False)
    if old:
        skip("no net.ipv4.tcp_child_ehash_entries (Linux 6.1)")
    os.environ[MARK] = str(os.getpid())
    killed_run_leaves_nothing(sys.argv[1], "close_events", "--rate", str(CLOSED),
                              "--seconds", "1")
    churn_is_counted(sys.argv[1])
    killed_run_leaves_nothing(sys.argv[1], "run", str(SOCKETS))
    for percent in (50, 0, 100):
        each_scenario_is_measured(sys.argv[1], percent)
    sys.exit(failures > 0)


main()
