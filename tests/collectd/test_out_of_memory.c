/* Runs a history of reads once for each allocation of the plugin, which then
 * fails: nothing crashes or leaks (with the sanitizers), all that holds in
 * every history still holds (support/read_history.h), and once there is memory
 * again, the counters are those of the run without failures. */
#include "support/failing_memory.h"
#include "support/read_history.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define EVERYTHING                                                             \
  "<Group \"everything\">\n"                                                   \
  "Metric connections opened closed failed bytes_sent\n"                       \
  "</Group>\n"

static const char plain[] = "<Plugin tcpinfo>\n" EVERYTHING "</Plugin>\n";

static const char members[] =
    "<Plugin tcpinfo>\n" EVERYTHING "<Group \"peers\">\n"
    "By \"remote-address\" \"cgroup\"\n"
    "MaxMembers 5\n"
    "MemberTimeout 2\n"
    "Worst 3\n"
    "WorstRetrans 1 5\n"
    "Metric connections opened closed failed outliers rtt p95 retrans\n"
    "Metric bytes_sent retrans_percent limited states congestion drops\n"
    "Metric accept_queue max busy_time\n"
    "Histogram rtt\n"
    "</Group>\n</Plugin>\n";

static const char selections[] =
    "<Plugin tcpinfo>\nCountClosed true\n" EVERYTHING "<Group \"filter\">\n"
    "Filter \"dst 10.0.0.0/8 and not dport = :22\"\n"
    "Filter \"src [2001:db8::]/32 or dev lo\"\n"
    "</Group>\n"
    "<Group \"inbound\">\nDirection \"inbound\"\nBy \"local-port\"\n"
    "MaxMembers 2\n</Group>\n"
    "<Group \"networks\">\nBy \"remote-network\" \"direction\"\n"
    "Prefix 24 48\nMaxMembers 3\n</Group>\n"
    "<Group \"users\">\nBy \"uid\"\nRemotePort 443 \"50000-50010\"\n"
    "</Group>\n</Plugin>\n";

/* --- The history ---------------------------------------------------------- */

enum { ESTABLISHED = 0, TIME_WAIT = 5, LISTEN = 9 };

static uint8_t bytes[4096];
static size_t size;

static void put(enum read_step step, size_t count, ...) {
  va_list list;
  va_start(list, count);
  assert_true(size + count < sizeof(bytes));
  bytes[size++] = (uint8_t)step;
  for (size_t i = 0; i < count; i++)
    bytes[size++] = (uint8_t)va_arg(list, int);
  va_end(list);
}

/* The arguments as any_kernel_set() takes them; cookie and socket number are
 * the same. */
static void set(int number, int state, int parts, int ends, int owner) {
  put(READ_STEP_SET, 6, number, number | state << 4, parts, ends, 0, owner);
}

static void complete(void) { put(READ_STEP_READ, 2, 0, 0); }

/* Connections come, carry traffic, change their cgroup and close in every way;
 * many others come and go. */
static void history_make(void) {
  enum { FULL = 0xff, ROUNDS = 4 };
  size = 0;
  put(READ_STEP_LISTEN, 2, 0x0f, 0);
  for (int i = 0; i < 6; i++)
    set(i, ESTABLISHED, FULL, i * 2 | 16, i);
  complete();
  for (int round = 0; round < ROUNDS; round++) {
    put(READ_STEP_CROWD, 3, 40 * round, 200, round);
    for (int i = 0; i < 6; i++)
      put(READ_STEP_GROW, 3, i + round, 77 * i % 256, round);
    set(6 + round, round == 2 ? LISTEN : ESTABLISHED, FULL, round * 2, round);
    complete();
    set(round, ESTABLISHED, FULL, round * 2 | 16, round + 1); /* accepted */
    put(READ_STEP_GROW, 3, round, 250, 1);
    put(READ_STEP_CLOSE, 2, round, round % 3);
    set(15, round % 2 ? TIME_WAIT : ESTABLISHED, FULL, round, 0);
    put(READ_STEP_CLOSE, 2, 12 + round % 3, 0); /* no dump has shown it */
    put(READ_STEP_NAMES, 1, round * 16 | 3);
    complete();
  }
  put(READ_STEP_CROWD, 3, 10, 0, 0);
  for (int i = 0; i < 3; i++)
    complete();
}

/* --- The runs ------------------------------------------------------------- */

static void run(const char *config, struct read_outcome *out) {
  const struct read_options options = {.config = config, .memory_fails = true};
  failing_memory.count = 0;
  read_history_run(bytes, size, &options, out);
  if (out->complaint.text[0] != '\0')
    fail_msg("allocations %" PRIu64 " to %" PRIu64 " fail: %s",
             failing_memory.first, failing_memory.last, out->complaint.text);
}

static void counters_are_equal(const struct read_outcome *got,
                               const struct read_outcome *expected) {
  assert_int_equal(got->count, expected->count);
  for (size_t i = 0; i < got->count; i++) {
    assert_string_equal(got->counter[i].name, expected->counter[i].name);
    if (got->counter[i].value != expected->counter[i].value)
      fail_msg("allocations %" PRIu64 " to %" PRIu64 " fail: %s is %" PRId64
               ", without failures %" PRId64,
               failing_memory.first, failing_memory.last, got->counter[i].name,
               got->counter[i].value, expected->counter[i].value);
  }
}

/* Lets `burst` allocations in a row fail, from each `step`-th one on. */
static void each_fails(const char *config, uint64_t burst, uint64_t step) {
  struct read_outcome expected, got;
  failing_memory.first = 1;
  failing_memory.last = 0;
  history_make();
  run(config, &expected);
  uint64_t count = failing_memory.count;
  assert_true(expected.complete > 10 && expected.failed == 0 && count > 50);
  print_message("%" PRIu64 " allocations\n", count);
  for (uint64_t i = 0; i < count; i += step) {
    failing_memory.first = i;
    failing_memory.last = i + burst - 1;
    run(config, &got);
    counters_are_equal(&got, &expected);
    read_outcome_free(&got);
  }
  read_outcome_free(&expected);
}

static void no_allocation_is_needed_by_a_plain_group(void **state) {
  (void)state;
  each_fails(plain, 1, 1);
  each_fails(plain, 20, 11);
}

static void no_allocation_is_needed_by_members(void **state) {
  (void)state;
  each_fails(members, 1, 1);
  each_fails(members, 20, 11);
}

static void no_allocation_is_needed_by_selections(void **state) {
  (void)state;
  each_fails(selections, 1, 1);
  each_fails(selections, 20, 11);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_allocation_is_needed_by_a_plain_group),
      cmocka_unit_test(no_allocation_is_needed_by_members),
      cmocka_unit_test(no_allocation_is_needed_by_selections),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
