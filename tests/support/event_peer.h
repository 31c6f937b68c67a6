/* Plays the kernel's end of destroy's socket: the test sends events there, and
 * sees what comes out. */
#ifndef TEST_DESTROY_PEER_H
#define TEST_DESTROY_PEER_H

#include "kernel/destroy_events.h"

#include <linux/netlink.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
  PEER_TYPE = 20, /* SOCK_DIAG_BY_FAMILY, of no meaning here */
  PEER_REST = 600,
};

/* One event: who sent it, the how manieth, then bytes that follow from both, of
 * a length that does. */
struct event {
  struct nlmsghdr nlh;
  uint32_t sender, number;
  uint8_t rest[PEER_REST];
};

struct peer {
  int fd;     /* the other end of the socket last opened; -1: none */
  int refuse; /* errno for the next open; 0: none */
  struct destroy_events *destroy;
  atomic_uint backlog; /* calls, where the backlog function counts */
};
extern struct peer peer;

/* A destroy on this socket, not started. What hangs is killed, and so fails. */
void peer_begin(destroy_events_backlog_fn *backlog);
void peer_start(void);
void peer_close(void); /* the kernel's end; legal twice */
void peer_end(void);

/* May be called by any thread. False: it would wait (MSG_DONTWAIT), or nothing
 * can be sent any more. */
bool peer_send(uint32_t sender, uint32_t number, int flags);
void peer_send_many(uint32_t sender, size_t count); /* numbers from 0 */

size_t event_size(uint32_t sender, uint32_t number); /* bytes */
bool event_is_whole(const struct event *e);

/* A destroy_events_cb that counts into a size_t; a take with it. */
void peer_count(const struct nlmsghdr *nlh, uint64_t after_ms, void *data);
size_t peer_take(void);

uint64_t now_ms(void); /* CLOCK_MONOTONIC */
void pause_ms(int ms);

#endif
