"""Waiting for conditions, never for times. A busy machine only makes a test
take longer: LIMIT is the one upper limit, and says that something hangs."""

import time

LIMIT = 240 # seconds
PAUSE = 0.05 # between two looks at a condition


class Progress:
    """Raises TimeoutError if nothing has changed for LIMIT seconds."""

    def __init__(self, what, limit=LIMIT):
        self.what, self.limit = what, limit
        self.seen, self.since = None, time.monotonic()

    def see(self, now):
        """`now`: anything that changes as long as the work goes on."""
        if now != self.seen:
            self.seen, self.since = now, time.monotonic()
        elif time.monotonic() - self.since > self.limit:
            raise TimeoutError("no %s in %d s" % (self.what, self.limit))


def poll(condition, what, limit=LIMIT, hopeless=lambda: False):
    """Waits until the condition holds; its value. Fails at once if it does not
    hold and `hopeless()` does."""
    end = time.monotonic() + limit
    while True:
        last = hopeless() or time.monotonic() > end
        got = condition()
        if got:
            return got
        if last:
            raise TimeoutError("no " + what)
        time.sleep(PAUSE)
