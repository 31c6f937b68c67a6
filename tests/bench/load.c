/* The load of a benchmark: established TCP connections over loopback, as
 * layout.h has them.
 *
 *      load CONNECTIONS IPV6_PERCENT
 *
 * Says "ready" on stdout when all are open. For every line on stdin, a byte
 * goes over each connection, both ends get an ACK, and then it says "done". It
 * ends with its stdin, and with its parent.
 *
 * The connections are spread over workers, because a process may only have so
 * many open files. They are reset when a worker ends, so that no TIME_WAIT is
 * left. */
#include "layout.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SPARE_FILES = 32 };

struct pair {
  int client, server;
};

static void fail(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void set(int fd, int level, int name, int value) {
  if (setsockopt(fd, level, name, &value, sizeof(value)) != 0)
    fail("setsockopt");
}

static int socket_new(int family) {
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    fail("socket");
  struct linger reset = {.l_onoff = 1};
  if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) != 0)
    fail("SO_LINGER");
  return fd;
}

union any_address {
  struct sockaddr any;
  struct sockaddr_in ipv4;
  struct sockaddr_in6 ipv6;
};

/* Its length. `text` NULL: every address. */
static socklen_t address_make(union any_address *a, bool ipv6, const char *text,
                              unsigned port) {
  memset(a, 0, sizeof(*a));
  a->any.sa_family = ipv6 ? AF_INET6 : AF_INET;
  if (ipv6)
    a->ipv6.sin6_port = htons((uint16_t)port);
  else
    a->ipv4.sin_port = htons((uint16_t)port);
  void *to = ipv6 ? (void *)&a->ipv6.sin6_addr : (void *)&a->ipv4.sin_addr;
  if (text != NULL && inet_pton(a->any.sa_family, text, to) != 1)
    fail(text);
  return ipv6 ? sizeof(a->ipv6) : sizeof(a->ipv4);
}

static int listener_new(bool ipv6, unsigned port) {
  union any_address a;
  socklen_t size = address_make(&a, ipv6, NULL, port);
  int fd = socket_new(a.any.sa_family);
  if (ipv6)
    set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (bind(fd, &a.any, size) != 0 || listen(fd, 16) != 0)
    fail("listen");
  return fd;
}

/* The i-th connection of all. */
static struct pair connection_open(unsigned i, unsigned percent,
                                   unsigned worker, int listener[2][2]) {
  unsigned network = i % LAYOUT_NETWORKS;
  bool ipv6 = layout_is_ipv6(network, percent);
  bool rare = i % LAYOUT_RARE == LAYOUT_RARE / 2;
  unsigned host = LAYOUT_CLIENT + i / LAYOUT_NETWORKS % LAYOUT_CLIENTS;
  char text[LAYOUT_TEXT_MAX];
  union any_address from, to;

  layout_address(network, ipv6, host, text);
  socklen_t size = address_make(&from, ipv6, text, 0);
  layout_address(network, ipv6, LAYOUT_SERVER, text);
  address_make(&to, ipv6, text,
               (rare ? LAYOUT_PORT_RARE : LAYOUT_PORT_USUAL) + worker);

  struct pair p = {.client = socket_new(from.any.sa_family)};
  set(p.client, IPPROTO_TCP, TCP_NODELAY, 1);
  /* Otherwise each port would do for one connection only. */
  set(p.client, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  if (bind(p.client, &from.any, size) != 0)
    fail("bind");
  if (connect(p.client, &to.any, size) != 0)
    fail("connect");
  p.server = accept(listener[rare][ipv6], NULL, NULL);
  if (p.server < 0)
    fail("accept");
  return p;
}

static void pulse(const struct pair *p, unsigned count) {
  char byte = 0;
  for (unsigned i = 0; i < count; i++)
    if (write(p[i].client, &byte, 1) != 1 || read(p[i].server, &byte, 1) != 1 ||
        write(p[i].server, &byte, 1) != 1 || read(p[i].client, &byte, 1) != 1)
      fail("a byte");
}

/* Opens its part, and then lets a byte over it for every byte of `control`. */
static void work(unsigned worker, unsigned first, unsigned count,
                 unsigned percent, int control) {
  struct pair *p = calloc(count, sizeof(*p));
  int listener[2][2];
  char byte = 0;
  if (p == NULL)
    fail("memory");
  for (int ipv6 = 0; ipv6 < 2; ipv6++) {
    listener[0][ipv6] = listener_new(ipv6, LAYOUT_PORT_USUAL + worker);
    listener[1][ipv6] = listener_new(ipv6, LAYOUT_PORT_RARE + worker);
  }
  for (unsigned i = 0; i < count; i++)
    p[i] = connection_open(first + i, percent, worker, listener);
  while (write(control, &byte, 1) == 1 && read(control, &byte, 1) == 1)
    pulse(p, count);
  free(p);
  exit(0);
}

/* Sets all[worker] to the other end of its control. */
static void worker_start(unsigned worker, unsigned first, unsigned count,
                         unsigned percent, int *all) {
  int control[2];
  pid_t parent = getpid();
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, control) != 0)
    fail("socketpair");
  pid_t pid = fork();
  if (pid < 0)
    fail("fork");
  if (pid == 0) {
    close(control[0]);
    for (unsigned i = 0; i < worker; i++)
      close(all[i]);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent)
      work(worker, first, count, percent, control[1]);
    exit(1);
  }
  close(control[1]);
  all[worker] = control[0];
}

static void say_when_all_did(const char *what, const int *control,
                             unsigned workers) {
  char byte;
  for (unsigned i = 0; i < workers; i++)
    if (read(control[i], &byte, 1) != 1)
      exit(1); /* the worker has said why */
  puts(what);
  fflush(stdout);
}

/* How many connections a process may have. */
static unsigned connections_per_worker(void) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0)
    fail("getrlimit");
  files.rlim_cur = files.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &files) != 0)
    fail("setrlimit");
  rlim_t most = files.rlim_max > 20000 ? 20000 : files.rlim_max;
  return (unsigned)(most - SPARE_FILES) / 2;
}

int main(int argc, char **argv) {
  static int control[LAYOUT_WORKERS];
  int total = argc == 3 ? atoi(argv[1]) : 0;
  int percent = argc == 3 ? atoi(argv[2]) : -1;
  if (total < 1 || percent < 0 || percent > 100) {
    fputs("load CONNECTIONS IPV6_PERCENT\n", stderr);
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  unsigned count = (unsigned)total, share = connections_per_worker();
  unsigned workers = 0;
  for (unsigned first = 0; first < count; first += share, workers++) {
    if (workers == LAYOUT_WORKERS) {
      fputs("load: too many connections for the limit of open files\n", stderr);
      return 1;
    }
    unsigned part = count - first < share ? count - first : share;
    worker_start(workers, first, part, (unsigned)percent, control);
  }
  say_when_all_did("ready", control, workers);
  for (int c; (c = getchar()) != EOF;) {
    if (c != '\n')
      continue;
    for (unsigned i = 0; i < workers; i++)
      if (write(control[i], "", 1) != 1)
        return 1;
    say_when_all_did("done", control, workers);
  }
  for (unsigned i = 0; i < workers; i++)
    close(control[i]);
  while (wait(NULL) > 0)
    continue;
  return 0;
}
