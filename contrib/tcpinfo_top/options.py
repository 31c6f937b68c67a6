"""The command line, and which values it makes worth asking for."""

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


def checked(what, legal, read):
    """A type of argparse: `read`, which raises ValueError."""
    def convert(text):
        try:
            return read(text)
        except ValueError:
            raise argparse.ArgumentTypeError("'%s' is not %s; legal is %s" % (
                text, what, legal)) from None
    return convert


def not_negative(text):
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError
    return value


def threshold(text):
    """"rtt=0.2,1" -> ("rtt", Limit)"""
    name, equals, limits = text.partition("=")
    if not equals or name not in column.BY_NAME:
        raise ValueError
    if limits == "off":
        return name, health.Limit(None, None)
    warning, comma, bad = limits.partition(",")
    limit = health.Limit(not_negative(warning),
                         not_negative(bad) if comma else None)
    if comma and limit.bad < limit.warning:
        raise ValueError
    return name, limit


def parse(words):
    p = argparse.ArgumentParser(
        prog="tcpinfo-top", allow_abbrev=False, description="A live table of what collectd's "
        "plugin tcpinfo reports, worst first; see tcpinfo-top(1).",
        epilog="Exit status: 0, or 1: no output could be written, 2: wrong "
        "options, 3: no answer from collectd, 4: it has no values of the "
        "plugin, 5: no such group or host.")
    p.add_argument("--socket", metavar="PATH", default=SOCKET,
                   help="that of collectd's unixsock plugin (%(default)s)")
    p.add_argument("--host", metavar="NAME", action="append",
                   help="only this host; may be repeated")
    p.add_argument("--group", metavar="NAME", action="append",
                   help="only this group, with its members; may be repeated")
    p.add_argument("--members", action="store_true",
                   help="all groups with their members")
    p.add_argument("--sort", metavar="COLUMN", choices=SORTS,
                   default="health", help="largest first: %s (%%(default)s)" %
                   ", ".join(SORTS))
    p.add_argument("--threshold", metavar="COLUMN=WARNING[,BAD]",
                   action="append", default=[], type=checked(
                       "a threshold", "COLUMN=WARNING, COLUMN=WARNING,BAD "
                       "(not less) or COLUMN=off, where COLUMN is one of " +
                       ", ".join(column.BY_NAME), threshold),
                   help="from which value on it is wrong, in the unit of the "
                   "metric; may be repeated")
    p.add_argument("--least-retrans", metavar="RATE", default=LEAST_RETRANS,
                   type=checked("a rate", "a number from 0 on", not_negative),
                   help="with fewer retransmissions a second their percentage "
                   "is not judged (%(default)s)")
    how = p.add_mutually_exclusive_group()
    how.add_argument("--once", action="store_true", help="one table")
    how.add_argument("--json", action="store_true", help="one JSON document")
    a_time = checked("a time", "seconds above 0, at most 3600", seconds)
    p.add_argument("--interval", metavar="SECONDS", default=2.0, type=a_time,
                   help="between two looks at collectd (%(default)g)")
    p.add_argument("--wait", metavar="SECONDS", type=a_time,
                   help="at the start, so long for collectd and its values")
    return p.parse_args(words)


def wanted(o):
    """Which values are to be asked for, by cache.Name."""
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
