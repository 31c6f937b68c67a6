"""Prometheus and VictoriaMetrics: both scrape collectd, and answer the same
queries."""

import json
import re

from live.wait import poll

from . import compare, sandbox

PROGRAMS = ("prometheus",)
CONF = ("prometheus.conf",)
# collectd's interval in these tests is 1 s, so that Prometheus gets each read even
# if a scrape is late.
CONFIGURATION = """\
global:
  scrape_interval: 500ms
  evaluation_interval: 1s
{more}
"""
NAME = re.compile(r"collectd_tcpinfo_(.+?)(_total)?")


class Scraper:
    raw = True
    whole_seconds = False
    # Some scrapes get a read twice, or come during a read.
    within, share = 0.0015, 0.9

    def settle(self, when):
        """Waits until values of a read after `when` are stored."""
        text = "timestamp(%s)" % selector(compare.LAST)
        poll(lambda: any(float(s["value"][1]) > when + self.within
                         for s in self.query(text)),
             "values of a later read in " + self.name)

    def end(self):
        self.service.end()

    def ready(self):
        self.service.wait(lambda: self.query("vector(1)"))

    def begun(self):
        """Returns true once there are scraped values, after some seconds."""
        return self.query("collectd_tcpinfo_count")

    def ask(self, path, **query):
        answer = json.loads(self.sandbox.get(self.port, path, **query))
        if answer["status"] != "success":
            raise RuntimeError("%s: %s" % (query, answer))
        return answer["data"]

    def query(self, text, **more):
        return self.ask("/api/v1/query", query=text, **more)["result"]

    @staticmethod
    def encode(key):
        return key

    @staticmethod
    def key(labels):
        """Returns collectd's (instance, type, type instance) of a series. The
        name of a counter ends in _total."""
        kind = NAME.fullmatch(labels["__name__"]).group(1)
        return labels["tcpinfo"], kind, labels["type"]

    def select(self, selector):
        """Returns {key: [(time, value)]} of all samples of the host h."""
        out = {}
        for s in self.query("{__name__=~\"collectd_tcpinfo_.+\","
                            "instance=\"h\"%s}[20m]" % selector):
            out[self.key(s["metric"])] = [(t, float(v))
                                          for t, v in s["values"]]
        return out

    def series(self):
        return self.select("")

    def of_group(self, group, kind, what):
        return self.select(',tcpinfo="%s",type="%s"' % (group, what))

    def of_members(self, group, kind, what):
        return self.select(',tcpinfo=~"%s-.+",type="%s"' % (group, what))

    def rates(self, key, start, end):
        """Returns [(time, rate)] that PromQL computes."""
        data = self.ask("/api/v1/query_range", start=start, end=end, step="1s",
                        query="rate(%s[5s])" % selector(key))["result"]
        return [(t, float(v)) for t, v in data[0]["values"]] if data else []

    def increase(self, key, start, end):
        data = self.query("increase(%s[%ds])" % (
            selector(key), end - start + 2), time=end + 1)
        return float(data[0]["value"][1]) if data else None


def selector(key):
    """Returns the selector of a counter."""
    return 'collectd_tcpinfo_%s_total{tcpinfo="%s",type="%s"}' % (
        key[1], key[0], key[2])


class Prometheus(Scraper):
    name = "Prometheus"
    rough = 0.03 # increase() extrapolates
    port = 9090

    def __init__(self, box):
        self.sandbox = box
        rules = [sandbox.conf(n) for n in ("prometheus-alerts.yml",
                                           "prometheus-records.yml")]
        file = box.write("prometheus.yml", CONFIGURATION.format(
            more="rule_files: " + json.dumps(rules) + "\n" +
            sandbox.conf_text("prometheus-scrape.yml")))
        self.service = sandbox.Service(box, "prometheus", [
            "prometheus", "--config.file=" + file, "--storage.tsdb.path=" +
            box.make("prometheus"), "--web.listen-address=127.0.0.1:%d" %
            self.port])

    def alerts(self):
        """Returns {(name, group or member): state}."""
        return {(a["labels"]["alertname"], a["labels"].get("tcpinfo")):
                a["state"] for a in self.ask("/api/v1/alerts")["alerts"]}


class VictoriaMetrics(Scraper):
    name = "VictoriaMetrics"
    rough = 0
    port = 8428

    def __init__(self, box):
        self.sandbox = box
        file = box.write("victoria.yml", CONFIGURATION.replace(
            "  evaluation_interval: 1s\n", "").format(
                more=sandbox.conf_text("prometheus-scrape.yml")))
        self.service = sandbox.Service(box, "victoria-metrics", [
            "victoria-metrics", "-promscrape.config=" + file,
            "-storageDataPath=" + box.make("victoria"), "-retentionPeriod=1d",
            "-search.latencyOffset=0s", "-promscrape.noStaleMarkers",
            "-httpListenAddr=127.0.0.1:%d" % self.port])
