"""InfluxDB 1.x: its collectd listener receives the values, which InfluxQL
queries."""

import json

from live.wait import poll

from . import compare, sandbox

CONFIGURATION = """\
reporting-disabled = true
bind-address = "127.0.0.1:8088"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
[http]
  bind-address = "127.0.0.1:8086"
"""
PORT = 8086
PROGRAMS = ("influxd",)
CONF = ("influxdb.conf",)


class InfluxDB:
    name = "InfluxDB"
    raw = True
    whole_seconds = False
    within, share = 0.0015, 0.99 # csv writes milliseconds
    rough = 0

    def __init__(self, box):
        self.sandbox = box
        file = box.write("influxdb.conf", CONFIGURATION.format(
            folder=box.make("influxdb")) + sandbox.conf_text(
                "influxdb-listener.conf"))
        self.service = sandbox.Service(box, "influxd", [
            "influxd", "run", "-config", file])

    def ready(self):
        self.service.wait(lambda: self.query("SHOW DATABASES"))

    def begun(self):
        return True

    def settle(self, when):
        """Waits until values of a read after `when` are stored: InfluxDB stores
        values in the order in which they were sent."""
        poll(lambda: any(t > when + self.within for t, _ in self.of_key(
            "last(value)", compare.LAST)), "values of a later read in InfluxDB")

    def end(self):
        self.service.end()

    @staticmethod
    def encode(key):
        return key

    def query(self, text, **more):
        """Returns the series of the first statement."""
        answer = json.loads(self.sandbox.get(
            PORT, "/query", db="collectd", epoch="ns", q=text, **more))
        result = answer["results"][0]
        if "error" in result:
            raise RuntimeError("%s: %s" % (text, result["error"]))
        return result.get("series", [])

    def select(self, condition):
        """Returns {(instance, type, type_instance): [(time, value)]}."""
        out = {}
        for s in self.query("SELECT value FROM tcpinfo_value WHERE host = 'h'"
                            " AND %s GROUP BY instance, type, type_instance" %
                            condition):
            tags = s["tags"]
            out[tags["instance"], tags["type"], tags["type_instance"]] = [
                (t / 1e9, v) for t, v in s["values"]]
        return out

    def series(self):
        return self.select("time > 0")

    def of_group(self, group, kind, what):
        return self.select("instance = '%s' AND type = '%s' AND"
                           " type_instance = '%s'" % (group, kind, what))

    def of_members(self, group, kind, what):
        return self.select("instance =~ /^%s-/ AND type = '%s' AND"
                           " type_instance = '%s'" % (group, kind, what))

    def of_key(self, what, key):
        """Returns [(time, value)] of an expression of one series."""
        for s in self.query("SELECT %s FROM tcpinfo_value WHERE host = 'h' AND"
                            " instance = '%s' AND type = '%s' AND"
                            " type_instance = '%s'" % (what, *key)):
            return [(t / 1e9, v) for t, v in s["values"]]
        return []

    def rates(self, key, start, end):
        """Returns [(time, rate)] that InfluxQL computes."""
        return self.of_key("non_negative_derivative(value, 1s)", key)

    def increase(self, key, start, end):
        return self.of_key("last(value) - first(value)", key)[0][1]
