/* Sends any datagrams to destroy_events and takes them: each message that is
 * handed over is complete, of a type that is not netlink's own, and counted.
 * Two bytes before each datagram are its length; 0xffff stands for a take. */
#include "fuzz_require.h"

#include "kernel/destroy_events.h"
#include "support/fixed_world.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

struct taken {
  uint64_t count, after_ms;
  volatile uint8_t sum;
};

static int peer = -1;

static int open_pair(void *data) {
  (void)data;
  int fd[2];
  require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) == 0,
          "socketpair");
  peer = fd[1];
  return fd[0];
}

static void on_event(const struct nlmsghdr *nlh, uint64_t after_ms,
                     void *data) {
  struct taken *t = data;
  require(nlh->nlmsg_type >= NLMSG_MIN_TYPE, "netlink's own message");
  require(after_ms >= t->after_ms && after_ms <= fixed_world.now_ms,
          "the time of an event is wrong");
  for (size_t i = 0; i < nlh->nlmsg_len; i++)
    t->sum ^= ((const uint8_t *)nlh)[i];
  t->after_ms = after_ms;
  t->count++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct taken taken = {0};
  fixed_world.now_ms = 1000;
  fixed_world.on = true;
  struct destroy_events *d = destroy_events_new(open_pair, NULL, NULL, NULL);
  require(d != NULL && destroy_events_start(d, NULL) == 0, "no start");
  while (size >= 2) {
    size_t length = data[0] | (size_t)data[1] << 8;
    data += 2;
    size -= 2;
    fixed_world.now_ms++;
    if (length == 0xffff) {
      destroy_events_take(d, on_event, &taken);
      continue;
    }
    length = length < size ? length : size;
    send(peer, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    data += length;
    size -= length;
  }
  destroy_events_stop(d);
  destroy_events_take(d, on_event, &taken);
  require(destroy_events_totals(d).received == taken.count,
          "the total is not the number of events");
  destroy_events_free(d);
  close(peer);
  fixed_world.on = false;
  return 0;
}
