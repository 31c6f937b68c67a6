"""The real collectd with the built module, in the foreground, in a folder of
its own; and what its csv plugin wrote."""

import os
import re
import shutil
import signal
import subprocess
import tempfile

from .netns import PREFIX, enter
from .wait import LIMIT, poll

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
    """The folder of collectd's own modules: to load one behind the built one."""
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
                self.code = self.process.wait(LIMIT)
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

    def whole_values(self, only=""):
        """values() of all reads but the last, whose values may be incomplete:
        the files are read one after the other while the daemon goes on."""
        last = self.reads()[-2:-1]
        return {key: [row for row in rows if [row[0]] <= last]
                for key, rows in self.values(only).items()}

    def wait(self, condition, what, limit=LIMIT):
        """Waits for `condition(reads)`; fails if the daemon ends."""
        try:
            poll(lambda: condition(self.reads()), what, limit, self.ended)
        except TimeoutError as e:
            raise TimeoutError("collectd: %s\n%s" % (e, self.log())) from None

    def ended(self):
        return self.process.poll() is not None

    def begun_after(self, when, count=1):
        """The times of the first `count` reads that began after `when`; waits
        until they are whole. A read is stamped when its dump has ended, and
        begins after the one before it: it began after `when` if the one before
        it has a later stamp."""
        # csv rounds to milliseconds.
        def later(reads):
            return [t for t in reads if t > when + 0.001]
        # The last one that is there may lack some of its values.
        self.wait(lambda r: len(later(r)) >= count + 2, "read")
        return later(self.reads())[1:count + 1]

    def read_after(self, when):
        """The time of the first read that began after `when`, and is whole;
        its values as {key: value}."""
        first, = self.begun_after(when)
        return first, at(self.values(), first)

    def stop(self):
        """Stops all threads of the daemon, as if it were never scheduled."""
        self.process.send_signal(signal.SIGSTOP)
        poll(lambda: self.states() == {"T"}, "stop of the daemon")

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def states(self):
        """The states of its threads as the kernel has them."""
        top = "/proc/%d/task" % self.process.pid
        out = set()
        for thread in os.listdir(top):
            with open("%s/%s/stat" % (top, thread), encoding="ascii") as f:
                out.add(f.read().rpartition(")")[2].split()[0])
        return out


def at(values, when):
    """The values of one read."""
    return {key: value for key, rows in values.items()
            for t, value in rows if t == when}
