"""The real collectd with the built module, in the foreground, in a folder of
its own; and what its csv plugin wrote."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from .netns import PREFIX, enter

DATE = re.compile(r"-\d{4}-\d\d-\d\d$")

CONFIGURATION = """\
Hostname "h"
FQDNLookup false
BaseDir "{folder}"
PIDFile "{folder}/collectd.pid"
Interval {interval}
ReadThreads 2
WriteThreads 1
LoadPlugin logfile
<Plugin logfile>
  LogLevel info
  File "{folder}/log"
</Plugin>
LoadPlugin csv
<Plugin csv>
  DataDir "{folder}/csv"
  StoreRates false
</Plugin>
PluginDir "{module_dir}"
LoadPlugin {plugin}
{block}
"""

# As little as a service can have.
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
          "--bounding-set", "-all", "--inh-caps", "-all", "--ambient-caps",
          "-all", "--no-new-privs"]


def sweep():
    """Removes folders that a killed test has left behind."""
    for name in os.listdir(tempfile.gettempdir()):
        pid = name[len(PREFIX):].split("-")[0]
        if (name.startswith(PREFIX) and pid.isdigit()
                and not os.path.exists("/proc/" + pid)):
            shutil.rmtree(os.path.join(tempfile.gettempdir(), name),
                          ignore_errors=True)


def module_dir():
    return os.environ.get("TCPINFO_MODULE_DIR", "")


def own_modules():
    """Where collectd's own modules are: to load one behind the built one."""
    text = subprocess.run(["collectd", "-h"], check=False, text=True,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT).stdout
    found = re.search(r"Plugin directory\s+(\S+)", text)
    return found.group(1) if found else "/usr/lib/collectd"


class Collectd:
    """`block`: the <Plugin tcpinfo> block as text. `namespace` None: ours."""

    def __init__(self, block, namespace=None, interval=1.0, nobody=False,
                 plugin="tcpinfo", modules=None):
        sweep()
        self.folder = tempfile.mkdtemp(prefix="%s%d-" % (PREFIX, os.getpid()))
        os.chmod(self.folder, 0o755)
        if nobody:
            os.chown(self.folder, 65534, 65534)
        self.conf = os.path.join(self.folder, "collectd.conf")
        with open(self.conf, "w", encoding="ascii") as out:
            out.write(CONFIGURATION.format(
                folder=self.folder, interval=interval, plugin=plugin,
                block=block, module_dir=modules or module_dir()))
        self.command = []
        if namespace:
            self.command += enter(namespace)
        if nobody:
            self.command += NOBODY
        # Not even a killed test leaves a daemon behind.
        self.command += ["setpriv", "--pdeathsig", "KILL"]
        # A sanitizer's library has to come before the module.
        if os.environ.get("TCPINFO_PRELOAD"):
            self.command += ["env", "ASAN_OPTIONS=detect_leaks=0",
                             "LD_PRELOAD=" + os.environ["TCPINFO_PRELOAD"]]
        self.command += [shutil.which("collectd", path=os.environ["PATH"] +
                                      ":/usr/sbin:/sbin") or "collectd",
                         "-f", "-C", self.conf]
        self.plugin = plugin
        self.process = None
        self.code = None

    def __enter__(self):
        with open(os.path.join(self.folder, "stderr"), "wb") as err:
            self.process = subprocess.Popen(self.command, stdout=err,
                                            stderr=err)
        return self

    def __exit__(self, *_):
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def end(self):
        """Ends the daemon as a user would; the values stay readable."""
        if self.code is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.code = self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.code = self.process.wait()
        return self.code

    def identity(self):
        """User and effective capabilities as the kernel has them."""
        with open("/proc/%d/status" % self.process.pid, encoding="ascii") as f:
            rows = dict(line.rstrip("\n").split(":\t", 1) for line in f
                        if ":\t" in line)
        return int(rows["Uid"].split()[1]), int(rows["CapEff"], 16)

    def log(self):
        text = ""
        for name in ("stderr", "log"):
            try:
                with open(os.path.join(self.folder, name),
                          encoding="utf-8") as f:
                    text += f.read()
            except OSError:
                pass
        return text

    def values(self, only="", host="h"):
        """{(plugin_instance, type, type_instance): [(time, value) ...]}, of
        one plugin_instance or of all."""
        out = {}
        top = os.path.join(self.folder, "csv", host)
        for folder in sorted(os.listdir(top) if os.path.isdir(top) else ()):
            name, _, instance = folder.partition("-")
            if name != self.plugin or only not in ("", instance):
                continue
            for file in sorted(os.listdir(os.path.join(top, folder))):
                kind, _, what = DATE.sub("", file).partition("-")
                rows = out.setdefault((instance, kind, what), [])
                with open(os.path.join(top, folder, file),
                          encoding="ascii") as f:
                    # The last line may be half written.
                    for line in f.read().split("\n")[1:-1]:
                        when, _, value = line.partition(",")
                        rows.append((float(when), float(value)))
        return out

    def reads(self):
        """The times of all reads, oldest first. All values but the last read's
        are there: one thread writes them in order."""
        values = self.values("self" if self.plugin == "tcpinfo" else "")
        return sorted({t for rows in values.values() for t, _ in rows})

    def wait(self, condition, what, limit=60):
        """Waits for `condition(reads)`; fails if the daemon ends or in
        `limit` seconds it does not hold."""
        end = time.time() + limit
        while time.time() < end:
            if condition(self.reads()):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise TimeoutError("collectd: no %s\n%s" % (what, self.log()))

    def read_after(self, when):
        """The time of the first read that began after `when`, and is whole;
        its values as {key: value}."""
        # Whichever end of its dump a read is stamped with: this much later it
        # has begun later.
        safe = when + 0.2
        self.wait(lambda r: sum(t > safe for t in r) >= 2, "read")
        first = min(t for t in self.reads() if t > safe)
        return first, at(self.values(), first)


def at(values, when):
    """The values of one read."""
    return {key: value for key, rows in values.items()
            for t, value in rows if t == when}
