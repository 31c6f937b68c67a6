/* Preloaded into collectd by the oracle: makes dumps of sock_diag fail or take
 * long, and the socket of close events small, as a file says that the oracle
 * writes while the daemon runs.
 *
 * The dump's socket is the one that sends a request; its receives pass or fail
 * by their number since then, so that a dump fails in its middle. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* The file; the oracle writes all but the last two. */
struct control {
  _Atomic int fail;         /* so many of the next requests' answers fail */
  _Atomic int pass;         /* receives of a failing dump that pass */
  _Atomic int delay_ms;     /* before each receive of a dump */
  _Atomic int event_buffer; /* bytes; 0: as the plugin asks */
  _Atomic int requests;
  _Atomic int failed;
};

static _Thread_local int dump_fd = -1;
static _Thread_local int received;
static _Thread_local int failing;

static struct control *control(void) {
  static struct control *_Atomic mapped;
  struct control *c = mapped;
  if (c != NULL)
    return c;
  static struct control nothing;
  const char *path = getenv("TCPINFO_ORACLE_CONTROL");
  int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
  void *at = MAP_FAILED;
  if (fd >= 0) {
    at = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
  }
  mapped = at != MAP_FAILED ? at : &nothing;
  return mapped;
}

/* The next definition of a function, as an address of any type. */
static void next(const char *name, void *function) {
  void *at = dlsym(RTLD_NEXT, name);
  memcpy(function, &at, sizeof(at));
}

/* A request for connections, not for listeners alone. */
static int is_request(const void *data, size_t size) {
  struct {
    struct nlmsghdr header;
    struct inet_diag_req request;
  } r;
  if (size < sizeof(r))
    return 0;
  memcpy(&r, data, sizeof(r));
  return r.header.nlmsg_type == TCPDIAG_GETSOCK && r.header.nlmsg_len == size &&
         r.request.idiag_states != 1u << 10;
}

ssize_t send(int fd, const void *data, size_t size, int flags) {
  ssize_t (*real)(int, const void *, size_t, int);
  next("send", &real);
  if (is_request(data, size)) {
    struct control *c = control();
    atomic_fetch_add(&c->requests, 1);
    dump_fd = fd;
    received = 0;
    failing = atomic_load(&c->fail) > 0;
    if (failing)
      atomic_fetch_sub(&c->fail, 1);
  }
  return real(fd, data, size, flags);
}

ssize_t recv(int fd, void *data, size_t size, int flags) {
  ssize_t (*real)(int, void *, size_t, int);
  next("recv", &real);
  if (fd != dump_fd)
    return real(fd, data, size, flags);
  struct control *c = control();
  int ms = atomic_load(&c->delay_ms);
  if (ms > 0)
    usleep((useconds_t)ms * 1000);
  if (failing && received >= atomic_load(&c->pass)) {
    failing = 0;
    atomic_fetch_add(&c->failed, 1);
    errno = ENOBUFS;
    return -1;
  }
  ssize_t n = real(fd, data, size, flags);
  if (n > 0)
    received++;
  return n;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t size) {
  int (*real)(int, int, int, const void *, socklen_t);
  next("setsockopt", &real);
  int bytes = atomic_load(&control()->event_buffer);
  if (bytes > 0 && level == SOL_SOCKET &&
      (name == SO_RCVBUF || name == SO_RCVBUFFORCE))
    return real(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
  return real(fd, level, name, value, size);
}
