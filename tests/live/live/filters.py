"""Expressions of the filter language: what ss(8) and the plugin should count
alike, and where they differ, and why. test_filter.py has the connections."""

# Hundreds of spellings of one address list, as a blocklist would have them.
MANY = " or ".join("dst 10.1.%d.0/24" % i for i in range(0, 250, 2))

# Both take them, and mean the same.
SAME = """
sport = :8080
sport = 8080
sport :8080
sport 8080
sport == :8080
sport eq 8080
sport != :8080
sport ne :8080
sport neq 8080
sport >= :8080
sport ge :8080
sport geq 8080
sport > :8080
sport gt 8080
sport <= :8080
sport le 8080
sport leq :8080
sport < :8080
sport lt :8080
sport = 0x1f90
sport = :http-alt
sport = http-alt
dport = :http-alt
dport != :http-alt
dport >= :http-alt
dport = :https
dport < :https
dport <= :https
dport > https
sport = :0
sport != :0
sport >= :0
sport > :0
sport < :0
sport <= :0
sport >= :65535
sport > :65535
sport <= :65535
sport < :65535
sport = :65535
sport = *
sport = :*
sport != *
dport :*
src 127.0.0.1
src = 127.0.0.1
src == 127.0.0.1
src eq 127.0.0.1
src 127.0.0.1:8080
src 127.0.0.1:http-alt
src 127.0.0.1:*
src 127.0.0.0/8
src 127/8
src 127.0/16
src 127.0.0.0/255.0.0.0
src 127.0.0.0/8:8080
src 127.0.0.5/30
src 0.0.0.0/0
src 0.0.0.0/1
src 128.0.0.0/1
src [127.0.0.1]
src [127.0.0.1]:8080
src [::1]
src = [::1]:8080
src [::1]:*
src [::1/128]:8080
src [fd01::/16]
src [fd01::/16]:9000
src [fd01::/64]
src [fd01:0:0:0:0:0:0:1]
src fd01::/64
src fd00::/8
src fd00::/8:9000
src ::1/128
dst 10.1.0.99
dst 10.1.0.99:443
dst 10.1.0.0/24
dst 10.1.0.0/25:443
dst 10.0.0.0/8
dst 10.2/16
dst 10.1.0.99/31
dst 10.1.0.99/32
dst [fd02::99]
dst [fd02::99]:443
dst [fd02::/64]
dst *
dst = *
dst *:443
dst *:*
dst :443
dst = :443
dst :https
dst any
dst all
dst default
dst any:443
src any
dst inet6:[fd02::99]
dst inet6:[fd02::99]:443
dst inet6:fd02::/64
src inet6:[::1]:8080
dst inet:10.1.0.99
dst inet:10.1.0.99:443
not src 127.0.0.1
! src 127.0.0.1
not not src 127.0.0.1
! ! ! dst :443
not ( src 127.0.0.1 )
not src 127.0.0.1 dport = :8080
not ( src 127.0.0.1 dport = :8080 )
( not src 127.0.0.1 ) and dport = :8080
sport = :8080 or dport = :8080
sport = :8080 | dport = :8080
sport = :8080 || dport = :8080
sport = :8080 and src 127.0.0.1
sport = :8080 & src 127.0.0.1
sport = :8080 && src 127.0.0.1
sport = :8080 src 127.0.0.1
sport >= :8000 sport < :9000 src 127.0.0.1
src 127.0.0.1 or src [::1]
src 127.0.0.1 or src [::1] and dport = :8080
dport = :8080 and src 127.0.0.1 or src [::1]
dport = :8080 or src 127.0.0.1 src [::1]
dport = :8080 or src 127.0.0.1 and not sport = :8080
dport = :8080 or ( src 127.0.0.1 and not sport = :8080 )
sport = :8080 or dport = :443 or dport = :9000 and src 127.0.0.1
sport = :8080 and dport = :443 or dport = :9000 and src 127.0.0.1
not sport = :8080 or dport = :9000
not sport = :8080 and not dport = :9000
( ( ( sport = :8080 ) ) )
( sport = :8080 or dport = :8080 ) dst 127.0.0.0/8
( dport = :443 or dport = :9000 ) ( src 10.0.0.0/8 or src [fd01::/16] )
( dport = :443 or dport = :9000 ) and not ( src 10.0.0.0/8 or src [fd01::/16] )
dev lo
dev = lo
dev == lo
dev eq lo
dev != lo
dev ne lo
dev 1
dev = 0x1
dev 0
dev != 0
dev 4711
dev one
dev = two
dev != two
not dev two
dev one or dev two
dev one dport = :443
dev two and dst 10.2.0.0/16
not ( dev one or dev lo )
fwmark 1
fwmark = 1
fwmark == 0x1
fwmark eq 1
fwmark != 1
fwmark ne 0x1
fwmark 0x11
fwmark 17
fwmark 0x1/0x1
fwmark 0x1/0xf
fwmark = 0x10/0xf0
fwmark != 0x10/0xf0
fwmark 0/0
fwmark 0
fwmark 0/0xf
fwmark 2/1
fwmark 4294967295
fwmark 0xffffffff/0xffffffff
fwmark 0x80000000/0x80000000
not fwmark 0x1/0xf dport = :443
fwmark 1 or fwmark 0x11
autobound dport = :9000
autobound or dport = :443
autobound and not dport = :443
dport = :443 dport = :9000
dport = :443 dport = :443
dport = :443 or dport = :443
""" + MANY

CGROUPS = """
cgroup /{top}/a
cgroup {top}/a
cgroup = {top}/a
cgroup == {top}/a
cgroup != {top}/a
cgroup {top}
cgroup /{top}
cgroup {mount}/{top}/a
cgroup /{top}/b
cgroup /{top}/./b
cgroup /{top}/a/../b
cgroup /{top}/a or cgroup /{top}/b
not cgroup /{top}/a
( not cgroup /{top}/a ) dport = :443
cgroup /{top}/a dev one
cgroup {top}/x\\\\x2dy.slice
cgroup {top}/two\\ words
cgroup {top}/a(1)
"""

# Ours; how ss has to be told. Spaces may be left out, what is not equal has an
# operator for addresses too, a length may stand behind the bracket.
ALSO = (
    ("sport=:8080", "sport = :8080"),
    ("sport!=:8080", "sport != :8080"),
    ("sport>=8080", "sport >= :8080"),
    ("sport<:8080", "sport < :8080"),
    ("(sport=:8080)", "( sport = :8080 )"),
    ("!(sport=:8080||dport=:8080)", "! ( sport = :8080 || dport = :8080 )"),
    ("sport=:8080&&src 127.0.0.1", "sport = :8080 && src 127.0.0.1"),
    ("sport=:8080|dport=:443&src 127.0.0.1",
     "sport = :8080 | dport = :443 & src 127.0.0.1"),
    ("(dst 10.1.0.0/24)or(dst 10.2.0.0/16)",
     "( dst 10.1.0.0/24 ) or ( dst 10.2.0.0/16 )"),
    ("(dev one)or(dev two)", "( dev one ) or ( dev two )"),
    ("fwmark!=0x1/0xf", "fwmark != 0x1/0xf"),
    ("\tsport\t=\t:8080\t", "sport = :8080"),
    ("src != 127.0.0.1", "not src 127.0.0.1"),
    ("dst ne 10.1.0.99:443", "not dst 10.1.0.99:443"),
    ("dst != *", "not dst *"),
    ("src [fd01::]/16", "src [fd01::/16]"),
    ("src [fd01::]/16:9000", "src [fd01::/16]:9000"),
    ("src inet6:[fd01::]/16", "src inet6:[fd01::/16]"),
)


def ipv4(address):
    return ":" not in address


# Expressions that ss gets wrong or means in another way: what is so, and
# what holds here. Each is written for a socket as ss lists it.
DIFFERENT = (
    # To ss a length of 0 is no condition when it looks itself, while the kernel
    # still compares families: the answers of the two are joined by `and`.
    ("not src 0.0.0.0/0", lambda s: not ipv4(s["local"])),
    ("src 0.0.0.0/0 and dev != lo", lambda s: ipv4(s["local"])
     and s["dev"] != "lo"),
    ("not src [::/0]", lambda s: ipv4(s["local"])),
    # An IPv4-mapped address is an IPv4 address here, throughout.
    ("src [::/0]", lambda s: not ipv4(s["local"])),
    ("src [::/64]", lambda s: s["local"] == "::1"),
    ("src [::ffff:127.0.0.1]", lambda s: s["local"] == "127.0.0.1"),
    ("src [::ffff:127.0.0.0/104]", lambda s: s["local"].startswith("127.")),
    ("not src [::ffff:127.0.0.1]", lambda s: s["local"] != "127.0.0.1"),
    # A family is that of its condition, not of the whole question, and holds
    # IPv4-mapped connections.
    ("src inet:*", lambda s: ipv4(s["local"])),
    ("src inet6:*", lambda s: not ipv4(s["local"])),
    ("src inet:127.0.0.1", lambda s: s["local"] == "127.0.0.1"),
    ("not src inet:*", lambda s: not ipv4(s["local"])),
    ("src inet::8080", lambda s: ipv4(s["local"]) and s["local_port"] == 8080),
    ("sport = inet:8080", lambda s: ipv4(s["local"])
     and s["local_port"] == 8080),
    ("dport = inet:443", lambda s: ipv4(s["local"])
     and s["remote_port"] == 443),
    ("dport = inet6::443", lambda s: not ipv4(s["local"])
     and s["remote_port"] == 443),
    ("dst inet:10.0.0.0/8", lambda s: s["remote"].startswith("10.")),
    ("sport != inet:8080", lambda s: not (ipv4(s["local"])
                                          and s["local_port"] == 8080)),
    ("src inet:127.0.0.1 or src inet6:[::1]",
     lambda s: s["local"] in ("127.0.0.1", "::1")),
    ("dst inet:10.1.0.99 or dport = :8080",
     lambda s: s["remote"] == "10.1.0.99" or s["remote_port"] == 8080),
    # ss compares the first 32 bits of any address with those of an IPv4 one
    # where the kernel cannot help, or says no.
    ("src 253.1.0.0/32 or dev 4711", lambda s: False),
    ("not src 253.1.0.0", lambda s: True),
    # The kernel knows who chose a port, ss asks for the range as well, and
    # `not` is then that both say no. Here it is the range alone.
    ("autobound", lambda s: 32768 <= s["local_port"] <= 60999),
    ("autobound dport = :443", lambda s: s["remote_port"] == 443
     and 32768 <= s["local_port"] <= 60999),
    ("not autobound", lambda s: not 32768 <= s["local_port"] <= 60999),
    ("autobound sport = :40000", lambda s: s["local_port"] == 40000),
)

ATOMS = (
    "sport = :8080", "dport = :8080", "dport = :443", "sport >= :32768",
    "dport < :9000", "dport != :443", "sport gt 8080", "dport le https",
    "sport <= :40100", "src 127.0.0.1", "src [::1]", "dst 127.0.0.0/8",
    "dst 10.1.0.0/24", "dst 10.2.0.0/16", "src 10.0.0.0/8", "dst [fd02::99]",
    "src [fd00::/8]", "dst [fd01::/16]:443", "dst 10.1.0.99:443",
    "dst *:9000", "src 10.1.0.1:40000", "dev one", "dev != two", "dev lo",
    "dev 0", "fwmark 0x1/0xf", "fwmark != 0x11", "fwmark 0", "dst :8080",
)


def generate(source, depth):
    """An expression, spelled in one of the ways that ss knows."""
    kind = source.random()
    if depth == 0 or kind < 0.25:
        return source.choice(ATOMS)
    if kind < 0.4:
        return "%s %s" % (source.choice(("not", "!")), "( %s )" % generate(
            source, depth - 1) if source.random() < 0.7 else
            source.choice(ATOMS))
    parts = []
    for i in range(source.randint(2, 4)):
        if i:
            parts.append(source.choice(("and", "or", "&&", "||", "&", "|",
                                        "and", "or", "")))
        part = generate(source, depth - 1)
        parts.append("( %s )" % part if source.random() < 0.5 else part)
    return " ".join(p for p in parts if p)
