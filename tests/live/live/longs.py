"""Connections that stay while others come and go: they send, and get an echo
as long."""

from . import netns
from .wait import poll


class Longs:
    """From the agent `client` to the agent `echo`, which listens on `port`."""

    def __init__(self, client, echo, port):
        self.client, self.echo, self.port = client, echo, port
        self.numbers = []
        self.began = 0
        echo.listen(port, echo=True)

    def open(self, count):
        self.numbers += self.client.open(count, netns.SERVER4, self.port)

    def send(self):
        self.client.send(self.numbers[::2], 137)
        self.client.send(self.numbers[1::2], 1900)

    def _settle(self):
        """Waits until every byte and its echo have arrived; the bytes that have
        been written since the start, on one end as on the other."""
        def settled():
            sent, back = self.client.totals()
            echoed, got = self.echo.totals()
            return sent == got == echoed == back and not any(
                r["pending"] for a in (self.client, self.echo)
                for r in a.report().values())
        poll(settled, "end of what long connections send")
        return self.client.totals()[0]

    def mark(self):
        """Bytes count from here on."""
        self.began = self._settle()

    def grown(self):
        """Bytes that either end has written, and the other has read, since the
        mark."""
        return self._settle() - self.began

    def end(self):
        """Closes all. Both ends read the other's end, so both have got a
        FIN."""
        self._settle()
        self.client.shut(self.numbers)
        self.numbers = []
        poll(lambda: not self.client.report() and not self.echo.report(),
             "end of the long connections")
