"""RRD files that collectd's rrdtool plugin writes, read by `rrdtool fetch`."""

import os
import subprocess

from live.wait import poll

from . import truth

PROGRAMS = ("rrdtool",)
CONF = ("rrdtool.conf",)


class RRD:
    name = "rrdtool"
    raw = False
    whole_seconds = False

    def __init__(self, at):
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
        """As a person would, through collectd's unixsock; it is queued."""
        last = {k: min(rows[-1][0], when)
                for k, rows in truth.of_collectd(self.daemon).items()}
        truth.ask(self.daemon, "FLUSH timeout=-1 plugin=rrdtool")
        late = set(last)

        def written():
            files = self.files()
            for key in sorted(late & set(files)):
                if self.last(files[key]) >= int(last[key]):
                    late.discard(key)
            return not late
        poll(written, "values in RRD files")

    @staticmethod
    def last(file):
        """The time of the last value in it."""
        return int(subprocess.run(["rrdtool", "last", file], check=True,
                                  stdout=subprocess.PIPE).stdout)

    def folder(self):
        return os.path.join(self.daemon.folder, "rrd", "h")

    def fetch(self, file):
        """[(time, value)]; a value that is not known is left out."""
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
        """{key: path}"""
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
