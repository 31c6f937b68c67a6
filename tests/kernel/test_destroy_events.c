/* destroy_events with a pair of sockets in the place of the kernel: events of a
 * datagram, their times, start and end. */
#include "support/event_peer.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

struct times {
  size_t count;
  uint64_t after_ms[8];
};

static void note_time(const struct nlmsghdr *nlh, uint64_t after_ms,
                      void *data) {
  struct times *times = data;
  (void)nlh;
  assert_in_range(times->count, 0, 7);
  times->after_ms[times->count++] = after_ms;
}

/* An event is not before the socket was last seen empty, nor long before. */
static void event_is_not_dated_after_it_was_sent(void **state) {
  (void)state;
  peer_begin(NULL);
  uint64_t subscribed = now_ms();
  peer_start();
  struct times times = {.count = 0};
  for (size_t i = 0; i < 3; i++) {
    uint64_t before = i > 0 ? now_ms() : subscribed;
    if (i > 0)
      destroy_events_take(peer.destroy, note_time, &times);
    assert_int_equal(times.count, i);
    pause_ms(20);
    assert_true(peer_send(0, 0, 0));
    uint64_t sent = now_ms();
    pause_ms(20);
    destroy_events_take(peer.destroy, note_time, &times);
    assert_int_equal(times.count, i + 1);
    assert_in_range(times.after_ms[i], before, sent);
  }
  peer_end();
}

/* Returns whether an event that comes a moment after a take is dated after that
 * take. */
static bool event_is_dated_after_a_take(void) {
  struct times times = {.count = 0};
  destroy_events_take(peer.destroy, note_time, &times);
  uint64_t taken = now_ms();
  pause_ms(30);
  assert_true(peer_send(0, 0, 0));
  destroy_events_take(peer.destroy, note_time, &times);
  assert_int_equal(times.count, 1);
  return times.after_ms[0] > taken;
}

/* The thread looks at the socket even if nothing comes. */
static void events_are_dated_closely_on_demand(void **state) {
  (void)state;
  peer_begin(NULL);
  peer_start();
  while (event_is_dated_after_a_take())
    pause_ms(1); /* the thread was late with the event before */
  destroy_events_date_closely(peer.destroy, true);
  while (!event_is_dated_after_a_take())
    pause_ms(1); /* the thread got no CPU time */
  destroy_events_stop(peer.destroy);
  peer_close();
  peer_start(); /* still so */
  while (!event_is_dated_after_a_take())
    pause_ms(1);
  peer_end();
}

/* Sends two events for each one that is handed over. */
static void echo(const struct nlmsghdr *nlh, uint64_t after_ms, void *data) {
  peer_count(nlh, after_ms, data);
  peer_send(1, 1, MSG_DONTWAIT);
  peer_send(1, 2, MSG_DONTWAIT);
}

static void events_that_come_during_a_take_wait_for_the_next(void **state) {
  (void)state;
  peer_begin(NULL);
  peer_start();
  peer_send_many(0, 10);
  size_t n = 0;
  destroy_events_take(peer.destroy, echo, &n);
  assert_int_equal(n, 10);
  assert_int_equal(peer_take(), 20);
  assert_int_equal(destroy_events_totals(peer.destroy).received, 30);
  peer_end();
}

static size_t entries(const char *path) {
  DIR *dir = opendir(path);
  assert_non_null(dir);
  size_t n = 0;
  while (readdir(dir) != NULL)
    n++;
  closedir(dir);
  return n;
}

static void events_survive_a_stop_and_a_start(void **state) {
  (void)state;
  peer_begin(NULL);
  assert_int_equal(peer_take(), 0);
  destroy_events_stop(peer.destroy);
  size_t files = entries("/proc/self/fd");
  size_t threads = entries("/proc/self/task");
  for (size_t i = 0; i < 200; i++) {
    peer_start();
    assert_true(destroy_events_runs(peer.destroy));
    peer_start(); /* runs already */
    peer_send_many(0, 20);
    destroy_events_stop(peer.destroy);
    assert_false(destroy_events_runs(peer.destroy));
    peer_close();
    assert_int_equal(entries("/proc/self/fd"), files);
    if (i % 2 == 1)
      assert_int_equal(peer_take(), 40);
  }
  while (entries("/proc/self/task") != threads)
    pause_ms(1); /* a thread that was joined may be seen there for a moment */
  assert_int_equal(destroy_events_totals(peer.destroy).received, 4000);
  peer_end();
}

static void start_fails_without_a_socket(void **state) {
  (void)state;
  peer_begin(NULL);
  struct error error;
  peer.refuse = EMFILE;
  assert_int_equal(destroy_events_start(peer.destroy, &error), -1);
  peer.refuse = 0;
  assert_non_null(strstr(error.text, strerror(EMFILE)));
  assert_false(destroy_events_runs(peer.destroy));
  assert_int_equal(peer_take(), 0);
  destroy_events_stop(peer.destroy);
  peer_start();
  peer_send_many(0, 3);
  assert_int_equal(peer_take(), 3);
  peer_end();
}

/* A socket that cannot be received from any more. */
static void thread_ends_when_its_socket_breaks(void **state) {
  (void)state;
  peer_begin(NULL);
  peer_start();
  peer_send_many(0, 5);
  peer_close();
  while (destroy_events_runs(peer.destroy))
    pause_ms(1);
  assert_int_equal(peer_take(), 5);
  assert_int_equal(peer_take(), 0);
  peer_start();
  peer_send_many(0, 5);
  assert_int_equal(peer_take(), 5);
  assert_true(destroy_events_runs(peer.destroy));
  peer_end();
}

/* Datagrams that are not just one event. */

static void send_bytes(const void *bytes, size_t size) {
  assert_int_equal(send(peer.fd, bytes, size, MSG_NOSIGNAL), size);
}

/* Returns the number of messages that are handed over of a datagram: a header,
 * then `size` - 16 bytes. */
static size_t handed(uint32_t length, uint16_t type, size_t size) {
  static uint8_t bytes[8192];
  memset(bytes, 0xff, sizeof(bytes));
  *(struct nlmsghdr *)bytes =
      (struct nlmsghdr){.nlmsg_len = length, .nlmsg_type = type};
  send_bytes(bytes, size);
  return peer_take();
}

static void malformed_datagrams_are_skipped(void **state) {
  (void)state;
  static const struct {
    uint32_t length;
    uint16_t type;
    size_t size, handed;
  } rows[] = {
      {16, PEER_TYPE, 1, 0},
      {16, PEER_TYPE, 15, 0},
      {16, PEER_TYPE, 16, 1},
      {16, PEER_TYPE, 17, 1}, /* trailing bytes */
      {16, PEER_TYPE, 31, 1},
      {16, PEER_TYPE, 200, 1},
      {0, PEER_TYPE, 16, 0},
      {15, PEER_TYPE, 16, 0},
      {17, PEER_TYPE, 16, 0},
      {17, PEER_TYPE, 17, 1},
      {17, PEER_TYPE, 19, 1},
      {UINT32_MAX, PEER_TYPE, 64, 0},
      {0x80000000, PEER_TYPE, 64, 0},
      {64, NLMSG_NOOP, 64, 0},
      {64, NLMSG_ERROR, 64, 0},
      {64, NLMSG_DONE, 64, 0},
      {64, NLMSG_OVERRUN, 64, 0},
      {64, NLMSG_MIN_TYPE, 64, 1},
      {4096, PEER_TYPE, 4096, 1},
      {4097, PEER_TYPE, 4097, 0}, /* too long */
      {16, PEER_TYPE, 4097, 0},
      {16, PEER_TYPE, 8192, 0},
  };
  peer_begin(NULL);
  peer_start();
  size_t sum = 0;
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    size_t n = handed(rows[i].length, rows[i].type, rows[i].size);
    if (n != rows[i].handed)
      fail_msg("row %zu: %zu messages", i, n);
    sum += n;
  }
  assert_int_equal(destroy_events_totals(peer.destroy).received, sum);
  assert_true(destroy_events_runs(peer.destroy));
  peer_end();
}

/* Several messages in one datagram, of which netlink's own are left out. */
static void all_messages_of_a_datagram_are_handed_over(void **state) {
  (void)state;
  static const struct nlmsghdr several[] = {
      {.nlmsg_len = 16, .nlmsg_type = PEER_TYPE},
      {.nlmsg_len = 16, .nlmsg_type = NLMSG_NOOP},
      {.nlmsg_len = 32, .nlmsg_type = PEER_TYPE},
      {.nlmsg_len = 0},
      {.nlmsg_len = 16, .nlmsg_type = PEER_TYPE},
      {.nlmsg_len = 32, .nlmsg_type = PEER_TYPE}, /* 16 are missing */
  };
  peer_begin(NULL);
  peer_start();
  send_bytes(several, sizeof(several));
  assert_int_equal(peer_take(), 3);
  peer_end();
}

/* The thread. */

/* The signals that the thread of that name blocks; false: there is none. */
static bool thread_blocks(const char *task, const char *name,
                          uint64_t *signals) {
  char path[300], line[256];
  bool its = false, found = false;
  snprintf(path, sizeof(path), "/proc/self/task/%s/status", task);
  FILE *f = fopen(path, "r");
  while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
    char value[64];
    if (sscanf(line, "Name: %63s", value) == 1)
      its = strcmp(value, name) == 0;
    if (its && sscanf(line, "SigBlk: %63s", value) == 1) {
      *signals = strtoull(value, NULL, 16);
      found = true;
    }
  }
  if (f != NULL)
    fclose(f);
  return found;
}

static bool thread_find(const char *name, uint64_t *signals) {
  DIR *dir = opendir("/proc/self/task");
  assert_non_null(dir);
  bool found = false;
  for (struct dirent *e; !found && (e = readdir(dir)) != NULL;)
    found = thread_blocks(e->d_name, name, signals);
  closedir(dir);
  return found;
}

/* It has a name, and leaves the signals to others; the caller's stay as they
 * were. */
static void thread_has_a_name_and_blocks_signals(void **state) {
  (void)state;
  static const int signals[] = {SIGTERM, SIGINT,  SIGHUP,
                                SIGUSR1, SIGCHLD, SIGALRM};
  uint64_t blocked;
  sigset_t none, after;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, NULL);
  peer_begin(NULL);
  assert_false(thread_find("tcpinfo-close", &blocked));
  peer_start();
  pthread_sigmask(SIG_BLOCK, NULL, &after);
  while (!thread_find("tcpinfo-close", &blocked))
    pause_ms(1);
  for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
    assert_true(blocked >> (signals[i] - 1) & 1);
    assert_false(sigismember(&after, signals[i]));
  }
  peer_end();
}

/* Returns how often the thread has gone to sleep. */
static unsigned long thread_sleeps(void) {
  DIR *dir = opendir("/proc/self/task");
  assert_non_null(dir);
  unsigned long sleeps = 0;
  for (struct dirent *e; (e = readdir(dir)) != NULL;) {
    char path[300], line[256];
    bool its = false;
    snprintf(path, sizeof(path), "/proc/self/task/%s/status", e->d_name);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
      its |= strcmp(line, "Name:\ttcpinfo-close\n") == 0;
      if (its)
        sscanf(line, "voluntary_ctxt_switches: %lu", &sleeps);
    }
    if (f != NULL)
      fclose(f);
  }
  closedir(dir);
  return sleeps;
}

/* Without events the thread sleeps, and wakes up only for close dates. */
static void wake_ups_for_close_dates_end(void **state) {
  (void)state;
  peer_begin(NULL);
  peer_start();
  for (int i = 0; i < 2; i++) {
    unsigned long before = thread_sleeps();
    destroy_events_date_closely(peer.destroy, true);
    while (thread_sleeps() < before + 5)
      pause_ms(1);
    destroy_events_date_closely(peer.destroy, false);
    do {
      before = thread_sleeps();
      pause_ms(200);
    } while (thread_sleeps() != before); /* or the test is killed */
  }
  peer_end();
}

static void nothing_can_be_freed(void **state) {
  (void)state;
  destroy_events_free(NULL);
  destroy_events_free(destroy_events_new(NULL, NULL, NULL, NULL));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(event_is_not_dated_after_it_was_sent),
      cmocka_unit_test(events_are_dated_closely_on_demand),
      cmocka_unit_test(events_that_come_during_a_take_wait_for_the_next),
      cmocka_unit_test(events_survive_a_stop_and_a_start),
      cmocka_unit_test(start_fails_without_a_socket),
      cmocka_unit_test(thread_ends_when_its_socket_breaks),
      cmocka_unit_test(malformed_datagrams_are_skipped),
      cmocka_unit_test(all_messages_of_a_datagram_are_handed_over),
      cmocka_unit_test(thread_has_a_name_and_blocks_signals),
      cmocka_unit_test(wake_ups_for_close_dates_end),
      cmocka_unit_test(nothing_can_be_freed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
