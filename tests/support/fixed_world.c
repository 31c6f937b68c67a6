#include "support/fixed_world.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

struct fixed_world fixed_world;

int __real_clock_gettime(clockid_t id, struct timespec *out);
int __wrap_clock_gettime(clockid_t id, struct timespec *out);
int __real_clock_nanosleep(clockid_t id, int flags,
                           const struct timespec *until, struct timespec *rest);
int __wrap_clock_nanosleep(clockid_t id, int flags,
                           const struct timespec *until, struct timespec *rest);
ssize_t __real_getrandom(void *out, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *out, size_t size, unsigned flags);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __real_pthread_create(pthread_t *out, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *data);
int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *data);
int __real_pthread_join(pthread_t thread, void **out);
int __wrap_pthread_join(pthread_t thread, void **out);

int __wrap_clock_gettime(clockid_t id, struct timespec *out) {
  if (!fixed_world.on || id != CLOCK_MONOTONIC)
    return __real_clock_gettime(id, out);
  *out =
      (struct timespec){.tv_sec = (time_t)(fixed_world.now_ms / 1000),
                        .tv_nsec = (long)(fixed_world.now_ms % 1000) * 1000000};
  return 0;
}

/* Only sleeps until a time of the monotonic clock are known. */
int __wrap_clock_nanosleep(clockid_t id, int flags,
                           const struct timespec *until,
                           struct timespec *rest) {
  if (!fixed_world.on || id != CLOCK_MONOTONIC || flags != TIMER_ABSTIME)
    return __real_clock_nanosleep(id, flags, until, rest);
  uint64_t ms =
      (uint64_t)until->tv_sec * 1000 + (uint64_t)until->tv_nsec / 1000000;
  if (fixed_world.now_ms < ms)
    fixed_world.now_ms = ms;
  return 0;
}

ssize_t __wrap_getrandom(void *out, size_t size, unsigned flags) {
  if (!fixed_world.on)
    return __real_getrandom(out, size, flags);
  memset(out, 0x55, size);
  return (ssize_t)size;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms) {
  if (!fixed_world.on)
    return __real_poll(fds, count, timeout_ms);
  if (fixed_world.waiting != NULL)
    fixed_world.waiting(fixed_world.data);
  int n = __real_poll(fds, count, 0);
  if (n == 0 && timeout_ms > 0)
    fixed_world.now_ms += (uint64_t)timeout_ms;
  return n;
}

int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *data) {
  if (!fixed_world.on)
    return __real_pthread_create(out, attributes, run, data);
  memset(out, 0, sizeof(*out));
  return 0;
}

int __wrap_pthread_join(pthread_t thread, void **out) {
  return fixed_world.on ? 0 : __real_pthread_join(thread, out);
}
