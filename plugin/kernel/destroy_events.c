/* The kernel's destroy events: a subscription, a thread that receives them, and
 * the queue between it and whoever takes them. It knows the frame of the
 * messages, not what they say. */
#include "kernel/destroy_events.h"

#include "util/buffer.h"

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
#include <time.h>
#include <unistd.h>

enum {
  /* Asked of the kernel, which doubles it for its own overhead, after it has
   * cut it to net.core.rmem_max where it was not forced
   * (linux: net/core/sock.c, sk_setsockopt()). */
  SOCKET_BYTES = 32 << 20,
  /* An event has some 400 bytes. */
  DATAGRAM_MAX = 4096,
  QUEUE_FIRST = 64 << 10,
  QUEUE_MAX = 16 << 20,
  PRESSURE = 1 << 20,        /* what is much */
  QUEUE_KEPT = 2 * PRESSURE, /* larger ones are given back */
  BATCH = 64 << 10, /* received by the thread under one hold of the lock */
  /* One take receives so often so much: what the socket can hold, and one more
   * for a queue that was full. A datagram counts there with more bytes than
   * here (its skb->truesize). */
  ROUND = 1 << 20,
  ROUNDS = 2 * SOCKET_BYTES / ROUND + 1,
  DISCARD_MAX = 2 * SOCKET_BYTES / 512,
  RETRY_MS = 10, /* while the queue is full */
  NAP_MS = 1,    /* so that one wake-up serves more than one event */
};

/* Before each datagram in a queue, at a multiple of 8. */
struct entry {
  uint64_t after_ms;
  uint64_t size; /* bytes of the datagram */
};

struct queue {
  struct buffer bytes;
  size_t used;
};

struct destroy_events {
  sock_diag_open_fn *open;
  void *open_data;
  destroy_events_pressure_fn *pressure;
  void *pressure_data;
  pthread_t thread;
  int stop;             /* eventfd; -1: no thread to be joined */
  pthread_mutex_t lock; /* of what follows, up to `totals` */
  int fd;               /* -1: not subscribed */
  bool alive;           /* the thread */
  struct queue queue;
  uint64_t empty_ms; /* the socket was empty then, or later */
  uint32_t drops;    /* of this socket, that `totals` has */
  struct destroy_events_totals totals;
  struct queue taken; /* belongs to destroy_events_take() */
};

static uint64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Also for readers: none of them was made const. */
static void lock(const struct destroy_events *d) {
  pthread_mutex_lock((pthread_mutex_t *)&d->lock);
}

static void unlock(const struct destroy_events *d) {
  pthread_mutex_unlock((pthread_mutex_t *)&d->lock);
}

static void queue_free(struct queue *q) {
  buffer_resize(&q->bytes, 0);
  q->used = 0;
}

static bool queue_grow(struct queue *q) {
  return buffer_resize(&q->bytes,
                       q->bytes.size > 0 ? 2 * q->bytes.size : QUEUE_FIRST);
}

/* Room for one more entry. False: there is none, or no memory. */
static bool queue_room(struct queue *q) {
  size_t needed = q->used + sizeof(struct entry) + DATAGRAM_MAX;
  return needed <= q->bytes.size || (needed <= QUEUE_MAX && queue_grow(q));
}

/* What was hardly needed goes back, too. */
static void queue_empty(struct queue *q) {
  bool needed = q->bytes.size <= QUEUE_FIRST || q->used >= q->bytes.size / 4;
  if (q->bytes.size > QUEUE_KEPT || !needed)
    queue_free(q);
  q->used = 0;
}

enum outcome {
  RECEIVED, /* and there may be more */
  EMPTY,    /* nothing is left */
  FULL,     /* the queue */
  BROKEN,   /* the socket */
};

/* ENOBUFS says that events were dropped, which the kernel counts as well. */
static enum outcome outcome_of_errno(void) {
  if (errno == EAGAIN)
    return EMPTY;
  return errno == EINTR || errno == ENOBUFS ? RECEIVED : BROKEN;
}

/* One datagram into the queue, or past it: one that is longer than an event can
 * be, or that another program sent to the group. `got` grows by what it had. */
static enum outcome receive_one(struct destroy_events *d, size_t *got) {
  struct queue *q = &d->queue;
  if (!queue_room(q))
    return FULL;
  struct entry *e = (void *)((uint8_t *)q->bytes.at + q->used);
  struct sockaddr_nl from = {.nl_family = AF_UNSPEC};
  socklen_t from_size = sizeof(from);
  ssize_t n = recvfrom(d->fd, e + 1, DATAGRAM_MAX, MSG_DONTWAIT | MSG_TRUNC,
                       (struct sockaddr *)&from, &from_size);
  *got += sizeof(*e);
  if (n < 0)
    return outcome_of_errno();
  if (n == 0 && from_size == 0)
    return BROKEN; /* a stand-in for the kernel has closed its end */
  *got += n < DATAGRAM_MAX ? (size_t)n : DATAGRAM_MAX;
  bool foreign = from.nl_family == AF_NETLINK && from.nl_pid != 0;
  if (n > DATAGRAM_MAX || foreign)
    return RECEIVED;
  *e = (struct entry){.after_ms = d->empty_ms, .size = (size_t)n};
  q->used += sizeof(*e) + (((size_t)n + 7) & ~(size_t)7);
  return RECEIVED;
}

/* Receives until there is nothing left, or `bound` bytes. With the lock held.
 * The time is read before: an event may come right after EAGAIN. */
static enum outcome receive(struct destroy_events *d, size_t bound) {
  if (d->fd < 0)
    return EMPTY;
  uint64_t began_ms = now_ms();
  enum outcome o = RECEIVED;
  for (size_t got = 0; o == RECEIVED && got < bound;)
    o = receive_one(d, &got);
  if (o == EMPTY)
    d->empty_ms = began_ms;
  return o;
}

/* Adds what the kernel has dropped since it was last asked (SO_MEMINFO since
 * Linux 4.12). With the lock held. */
static void drops_add(struct destroy_events *d) {
  uint32_t info[SK_MEMINFO_VARS];
  socklen_t size = sizeof(info);
  if (d->fd < 0 || getsockopt(d->fd, SOL_SOCKET, SO_MEMINFO, info, &size) < 0 ||
      size < (SK_MEMINFO_DROPS + 1) * sizeof(info[0]))
    return;
  d->totals.lost += info[SK_MEMINFO_DROPS] - d->drops;
  d->drops = info[SK_MEMINFO_DROPS];
}

/* Waits until something may have come or, while the queue is full, for a
 * moment. False: the thread is to end. */
static bool wait_more(const struct destroy_events *d, bool full) {
  struct pollfd p[] = {{.fd = d->stop, .events = POLLIN},
                       {.fd = d->fd, .events = POLLIN}};
  int n = poll(p, full ? 1 : 2, full ? RETRY_MS : -1);
  if (n < 0)
    return errno == EINTR;
  bool error = !full && !(p[1].revents & POLLIN); /* may not go away */
  if (p[0].revents == 0 && n > 0)
    poll(p, 1, error ? RETRY_MS : NAP_MS);
  return p[0].revents == 0;
}

/* One batch; `much`: whether more is queued than should be. */
static enum outcome receive_batch(struct destroy_events *d, bool *much) {
  lock(d);
  enum outcome o = receive(d, BATCH);
  *much = d->queue.used > PRESSURE;
  unlock(d);
  return o;
}

static void *run(void *data) {
  struct destroy_events *d = data;
  pthread_setname_np(pthread_self(), "tcpinfo-close");
  enum outcome o = RECEIVED;
  while (o != BROKEN && wait_more(d, o == FULL)) {
    bool much;
    o = receive_batch(d, &much);
    if (!much || d->pressure == NULL)
      continue;
    d->pressure(d->pressure_data);
    if (o != BROKEN)
      o = receive_batch(d, &much); /* it may be no longer full */
  }
  lock(d);
  d->alive = false;
  unlock(d);
  return NULL;
}

/* The daemon's signals are not for this thread. */
static int thread_start(struct destroy_events *d, struct error *error) {
  d->stop = eventfd(0, EFD_CLOEXEC);
  if (d->stop < 0)
    return error_set(error, "cannot make an eventfd: %s", strerror(errno));
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  d->alive = true;
  int code = pthread_create(&d->thread, NULL, run, d);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (code == 0)
    return 0;
  d->alive = false;
  close(d->stop);
  d->stop = -1;
  return error_set(error, "cannot start a thread for destroy events: %s",
                   strerror(code));
}

static void thread_stop(struct destroy_events *d) {
  eventfd_write(d->stop, 1);
  pthread_join(d->thread, NULL);
  close(d->stop);
  d->stop = -1;
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

/* Without NETLINK_NO_ENOBUFS the kernel would drop all that comes after an
 * overflow until the socket is empty; it may even stay so for ever where the
 * reader is just done then (linux: net/netlink/af_netlink.c, netlink_overrun(),
 * netlink_rcv_wake()). Drops are counted with it, too. An unbound socket has
 * the port of the kernel, and do_one_broadcast() leaves the sender out. */
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
                                          destroy_events_pressure_fn *pressure,
                                          void *data) {
  struct destroy_events *d = calloc(1, sizeof(*d));
  if (d == NULL)
    return NULL;
  d->open = open != NULL ? open : kernel_open;
  d->open_data = open_data;
  d->pressure = pressure;
  d->pressure_data = data;
  d->fd = d->stop = -1;
  pthread_mutex_init(&d->lock, NULL);
  return d;
}

void destroy_events_free(struct destroy_events *d) {
  if (d == NULL)
    return;
  destroy_events_stop(d);
  pthread_mutex_destroy(&d->lock);
  queue_free(&d->queue);
  queue_free(&d->taken);
  free(d);
}

bool destroy_events_runs(const struct destroy_events *d) {
  lock(d);
  bool runs = d->alive;
  unlock(d);
  return runs;
}

int destroy_events_start(struct destroy_events *d, struct error *error) {
  if (destroy_events_runs(d))
    return 0;
  destroy_events_stop(d); /* a thread that has ended by itself */
  d->empty_ms = now_ms();
  d->drops = 0;
  d->fd = d->open(d->open_data);
  if (d->fd < 0)
    return error_set(error,
                     "cannot subscribe to the kernel's destroy events: %s",
                     strerror(errno));
  if (thread_start(d, error) == 0)
    return 0;
  close(d->fd);
  d->fd = -1;
  return -1;
}

/* Counts what the queue has no room for. */
static uint64_t discard(int fd) {
  uint64_t count = 0;
  for (int i = 0; i < DISCARD_MAX; i++) {
    char none;
    ssize_t n = recv(fd, &none, 0, MSG_DONTWAIT | MSG_TRUNC);
    if (n == 0 || (n < 0 && outcome_of_errno() != RECEIVED))
      break;
    count += n > 0;
  }
  return count;
}

void destroy_events_stop(struct destroy_events *d) {
  if (d->stop >= 0)
    thread_stop(d);
  lock(d);
  if (d->fd >= 0) {
    groups_set(d->fd, NETLINK_DROP_MEMBERSHIP); /* nothing comes any more */
    if (receive(d, (size_t)ROUND * ROUNDS) == FULL)
      d->totals.lost += discard(d->fd);
    drops_add(d);
    close(d->fd);
    d->fd = -1;
  }
  unlock(d);
}

/* The messages of one datagram: how many were handed over. */
static uint64_t walk(const struct entry *e, destroy_events_cb *cb, void *data) {
  uint64_t count = 0;
  struct netlink_cursor c = netlink_cursor_over(e + 1, e->size);
  const struct nlmsghdr *nlh;
  while ((nlh = netlink_cursor_next(&c)) != NULL) {
    if (nlh->nlmsg_type < NLMSG_MIN_TYPE)
      continue;
    cb(nlh, e->after_ms, data);
    count++;
  }
  return count;
}

static uint64_t queue_walk(const struct queue *q, destroy_events_cb *cb,
                           void *data) {
  uint64_t count = 0;
  for (size_t at = 0; at < q->used;) {
    const struct entry *e = (const void *)((uint8_t *)q->bytes.at + at);
    count += walk(e, cb, data);
    at += sizeof(*e) + ((e->size + 7) & ~(uint64_t)7);
  }
  return count;
}

/* Once nothing was left, all that had come before the call is in the queue. */
void destroy_events_take(struct destroy_events *d, destroy_events_cb *cb,
                         void *data) {
  enum outcome o = RECEIVED;
  for (int i = 0; (o == RECEIVED || o == FULL) && i < ROUNDS; i++) {
    lock(d);
    o = receive(d, ROUND);
    struct queue filled = d->queue;
    d->queue = d->taken;
    d->taken = filled;
    unlock(d);
    uint64_t count = queue_walk(&d->taken, cb, data);
    queue_empty(&d->taken);
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
