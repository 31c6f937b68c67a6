#include "event_floor.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The socket has the same buffer size and options as the plugin's. */
enum { SOCKET_BYTES = 32 << 20, DATAGRAM_MAX = 4096 };

static int fd = -1;
static atomic_uint_least64_t events;
static atomic_int thread_id;

static void fail(const char *failed) {
  fprintf(stderr, "floor: %s: %s\n", failed, strerror(errno));
  exit(1);
}

static void *run(void *data) {
  static char buffer[DATAGRAM_MAX];
  uint64_t count = 0;
  thread_id = gettid();
  while (recv(fd, buffer, sizeof(buffer), 0) > 0 || errno == EINTR)
    atomic_store_explicit(&events, ++count, memory_order_relaxed);
  fail("cannot receive events");
  return data;
}

static void subscribe(void) {
  static const int groups[] = {SKNLGRP_INET_TCP_DESTROY,
                               SKNLGRP_INET6_TCP_DESTROY};
  const struct sockaddr_nl any = {.nl_family = AF_NETLINK};
  const int size = SOCKET_BYTES, on = 1;
  fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0 ||
      setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0 ||
      setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof(on)) != 0 ||
      bind(fd, (const struct sockaddr *)&any, sizeof(any)) != 0)
    fail("cannot open a netlink socket");
  for (size_t i = 0; i < 2; i++)
    if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
                   sizeof(groups[i])) != 0)
      fail("cannot subscribe to destroy events");
}

pid_t event_floor_start(void) {
  pthread_t thread;
  subscribe();
  errno = pthread_create(&thread, NULL, run, NULL);
  if (errno != 0)
    fail("cannot start a thread");
  pthread_detach(thread);
  while (thread_id == 0)
    usleep(100);
  return thread_id;
}

uint64_t event_floor_count(void) { return events; }

uint64_t event_floor_lost(void) {
  uint32_t info[SK_MEMINFO_VARS];
  socklen_t size = sizeof(info);
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &size) != 0 ||
      size < sizeof(info))
    fail("cannot read SO_MEMINFO");
  return info[SK_MEMINFO_DROPS];
}
