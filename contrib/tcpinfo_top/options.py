"""The command line, and the values that its options need."""

import argparse

from . import cache, column, health

SOCKET = "/var/run/collectd-unixsock"
LEAST_RETRANS = 0.3
SORTS = ["health", "name", *column.BY_NAME]


def seconds(text):
    value = float(text)
    if not 0 < value <= 3600:
        raise ValueError
    return value


def checked(kind, legal, parser):
    """Returns a type for argparse that calls parser(text) and converts its
    ValueError to a message: not `kind`, and which values are `legal`."""
    def convert(text):
        try:
            return parser(text)
        except ValueError:
            raise argparse.ArgumentTypeError("'%s' is not %s; legal is %s" % (
                text, kind, legal)) from None
    return convert


def not_negative(text):
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError
    return value


def threshold(text):
    """Parses "rtt=0.2,1" to ("rtt", Limit)."""
    name, equals, limits = text.partition("=")
    if not equals or name not in column.BY_NAME:
        raise ValueError
    if limits == "off":
        return name, health.Limit(None, None)
    warning, comma, failure = limits.partition(",")
    limit = health.Limit(not_negative(warning),
                         not_negative(failure) if comma else None)
    if comma and limit.failure < limit.warning:
        raise ValueError
    return name, limit


def parse(words):
    p = argparse.ArgumentParser(
        prog="tcpinfo-top", allow_abbrev=False,
        description="Shows a live table of the values that collectd's plugin "
        "tcpinfo reports, the worst group first; see tcpinfo-top(1).",
        epilog="Exit status: 0: success; 1: the output cannot be written; "
        "2: wrong options; 3: no answer from collectd; 4: collectd has no "
        "values of the plugin; 5: no such group or host.")
    p.add_argument("--socket", metavar="PATH", default=SOCKET,
                   help="socket of collectd's unixsock plugin (default: "
                   "%(default)s)")
    p.add_argument("--host", metavar="NAME", action="append",
                   help="show only this host; may be repeated")
    p.add_argument("--group", metavar="NAME", action="append",
                   help="show only this group, with its members; may be "
                   "repeated")
    p.add_argument("--members", action="store_true",
                   help="show the members of all groups")
    p.add_argument("--sort", metavar="COLUMN", choices=SORTS,
                   default="health", help="sort by this column, largest value "
                   "first: %s (default: %%(default)s)" % ", ".join(SORTS))
    p.add_argument("--threshold", metavar="COLUMN=WARNING[,FAILURE]",
                   action="append", default=[], type=checked(
                       "a threshold", "COLUMN=WARNING, "
                       "COLUMN=WARNING,FAILURE (FAILURE not below WARNING) or "
                       "COLUMN=off; COLUMN is one of " +
                       ", ".join(column.BY_NAME), threshold),
                   help="lowest value that gets the verdict warning or "
                   "failure, in the column's unit; may be repeated")
    p.add_argument("--least-retrans", metavar="RATE", default=LEAST_RETRANS,
                   type=checked("a rate", "a number from 0 on", not_negative),
                   help="below this many retransmissions a second, their "
                   "percentage is not judged (default: %(default)s)")
    output = p.add_mutually_exclusive_group()
    output.add_argument("--once", action="store_true",
                        help="print one table and end")
    output.add_argument("--json", action="store_true",
                        help="print one JSON document and end")
    a_time = checked("a time", "seconds above 0, at most 3600", seconds)
    p.add_argument("--interval", metavar="SECONDS", default=2.0, type=a_time,
                   help="time between two updates (default: %(default)g)")
    p.add_argument("--wait", metavar="SECONDS", type=a_time,
                   help="wait at most this long for collectd and its first "
                   "values")
    return p.parse_args(words)


def wanted(o):
    """Returns a function of a cache.Name that tells if the value is needed."""
    def want(name):
        if o.host and name.host not in o.host:
            return False
        if name.instance == cache.SELF:
            return True
        group, _, member = name.instance.partition("-")
        if o.group and group not in o.group:
            return False
        if o.json:
            return True
        return (not member or bool(o.group or o.members)) and any(
            column.shows(c, name.series) for c in column.COLUMNS)
    return want
