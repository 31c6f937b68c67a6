/* Plays the kernel for destroy_events: the test sends events to the other end
 * of its socket and checks the events that destroy_events hands over. */
#ifndef TEST_EVENT_PEER_H
#define TEST_EVENT_PEER_H

#include "kernel/destroy_events.h"

#include <linux/netlink.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
  PEER_TYPE = 20, /* SOCK_DIAG_BY_FAMILY; nothing reads it here */
  PEER_REST = 600,
};

/* One event: its sender, its number, and bytes whose values and count follow
 * from both. */
struct event {
  struct nlmsghdr nlh;
  uint32_t sender, number;
  uint8_t rest[PEER_REST];
};

struct peer {
  int fd;     /* the other end of the last socket opened; -1: none */
  int refuse; /* errno of the next open; 0: the open succeeds */
  struct destroy_events *destroy;
  atomic_uint backlog; /* calls, if the backlog function counts them */
};
extern struct peer peer;

/* Makes `peer.destroy`, which is not started yet. If the test hangs, a signal
 * kills it, so it fails. */
void peer_begin(destroy_events_backlog_fn *backlog);
void peer_start(void);
void peer_close(void); /* closes the kernel's end; may be called twice */
void peer_end(void);

/* Sends one event; any thread may call it. Returns false if the send would
 * block (with MSG_DONTWAIT) or if the other end is closed. */
bool peer_send(uint32_t sender, uint32_t number, int flags);
void peer_send_many(uint32_t sender, size_t count); /* numbers from 0 */

size_t event_size(uint32_t sender, uint32_t number); /* bytes */
bool event_is_whole(const struct event *e);

/* A destroy_events_cb: `data` points to a size_t that counts the events. */
void peer_count(const struct nlmsghdr *nlh, uint64_t after_ms, void *data);
size_t peer_take(void); /* takes all events and returns their number */

uint64_t now_ms(void); /* CLOCK_MONOTONIC */
void pause_ms(int ms);

#endif
