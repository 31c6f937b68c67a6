/* Tests filter/service_retry.c with look-ups that this test answers. */
#include "filter/service_retry.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAUSE_MS = 1, LIMIT_MS = 100000 };

static atomic_uint calls, failures; /* failures: that are still to come */
static atomic_bool blocked;         /* a look-up does not return */
static atomic_uint waiting;         /* look-ups that do not return */
static pthread_t caller;            /* the thread of the last look-up */

static enum id_lookup look(const char *name, uint64_t *id) {
  caller = pthread_self();
  calls++;
  waiting++;
  while (blocked)
    usleep(1000);
  waiting--;
  if (failures > 0) {
    failures--;
    return failures % 2 ? ID_ABSENT : ID_FAILED;
  }
  *id = strcmp(name, "http") == 0 ? 80 : 443;
  return ID_FOUND;
}

static struct service_retry *retry_of(const char *a, const char *b) {
  struct service_retry *r = service_retry_new(look, PAUSE_MS);
  assert_non_null(r);
  assert_int_equal(service_retry_add(r, a), 0);
  assert_int_equal(service_retry_add(r, b), 0);
  calls = 0;
  return r;
}

static uint64_t port_awaited(struct service_retry *r, const char *name) {
  uint64_t port = 0;
  for (int ms = 0; ms < LIMIT_MS; ms++) {
    if (service_retry_get(r, name, &port))
      return port;
    assert_int_equal(port, 0);
    usleep(1000);
  }
  fail_msg("%s was not found", name);
  return 0;
}

/* Returns whether this process has a thread that looks services up. */
static bool thread_lives(void) {
  DIR *threads = opendir("/proc/self/task");
  assert_non_null(threads);
  bool lives = false;
  for (struct dirent *t; (t = readdir(threads)) != NULL;) {
    char path[512], name[32] = "";
    snprintf(path, sizeof(path), "/proc/self/task/%s/comm", t->d_name);
    FILE *f = fopen(path, "r");
    if (f == NULL)
      continue;
    lives |= fgets(name, sizeof(name), f) != NULL &&
             strcmp(name, "tcpinfo-names\n") == 0;
    fclose(f);
  }
  closedir(threads);
  return lives;
}

static void services_are_looked_up_until_all_are_found(void **state) {
  (void)state;
  failures = 9;
  struct service_retry *r = retry_of("http", "https");
  assert_int_equal(port_awaited(r, "https"), 443);
  assert_int_equal(port_awaited(r, "http"), 80);
  assert_int_equal(failures, 0);
  assert_int_equal(calls, 11);
  for (int ms = 0; thread_lives() && ms < LIMIT_MS; ms++)
    usleep(1000);
  assert_false(thread_lives());
  assert_int_equal(port_awaited(r, "http"), 80);
  assert_false(thread_lives());
  service_retry_free(r);
}

static void a_blocked_look_up_blocks_neither_reads_nor_the_end(void **state) {
  (void)state;
  uint64_t port;
  failures = 0;
  blocked = true;
  struct service_retry *r = retry_of("http", "https");
  while (waiting == 0) {
    assert_false(service_retry_get(r, "http", &port));
    usleep(1000);
  }
  assert_false(service_retry_get(r, "http", &port));
  assert_false(pthread_equal(caller, pthread_self()));
  service_retry_free(r);
  blocked = false;
  for (int ms = 0; waiting > 0 && ms < LIMIT_MS; ms++)
    usleep(1000);
  assert_int_equal(waiting, 0);
  assert_int_equal(calls, 1); /* the second service is not looked up any more */
}

static void nothing_is_looked_up_before_the_first_question(void **state) {
  (void)state;
  struct service_retry *r = retry_of("http", "https");
  usleep(20 * PAUSE_MS * 1000);
  assert_int_equal(calls, 0);
  service_retry_free(r);
  service_retry_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(services_are_looked_up_until_all_are_found),
      cmocka_unit_test(a_blocked_look_up_blocks_neither_reads_nor_the_end),
      cmocka_unit_test(nothing_is_looked_up_before_the_first_question),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
