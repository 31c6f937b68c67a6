"""Graphite: carbon-cache receives the values; graphite-web's render API answers
queries."""

import json
import os

from live.wait import poll

from . import compare, sandbox

CARBON = """\
[cache]
STORAGE_DIR = {folder}
LOCAL_DATA_DIR = {folder}/whisper
CONF_DIR = {folder}
LOG_DIR = {folder}
PID_DIR = {folder}
USER =
MAX_CREATES_PER_MINUTE = inf
MAX_UPDATES_PER_SECOND = inf
LINE_RECEIVER_INTERFACE = 127.0.0.1
LINE_RECEIVER_PORT = 2003
PICKLE_RECEIVER_INTERFACE = 127.0.0.1
PICKLE_RECEIVER_PORT = 2004
CACHE_QUERY_INTERFACE = 127.0.0.1
CACHE_QUERY_PORT = 7002
"""
SCHEMAS = "[all]\npattern = .*\nretentions = 1s:20m\n"
SETTINGS = """\
SECRET_KEY = "of a test"
CONF_DIR = STORAGE_DIR = LOG_DIR = {folder!r}
WHISPER_DIR = {folder!r} + "/whisper"
STANDARD_DIRS = [WHISPER_DIR]
INDEX_FILE = {folder!r} + "/index"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3",
                          "NAME": {folder!r} + "/graphite.db"}}}}
MEMCACHE_HOSTS = []
DEFAULT_CACHE_DURATION = 0
FIND_CACHE_DURATION = 0
ALLOWED_HOSTS = ["*"]
TIME_ZONE = "UTC"
"""
PORT = 8080
PROGRAMS = ("carbon-cache", "graphite-manage")
CONF = ("graphite.conf",)


class Graphite:
    name = "Graphite"
    raw = False # counters are stored as rates
    # A point is of a whole second; two reads may be in the same one.
    within, share = 1.0, 0.9
    whole_seconds = True

    def __init__(self, box):
        self.sandbox = box
        self.folder = box.make("graphite")
        for name, text in (("carbon.conf", CARBON),
                           ("storage-schemas.conf", SCHEMAS),
                           ("e2e_settings.py", SETTINGS)):
            box.write(os.path.join("graphite", name),
                      text.format(folder=self.folder))
        self.env = {"GRAPHITE_SETTINGS_MODULE": "e2e_settings",
                    "PYTHONPATH": self.folder, "PYTHONDONTWRITEBYTECODE": "1"}
        self.services = [sandbox.Service(box, "carbon", [
            "carbon-cache", "--config=" + self.folder + "/carbon.conf",
            "--nodaemon", "start"]), sandbox.Service(box, "graphite-web", [
                "sh", "-c", "graphite-manage migrate -v 0 --run-syncdb &&"
                " exec graphite-manage runserver --noreload 127.0.0.1:%d" %
                PORT], self.env)]

    def ready(self):
        self.services[1].wait(lambda: self.sandbox.get(
            PORT, "/metrics/find", query="*"))

    def begun(self):
        return True

    def settle(self, when):
        """Waits until values of a read after `when` are stored."""
        name = self.encode(compare.LAST)
        poll(lambda: self.render(name).get(name, [(0, 0)])[-1][0] >
             when + self.within, "values of a later read in Graphite")

    def end(self):
        for s in self.services:
            s.end()

    @staticmethod
    def encode(key):
        """Returns the series' name: dots within a part become "_"."""
        instance, kind, what = (part.replace(".", "_") for part in key)
        return "collectd.h.tcpinfo-%s.%s" % (instance, "-".join(
            p for p in (kind, what) if p))

    def render(self, *targets, since="-20min", until="now"):
        """Returns {name of the line: [(time, value)]}."""
        answer = json.loads(self.sandbox.get(
            PORT, "/render", form={"target": targets, "from": since,
                                   "until": until, "format": "json",
                                   "noNullPoints": "true"}))
        return {s["target"]: [(t, v) for v, t in s["datapoints"]]
                for s in answer}

    def series(self):
        return self.render("collectd.h.tcpinfo-*.*")

    def of_group(self, group, kind, what):
        """Returns the series of the group without its members."""
        return self.render("collectd.*.tcpinfo-%s.%s-%s" % (group, kind, what))

    def of_members(self, group, kind, what):
        return self.render("collectd.*.tcpinfo-%s-*.%s-%s" % (group, kind,
                                                              what))

    def find(self, pattern):
        """Returns the possible values of a dashboard's variable."""
        return json.loads(self.sandbox.get(PORT, "/metrics/find", query=pattern))

    def get(self, path):
        return json.loads(self.sandbox.get(PORT, path))

    def post(self, path, **form):
        return json.loads(self.sandbox.get(PORT, path, form=form))

    def picture(self, url):
        """Returns a PNG image."""
        return self.sandbox.get(PORT, url)
