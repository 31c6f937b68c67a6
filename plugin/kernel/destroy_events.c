/* A subscription, a thread that receives the events, and the queue between the
 * thread and destroy_events_take(). */
#include "kernel/destroy_events.h"

#include "util/buffer.h"
#include "util/clock.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  /* Requested size of the kernel's receive buffer. The kernel doubles it for
   * its own overhead and, without privileges, first limits it to
   * net.core.rmem_max (linux: net/core/sock.c, sk_setsockopt()). */
  SOCKET_BYTES = DESTROY_EVENTS_BUFFER,
  DATAGRAM_MAX = 4096, /* an event has some 400 bytes */
  QUEUE_FIRST = 64 << 10,
  QUEUE_MAX = 16 << 20,
  BACKLOG = 1 << 20,        /* more than this is reported */
  QUEUE_KEPT = 2 * BACKLOG, /* the memory of larger queues is given back */
  BATCH = 64 << 10, /* received by the thread while it holds the lock once */
  /* destroy_events_take() receives at most ROUNDS times ROUND bytes: the
   * content of the socket, and one round more for a queue that was full. The
   * socket's buffer counts more bytes for a datagram than the queue does (its
   * skb->truesize). */
  ROUND = 1 << 20,
  ROUNDS = 2 * SOCKET_BYTES / ROUND + 1,
  DISCARD_MAX = 2 * SOCKET_BYTES / 512, /* datagrams */
  RETRY_MS = 10,                        /* wait while the queue is full */
  LOOK_MS = 10,                         /* see destroy_events_date_closely() */
  NAP_MS = 1, /* wait after a wake-up, so that it serves several events */
};

/* Stands before each datagram in a queue, at a multiple of 8. */
struct datagram_header {
  uint64_t after_ms;
  uint64_t size; /* bytes of the datagram */
};

struct datagram_queue {
  struct buffer bytes;
  size_t used; /* bytes */
};

struct destroy_events {
  sock_diag_open_fn *open;
  void *open_data;
  destroy_events_backlog_fn *backlog;
  void *backlog_data;
  size_t buffer; /* see destroy_events_buffer() */
  pthread_t thread;
  int wake; /* eventfd: the thread shall look at `stopping` and `closely`; -1:
               no thread to be joined */

  pthread_mutex_t lock; /* of the next eight */
  int fd;               /* -1: not subscribed */
  bool alive;           /* the thread receives */
  bool stopping;        /* the thread has to end */
  bool closely;         /* see destroy_events_date_closely() */
  struct datagram_queue queue;
  uint64_t empty_ms; /* the socket was empty at this time, or later */
  uint32_t drops;    /* the part of the socket's drops that `totals` has */
  struct destroy_events_totals totals;

  struct datagram_queue handed_over; /* used by destroy_events_take() only */
};

/* `d` is const for functions that only read; no object of this type is. */
static void lock(const struct destroy_events *d) {
  pthread_mutex_lock((pthread_mutex_t *)&d->lock);
}

static void unlock(const struct destroy_events *d) {
  pthread_mutex_unlock((pthread_mutex_t *)&d->lock);
}

static void queue_free(struct datagram_queue *q) {
  buffer_resize(&q->bytes, 0);
  q->used = 0;
}

static bool queue_grow(struct datagram_queue *q) {
  return buffer_resize(&q->bytes,
                       q->bytes.size > 0 ? 2 * q->bytes.size : QUEUE_FIRST);
}

/* Makes room for one more datagram. False: the queue is full, or out of memory.
 */
static bool queue_room(struct datagram_queue *q) {
  size_t needed = q->used + sizeof(struct datagram_header) + DATAGRAM_MAX;
  return needed <= q->bytes.size || (needed <= QUEUE_MAX && queue_grow(q));
}

/* Gives memory back if the queue is large or was hardly used. */
static void queue_empty(struct datagram_queue *q) {
  bool needed = q->bytes.size <= QUEUE_FIRST || q->used >= q->bytes.size / 4;
  if (q->bytes.size > QUEUE_KEPT || !needed)
    queue_free(q);
  q->used = 0;
}

enum receive_result {
  RECEIVE_MORE,       /* there may be more */
  RECEIVE_EMPTY,      /* nothing is left */
  RECEIVE_QUEUE_FULL, /* the queue has no room */
  RECEIVE_BROKEN,     /* the socket gives an error that stays */
};

/* ENOBUFS reports dropped events, which the kernel counts as well. */
static enum receive_result receive_error(void) {
  if (errno == EAGAIN)
    return RECEIVE_EMPTY;
  return errno == EINTR || errno == ENOBUFS ? RECEIVE_MORE : RECEIVE_BROKEN;
}

/* Receives one datagram into the queue. Skips it if it is longer than an event
 * can be, or if another program sent it to the group. `got` grows by the bytes
 * received. */
static enum receive_result receive_one(struct destroy_events *d, size_t *got) {
  struct datagram_queue *q = &d->queue;
  if (!queue_room(q))
    return RECEIVE_QUEUE_FULL;
  struct datagram_header *h = (void *)((uint8_t *)q->bytes.at + q->used);
  struct sockaddr_nl from = {.nl_family = AF_UNSPEC};
  socklen_t from_size = sizeof(from);
  ssize_t n = recvfrom(d->fd, h + 1, DATAGRAM_MAX, MSG_DONTWAIT | MSG_TRUNC,
                       (struct sockaddr *)&from, &from_size);
  *got += sizeof(*h);
  if (n < 0)
    return receive_error();
  if (n == 0 && from_size == 0)
    return RECEIVE_BROKEN; /* a stand-in for the kernel has closed its end */
  *got += n < DATAGRAM_MAX ? (size_t)n : DATAGRAM_MAX;
  bool from_program = from.nl_family == AF_NETLINK && from.nl_pid != 0;
  if (n > DATAGRAM_MAX || from_program)
    return RECEIVE_MORE;
  *h = (struct datagram_header){.after_ms = d->empty_ms, .size = (size_t)n};
  q->used += sizeof(*h) + (((size_t)n + 7) & ~(size_t)7);
  return RECEIVE_MORE;
}

/* Receives until nothing is left, or `limit` bytes. Needs the lock. Reads the
 * time before: an event may come right after EAGAIN. */
static enum receive_result receive(struct destroy_events *d, size_t limit) {
  if (d->fd < 0)
    return RECEIVE_EMPTY;
  uint64_t began_ms = clock_monotonic_ms();
  enum receive_result result = RECEIVE_MORE;
  for (size_t got = 0; result == RECEIVE_MORE && got < limit;)
    result = receive_one(d, &got);
  if (result == RECEIVE_EMPTY)
    d->empty_ms = began_ms;
  return result;
}

/* Adds the drops that the kernel has counted since the last call (SO_MEMINFO,
 * since Linux 4.12). Needs the lock. */
static void drops_add(struct destroy_events *d) {
  uint32_t info[SK_MEMINFO_VARS];
  socklen_t size = sizeof(info);
  if (d->fd < 0 || getsockopt(d->fd, SOL_SOCKET, SO_MEMINFO, info, &size) < 0 ||
      size < (SK_MEMINFO_DROPS + 1) * sizeof(info[0]))
    return;
  d->totals.lost += info[SK_MEMINFO_DROPS] - d->drops;
  d->drops = info[SK_MEMINFO_DROPS];
}

/* Returns how long the thread may wait, in ms; negative: for ever. 0: it has to
 * end. */
static int patience(const struct destroy_events *d, bool full) {
  lock(d);
  int ms = d->stopping ? 0 : full ? RETRY_MS : d->closely ? LOOK_MS : -1;
  unlock(d);
  return ms;
}

/* Waits until something may have come, or for as long as patience() says.
 * False: the thread has to end. */
static bool wait_more(const struct destroy_events *d, bool full) {
  struct pollfd p[] = {{.fd = d->wake, .events = POLLIN},
                       {.fd = d->fd, .events = POLLIN}};
  int ms = patience(d, full);
  int n = ms != 0 ? poll(p, full ? 1 : 2, ms) : 0;
  if (n < 0)
    return errno == EINTR;
  eventfd_t none;
  bool error = !full && !(p[1].revents & POLLIN); /* may not go away */
  if (p[0].revents != 0)
    eventfd_read(d->wake, &none);
  else if (n > 0)
    poll(p, 1, error ? RETRY_MS : NAP_MS);
  return patience(d, full) != 0;
}

/* Receives one batch. `backlog`: more is queued than should be. */
static enum receive_result receive_batch(struct destroy_events *d,
                                         bool *backlog) {
  lock(d);
  enum receive_result result = receive(d, BATCH);
  *backlog = d->queue.used > BACKLOG;
  unlock(d);
  return result;
}

static void *thread_run(void *data) {
  struct destroy_events *d = data;
  pthread_setname_np(pthread_self(), "tcpinfo-close");
  enum receive_result result = RECEIVE_MORE;
  while (result != RECEIVE_BROKEN &&
         wait_more(d, result == RECEIVE_QUEUE_FULL)) {
    bool backlog;
    result = receive_batch(d, &backlog);
    if (!backlog || d->backlog == NULL)
      continue;
    d->backlog(d->backlog_data);
    if (result != RECEIVE_BROKEN)
      result = receive_batch(d, &backlog); /* the queue may have room again */
  }
  lock(d);
  d->alive = false;
  unlock(d);
  return NULL;
}

/* Blocks all signals in the thread: the daemon's own threads handle them. */
static int thread_start(struct destroy_events *d, struct error *error) {
  d->wake = eventfd(0, EFD_CLOEXEC);
  if (d->wake < 0)
    return error_set(error, "cannot make an eventfd: %s", strerror(errno));
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  d->alive = true;
  d->stopping = false;
  int code = pthread_create(&d->thread, NULL, thread_run, d);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (code == 0)
    return 0;
  d->alive = false;
  close(d->wake);
  d->wake = -1;
  return error_set(error, "cannot start a thread for close events: %s",
                   strerror(code));
}

static void thread_stop(struct destroy_events *d) {
  lock(d);
  d->stopping = true;
  unlock(d);
  eventfd_write(d->wake, 1);
  pthread_join(d->thread, NULL);
  close(d->wake);
  d->wake = -1;
}

static const int groups[] = {SKNLGRP_INET_TCP_DESTROY,
                             SKNLGRP_INET6_TCP_DESTROY};

static int groups_set(int fd, int option) {
  int result = 0;
  for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
    if (setsockopt(fd, SOL_NETLINK, option, &groups[i], sizeof(groups[i])) < 0)
      result = -1;
  return result;
}

/* NETLINK_NO_ENOBUFS: without it the kernel drops all that comes after an
 * overflow until the socket is empty, and even for ever if the reader empties
 * the socket at that moment (linux: net/netlink/af_netlink.c,
 * netlink_overrun(), netlink_rcv_wake()); with it drops are counted, too.
 * bind(2): an unbound socket has port 0, that of the kernel, and
 * do_one_broadcast() does not send to the sender. */
static int kernel_set_up(int fd) {
  const struct sockaddr_nl any = {.nl_family = AF_NETLINK};
  const int size = SOCKET_BYTES, on = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
  setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof(on));
  if (bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0)
    return -1;
  return groups_set(fd, NETLINK_ADD_MEMBERSHIP);
}

static int kernel_open(void *data) {
  (void)data;
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0 || kernel_set_up(fd) == 0)
    return fd;
  int code = errno;
  close(fd);
  errno = code;
  return -1;
}

struct destroy_events *destroy_events_new(sock_diag_open_fn *open,
                                          void *open_data,
                                          destroy_events_backlog_fn *backlog,
                                          void *data) {
  struct destroy_events *d = calloc(1, sizeof(*d));
  if (d == NULL)
    return NULL;
  d->open = open != NULL ? open : kernel_open;
  d->open_data = open_data;
  d->backlog = backlog;
  d->backlog_data = data;
  d->fd = d->wake = -1;
  pthread_mutex_init(&d->lock, NULL);
  return d;
}

void destroy_events_free(struct destroy_events *d) {
  if (d == NULL)
    return;
  destroy_events_stop(d);
  pthread_mutex_destroy(&d->lock);
  queue_free(&d->queue);
  queue_free(&d->handed_over);
  free(d);
}

void destroy_events_date_closely(struct destroy_events *d, bool closely) {
  lock(d);
  bool begins = closely && !d->closely;
  d->closely = closely;
  unlock(d);
  if (begins && d->wake >= 0)
    eventfd_write(d->wake, 1);
}

bool destroy_events_runs(const struct destroy_events *d) {
  lock(d);
  bool runs = d->alive;
  unlock(d);
  return runs;
}

/* The kernel returns the doubled size. */
static size_t buffer_granted(int fd) {
  int size = 0;
  socklen_t length = sizeof(size);
  if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &length) < 0 || size < 0)
    return 0;
  return (size_t)size / 2;
}

size_t destroy_events_buffer(const struct destroy_events *d) {
  return d->buffer;
}

int destroy_events_start(struct destroy_events *d, struct error *error) {
  if (destroy_events_runs(d))
    return 0;
  destroy_events_stop(d); /* in case the thread has ended by itself */
  d->empty_ms = clock_monotonic_ms();
  d->drops = 0;
  d->fd = d->open(d->open_data);
  if (d->fd < 0)
    return error_set(error, "cannot subscribe to the kernel's close events: %s",
                     strerror(errno));
  d->buffer = buffer_granted(d->fd);
  if (thread_start(d, error) == 0)
    return 0;
  close(d->fd);
  d->fd = -1;
  return -1;
}

/* Receives and counts the events that the queue has no room for. */
static uint64_t discard(int fd) {
  uint64_t count = 0;
  for (int i = 0; i < DISCARD_MAX; i++) {
    char none;
    ssize_t n = recv(fd, &none, 0, MSG_DONTWAIT | MSG_TRUNC);
    if (n == 0 || (n < 0 && receive_error() != RECEIVE_MORE))
      break;
    count += n > 0;
  }
  return count;
}

void destroy_events_stop(struct destroy_events *d) {
  if (d->wake >= 0)
    thread_stop(d);
  lock(d);
  if (d->fd >= 0) {
    groups_set(d->fd, NETLINK_DROP_MEMBERSHIP); /* nothing more comes */
    if (receive(d, (size_t)ROUND * ROUNDS) == RECEIVE_QUEUE_FULL)
      d->totals.lost += discard(d->fd);
    drops_add(d);
    close(d->fd);
    d->fd = -1;
  }
  unlock(d);
}

/* Hands over the events of one datagram and returns their number. */
static uint64_t datagram_hand_over(const struct datagram_header *h,
                                   destroy_events_cb *cb, void *data) {
  uint64_t count = 0;
  struct netlink_cursor c = netlink_cursor_over(h + 1, h->size);
  const struct nlmsghdr *nlh;
  while ((nlh = netlink_cursor_next(&c)) != NULL) {
    if (nlh->nlmsg_type < NLMSG_MIN_TYPE)
      continue;
    cb(nlh, h->after_ms, data);
    count++;
  }
  return count;
}

static uint64_t queue_hand_over(const struct datagram_queue *q,
                                destroy_events_cb *cb, void *data) {
  uint64_t count = 0;
  for (size_t at = 0; at < q->used;) {
    const struct datagram_header *h =
        (const void *)((uint8_t *)q->bytes.at + at);
    count += datagram_hand_over(h, cb, data);
    at += sizeof(*h) + ((h->size + 7) & ~(uint64_t)7);
  }
  return count;
}

/* Exchanges the two queues in each round, so that `cb` runs without the lock
 * and the thread can receive meanwhile. Once receive() found nothing, all that
 * had come before the call has been handed over. */
void destroy_events_take(struct destroy_events *d, destroy_events_cb *cb,
                         void *data) {
  enum receive_result result = RECEIVE_MORE;
  for (int i = 0;
       (result == RECEIVE_MORE || result == RECEIVE_QUEUE_FULL) && i < ROUNDS;
       i++) {
    lock(d);
    result = receive(d, ROUND);
    struct datagram_queue filled = d->queue;
    d->queue = d->handed_over;
    d->handed_over = filled;
    unlock(d);
    uint64_t count = queue_hand_over(&d->handed_over, cb, data);
    queue_empty(&d->handed_over);
    lock(d);
    d->totals.received += count;
    unlock(d);
  }
  lock(d);
  drops_add(d);
  unlock(d);
}

struct destroy_events_totals
destroy_events_totals(const struct destroy_events *d) {
  lock(d);
  struct destroy_events_totals totals = d->totals;
  unlock(d);
  return totals;
}
