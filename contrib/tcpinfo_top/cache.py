"""The values of the plugin tcpinfo in collectd's cache, as hosts with groups
with members. Values are dictionaries {series: value}; a series is named by
collectd's type and type instance ("latency-rtt-p95").

Only values of a host's last read count: a value that the last read did not
report stays in collectd's cache for a while with its old number."""

import collections
import re
import time

from .problem import NO_VALUES, Problem
from .unixsock import Connection

PLUGIN = "tcpinfo-"
SELF = "self"
# Seconds between attempts to see a read as a whole.
PAUSES = 0.02, 0.04, 0.08, 0.16, 0.32, 0

# `instance` is collectd's plugin instance: GROUP, GROUP-MEMBER or SELF.
Name = collections.namedtuple("Name", "host instance series")

# No member has such a name: the plugin puts a "_" in front.
WORST = re.compile(r"worst[1-9][0-9]{0,2}$")


class Values(dict):
    """{series: value}. `unknown` is the set of series that were reported
    without a number: collectd has no rate of a counter after the first read."""

    unknown = frozenset()


class Group:
    """`members` is {name: Values}; `other` is the Values of the member "other",
    or None. `worst` is {number: Values} of worst1, worst2 ..., for which
    collectd does not store the member's name."""

    def __init__(self, name):
        self.name = name
        self.total, self.members, self.other, self.worst = {}, {}, None, {}


class Host:
    """`time` is when the groups' values were read, `own_time` when the plugin
    last reported its own values. `dropped`: a later dump failed."""

    def __init__(self, name):
        self.name = name
        self.time, self.own_time = 0.0, 0.0
        self.own, self.groups = {}, {}

    @property
    def dropped(self):
        return self.own_time > self.time > 0


def parse(identifier):
    """Converts "h/tcpinfo-web-10.0.0.1/latency-rtt-p95" to a Name; returns None
    for the value of another plugin."""
    parts = identifier.split("/", 2)
    if len(parts) != 3 or not parts[1].startswith(PLUGIN):
        return None
    return Name(parts[0], parts[1][len(PLUGIN):], parts[2])


def identifier_of(name):
    return "%s/%s%s/%s" % (name.host, PLUGIN, name.instance, name.series)


class Cache:
    """`want(name)` returns true for the values that are to be fetched."""

    def __init__(self, path, want=lambda name: True):
        self.path, self.want = path, want
        self.times, self.values = {}, {} # {Name: time}, {Name: value}

    def read(self, timeout=None):
        """Returns {host: Host} as of now; raises Problem. `timeout` is that of
        Connection."""
        with Connection(self.path, timeout) as connection:
            self._fetch_whole_reads(connection)
        if not any(name.instance != SELF for name in self.times):
            raise Problem(NO_VALUES, "collectd has no values of the plugin "
                          "tcpinfo at %s: %s" % (
                              self.path, self._why_empty()))
        return hosts(self.times, self.values)

    def _why_empty(self):
        """The plugin reports its own counters after a failed dump, too; its own
        gauges only after a complete one."""
        if not self.times:
            return "is the plugin loaded, and has it read yet?"
        if all(is_counter(name) for name in self.times):
            return "its dumps fail; see collectd's log"
        return "it has no group, or their values have expired"

    def _fetch_whole_reads(self, connection):
        """Fetches what is new. A host is in the middle of a read if its values
        change during the fetch, or if its own values are older than those of
        its groups; such a host is fetched again after a pause."""
        reading = None
        for pause in PAUSES:
            listed = self._list(connection)
            if reading is None:
                self._forget_missing(listed)
            changed = [n for n, when in listed.items()
                       if self.times.get(n) != when
                       and (reading is None or n.host in reading)]
            self._fetch(connection, changed)
            self.times.update((n, listed[n]) for n in changed)
            reading = {n.host for n in changed} | unfinished_hosts(self.times)
            if not reading:
                return
            time.sleep(pause)

    @staticmethod
    def _list(connection):
        out = {}
        for when, identifier in connection.list_values():
            name = parse(identifier)
            if name:
                out[name] = when
        return out

    def _forget_missing(self, listed):
        for name in self.times.keys() - listed.keys():
            del self.times[name]
            self.values.pop(name, None)

    def _fetch(self, connection, names):
        wanted = [n for n in names if self.want(n)]
        got = connection.get_values([identifier_of(n) for n in wanted])
        for name in wanted:
            value = got.get(identifier_of(name))
            if value is None:
                self.values.pop(name, None)
            else:
                self.values[name] = value


def hosts_with_times(times):
    """Converts {Name: time} to {host: Host}; of each Host only the times are
    filled in."""
    out = {}
    for name, when in times.items():
        host = out.setdefault(name.host, Host(name.host))
        if name.instance == SELF:
            host.own_time = max(host.own_time, when)
        else:
            host.time = max(host.time, when)
    return out


def unfinished_hosts(times):
    """Returns the names of the hosts that are in the middle of a read: the
    plugin reports its own values last."""
    return {h.name for h in hosts_with_times(times).values()
            if 0 < h.own_time < h.time}


def is_counter(name):
    """Returns true for a counter; every read reports all counters."""
    kind = name.series.partition("-")[0]
    return kind == "packets" or kind.startswith("total_")


def previous_reads(times, known_hosts):
    """Returns {host: time of the read before the last} of the hosts whose last
    read has not arrived as a whole: collectd's network plugin sends a packet
    once it is full, so the end of a read may arrive with the next read."""
    before, current, late = {}, set(), {}
    for name, when in times.items():
        host = known_hosts[name.host]
        if when == max(host.time, host.own_time):
            current.add(name[:2])
        else:
            before[name.host] = max(before.get(name.host, 0), when)
    for name, when in times.items():
        if when == before.get(name.host) and (
                when == known_hosts[name.host].own_time # arrives last
                or (name[:2] in current and is_counter(name))):
            late[name.host] = when
    return late


def hosts(times, values):
    """Builds {host: Host} from {Name: time} and {Name: value}."""
    out = hosts_with_times(times)
    late = previous_reads(times, out)
    instances, current = {}, set()
    for name, when in times.items():
        host, before = out[name.host], late.get(name.host)
        last = host.own_time if name.instance == SELF else host.time
        if when in (last, before):
            instances.setdefault(name[:2], {})[name.series] = values.get(name)
        # If the plugin's own values are of the read before, the rest of the
        # last read is still to come: an instance of the read before counts.
        if when == last or when == before == host.own_time:
            current.add(name[:2])
    for (host, instance), series in instances.items():
        if (host, instance) in current:
            store_instance(out[host], instance, series)
    return out


def store_instance(host, instance, series):
    """Stores {series: value} in `host`, by the plugin instance: as the plugin's
    own values, a group's total, a member, "other" or one of the worst."""
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
    elif WORST.match(member):
        group.worst[int(member[5:])] = known
    else:
        group.members[member] = known
