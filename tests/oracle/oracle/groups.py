"""The groups that the daemons report, and to which member of each a socket
belongs by what its program did."""

import re

from live import closed

ORDERLY, WAYS, LOSSY, BACK, LOOP, UNITS = range(9100, 9106)
LISTENED = set(range(ORDERLY, UNITS + 1))
NAMES = {0: "root"}
ANY = "*" # a member that its program cannot tell


def clean(name):
    return re.sub(r"[^A-Za-z0-9_.@-]", "_", name)


class Names:
    """Who a socket belongs to. `units`: {uid: name of the cgroup}, `own`: the
    cgroup of all other programs, `numbers`: {inode of a cgroup: its name}."""

    def __init__(self, units, own, numbers, reads):
        self.units, self.own, self.numbers = units, own, numbers
        self.reads = reads

    def about(self, since, until):
        """In which time the plugin's dumps saw what happened in this one."""
        return self.reads.before(since, 2), self.reads.after(until, 2)

    def address(self, c, *_):
        return {c.record["remote"].replace(":", "_")}

    def port(self, c, *_):
        r, out = c.record, set()
        for port in (r["lport"], (r["first"] or r)["lport"]):
            if not port: # of a connect() that waited and failed
                return {ANY}
            out.add("%d-%s" % (port, "inbound" if port in LISTENED
                               else "outbound"))
        return out

    def user(self, c, *_):
        uid = c.record["uid"]
        return {NAMES.get(uid, str(uid))}

    def cgroup(self, c, *_):
        uid = c.record["uid"]
        return {self.units.get(uid, self.own)}

    def algorithm(self, c, since=0, until=float("inf")):
        return c.during("algorithms", *self.about(since, until))

    def device(self, c, since=0, until=float("inf")):
        return {clean(name) or "unbound" for name in
                c.during("devices", *self.about(since, until))}

    def member(self, group, name):
        """The member of a series' name: without the hash behind it, and a
        cgroup that is gone by its name."""
        if group in ("units", "every_unit"):
            name = self.numbers.get(name, name)
            bare = re.sub(r"_[0-9a-f]{8}$", "", name)
            return bare if bare in self.units.values() else name
        return name


def is_orderly(c):
    return ORDERLY in (c.record["lport"], c.record["rport"])


def is_of_unit(c):
    return c.record["rport"] == UNITS


def is_any(_):
    return True


# group: (options, which sockets are in it, method of Names)
GROUPS = {
    "all": ("", is_any, None),
    "orderly": (closed.port(ORDERLY), is_orderly, None),
    "peers": ('By "remote-address"', is_any, "address"),
    "few": ('By "remote-address"\nMaxMembers 3\nMemberTimeout 2', is_any,
            "address"),
    "ports": ('By "local-port" "direction"\nMaxMembers 4\nMemberTimeout 2',
              is_any, "port"),
    "users": ('By "uid"\nMaxMembers 2\nMemberTimeout 2', is_any, "user"),
    "units": ('RemotePort %d\nBy "cgroup"\nMaxMembers 1\nMemberTimeout 1' %
              UNITS, is_of_unit, "cgroup"),
    "every_unit": ('By "cgroup"', is_any, "cgroup"),
    "algorithms": ('By "congestion"\nMaxMembers 1\nMemberTimeout 2', is_any,
                   "algorithm"),
    "devices": ('By "interface"\nMaxMembers 1\nMemberTimeout 2', is_any,
                "device"),
}
# Groups in which every member has its series at all times.
WHOLE = ("peers", "every_unit")


def block(options):
    return closed.block({name: o for name, (o, *_) in GROUPS.items()}, options)
