"""Other programs that read the kernel's sockets, for comparison."""

import os
import shutil
import subprocess
import sys
import tempfile

from namespace import enter

CONFIGURATION = """BaseDir "{folder}"
TypesDB "/usr/share/collectd/types.db"
"""
TCPCONNS = """LoadPlugin tcpconns
<Plugin tcpconns>
    ListeningPorts false
    AllPortsSummary true
</Plugin>
"""


def cpu_of(namespace, *command):
    """Runs the command without its output; returns its CPU seconds: user,
    system."""
    process = subprocess.Popen([*enter(namespace.name), *command],
                               stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit("%s: exit code %d" % (" ".join(command), process.returncode))
    return usage.ru_utime, usage.ru_stime


class Others:
    """`measures` maps the name of each installed program to a function that
    measures it in a namespace."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.measures = {}
        collectd = shutil.which("collectd")
        if shutil.which("ss"):
            self.measures["ss -tin"] = lambda n: cpu_of(n, "ss", "-tinH")
        if collectd:
            self.with_plugin = self.configure("with.conf", TCPCONNS)
            self.without = self.configure("without.conf", "")
            self.collectd = [collectd, "-T", "-C"]
            self.measures["tcpconns"] = self.tcpconns

    def configure(self, name, text):
        path = os.path.join(self.folder.name, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(CONFIGURATION.format(folder=self.folder.name) + text)
        return path

    def tcpconns(self, namespace):
        """Returns the CPU seconds of one read, without those of the daemon."""
        some = cpu_of(namespace, *self.collectd, self.with_plugin)
        none = cpu_of(namespace, *self.collectd, self.without)
        return tuple(max(0, a - b) for a, b in zip(some, none))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()
