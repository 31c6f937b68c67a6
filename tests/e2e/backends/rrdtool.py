"""RRD files that collectd's rrdtool plugin writes, read by `rrdtool fetch`."""

import os
import subprocess

from live.wait import poll

from . import expected

PROGRAMS = ("rrdtool",)
CONF = ("rrdtool.conf",)


class RRD:
    name = "rrdtool"
    raw = False
    whole_seconds = False

    def __init__(self, box):
        self.daemon = None
        self.step = 0 # seconds between two values of a file

    def ready(self):
        pass

    def end(self):
        pass

    @staticmethod
    def encode(key):
        return key

    def begun(self):
        return True

    def settle(self, when):
        """Writes all values to the files, by collectd's unixsock plugin; waits
        until the rrdtool plugin, which writes in its own thread, has done so."""
        last = {k: min(rows[-1][0], when)
                for k, rows in expected.of_collectd(self.daemon).items()}
        expected.ask(self.daemon, "FLUSH timeout=-1 plugin=rrdtool")
        missing = set(last)

        def written():
            files = self.files()
            for key in sorted(missing & set(files)):
                if self.last_update(files[key]) >= int(last[key]):
                    missing.discard(key)
            return not missing
        poll(written, "values in RRD files")

    @staticmethod
    def last_update(file):
        """Returns the time of the file's last value."""
        return int(subprocess.run(["rrdtool", "last", file], check=True,
                                  stdout=subprocess.PIPE).stdout)

    def folder(self):
        return os.path.join(self.daemon.folder, "rrd", "h")

    def fetch(self, file):
        """Returns [(time, value)] without unknown values."""
        text = subprocess.run(
            ["rrdtool", "fetch", file, "AVERAGE", "-s", "-20min"], check=True,
            stdout=subprocess.PIPE, text=True, env={
                **os.environ, "LC_ALL": "C"}).stdout
        rows, lines = [], text.splitlines()[2:]
        self.step = int(lines[1].split(":")[0]) - int(lines[0].split(":")[0])
        for line in lines:
            when, value = line.split(":")
            if "nan" not in value:
                rows.append((float(when), float(value)))
        return rows

    def files(self):
        """Returns {key: path}."""
        out = {}
        for folder in os.listdir(self.folder()):
            name, _, instance = folder.partition("-")
            if name != "tcpinfo":
                continue
            for file in os.listdir(os.path.join(self.folder(), folder)):
                kind, _, what = file[:-len(".rrd")].partition("-")
                out[instance, kind, what] = os.path.join(self.folder(), folder,
                                                         file)
        return out

    def series(self):
        return {key: self.fetch(path) for key, path in self.files().items()}

    def of_group(self, group, kind, what):
        return {k: self.fetch(p) for k, p in self.files().items()
                if k == (group, kind, what)}

    def of_members(self, group, kind, what):
        return {k: self.fetch(p) for k, p in self.files().items()
                if k[0].startswith(group + "-") and k[1:] == (kind, what)}
