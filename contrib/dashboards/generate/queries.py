"""A Show of panels.py as a query of each back end, with Grafana's variables; and
what these variables may be."""

from panels import COUNTERS, MEMBERS, RANKED, SELF, TOTAL, WORST10


def is_peak(show):
    """Over a longer time the highest says what was: a mean of percentiles, or of
    percentages of different numbers, says nothing."""
    return show.kind == "latency" or (show.kind == "percent" and
                                      not show.what.startswith("limited-"))


class Prometheus:
    name, kind, title = "prometheus", "prometheus", "Prometheus"
    ranks = True # has a word for "the highest ten"
    variables = {
        "host": ('label_values(collectd_tcpinfo_count{type="connections"},'
                 ' instance)', ""),
        "group": ('label_values(collectd_tcpinfo_count{instance=~"$host",'
                  'type="connections"}, tcpinfo)', "/^([^-]+)$/"),
        "member": ('label_values(collectd_tcpinfo_count{instance=~"$host",'
                   'tcpinfo=~"$group-.+",type="connections"}, tcpinfo)',
                   "/^[^-]+-(.+)$/"),
    }
    WHOSE = {
        TOTAL: 'tcpinfo=~"$group"', SELF: 'tcpinfo="self"',
        MEMBERS: 'tcpinfo=~"$group-($member)"',
        WORST10: 'tcpinfo=~"($group)-.+",tcpinfo!~".+-worst[0-9]+"',
        RANKED: 'tcpinfo=~"($group)-worst[0-9]+"',
    }

    def query(self, show):
        counter = show.kind in COUNTERS
        text = 'collectd_tcpinfo_%s%s{instance=~"$host",%s,type="%s"}' % (
            show.kind, "_total" if counter else "", self.WHOSE[show.whose],
            show.what)
        if counter:
            text = "rate(%s[$__rate_interval])" % text
        return "topk(10, %s)" % text if show.whose == WORST10 else text

    def target(self, show):
        return {"expr": self.query(show), "range": True, "legendFormat":
                " ".join(filter(None, ("{{instance}} {{tcpinfo}}",
                                       show.label)))}

    @staticmethod
    def variable(text):
        return {"query": text, "refId": "variable"}


class InfluxDB:
    name, kind, title = "influxdb", "influxdb", "InfluxDB (InfluxQL)"
    ranks = False
    variables = {
        "host": ('SHOW TAG VALUES FROM "tcpinfo_value" WITH KEY = "host"', ""),
        "group": ('SHOW TAG VALUES FROM "tcpinfo_value" WITH KEY = "instance"'
                  ' WHERE "host" =~ /^$host$/', "/^(?!self$)([^-]+)$/"),
        "member": ('SHOW TAG VALUES FROM "tcpinfo_value" WITH KEY = "instance"'
                   ' WHERE "host" =~ /^$host$/ AND "instance" =~ /^$group-/ AND'
                   ' "type" = \'count\'', "/^[^-]+-(.+)$/"),
    }
    WHOSE = {
        TOTAL: '"instance" =~ /^$group$/', SELF: '"instance" = \'self\'',
        MEMBERS: '"instance" =~ /^$group-$member$/',
        WORST10: '"instance" =~ /^$group-/ AND "instance" !~ /-worst[0-9]+$/',
        RANKED: '"instance" =~ /^$group-worst[0-9]+$/',
    }

    def query(self, show):
        value = ('non_negative_derivative(last("value"), 1s)'
                 if show.kind in COUNTERS else 'max("value")'
                 if show.whose == WORST10 or is_peak(show) else
                 'mean("value")')
        return ('SELECT %s FROM "tcpinfo_value" WHERE "host" =~ /^$host$/ AND'
                ' %s AND "type" = \'%s\' AND "type_instance" = \'%s\' AND'
                ' $timeFilter GROUP BY time($__interval), "host", "instance"'
                ' fill(none)' % (value, self.WHOSE[show.whose], show.kind,
                                 show.what))

    def target(self, show):
        return {"query": self.query(show), "rawQuery": True,
                "resultFormat": "time_series", "alias": " ".join(filter(
                    None, ("$tag_host $tag_instance", show.label)))}

    @staticmethod
    def variable(text):
        return text


class Graphite:
    name, kind, title = "graphite", "graphite", "Graphite"
    ranks = True
    variables = {
        "host": ("collectd.*", ""),
        "group": ("collectd.$host.tcpinfo-*", "/^tcpinfo-(?!self$)([^-]+)$/"),
        "member": ("collectd.$host.tcpinfo-$group-*",
                   "/^tcpinfo-[^-]+-(?!worst[0-9]+$)(.+)$/"),
    }
    WHOSE = {TOTAL: "$group", SELF: "self", MEMBERS: "$group-$member",
             WORST10: "$group-*", RANKED: "$group-worst*"}

    def query(self, show, whose=None, without=None):
        """Counters arrive as rates. The plugin's name is cut off the names of
        the lines. `without`: what is left out, as exclude() has it."""
        text = "collectd.$host.tcpinfo-%s.%s-%s" % (
            whose or self.WHOSE[show.whose], show.kind, show.what)
        if show.whose == WORST10:
            without = "-worst[0-9]+\\."
        if without:
            text = "exclude(%s, '%s')" % (text, without)
        if show.whose == WORST10:
            text = "highestMax(%s, 10)" % text
        if is_peak(show):
            text = "consolidateBy(%s, 'max')" % text
        return "aliasSub(aliasByNode(%s, 1, 2), '\\.tcpinfo-(.*)', ' \\1%s')" % (
            text, " " + show.label if show.label else "")

    def target(self, show):
        return {"target": self.query(show)}

    @staticmethod
    def variable(text):
        return text


LANGUAGES = (Prometheus(), InfluxDB(), Graphite())
