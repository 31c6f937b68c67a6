#!/usr/bin/env python3
"""CountClosed auto: above MaxCloseRate events are not followed, which is said
once; what lives is counted to the byte all the same, and no counter falls. When
fewer connections close they are followed again, to the byte."""

from live import check, closed, netns
from live.closed import Watch
from live.daemon import Collectd
from live.longs import Longs
from live.short import ENDS, RECEIVED, SENT, ShortClient, ShortServer
from live.traffic import Agents
from live.wait import poll

INTERVAL = 0.5
PORT, LONGS = 9400, 9401
LONG, RATE, LIMIT, COUNT = 50, 500, 50, 2500
TARGETS = [["AF_INET", "", netns.SERVER4, PORT],
           ["AF_INET6", "", netns.SERVER6, PORT]]
GROUPS = {"everything": "", "short": closed.port(PORT),
          "long": closed.port(LONGS)}
NOTICE = "tcpinfo: close events "
SUSPENDED = NOTICE + "suspended"


def notices(daemon):
    return [line for line in daemon.log().splitlines() if NOTICE in line]


class Traffic:
    def __init__(self, link, longs):
        self.link, self.longs = link, longs

    def churn(self, count, rate):
        """Runs them to their end, the long ones beside them."""
        with ShortClient(self.link.client, count, TARGETS,
                         rate=rate) as client:
            rows, _ = client.run(self.longs.send)
        closed.gone([self.link.client], but=LONGS)
        return rows


def below_the_limit_all_is_counted(watch, traffic, count, what):
    """Fewer than the limit: all of it is counted."""
    check.say("--- " + what)
    traffic.longs.mark()
    watch.mark()
    rows = traffic.churn(count, LIMIT // 3)
    grown = traffic.longs.grown()
    closed.read([watch])
    watch.compare("short", {
        "opened": count, "closed": count, "failed": 0,
        "bytes_new": rows.sum(SENT),
        "bytes_received": rows.sum(RECEIVED) + rows.sum(ENDS)})
    closed.compare_long(watch, grown)
    watch.compare("self", {"close_events": count, "close_events_lost": 0,
                           "close_events_unclear": 0,
                           "close_events_suspended": 0})


def above_the_limit_events_are_not_followed(watch, traffic):
    check.say("--- %d closes a second, the limit is %d" % (RATE, LIMIT))
    traffic.longs.mark()
    watch.mark()
    rows = traffic.churn(COUNT, RATE)
    grown = traffic.longs.grown()
    said = notices(watch.daemon)
    closed.read([watch])
    check.true("it is said", said, "\n     ".join(said))
    each_change_is_said_once(said)
    closed.compare_long(watch, grown)
    watch.compare("short", {
        "opened": (1, COUNT), "closed": (1, COUNT), "failed": 0,
        "bytes_new": (1, rows.sum(SENT)),
        "bytes_received": (1, rows.sum(RECEIVED) + rows.sum(ENDS))})
    # It takes the plugin a read or a few to see the rate.
    watch.compare("self", {"close_events": (1, COUNT - 1),
                           "close_events_lost": 0,
                           "close_events_suspended": (1, 1000000)})


def each_change_is_said_once(said):
    """Each change once: suspended, and resumed."""
    check.equal("said, at each change", [SUSPENDED in line for line in said],
                [i % 2 == 0 for i in range(len(said))])


def events_resume(watch):
    """Waits until the plugin follows again; what came until then is over."""
    poll(lambda: closed.drops(watch.namespace) is not None and
         len(notices(watch.daemon)) % 2 == 0, "close events again")
    closed.read([watch])
    said = notices(watch.daemon)
    each_change_is_said_once(said)
    check.true("it was said when it resumed", said and SUSPENDED not in said[-1],
               said[-1:])
    check.equal("short closed, as many as opened (in all)",
                watch.value("short", "closed"), watch.value("short", "opened"))


def main():
    check.need("ip", "ss", "ethtool", "collectd", "setpriv", "nsenter")
    with netns.Link() as link, Agents(link) as (client, echo, _), \
            ShortServer(link.server, ["AF_INET6", "::", PORT]):
        longs = Longs(client, echo, LONGS)
        longs.open(LONG)
        traffic = Traffic(link, longs)
        options = "CountClosed auto\nMaxCloseRate %d" % LIMIT
        with Collectd(closed.block(GROUPS, options), link.client,
                      INTERVAL) as daemon:
            watch = Watch("auto", link.client, daemon)
            watch.mark()
            below_the_limit_all_is_counted(watch, traffic, 20,
                                           "below the limit")
            check.equal("nothing said", notices(daemon), [])
            above_the_limit_events_are_not_followed(watch, traffic)
            events_resume(watch)
            said = notices(daemon)
            below_the_limit_all_is_counted(watch, traffic, 20,
                                           "below the limit again")
            check.equal("nothing more said", notices(daemon), said)
            closed.no_counter_falls(watch.name, daemon.whole_values())
            check.equal("exit code", daemon.end(), 0)


check.main(main)
