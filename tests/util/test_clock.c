/* clock: units. The test takes the place of clock_gettime(2) and of
 * clock_nanosleep(2), so that the time is known. */
#include "util/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

static struct timespec monotonic, thread;

int clock_gettime(clockid_t id, struct timespec *out) {
  if (id != CLOCK_MONOTONIC && id != CLOCK_THREAD_CPUTIME_ID)
    return -1;
  *out = id == CLOCK_MONOTONIC ? monotonic : thread;
  return 0;
}

static struct timespec slept_until;
static int interruptions; /* by signals, that a sleep still meets */

int clock_nanosleep(clockid_t id, int flags, const struct timespec *until,
                    struct timespec *rest) {
  if (id != CLOCK_MONOTONIC || flags != TIMER_ABSTIME || rest != NULL)
    return EINVAL;
  slept_until = *until;
  return interruptions-- > 0 ? EINTR : 0;
}

static void each_clock_is_read_in_its_unit(void **state) {
  (void)state;
  monotonic = (struct timespec){.tv_sec = 12, .tv_nsec = 345678901};
  thread = (struct timespec){.tv_sec = 1, .tv_nsec = 999999999};
  assert_int_equal(clock_monotonic_us(), 12345678);
  assert_int_equal(clock_monotonic_ms(), 12345);
  assert_int_equal(clock_thread_cpu_us(), 1999999);
}

/* 2^32 ms are 49 days, 2^32 us an hour. */
static void uptime_of_years_does_not_wrap(void **state) {
  (void)state;
  monotonic = (struct timespec){.tv_sec = 1000000000, .tv_nsec = 1000};
  assert_int_equal(clock_monotonic_us(), 1000000000000001);
  assert_int_equal(clock_monotonic_ms(), 1000000000000);
}

static void sleep_lasts_until_its_end(void **state) {
  (void)state;
  interruptions = 2;
  clock_sleep_until(12345);
  assert_int_equal(interruptions, -1);
  assert_int_equal(slept_until.tv_sec, 12);
  assert_int_equal(slept_until.tv_nsec, 345000000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_clock_is_read_in_its_unit),
      cmocka_unit_test(uptime_of_years_does_not_wrap),
      cmocka_unit_test(sleep_lasts_until_its_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
