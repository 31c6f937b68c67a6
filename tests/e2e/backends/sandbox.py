"""Runs backends in the client's network namespace of a netns.Link, where all
ports are free, with a folder of their own. The files of conf/ are used
unchanged: their host names resolve to addresses of that namespace."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse

from live import daemon, netns
from live.wait import LIMIT

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
NAMES = ("graphite.example.org", "influxdb.example.org", "host.example.org",
         "central.example.org", "kafka.example.org")


def conf(name):
    return os.path.join(TOP, "conf", name)


def conf_text(name):
    with open(conf(name), encoding="utf-8") as f:
        return f.read()


def json_of(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


class Sandbox:
    """`elsewhere` is {host name: address} of the host names in the configuration
    that do not resolve to loopback."""

    def __init__(self, namespace, elsewhere=()):
        self.namespace = namespace
        self.addresses = {**dict.fromkeys(NAMES, "127.0.0.1"),
                          **dict(elsewhere)}
        self.folder = None

    def __enter__(self):
        daemon.sweep()
        self.folder = tempfile.mkdtemp(prefix="%s%d-" % (netns.PREFIX,
                                                         os.getpid()))
        os.chmod(self.folder, 0o755)
        with open(self.path("hosts"), "w", encoding="ascii") as out:
            out.write("127.0.0.1 localhost\n")
            for name, address in self.addresses.items():
                out.write("%s %s\n" % (address, name))
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def make(self, *names):
        """Creates a folder in the sandbox's folder; returns its path."""
        os.makedirs(self.path(*names), exist_ok=True)
        return self.path(*names)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)
        return self.path(name)

    def within(self):
        """Returns the words before a command to run it in the sandbox; the
        command ends if this process ends."""
        return [*netns.enter(self.namespace), "setpriv", "--pdeathsig", "KILL",
                "unshare", "--mount", "sh", "-ec",
                'mount --bind "$0" /etc/hosts; exec "$@"', self.path("hosts")]

    def get(self, port, path, **query):
        """Returns the body of the response to a GET, or to a POST of `form`."""
        form = query.pop("form", None)
        body = urllib.parse.urlencode(form, doseq=True) if form else None
        if query:
            path += "?" + urllib.parse.urlencode(query, doseq=True)
        with netns.inside(self.namespace):
            c = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
            c.connect()
        try:
            c.request("POST" if form else "GET", path, body, {
                "Content-Type": "application/x-www-form-urlencoded"}
                if form else {})
            answer = c.getresponse()
            data = answer.read()
            if answer.status >= 300:
                raise RuntimeError("%d %s: %s" % (answer.status, path,
                                                  data[:300]))
            return data
        finally:
            c.close()


class Service:
    """A server program in the foreground, with its output in a file."""

    def __init__(self, box, name, command, env=None):
        self.name = name
        self.output = box.path(name + ".output")
        with open(self.output, "wb") as out:
            self.process = subprocess.Popen(
                [*box.within(), *command], stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, env={**os.environ, **(env or {})})

    def text(self):
        with open(self.output, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait(self, ready):
        """Waits until ready() returns true; it may raise errors before."""
        end = time.monotonic() + LIMIT
        while True:
            why = None
            try:
                if ready():
                    return
            except (OSError, RuntimeError, http.client.HTTPException) as e:
                why = e
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("%s did not start: %s\n%s" % (
                    self.name, why, self.text()[-3000:]))
            time.sleep(0.1)

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Collectd(daemon.Collectd):
    """The real collectd in a Sandbox, with unchanged files of conf/, after the
    configuration `before`. `modules` is the folder of collectd's own plugins;
    tcpinfo is loaded from the build folder before them."""

    def __init__(self, box, files, before="", modules="/usr/lib/collectd",
                 **more):
        block = before + '\nPluginDir "%s"\n' % modules
        block += "".join('Include "%s"\n' % conf(f) for f in files)
        super().__init__(block, None, **more)
        self.command = box.within() + self.command
