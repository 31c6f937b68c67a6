"""Compares one daemon's values with the truth about its namespace."""

from live import check, closed, expect

from .groups import ANY, GROUPS, WHOLE
from .kernel import NAMES
from .truth import COUNTERS, FIELDS, Bound, flows

KIND = closed.KIND
SHOWN = 6 # of what is wrong


def verdict(name, wrong, figures):
    check.true(name, not wrong, "; ".join([str(figures)] + [
        str(w) for w in wrong[:SHOWN]] + (
            ["... %d in all" % len(wrong)] if len(wrong) > SHOWN else [])))


class Judge:
    """`values`: all of the daemon's whole reads. `when`: the read at rest.
    `clean`: no event may be lost or unclear."""

    def __init__(self, name, values, when, truth, names, clean=True):
        self.name, self.values, self.when = name, values, when
        self.truth, self.names, self.clean = truth, names, clean
        self.unclear = int(dict(values[
            "self", "total_events", "close_events_unclear"])[when])
        self.times = [t for t, _ in self.rows("all", "connections")
                      if t <= when]

    def rows(self, series, metric):
        return self.values.get((series, KIND[metric], metric), [])

    def value(self, series, metric):
        return dict(self.rows(series, metric)).get(self.when)

    def series(self, group):
        """{series: member}"""
        return {k[0]: self.names.member(group, k[0][len(group) + 1:])
                for k in self.values if k[0].startswith(group + "-")
                and k[2] == "opened"}

    def say(self, name, wrong, figures=""):
        verdict("%s %s" % (self.name, name), wrong, figures)

    def loosened(self, sums):
        """Events that were left out as unclear, where that is legal: of so many
        connections anything may be missing."""
        if self.unclear and not self.clean:
            for name, b in sums.items():
                b.low = max(0, b.low - self.unclear) if name in (
                    "opened", "closed", "failed") else 0
                self.truth.covered["unclear"] += 1
        return sums

    # The oracle itself.

    def programs_and_kernel(self):
        """Each end's own count against what the kernel says of it."""
        wrong, exact, bounded = [], 0, 0
        at = {n: NAMES.index(n) for n in NAMES}
        sent, received, again = (at[n] for n in (
            "bytes_sent", "bytes_received", "bytes_retrans"))
        for c in self.truth.conns.values():
            r = c.record
            if not c.changes or r["first"] or r["cleared"]:
                continue
            row = dict(zip(FIELDS, c.changes[-1][2]))
            new = row["bytes_sent"] - row["bytes_retrans"]
            got = row["bytes_received"]
            orderly = not r["error"] and not r["expired"] and r["opened"]
            least_sent = r["written"] if orderly and (
                r["eof"] or c.final is None) else 0
            if not least_sent <= new <= r["written"]:
                wrong.append(("sent", new, r))
            least = r["read"] + r["waiting"] + (r["eof"] and not r["error"])
            most = r["read"] + r["waiting"] + 1
            if r["opened"] and not least <= got <= most:
                wrong.append(("received", got, r))
            exact += least_sent == r["written"]
            bounded += least_sent != r["written"]
        self.say("the kernel's bytes are those of the programs", wrong,
                 "%d ends exactly, %d at most" % (exact, bounded))
        self.say("every socket is a program's", self.truth.unknown[:3],
                 "%d sockets" % len(self.truth.conns))
        moved = [r for r in self.truth.late if r[0] > self.when]
        self.say("nothing moves after the read at rest", moved)
        missing = [c.record for c in self.truth.conns.values()
                   if c.record["closed"] is not None and c.final is None
                   and (c.record["opened"] or c.record["failed"])]
        self.say("every socket that is closed has its close event", missing)

    # Sums at rest.

    def totals(self, group, match, method):
        sums = self.loosened(self.truth.total(match))
        wrong, shown = [], []
        for metric in COUNTERS:
            got = self.value(group, metric)
            if got is None or not sums[metric].has(int(got)):
                wrong.append("%s %s, expected %s" % (
                    metric, got, sums[metric]))
            shown.append("%s %s" % (metric, check.number(int(got or 0)) + (
                "" if sums[metric].low == sums[metric].high else
                " (of %s)" % sums[metric])))
        self.say("%s: totals are the truth" % group, wrong, ", ".join(
            shown if method is None else ["%d counters" % len(shown)]))
        opened, closed_, living = (int(self.value(group, m) or 0) for m in (
            "opened", "closed", "connections"))
        there = self.truth.living(match)
        past = sum(1 for c in self.truth.counted() if match(c) and
                   c.baseline is not None and c.record["opened"])
        self.say("%s: connections are those of the programs" % group,
                 [] if living == there else ["expected %d" % there], living)
        if self.truth.calm:
            self.say("%s: opened - closed + at the start = connections" %
                     group, [] if opened - closed_ + past == living else
                     ["is not so"], "%d - %d + %d = %d" % (
                         opened, closed_, past, living))

    def members(self, group, method):
        """Each member of a group in which all have their series."""
        def sure(c):
            r = c.record
            if group == "peers":
                return None
            if r["side"] == "server":
                return "accepted"
            until = r["alive"] if r["closed"] else self.when
            if c.baseline is None and (
                    r["first"] or r["established"] is None or
                    not self.truth.reads.surely_shown(r["established"],
                                                      until)):
                return "no event"
            return None
        expected = self.truth.members(getattr(self.names, method), sure)
        got = {}
        for series, member in self.series(group).items():
            shown = dict(self.rows(series, "connections"))
            for metric in COUNTERS:
                rows = dict(self.rows(series, metric))
                key = member, metric
                got[key] = got.get(key, 0) + sum(
                    expect.growth(rows, shown, a, b) for a, b in
                    zip([0, *self.times], self.times))
        wrong, compared = [], 0
        for member, sums in expected.items():
            for metric, b in self.loosened(sums).items():
                n = int(got.pop((member, metric), 0))
                compared += 1
                if not b.has(n):
                    wrong.append("%s %s %d, expected %s" % (
                        member, metric, n, b))
        stray = {k: n for k, n in got.items() if n and k[0] != "other"}
        for (member, metric), n in stray.items():
            if member not in ("none", "root") or metric.startswith("bytes"):
                wrong.append("%s %s %d, expected none" % (member, metric, n))
        self.say("%s: each member's growth is the truth" % group, wrong,
                 "%d members, %d values" % (len(expected), compared))

    # Every read.

    def windows(self, group, method):
        """A member's series grows between two of its values by no more than the
        member did, however long it had none."""
        of = flows(self.truth, getattr(self.names, method), GROUPS[group][1])
        unknown = sum(name == ANY for name, _ in of)
        if unknown:
            self.truth.covered["port"] += unknown
        wrong, pairs, gaps = [], 0, 0
        number = {t: i for i, t in enumerate(self.times)}
        for series, member in self.series(group).items():
            if member in ("other", "none"):
                continue
            for metric in COUNTERS:
                rows = [x for x in self.rows(series, metric)
                        if x[0] <= self.when]
                ends = list(zip(rows, rows[1:]))
                if len(rows) > 2:
                    ends.append((rows[0], rows[-1]))
                parts = [of[k] for k in ((member, metric), (ANY, metric))
                         if k in of]
                for (t1, v1), (t2, v2) in ends:
                    if t1 not in number:
                        continue
                    since = self.truth.reads.before(t1, 2)
                    most = sum(f.most(since, t2 + 0.002) for f in parts)
                    pairs += 1
                    gaps += number.get(t2, 0) > number[t1] + 1
                    if v2 - v1 > most:
                        wrong.append("%s %s grew by %d from %.1f to %.1f, at "
                                     "most %d" % (series, metric, v2 - v1,
                                                  t1 % 1000, t2 % 1000, most))
        self.say("%s: no member grows by more than it did" % group, wrong,
                 "%d pairs of values, %d across a gap" % (pairs, gaps))

    def bracket(self):
        """In each read, the total is no more than what had been done, and no
        less than what had been done some reads before."""
        of = flows(self.truth, lambda c, *_: ("",), GROUPS["all"][1])
        wrong, compared = [], 0
        for metric in COUNTERS:
            flow = of.get(("", metric))
            if flow is None:
                continue
            for i, (t, v) in enumerate(self.rows("all", metric)):
                if t > self.when:
                    continue
                least = flow.least(self.times[i - 3]) if i >= 3 and \
                    self.clean and self.truth.calm else 0
                most = flow.most(0, t + 0.002)
                compared += 1
                if not least <= v <= most:
                    wrong.append("%s %d at %.1f, of %d to %d" % (
                        metric, v, t % 1000, least, most))
        self.say("all: every read is within the truth of its time", wrong,
                 "%d values" % compared)

    def gauge(self):
        """In each read, the connections are those that the kernel showed in the
        time of its dump."""
        wrong, widest = [], 0
        for before, (t, v) in zip(self.times, self.rows("all",
                                                        "connections")[1:]):
            if t > self.when:
                break
            b = self.truth.shown(before, t + 0.002)
            widest = max(widest, b.high - b.low)
            if not b.has(v):
                wrong.append("%d at %.1f, of %s" % (v, t % 1000, b))
        self.say("all: connections of every read are the kernel's", wrong,
                 "%d reads, at most %d came or went" % (
                     len(self.times) - 1, widest))

    # The plugin's own values.

    def health(self, events, aborted, failed, lost):
        """`events`: those that the observer received while the daemon did;
        `lost`: whether the plugin must have lost some; `failed`: dumps that were
        made to fail, Bound."""
        def own(metric):
            rows = dict(self.values["self", "total_events", metric])
            return int(rows[self.when])
        received, dropped = own("close_events"), own("close_events_lost")
        self.say("close events received and lost", [] if events.has(
            received + dropped) else ["expected %s in all" % events],
            "%d, %d" % (received, dropped))
        self.say("close events are lost only where they should be",
                 [] if (dropped > 0) == lost else ["expected %s" % (
                     "some" if lost else "none")], dropped)
        if not lost:
            self.say("close_events_aborted", [] if aborted.has(own(
                "close_events_aborted")) else ["expected %s" % aborted],
                own("close_events_aborted"))
        if self.clean:
            self.say("close_events_unclear", [] if self.unclear == 0 else [
                "expected none"], self.unclear)
        errors = own("dump_errors")
        self.say("failed dumps", [] if failed.has(errors) else [
            "expected %s" % failed], errors)

    def host(self, before, now):
        """The kernel's count of retransmissions in this namespace, which includes
        those of SYN-ACKs."""
        sums = self.truth.total()["retrans"]
        grown = now["RetransSegs"] - before["RetransSegs"]
        syn = now["TCPSynRetrans"] - before["TCPSynRetrans"]
        b = Bound(sums.low, sums.high + syn)
        self.say("retransmissions of all sockets are the host's (nstat)",
                 [] if b.has(grown) else ["expected %s" % b], grown)

    def all(self):
        self.programs_and_kernel()
        for group, (_, match, method) in GROUPS.items():
            self.totals(group, match, method)
            if method is None:
                continue
            if group in WHOLE:
                self.members(group, method)
            self.windows(group, method)
            closed.members_and_other_are_the_total(self.name, {
                k: [x for x in rows if x[0] <= self.when]
                for k, rows in self.values.items()}, group)
        self.bracket()
        self.gauge()
        closed.no_counter_falls(self.name, self.values)
