"""A path with a delay between the two namespaces of a netns.Link: a tun device
in each, and a process that hands on every packet so much later. (The kernel's
netem is not everywhere.)"""

import collections
import fcntl
import os
import select
import struct
import subprocess
import sys
import time

try:
    from . import netns
except ImportError: # run as the process
    import netns

NEAR, FAR = "10.98.0.1", "10.98.0.2"
DEVICE = "far"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 1, 0x1000


class Delay:
    """`seconds` one way. The client is NEAR, the server FAR; the device's name
    is DEVICE on both, for routes."""

    def __init__(self, link, seconds):
        self.ends = (link.client, NEAR), (link.server, FAR)
        self.seconds = seconds
        self.process = None

    def __enter__(self):
        names = [name for name, _ in self.ends]
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, __file__,
             str(self.seconds), *names], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        if not self.process.stdout.readline():
            self.__exit__()
            raise RuntimeError("no tun devices")
        for name, address in self.ends:
            netns.run("ip", "-n", name, "addr", "add", address + "/24", "dev",
                      DEVICE)
            # Room for what a busy machine lets wait.
            netns.run("ip", "-n", name, "link", "set", DEVICE, "up",
                      "txqueuelen", "5000")
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def device(namespace):
    with netns.inside(namespace):
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(),
                                               IFF_TUN | IFF_NO_PI))
    return fd


def take(fd, other, seconds, queue):
    while True:
        try:
            packet = os.read(fd, 65536)
        except BlockingIOError:
            return
        queue.append((time.monotonic() + seconds, other, packet))


def give(queue):
    """Writes what is due; the seconds until the next is."""
    while queue:
        wait = queue[0][0] - time.monotonic()
        if wait > 0:
            return wait
        _, fd, packet = queue.popleft()
        try:
            os.write(fd, packet)
        except OSError: # the device is gone, or down
            pass
    return None


def forward(seconds, a, b):
    queue = collections.deque()
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([a, b, sys.stdin], [], [], give(queue))
        if sys.stdin in ready:
            return
        for fd, other in ((a, b), (b, a)):
            if fd in ready:
                take(fd, other, seconds, queue)


if __name__ == "__main__":
    forward(float(sys.argv[1]), *map(device, sys.argv[2:4]))
