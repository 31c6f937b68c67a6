"""collectd in a clean root as its unit starts it. There is no systemd in there:
the unit's commands are run by hand, with the socket on which a service tells
systemd that it is ready."""

import os
import re
import shutil
import socket

from live import check
from live.daemon import NOBODY, Collectd
from live.wait import LIMIT

FOLDER = "/var/tmp/tcpinfo"
READY = FOLDER + "/ready"
SOCKET = FOLDER + "/socket"
UNIT = "/lib/systemd/system/collectd.service"
# Debian's unit leaves a service all of root's; collectd's own has an empty
# CapabilityBoundingSet, and NoNewPrivileges.
DEBIAN = []
UPSTREAM = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all",
            "--no-new-privs"]
# This test needs these to see the values; the rest is the distribution's.
CONFIGURATION = """\
Hostname "h"
LoadPlugin logfile
<Plugin logfile>
  LogLevel info
  File "%(folder)s/log"
  Timestamp false
</Plugin>
LoadPlugin csv
<Plugin csv>
  DataDir "%(folder)s/csv"
  StoreRates false
</Plugin>
LoadPlugin unixsock
<Plugin unixsock>
  SocketFile "%(socket)s"
</Plugin>
""" % {"folder": FOLDER, "socket": SOCKET}


def commands(root, key):
    """The unit's commands of this key, each as words."""
    return [line.split() for line in re.findall(
        r"(?m)^%s=(.*)$" % key, root.read(UNIT))]


class Unit(Collectd):
    """`capabilities`: DEBIAN, UPSTREAM or NOBODY. `options` are added to the
    unit's command. reads() are those of `plugin`."""

    def __init__(self, root, namespace, capabilities=DEBIAN, options=(),
                 plugin="tcpinfo"):
        # Not the base class's: the configuration is there already.
        self.plugin = plugin
        self.process = self.code = None
        self.root = root
        self.folder = root.path(FOLDER)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        # The rrdtool plugin writes its files there.
        owner = 65534 if capabilities is NOBODY else 0
        for path in (FOLDER, "/var/lib/collectd"):
            root.run("chown", "-R", str(owner), path)
        (start,) = commands(root, "ExecStart")
        self.before = commands(root, "ExecStartPre")
        self.command = root.command(
            *capabilities, "setpriv", "--pdeathsig", "KILL", "env",
            "NOTIFY_SOCKET=" + READY, *start, *options, namespace=namespace)

    def __enter__(self):
        for words in self.before:
            check.equal(" ".join(words), self.root.result(*words), (0, ""))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(self.root.path(READY))
            os.chmod(self.root.path(READY), 0o666)
            ready.settimeout(LIMIT)
            super().__enter__()
            try:
                said = ready.recv(100)
            except TimeoutError:
                self.end()
                said = self.log()
            check.equal("collectd is ready", said, b"READY=1\n")
        return self

    def plugins(self):
        """The plugins of which there are values."""
        top = os.path.join(self.folder, "csv", "h")
        return sorted({name.partition("-")[0] for name in os.listdir(top)}
                      if os.path.isdir(top) else ())
