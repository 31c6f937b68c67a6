/* lost_events: the message names the cure that helps. */
#include "collectd/lost_events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { ASKED = 32 << 20 };

static void has(const char *text, const char *part, bool expected) {
  if ((strstr(text, part) != NULL) != expected)
    fail_msg("\"%s\" %s \"%s\"", text, expected ? "lacks" : "has", part);
}

static void small_buffer_wants_rmem_max_or_the_capability(void **state) {
  (void)state;
  const struct close_policy_health h = {
      .lost = 3668, .buffer = 212992, .buffer_asked = ASKED};
  struct error e;
  lost_events_describe(&h, &e);
  has(e.text, "3668 close events lost", true);
  has(e.text, "granted 212992 of 33554432 bytes", true);
  has(e.text, "net.core.rmem_max (up to 33554432)", true);
  has(e.text, "CAP_NET_ADMIN", true);
  has(e.text, "CPU time", false);
}

static void full_buffer_wants_cpu_time(void **state) {
  (void)state;
  const struct close_policy_health h = {
      .lost = UINT64_MAX, .buffer = ASKED, .buffer_asked = ASKED};
  struct error e;
  lost_events_describe(&h, &e);
  has(e.text, "18446744073709551615 close events lost", true);
  has(e.text, "buffer of 33554432 bytes", true);
  has(e.text, "give collectd more CPU time", true);
  has(e.text, "rmem_max", false);
  has(e.text, "CAP_NET_ADMIN", false);
}

/* A message that is cut would lack the cure. */
static void message_fits(void **state) {
  (void)state;
  const struct close_policy_health h = {
      .lost = UINT64_MAX, .buffer = SIZE_MAX - 1, .buffer_asked = SIZE_MAX};
  struct error e;
  lost_events_describe(&h, &e);
  assert_true(strlen(e.text) + 1 < sizeof(e.text));
  has(e.text, "then restart it", true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(small_buffer_wants_rmem_max_or_the_capability),
      cmocka_unit_test(full_buffer_wants_cpu_time),
      cmocka_unit_test(message_fits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
