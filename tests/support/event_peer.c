/* The sockets are a pair that keeps messages separate. The sender waits while
 * the receive buffer is full. */
#include "support/event_peer.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { GUARD_S = 240 };

struct peer peer = {.fd = -1};

uint64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void pause_ms(int ms) { poll(NULL, 0, ms); }

static int peer_open(void *data) {
  (void)data;
  if (peer.refuse != 0) {
    errno = peer.refuse;
    return -1;
  }
  int fd[2];
  assert_return_code(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd),
                     errno);
  peer.fd = fd[1];
  return fd[0];
}

void peer_begin(destroy_events_backlog_fn *backlog) {
  alarm(GUARD_S);
  peer.backlog = 0;
  peer.destroy = destroy_events_new(peer_open, NULL, backlog, NULL);
  assert_non_null(peer.destroy);
}

void peer_start(void) {
  struct error error;
  if (destroy_events_start(peer.destroy, &error) < 0)
    fail_msg("%s", error.text);
}

void peer_close(void) {
  if (peer.fd >= 0)
    close(peer.fd);
  peer.fd = -1;
}

void peer_end(void) {
  destroy_events_free(peer.destroy);
  peer_close();
  alarm(0);
}

size_t event_size(uint32_t sender, uint32_t number) {
  return offsetof(struct event, rest) + (sender * 31 + number * 7) % PEER_REST;
}

static uint8_t event_byte(const struct event *e) {
  return (uint8_t)(e->sender * 151 + e->number);
}

bool event_is_whole(const struct event *e) {
  if (e->nlh.nlmsg_len != event_size(e->sender, e->number))
    return false;
  size_t rest = e->nlh.nlmsg_len - offsetof(struct event, rest);
  for (size_t i = 0; i < rest; i++)
    if (e->rest[i] != event_byte(e))
      return false;
  return true;
}

bool peer_send(uint32_t sender, uint32_t number, int flags) {
  size_t size = event_size(sender, number);
  struct event e = {
      .nlh = {.nlmsg_len = (uint32_t)size, .nlmsg_type = PEER_TYPE},
      .sender = sender,
      .number = number};
  memset(e.rest, event_byte(&e), size - offsetof(struct event, rest));
  return send(peer.fd, &e, size, flags | MSG_NOSIGNAL) > 0;
}

void peer_send_many(uint32_t sender, size_t count) {
  for (uint32_t i = 0; i < count; i++)
    assert_true(peer_send(sender, i, 0));
}

void peer_count(const struct nlmsghdr *nlh, uint64_t after_ms, void *data) {
  (void)nlh;
  (void)after_ms;
  ++*(size_t *)data;
}

size_t peer_take(void) {
  size_t n = 0;
  destroy_events_take(peer.destroy, peer_count, &n);
  return n;
}
