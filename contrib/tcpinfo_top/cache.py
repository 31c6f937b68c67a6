"""What collectd knows of the plugin tcpinfo: hosts with groups with members,
each a dictionary {series: value}, series as in collectd's names
("latency-rtt-p95"). Only the values of a host's last read count: in collectd's
cache what that read left out goes on with its old value for a while."""

import collections
import re
import time

from .problem import NO_VALUES, Problem
from .unixsock import Connection

PLUGIN = "tcpinfo-"
SELF = "self"
PAUSES = 0.02, 0.04, 0.08, 0.16, 0.32, 0 # seconds, until a read is whole

# `instance` is GROUP, GROUP-MEMBER or SELF.
Name = collections.namedtuple("Name", "host instance series")

WORST = re.compile(r"worst[1-9][0-9]{0,2}$")
WORST_SERIES = {"percent-retrans_percent", "latency-rtt-p95"}


class Values(dict):
    """{series: value}. `unknown`: series that were reported, but collectd has
    no number for them: a rate after a first read."""

    unknown = frozenset()


class Group:
    """`other`: the member of that name, or None. `worst`: the values of worst1
    and so on, whose names collectd does not tell."""

    def __init__(self, name):
        self.name = name
        self.total, self.members, self.other, self.worst = {}, {}, None, {}


class Host:
    """`time`: of the groups' values. `dropped`: a later dump has failed."""

    def __init__(self, name):
        self.name = name
        self.time, self.own_time = 0.0, 0.0
        self.own, self.groups = {}, {}

    @property
    def dropped(self):
        return self.own_time > self.time > 0


def parse(name):
    """"h/tcpinfo-web-10.0.0.1/latency-rtt-p95" as a Name; None where it is of
    another plugin."""
    parts = name.split("/", 2)
    if len(parts) != 3 or not parts[1].startswith(PLUGIN):
        return None
    return Name(parts[0], parts[1][len(PLUGIN):], parts[2])


def text(name):
    return "%s/%s%s/%s" % (name.host, PLUGIN, name.instance, name.series)


class Cache:
    """`want`: which values are worth asking for, by Name."""

    def __init__(self, path, want=lambda name: True):
        self.path, self.want = path, want
        self.times, self.values = {}, {} # by Name

    def read(self, patience=None):
        """{host: Host} as of now; raises Problem. `patience`: Connection's."""
        with Connection(self.path, patience) as connection:
            self._settle(connection)
        if not any(name.instance != SELF for name in self.times):
            raise Problem(NO_VALUES, "collectd has no values of the plugin "
                          "tcpinfo at %s%s" % (self.path, ": no dump of it has "
                          "been complete yet" if self.times else
                          ": is it loaded, and has it read yet?"))
        return hosts(self.times, self.values)

    def _settle(self, connection):
        """A host whose values move while they are fetched, or that has not
        said all yet, is in the midst of a read: it is looked at again."""
        reading = None
        for pause in PAUSES:
            listed = self._listed(connection)
            if reading is None:
                self._forget(listed)
            moved = [n for n, when in listed.items()
                     if self.times.get(n) != when
                     and (reading is None or n.host in reading)]
            self._fetch(connection, moved)
            self.times.update((n, listed[n]) for n in moved)
            reading = {n.host for n in moved} | unfinished(self.times)
            if not reading:
                return
            time.sleep(pause)

    @staticmethod
    def _listed(connection):
        out = {}
        for when, name in connection.names():
            parsed = parse(name)
            if parsed:
                out[parsed] = when
        return out

    def _forget(self, listed):
        for name in self.times.keys() - listed.keys():
            del self.times[name]
            self.values.pop(name, None)

    def _fetch(self, connection, names):
        wanted = [n for n in names if self.want(n)]
        got = connection.values([text(n) for n in wanted])
        for name in wanted:
            value = got.get(text(name))
            if value is None:
                self.values.pop(name, None)
            else:
                self.values[name] = value


def last_reads(times):
    """{host: Host}, empty but for their times, out of {Name: time}."""
    out = {}
    for name, when in times.items():
        host = out.setdefault(name.host, Host(name.host))
        if name.instance == SELF:
            host.own_time = max(host.own_time, when)
        else:
            host.time = max(host.time, when)
    return out


def unfinished(times):
    """The hosts whose plugin has yet to say how it is itself, which it does
    last."""
    return {h.name for h in last_reads(times).values()
            if 0 < h.own_time < h.time}


def counts(name):
    """Whether it is a counter, which no read leaves out."""
    kind = name.series.partition("-")[0]
    return kind == "packets" or kind.startswith("total_")


def on_its_way(times, out):
    """{host: time of the read before}, of the hosts of which a part of the last
    read is not here yet: collectd's network plugin sends a packet when it is
    full, so that the end of a read may come with the next one."""
    before, alive, late = {}, set(), {}
    for name, when in times.items():
        host = out[name.host]
        if when == max(host.time, host.own_time):
            alive.add(name[:2])
        else:
            before[name.host] = max(before.get(name.host, 0), when)
    for name, when in times.items():
        if when == before.get(name.host) and (
                when == out[name.host].own_time # which comes last
                or (name[:2] in alive and counts(name))):
            late[name.host] = when
    return late


def hosts(times, values):
    """{host: Host} out of {Name: time} and {Name: value}."""
    out = last_reads(times)
    late = on_its_way(times, out)
    instances, alive = {}, set()
    for name, when in times.items():
        host, before = out[name.host], late.get(name.host)
        last = host.own_time if name.instance == SELF else host.time
        if when in (last, before):
            instances.setdefault(name[:2], {})[name.series] = values.get(name)
        # What is behind a part that came may not have come at all.
        if when == last or when == before == host.own_time:
            alive.add(name[:2])
    for (host, instance), series in instances.items():
        if (host, instance) in alive:
            place(out[host], instance, series)
    return out


def place(host, instance, series):
    known = Values((s, v) for s, v in series.items() if v is not None)
    known.unknown = series.keys() - known.keys()
    if instance == SELF:
        host.own = known
        return
    name, _, member = instance.partition("-")
    group = host.groups.setdefault(name, Group(name))
    if not member:
        group.total = known
    elif member == "other":
        group.other = known
    # A member proper may be called so, but where these two are all there is.
    elif WORST.match(member) and series.keys() <= WORST_SERIES:
        group.worst[int(member[5:])] = known
    else:
        group.members[member] = known
