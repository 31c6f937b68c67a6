#include "util/clock.h"

#include <time.h>

/* Cannot fail: Linux has both clocks since 2.6.12. */
static uint64_t clock_us(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_monotonic_us(void) { return clock_us(CLOCK_MONOTONIC); }

uint64_t clock_monotonic_ms(void) { return clock_monotonic_us() / 1000; }

uint64_t clock_thread_cpu_us(void) { return clock_us(CLOCK_THREAD_CPUTIME_ID); }
