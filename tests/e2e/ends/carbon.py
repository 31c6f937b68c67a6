"""Graphite: carbon-cache takes the values, graphite-web's render API is asked."""

import json
import os

from live.wait import poll

from . import compare, place

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
    raw = False # counters are rates
    # Points are of whole seconds; two reads may fall into one.
    within, share = 1.0, 0.9
    whole_seconds = True

    def __init__(self, at):
        self.place = at
        self.folder = at.make("graphite")
        for name, text in (("carbon.conf", CARBON),
                           ("storage-schemas.conf", SCHEMAS),
                           ("e2e_settings.py", SETTINGS)):
            at.write(os.path.join("graphite", name),
                     text.format(folder=self.folder))
        self.env = {"GRAPHITE_SETTINGS_MODULE": "e2e_settings",
                    "PYTHONPATH": self.folder, "PYTHONDONTWRITEBYTECODE": "1"}
        self.services = [place.Service(at, "carbon", [
            "carbon-cache", "--config=" + self.folder + "/carbon.conf",
            "--nodaemon", "start"]), place.Service(at, "graphite-web", [
                "sh", "-c", "graphite-manage migrate -v 0 --run-syncdb &&"
                " exec graphite-manage runserver --noreload 127.0.0.1:%d" %
                PORT], self.env)]

    def ready(self):
        self.services[1].wait(lambda: self.place.get(PORT, "/metrics/find",
                                                     query="*"))

    def begun(self):
        return True

    def settle(self, when):
        """Waits until a later read than that one is there."""
        name = self.encode(compare.LAST)
        poll(lambda: self.render(name).get(name, [(0, 0)])[-1][0] >
             when + self.within, "values of a later read in Graphite")

    def end(self):
        for s in self.services:
            s.end()

    @staticmethod
    def encode(key):
        """Every part with its dots as "_"."""
        instance, kind, what = (part.replace(".", "_") for part in key)
        return "collectd.h.tcpinfo-%s.%s" % (instance, "-".join(
            p for p in (kind, what) if p))

    def render(self, *targets, since="-20min", until="now"):
        """{what it is called: [(time, value)]}"""
        answer = json.loads(self.place.get(
            PORT, "/render", form={"target": targets, "from": since,
                                   "until": until, "format": "json",
                                   "noNullPoints": "true"}))
        return {s["target"]: [(t, v) for v, t in s["datapoints"]]
                for s in answer}

    def series(self):
        return self.render("collectd.h.tcpinfo-*.*")

    def of_group(self, group, kind, what):
        """The series of the total alone."""
        return self.render("collectd.*.tcpinfo-%s.%s-%s" % (group, kind, what))

    def of_members(self, group, kind, what):
        return self.render("collectd.*.tcpinfo-%s-*.%s-%s" % (group, kind,
                                                              what))

    def find(self, pattern):
        """The values that a variable of a dashboard may have."""
        return json.loads(self.place.get(PORT, "/metrics/find", query=pattern))

    def get(self, path):
        return json.loads(self.place.get(PORT, path))

    def post(self, path, **form):
        return json.loads(self.place.get(PORT, path, form=form))

    def picture(self, url):
        """A PNG."""
        return self.place.get(PORT, url)
