#include "util/clock.h"

#include <errno.h>
#include <time.h>

/* Cannot fail: Linux has both clocks since 2.6.12. */
static uint64_t clock_us(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_monotonic_us(void) { return clock_us(CLOCK_MONOTONIC); }

uint64_t clock_monotonic_ms(void) { return clock_monotonic_us() / 1000; }

void clock_sleep_until(uint64_t ms) {
  const struct timespec t = {.tv_sec = (time_t)(ms / 1000),
                             .tv_nsec = (long)(ms % 1000) * 1000000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
    ;
}

uint64_t clock_thread_cpu_us(void) { return clock_us(CLOCK_THREAD_CPUTIME_ID); }
