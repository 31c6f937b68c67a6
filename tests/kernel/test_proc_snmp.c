/* /proc/net/snmp: the real file against connections that the test makes, and
 * texts that no kernel writes. */
#include "kernel/proc_snmp.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* --- texts ---------------------------------------------------------------- */

static int read_text(const char *text, struct proc_snmp *out,
                     struct error *error) {
  char path[] = "/tmp/tcpinfo-test-host-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  size_t length = strlen(text);
  assert_int_equal(write(fd, text, length), length);
  close(fd);
  int result = proc_snmp_read(path, out, error);
  unlink(path);
  /* Without the file's name, which is not known. */
  if (result != 0) {
    assert_memory_equal(error->text, path, strlen(path));
    memmove(error->text, error->text + strlen(path),
            strlen(error->text + strlen(path)) + 1);
  }
  return result;
}

/* A file that stays open is read anew each time. */
static void open_file_is_read_anew_each_time(void **state) {
  (void)state;
  char path[] = "/tmp/tcpinfo-test-host-XXXXXX";
  int kept = -1;
  FILE *out = fdopen(mkstemp(path), "w");
  struct proc_snmp h;
  struct error error;
  assert_non_null(out);
  for (uint64_t i = 0; i < 3; i++) {
    rewind(out);
    fprintf(out,
            "Tcp: ActiveOpens PassiveOpens CurrEstab RetransSegs\n"
            "Tcp: %d 1 2 3\n",
            (int)i);
    fflush(out);
    int before = kept;
    assert_int_equal(proc_snmp_read_again(&kept, path, &h, &error), 0);
    assert_int_equal(h.active_opens, i);
    assert_true(i == 0 || kept == before);
  }
  assert_int_equal(ftruncate(fileno(out), 0), 0);
  assert_int_equal(proc_snmp_read_again(&kept, path, &h, &error), -1);
  assert_int_equal(kept, -1);
  unlink(path);
  assert_int_equal(proc_snmp_read_again(&kept, path, &h, &error), -1);
  assert_int_equal(kept, -1);
  fclose(out);
}

static void assert_values(const char *text, uint64_t active, uint64_t passive,
                          uint64_t estab, uint64_t retrans) {
  struct proc_snmp h;
  struct error error;
  memset(&h, 0xa5, sizeof(h));
  if (read_text(text, &h, &error) != 0)
    fail_msg("%s%s", text, error.text);
  assert_int_equal(h.active_opens, active);
  assert_int_equal(h.passive_opens, passive);
  assert_int_equal(h.curr_estab, estab);
  assert_int_equal(h.retrans_segs, retrans);
}

static void assert_refused(const char *text, const char *expected) {
  struct proc_snmp h;
  struct error error = {.text = "accepted"};
  assert_int_equal(read_text(text, &h, &error), -1);
  assert_string_equal(error.text, expected);
}

#define IP "Ip: Forwarding DefaultTTL\nIp: 1 64\n"
#define UDP "Udp: InDatagrams NoPorts\nUdp: 5 6\n"

static void columns_are_found_by_name(void **state) {
  (void)state;
  /* As Linux 6.18 writes it. */
  assert_values(
      IP "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens "
         "AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs "
         "OutRsts InCsumErrors\n"
         "Tcp: 1 200 120000 -1 11 12 13 14 15 16 17 18 19 20 21\n" UDP,
      11, 12, 15, 18);
  /* In another order, with others between them, and more to come. */
  assert_values("Tcp: RetransSegs New PassiveOpens RetransSegsX CurrEstab "
                "ActiveOpens Last More\n"
                "Tcp: 4 99 2 99 3 1 99\n",
                1, 2, 3, 4);
  assert_values("Tcp: ActiveOpens PassiveOpens CurrEstab RetransSegs\n"
                "Tcp: 1 2 3 4 5 6",
                1, 2, 3, 4);
  assert_values("Tcp: ActiveOpens PassiveOpens CurrEstab RetransSegs\n"
                "Tcp: 0 18446744073709551615 4294967296 0\n",
                0, UINT64_MAX, UINT64_C(1) << 32, 0);
}

static void long_lines_are_read(void **state) {
  (void)state;
  enum { COLUMNS = 3000 };
  static char text[1 << 17];
  size_t at = (size_t)sprintf(text, IP "Tcp:");
  for (int i = 0; i < COLUMNS; i++)
    at += (size_t)sprintf(text + at, " ANameOfSomeLength%d", i);
  at += (size_t)sprintf(text + at, " ActiveOpens PassiveOpens CurrEstab "
                                   "RetransSegs\nTcp:");
  for (int i = 0; i < COLUMNS; i++)
    at += (size_t)sprintf(text + at, " %d", i);
  sprintf(text + at, " 1 2 3 4\n");
  assert_values(text, 1, 2, 3, 4);
}

static void missing_lines_and_columns_are_refused(void **state) {
  (void)state;
  static const char ends[] = ": ends before the TCP values";
  static const char none[] = ": no values below the TCP names";
  assert_refused("", ends);
  assert_refused(IP UDP, ends);
  assert_refused("tcp: ActiveOpens\ntcp: 1\n", ends);
  assert_refused("TcpExt: ActiveOpens\nTcpExt: 1\n", ends);
  assert_refused("Tcp: ActiveOpens PassiveOpens CurrEstab RetransSegs\n", ends);
  assert_refused("Tcp: ActiveOpens PassiveOpens CurrEstab RetransSegs\n" UDP,
                 none);
  assert_refused("Tcp: ActiveOpens PassiveOpens CurrEstab RetransSegs\n\n",
                 none);

  assert_refused("Tcp:\nTcp:\n", ": no value of ActiveOpens");
  assert_refused("Tcp: PassiveOpens CurrEstab RetransSegs\nTcp: 1 2 3\n",
                 ": no value of ActiveOpens");
  assert_refused("Tcp: ActiveOpens CurrEstab RetransSegs\nTcp: 1 2 3\n",
                 ": no value of PassiveOpens");
  assert_refused("Tcp: ActiveOpens PassiveOpens RetransSegs\nTcp: 1 2 3\n",
                 ": no value of CurrEstab");
  assert_refused("Tcp: ActiveOpens PassiveOpens CurrEstab\nTcp: 1 2 3\n",
                 ": no value of RetransSegs");
  assert_refused("Tcp: ActiveOpens PassiveOpens CurrEstab RetransSegs\n"
                 "Tcp: 1 2 3\n",
                 ": no value of RetransSegs");
}

static void values_that_are_no_counts_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *value, *shown;
  } rows[] = {
      {"-1", "-1"},
      {"+1", "+1"},
      {"x", "x"},
      {"0x10", "0x10"},
      {"1.5", "1.5"},
      {"18446744073709551616", "18446744073709551616"},
      {"99999999999999999999999999999999999999999999",
       "99999999999999999999999999999999"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    char text[256], expected[128];
    snprintf(text, sizeof(text),
             "Tcp: ActiveOpens PassiveOpens CurrEstab RetransSegs\n"
             "Tcp: 1 2 %s 4\n",
             rows[i].value);
    snprintf(expected, sizeof(expected), ": CurrEstab \"%s\" is no count",
             rows[i].shown);
    assert_refused(text, expected);
  }
}

static void unreadable_file_is_reported(void **state) {
  (void)state;
  struct proc_snmp h;
  struct error error;
  assert_int_equal(proc_snmp_read("/no/such/file", &h, &error), -1);
  assert_string_equal(error.text, "/no/such/file: No such file or directory");
  assert_int_equal(proc_snmp_read("/proc/self", &h, &error), -1);
  assert_string_equal(error.text, "/proc/self: Is a directory");
  assert_int_equal(proc_snmp_read("/no/such/file", &h, NULL), -1);
}

/* --- the real file -------------------------------------------------------- */

enum { CONNECTIONS = 5 };

/* Connections on loopback, open both ends. */
static void connect_some(int client[CONNECTIONS], int server[CONNECTIONS]) {
  struct sockaddr_in to = {.sin_family = AF_INET,
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(to);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&to, sizeof(to)), 0);
  assert_int_equal(listen(listener, CONNECTIONS), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&to, &size), 0);
  for (int i = 0; i < CONNECTIONS; i++) {
    client[i] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client[i], (struct sockaddr *)&to, sizeof(to)), 0);
    server[i] = accept(listener, NULL, NULL);
    assert_true(server[i] >= 0);
  }
  close(listener);
}

static struct proc_snmp read_usual(void) {
  struct proc_snmp h;
  struct error error;
  if (proc_snmp_read(NULL, &h, &error) != 0)
    fail_msg("%s", error.text);
  return h;
}

/* Others may connect meanwhile. */
static void counters_follow_real_connections(void **state) {
  (void)state;
  int client[CONNECTIONS], server[CONNECTIONS];
  struct proc_snmp before = read_usual();
  connect_some(client, server);
  struct proc_snmp after = read_usual();
  for (int i = 0; i < CONNECTIONS; i++) {
    close(client[i]);
    close(server[i]);
  }
  assert_true(after.active_opens >= before.active_opens + CONNECTIONS);
  assert_true(after.passive_opens >= before.passive_opens + CONNECTIONS);
  assert_true(after.curr_estab >= 2 * CONNECTIONS);
  assert_true(after.retrans_segs >= before.retrans_segs);

  struct proc_snmp named;
  struct error error;
  assert_int_equal(proc_snmp_read("/proc/self/net/snmp", &named, &error), 0);
  assert_true(named.active_opens >= after.active_opens);
}

struct elsewhere {
  bool possible;
  int result;
  struct proc_snmp usual;
  struct error error;
};

static void *read_elsewhere(void *data) {
  struct elsewhere *e = data;
  e->possible = unshare(CLONE_NEWNET) == 0; /* of this thread only */
  if (e->possible)
    e->result = proc_snmp_read(NULL, &e->usual, &e->error);
  return NULL;
}

/* A thread in a namespace of its own, in which nothing has happened. */
static void file_is_of_the_calling_threads_namespace(void **state) {
  (void)state;
  int client[CONNECTIONS], server[CONNECTIONS];
  connect_some(client, server);
  struct elsewhere e = {.possible = false};
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, read_elsewhere, &e), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  struct proc_snmp here = read_usual();
  for (int i = 0; i < CONNECTIONS; i++) {
    close(client[i]);
    close(server[i]);
  }
  if (!e.possible) {
    print_message("No privilege for a network namespace\n");
    skip();
  }
  assert_int_equal(e.result, 0);
  assert_int_equal(e.usual.active_opens, 0);
  assert_int_equal(e.usual.passive_opens, 0);
  assert_int_equal(e.usual.curr_estab, 0);
  assert_int_equal(e.usual.retrans_segs, 0);
  assert_true(here.active_opens >= CONNECTIONS);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(open_file_is_read_anew_each_time),
      cmocka_unit_test(columns_are_found_by_name),
      cmocka_unit_test(long_lines_are_read),
      cmocka_unit_test(missing_lines_and_columns_are_refused),
      cmocka_unit_test(values_that_are_no_counts_are_refused),
      cmocka_unit_test(unreadable_file_is_reported),
      cmocka_unit_test(counters_follow_real_connections),
      cmocka_unit_test(file_is_of_the_calling_threads_namespace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
