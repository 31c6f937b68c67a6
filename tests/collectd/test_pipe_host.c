/* Tests the limits of the host from the files of /proc to the values. */
#include "support/pipe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void file_write(const char *folder, const char *name, const char *text) {
  char path[128];
  snprintf(path, sizeof(path), "%s/%s", folder, name);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  assert_true(fputs(text, f) >= 0);
  fclose(f);
}

/* Reads this kernel's sockets, and limits from files of the test. */
static void limits_of_the_host_are_dispatched_if_known(void **state) {
  (void)state;
  char folder[] = "/tmp/tcpinfo-test-pipe-XXXXXX", path[128];
  static const char *const part[] = {"self", "self/net", "sys", "sys/net",
                                     "sys/net/ipv4"};
  assert_non_null(mkdtemp(folder));
  for (size_t i = 0; i < 5; i++) {
    snprintf(path, sizeof(path), "%s/%s", folder, part[i]);
    assert_int_equal(mkdir(path, 0700), 0);
  }
  file_write(folder, "self/net/sockstat",
             "TCP: inuse 1 orphan 5 tw 30 alloc 3 mem 90\n");
  file_write(folder, "sys/net/ipv4/tcp_max_tw_buckets", "20\n");
  file_write(folder, "sys/net/ipv4/tcp_mem", "1\t50\t360\n");

  struct pipe *p = pipe_new();
  struct error error;
  const struct observer_world world = {.proc = folder};
  pipe_want(pipe_group(p, "all"), "connections", NULL);
  p->settings.count_closed = COUNT_CLOSED_NEVER;
  p->reader = reader_new(&p->settings, 10000, &world, &error);
  assert_non_null(p->reader);
  enum dump_result result = pipe_read(p);
  static const char *const file[] = {"self/net/sockstat",
                                     "sys/net/ipv4/tcp_max_tw_buckets",
                                     "sys/net/ipv4/tcp_mem"};
  for (size_t i = 0; i < 3; i++) {
    snprintf(path, sizeof(path), "%s/%s", folder, file[i]);
    remove(path);
  }
  for (size_t i = 5; i-- > 0;) {
    snprintf(path, sizeof(path), "%s/%s", folder, part[i]);
    rmdir(path);
  }
  rmdir(folder);
  assert_int_equal(result, DUMP_COMPLETE);

  double page = (double)sysconf(_SC_PAGESIZE);
  gauge_is("tcpinfo-self/count-host_orphans", 5);
  absent("tcpinfo-self/count-host_orphans_limit");
  absent("tcpinfo-self/percent-host_orphans");
  gauge_is("tcpinfo-self/count-host_time_wait", 30);
  gauge_is("tcpinfo-self/count-host_time_wait_limit", 20);
  gauge_is("tcpinfo-self/percent-host_time_wait", 100);
  gauge_is("tcpinfo-self/memory-host_tcp_mem", 90 * page);
  gauge_is("tcpinfo-self/memory-host_tcp_mem_pressure", 50 * page);
  gauge_is("tcpinfo-self/memory-host_tcp_mem_limit", 360 * page);
  gauge_is("tcpinfo-self/percent-host_tcp_mem", 25);
  pipe_free(p);
}

static void recording_has_no_limits_of_the_host(void **state) {
  (void)state;
  struct pipe *p = pipe_new();
  pipe_want(pipe_group(p, "all"), "connections", NULL);
  pipe_dump_begin(p);
  pipe_dump_end(p, 0);
  pipe_start(p);
  assert_int_equal(pipe_read(p), DUMP_COMPLETE);
  gauge_is("tcpinfo-all/count-connections", 0);
  for (size_t i = 0; i < fake_daemon.count; i++)
    assert_null(strstr(fake_daemon.value[i].name, "host_"));
  pipe_free(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(limits_of_the_host_are_dispatched_if_known),
      cmocka_unit_test(recording_has_no_limits_of_the_host),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
