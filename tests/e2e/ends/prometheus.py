"""Prometheus and VictoriaMetrics, which scrape the same and are asked alike."""

import json
import re

from live.wait import poll

from . import compare, place

PROGRAMS = ("prometheus",)
CONF = ("prometheus.conf",)
# collectd's interval in these tests is a second: each read is found, even if a
# scrape is late.
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
    # A scrape now and then finds a read twice, or comes amidst one.
    within, share = 0.0015, 0.9

    def settle(self, when):
        """Waits until a later read than that one is there."""
        text = "timestamp(%s)" % selector(compare.LAST)
        poll(lambda: any(float(s["value"][1]) > when + self.within
                         for s in self.query(text)),
             "values of a later read in " + self.name)

    def end(self):
        self.service.end()

    def ready(self):
        self.service.wait(lambda: self.query("vector(1)"))

    def begun(self):
        """True once it scrapes, which takes it some seconds."""
        return self.query("collectd_tcpinfo_count")

    def ask(self, path, **query):
        answer = json.loads(self.place.get(self.port, path, **query))
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
        """The one that collectd has for it: a derive's name has _total behind
        its type, and so may a type itself."""
        kind = NAME.fullmatch(labels["__name__"]).group(1)
        return labels["tcpinfo"], kind, labels["type"]

    def select(self, selector):
        """{key: [(time, value)]} of all samples of the host h."""
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
        """[(time, a second)] in the query language's own words."""
        data = self.ask("/api/v1/query_range", start=start, end=end, step="1s",
                        query="rate(%s[5s])" % selector(key))["result"]
        return [(t, float(v)) for t, v in data[0]["values"]] if data else []

    def increase(self, key, start, end):
        data = self.query("increase(%s[%ds])" % (
            selector(key), end - start + 2), time=end + 1)
        return float(data[0]["value"][1]) if data else None


def selector(key):
    """Selects a counter."""
    return 'collectd_tcpinfo_%s_total{tcpinfo="%s",type="%s"}' % (
        key[1], key[0], key[2])


class Prometheus(Scraper):
    name = "Prometheus"
    rough = 0.03 # it extrapolates
    port = 9090

    def __init__(self, at):
        self.place = at
        rules = [place.conf(n) for n in ("prometheus-alerts.yml",
                                         "prometheus-records.yml")]
        file = at.write("prometheus.yml", CONFIGURATION.format(
            more="rule_files: " + json.dumps(rules) + "\n" +
            place.conf_text("prometheus-scrape.yml")))
        self.service = place.Service(at, "prometheus", [
            "prometheus", "--config.file=" + file, "--storage.tsdb.path=" +
            at.make("prometheus"), "--web.listen-address=127.0.0.1:%d" %
            self.port])

    def alerts(self):
        """{(name, group or member): state}"""
        return {(a["labels"]["alertname"], a["labels"].get("tcpinfo")):
                a["state"] for a in self.ask("/api/v1/alerts")["alerts"]}


class VictoriaMetrics(Scraper):
    name = "VictoriaMetrics"
    rough = 0
    port = 8428

    def __init__(self, at):
        self.place = at
        file = at.write("victoria.yml", CONFIGURATION.replace(
            "  evaluation_interval: 1s\n", "").format(
                more=place.conf_text("prometheus-scrape.yml")))
        self.service = place.Service(at, "victoria-metrics", [
            "victoria-metrics", "-promscrape.config=" + file,
            "-storageDataPath=" + at.make("victoria"), "-retentionPeriod=1d",
            "-search.latencyOffset=0s", "-promscrape.noStaleMarkers", "-httpListenAddr=127.0.0.1:%d" %
            self.port])
