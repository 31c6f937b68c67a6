"""Converts a Series of panels.py to a query of each backend, with Grafana's
variables; and has the queries for the values of these variables."""

from panels import COUNTERS, MEMBERS, RANKED, SELF, TOTAL, WORST10


def shows_maximum(series):
    """Returns true if several points are combined to their maximum: the mean of
    percentiles, or of percentages of different numbers, has no meaning."""
    return series.type == "latency" or (
        series.type == "percent" and
        not series.instance.startswith("limited-"))


class Prometheus:
    name, kind, title = "prometheus", "prometheus", "Prometheus"
    has_topk = True # the language can select the highest ten
    variables = {
        "host": ('label_values(collectd_tcpinfo_count{type="connections"},'
                 ' instance)', ""),
        "group": ('label_values(collectd_tcpinfo_count{instance=~"$host",'
                  'type="connections"}, tcpinfo)', "/^([^-]+)$/"),
        "member": ('label_values(collectd_tcpinfo_count{instance=~"$host",'
                   'tcpinfo=~"$group-.+",type="connections"}, tcpinfo)',
                   "/^[^-]+-(.+)$/"),
    }
    SCOPES = {
        TOTAL: 'tcpinfo=~"$group"', SELF: 'tcpinfo="self"',
        MEMBERS: 'tcpinfo=~"$group-($member)"',
        WORST10: 'tcpinfo=~"($group)-.+",tcpinfo!~".+-worst[0-9]+"',
        RANKED: 'tcpinfo=~"($group)-worst[0-9]+"',
    }

    def query(self, series):
        counter = series.type in COUNTERS
        text = 'collectd_tcpinfo_%s%s{instance=~"$host",%s,type="%s"}' % (
            series.type, "_total" if counter else "", self.SCOPES[series.scope],
            series.instance)
        if counter:
            text = "rate(%s[$__rate_interval])" % text
        return "topk(10, %s)" % text if series.scope == WORST10 else text

    def target(self, series):
        return {"expr": self.query(series), "range": True, "legendFormat":
                " ".join(filter(None, ("{{instance}} {{tcpinfo}}",
                                       series.label)))}

    @staticmethod
    def variable(text):
        return {"query": text, "refId": "variable"}


class InfluxDB:
    name, kind, title = "influxdb", "influxdb", "InfluxDB (InfluxQL)"
    has_topk = False
    variables = {
        "host": ('SHOW TAG VALUES FROM "tcpinfo_value" WITH KEY = "host"', ""),
        "group": ('SHOW TAG VALUES FROM "tcpinfo_value" WITH KEY = "instance"'
                  ' WHERE "host" =~ /^$host$/', "/^(?!self$)([^-]+)$/"),
        "member": ('SHOW TAG VALUES FROM "tcpinfo_value" WITH KEY = "instance"'
                   ' WHERE "host" =~ /^$host$/ AND "instance" =~ /^$group-/ AND'
                   ' "type" = \'count\'', "/^[^-]+-(.+)$/"),
    }
    SCOPES = {
        TOTAL: '"instance" =~ /^$group$/', SELF: '"instance" = \'self\'',
        MEMBERS: '"instance" =~ /^$group-$member$/',
        WORST10: '"instance" =~ /^$group-/ AND "instance" !~ /-worst[0-9]+$/',
        RANKED: '"instance" =~ /^$group-worst[0-9]+$/',
    }

    def query(self, series):
        value = ('non_negative_derivative(last("value"), 1s)'
                 if series.type in COUNTERS else 'max("value")'
                 if series.scope == WORST10 or shows_maximum(series) else
                 'mean("value")')
        return ('SELECT %s FROM "tcpinfo_value" WHERE "host" =~ /^$host$/ AND'
                ' %s AND "type" = \'%s\' AND "type_instance" = \'%s\' AND'
                ' $timeFilter GROUP BY time($__interval), "host", "instance"'
                ' fill(none)' % (value, self.SCOPES[series.scope], series.type,
                                 series.instance))

    def target(self, series):
        return {"query": self.query(series), "rawQuery": True,
                "resultFormat": "time_series", "alias": " ".join(filter(
                    None, ("$tag_host $tag_instance", series.label)))}

    @staticmethod
    def variable(text):
        return text


class Graphite:
    name, kind, title = "graphite", "graphite", "Graphite"
    has_topk = True
    variables = {
        "host": ("collectd.*", ""),
        "group": ("collectd.$host.tcpinfo-*", "/^tcpinfo-(?!self$)([^-]+)$/"),
        "member": ("collectd.$host.tcpinfo-$group-*",
                   "/^tcpinfo-[^-]+-(?!worst[0-9]+$)(.+)$/"),
    }
    SCOPES = {TOTAL: "$group", SELF: "self", MEMBERS: "$group-$member",
             WORST10: "$group-*", RANKED: "$group-worst*"}

    def query(self, series, instance=None, exclude=None):
        """Returns the query. Counters are stored as rates. The plugin's name is
        removed from the names of the lines. `exclude` is a regular expression
        of series to leave out."""
        text = "collectd.$host.tcpinfo-%s.%s-%s" % (
            instance or self.SCOPES[series.scope], series.type, series.instance)
        if series.scope == WORST10:
            exclude = "-worst[0-9]+\\."
        if exclude:
            text = "exclude(%s, '%s')" % (text, exclude)
        if series.scope == WORST10:
            text = "highestMax(%s, 10)" % text
        if shows_maximum(series):
            text = "consolidateBy(%s, 'max')" % text
        return "aliasSub(aliasByNode(%s, 1, 2), '\\.tcpinfo-(.*)', ' \\1%s')" % (
            text, " " + series.label if series.label else "")

    def target(self, series):
        return {"target": self.query(series)}

    @staticmethod
    def variable(text):
        return text


LANGUAGES = (Prometheus(), InfluxDB(), Graphite())
