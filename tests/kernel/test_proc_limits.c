/* proc_limits: files that the test writes, and the real ones. */
#include "kernel/proc_limits.h"

#include <arpa/inet.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* --- A folder like /proc -------------------------------------------------- */

static char folder[] = "/tmp/tcpinfo-test-limits-XXXXXX";
static char made[16][128]; /* files and folders in it, in order */
static int made_count;

static const char *path_of(const char *name) {
  static char path[128];
  snprintf(path, sizeof(path), "%s/%s", folder, name);
  return path;
}

static void remember(const char *path) {
  assert_true(made_count < 16);
  snprintf(made[made_count++], sizeof(made[0]), "%s", path);
}

static void folder_make(const char *name) {
  if (mkdir(path_of(name), 0700) == 0)
    remember(path_of(name));
}

static void file_write(const char *name, const char *text) {
  bool there = access(path_of(name), F_OK) == 0;
  FILE *f = fopen(path_of(name), "w");
  assert_non_null(f);
  assert_true(fputs(text, f) >= 0);
  fclose(f);
  if (!there)
    remember(path_of(name));
}

static int setup(void **state) {
  (void)state;
  if (mkdtemp(folder) == NULL)
    return -1;
  folder_make("thread-self");
  folder_make("thread-self/net");
  folder_make("sys");
  folder_make("sys/net");
  folder_make("sys/net/ipv4");
  return 0;
}

static int teardown(void **state) {
  (void)state;
  while (made_count > 0)
    remove(made[--made_count]);
  rmdir(folder);
  memcpy(strchr(folder, '\0') - 6, "XXXXXX", 6);
  return 0;
}

#define SOCKSTAT "thread-self/net/sockstat"
#define UDP "UDP: inuse 5 mem 6\nUDPLITE: inuse 0\n"

static void files_write(const char *sockstat, const char *orphans,
                        const char *time_wait, const char *memory) {
  file_write(SOCKSTAT, sockstat);
  file_write("sys/net/ipv4/tcp_max_orphans", orphans);
  file_write("sys/net/ipv4/tcp_max_tw_buckets", time_wait);
  file_write("sys/net/ipv4/tcp_mem", memory);
}

static struct proc_limits read_folder(void) {
  struct proc_limits l;
  memset(&l, 0x5a, sizeof(l));
  proc_limits_read(folder, &l);
  return l;
}

static double pages(double n) { return n * (double)sysconf(_SC_PAGESIZE); }

/* --- Tests ---------------------------------------------------------------- */

/* The use is read each time, and so are limits that are not known. */
static void limits_are_read_once_a_minute(void **state) {
  (void)state;
  struct proc_limits_files files = {.sockstat = -1};
  struct proc_limits l;
  proc_limits_clear(&l);
  files_write("TCP: inuse 1 orphan 2 tw 3 alloc 4 mem 5\n", "10\n", "", "");
  proc_limits_read_again(&files, folder, 500, &l);
  assert_true(l.orphans == 2 && isnan(l.time_wait_limit));
  files_write("TCP: inuse 1 orphan 2 tw 3 alloc 4 mem 5\n", "10\n", "20\n",
              "1 2 3\n");
  proc_limits_read_again(&files, folder, 1000, &l);
  assert_true(l.orphans == 2 && l.orphans_limit == 10);
  assert_true(l.time_wait_limit == 20);
  int sockstat = files.sockstat;
  assert_true(sockstat >= 0);
  files_write("TCP: inuse 1 orphan 7 tw 3 alloc 4 mem 5\n", "11\n", "20\n",
              "1 2 3\n");
  proc_limits_read_again(&files, folder, 60999, &l);
  assert_true(l.orphans == 7 && l.orphans_limit == 10);
  proc_limits_read_again(&files, folder, 61000, &l);
  assert_true(l.orphans == 7 && l.orphans_limit == 11);
  assert_int_equal(files.sockstat, sockstat);
  close(files.sockstat);
}

/* As Linux 6.18 writes them. */
static void values_are_found_by_name(void **state) {
  (void)state;
  files_write("sockets: used 16\n"
              "TCP: inuse 1 orphan 2 tw 72 alloc 3 mem 19\n" UDP,
              "131072\n", "65536\n", "287901\t383868\t575802\n");
  struct proc_limits l = read_folder();
  assert_true(l.orphans == 2);
  assert_true(l.orphans_limit == 131072);
  assert_true(l.time_wait == 72);
  assert_true(l.time_wait_limit == 65536);
  assert_true(l.tcp_mem == pages(19));
  assert_true(l.tcp_mem_pressure == pages(383868));
  assert_true(l.tcp_mem_limit == pages(575802));

  /* In another order, with more, and without what comes after it. */
  file_write(SOCKSTAT, "TCP: mem 1 new 9 tw 2 orphan 3");
  l = read_folder();
  assert_true(l.tcp_mem == pages(1) && l.time_wait == 2 && l.orphans == 3);
}

/* In other namespaces than the first one there is no limit but TIME_WAIT's. */
static void missing_files_leave_values_unknown(void **state) {
  (void)state;
  struct proc_limits l = read_folder(); /* empty */
  assert_true(isnan(l.orphans) && isnan(l.orphans_limit));
  assert_true(isnan(l.time_wait) && isnan(l.time_wait_limit));
  assert_true(isnan(l.tcp_mem) && isnan(l.tcp_mem_pressure) &&
              isnan(l.tcp_mem_limit));

  file_write(SOCKSTAT, "TCP: inuse 0 orphan 0 tw 0 alloc 1 mem 19\n");
  file_write("sys/net/ipv4/tcp_max_tw_buckets", "7\n");
  l = read_folder();
  assert_true(l.orphans == 0 && l.time_wait == 0 && l.tcp_mem == pages(19));
  assert_true(l.time_wait_limit == 7);
  assert_true(isnan(l.orphans_limit) && isnan(l.tcp_mem_pressure) &&
              isnan(l.tcp_mem_limit));

  proc_limits_read("/no/such/folder", &l);
  assert_true(isnan(l.orphans) && isnan(l.tcp_mem_limit));
}

/* Before Linux 3.17 there is no thread-self. */
static void kernels_without_thread_self_are_read(void **state) {
  (void)state;
  folder_make("self");
  folder_make("self/net");
  file_write("self/net/sockstat", "TCP: inuse 1 orphan 2 tw 3 alloc 4 mem 5\n");
  assert_true(read_folder().orphans == 2);
}

static void values_that_are_no_counts_are_unknown(void **state) {
  (void)state;
  static const char *const none[] = {"",
                                     "TCP:",
                                     "TCP:\n",
                                     ("TCP: inuse 1\n" UDP),
                                     "TCP: tw",
                                     "TCP: tw ",
                                     "TCP: tw \n9",
                                     "TCP: tw x\n",
                                     "TCP: tw -1\n",
                                     "TCP: tw 1x\n",
                                     "TCP: xtw 1\n",
                                     "TCP: tw1 1\n",
                                     " TCP: tw 1\n",
                                     "UDP: tw 1\n",
                                     "TCP6: tw 1\n",
                                     "TCP: tw 99999999999999999999999\n",
                                     "TCP: inuse 1\nUDP: tw 5\n"};
  for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
    file_write(SOCKSTAT, none[i]);
    if (!isnan(read_folder().time_wait))
      fail_msg("%s", none[i]);
  }
  static const char *const memory[] = {"",      "\n",     "1",      "1 2",
                                       "x 2 3", "1 2 -3", "1 2 3x", "1 2 0x3"};
  for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]); i++) {
    file_write("sys/net/ipv4/tcp_mem", memory[i]);
    file_write("sys/net/ipv4/tcp_max_orphans", "-1\n");
    struct proc_limits l = read_folder();
    assert_true(isnan(l.tcp_mem_limit));
    assert_true(isnan(l.orphans_limit));
  }
}

/* Longer than any kernel writes it: read up to some length, never beyond. */
static void long_texts_are_harmless(void **state) {
  (void)state;
  static char text[20000];
  memset(text, 'x', sizeof(text) - 1);
  file_write(SOCKSTAT, text);
  file_write("sys/net/ipv4/tcp_max_orphans", text);
  assert_true(isnan(read_folder().orphans));
  memset(text, '1', sizeof(text) - 1);
  file_write("sys/net/ipv4/tcp_max_orphans", text);
  assert_true(isnan(read_folder().orphans_limit));
}

static void percent_is_limited_and_may_be_unknown(void **state) {
  (void)state;
  assert_true(proc_limits_percent(0, 8) == 0);
  assert_true(proc_limits_percent(1, 8) == 12.5);
  assert_true(proc_limits_percent(8, 8) == 100);
  assert_true(proc_limits_percent(9, 8) == 100);
  assert_true(isnan(proc_limits_percent(1, 0)));
  assert_true(isnan(proc_limits_percent(0, 0)));
  assert_true(isnan(proc_limits_percent(NAN, 1)));
  assert_true(isnan(proc_limits_percent(1, NAN)));
}

/* --- The real files ------------------------------------------------------- */

static double first_of(const char *file) {
  double value = NAN;
  FILE *f = fopen(file, "r");
  if (f == NULL)
    return NAN;
  if (fscanf(f, "%lf", &value) != 1)
    value = NAN;
  fclose(f);
  return value;
}

static bool same(double a, double b) {
  return a == b || (isnan(a) && isnan(b));
}

static void real_files_are_read(void **state) {
  (void)state;
  struct proc_limits l;
  proc_limits_read(NULL, &l);
  assert_true(l.orphans >= 0);
  assert_true(l.time_wait >= 0);
  assert_true(l.tcp_mem >= 0);
  assert_true(same(l.orphans_limit, first_of("/proc/sys/net/ipv4/"
                                             "tcp_max_orphans")));
  assert_true(same(l.time_wait_limit, first_of("/proc/sys/net/ipv4/"
                                               "tcp_max_tw_buckets")));
  if (!isnan(l.tcp_mem_limit))
    assert_true(l.tcp_mem_pressure >=
                pages(first_of("/proc/sys/net/ipv4/tcp_mem")));
}

/* One connection on loopback; its client closes first, and so has the
 * TIME_WAIT. */
static void leave_time_wait(void) {
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(a);
  char end;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  int client = socket(AF_INET, SOCK_STREAM, 0);
  bind(listener, (struct sockaddr *)&a, sizeof(a));
  listen(listener, 1);
  getsockname(listener, (struct sockaddr *)&a, &size);
  connect(client, (struct sockaddr *)&a, sizeof(a));
  int server = accept(listener, NULL, NULL);
  shutdown(client, SHUT_WR);
  while (read(server, &end, 1) > 0)
    ;
  close(server);
  while (read(client, &end, 1) > 0)
    ;
  close(client);
  close(listener);
}

struct elsewhere {
  bool possible;
  struct proc_limits before, after;
};

static void *read_elsewhere(void *data) {
  struct elsewhere *e = data;
  /* For this thread only; `lo` is down in the new namespace. */
  e->possible = unshare(CLONE_NEWNET) == 0 && system("ip link set lo up") == 0;
  if (!e->possible)
    return NULL;
  proc_limits_read(NULL, &e->before);
  leave_time_wait();
  proc_limits_read(NULL, &e->after);
  return NULL;
}

/* A thread in a namespace of its own: its own TIME_WAIT sockets, and no limits
 * of what is common to all. */
static void files_are_of_the_calling_threads_namespace(void **state) {
  (void)state;
  struct elsewhere e = {.possible = false};
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, read_elsewhere, &e), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  if (!e.possible) {
    print_message("No privilege for a network namespace\n");
    skip();
  }
  assert_true(e.before.time_wait == 0);
  assert_true(e.after.time_wait == 1);
  assert_true(e.after.time_wait_limit > 0);
  assert_true(isnan(e.after.orphans_limit));
  assert_true(isnan(e.after.tcp_mem_limit));
  assert_true(e.after.tcp_mem >= 0);
}

int main(void) {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(limits_are_read_once_a_minute, setup,
                                      teardown),
      IN_FOLDER(values_are_found_by_name),
      IN_FOLDER(missing_files_leave_values_unknown),
      IN_FOLDER(kernels_without_thread_self_are_read),
      IN_FOLDER(values_that_are_no_counts_are_unknown),
      IN_FOLDER(long_texts_are_harmless),
      cmocka_unit_test(percent_is_limited_and_may_be_unknown),
      cmocka_unit_test(real_files_are_read),
      cmocka_unit_test(files_are_of_the_calling_threads_namespace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
