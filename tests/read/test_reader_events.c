/* Tests read/reader.c while destroy events pour in: the thread that receives
 * them enters them between reads, when many are queued, and leaves them to the
 * reads otherwise. Under ThreadSanitizer this shows races between the two. */
#include "read/reader.h"
#include "support/fake_kernel.h"
#include "support/info.h"

#include <linux/sock_diag.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum {
  EVENTS = 16000,
  BURST = 4000, /* some 1.5 MB: more than the backlog of 1 MiB */
  READS_MAX = 64,
  INFO_SIZE = 280,
  SOCKETS = 40,
  GUARD_S = 240,
};

static int events_fd = -1; /* the kernel's end */
static atomic_uint reads;  /* requests answered */
static atomic_uint poured; /* events sent */

static void address_put(char text[32], unsigned i) {
  snprintf(text, 32, "10.0.%u.%u", i % 3, i % 40);
}

static void answer(struct fake_socket *s, uint32_t sequence) {
  static struct messages m;
  uint64_t sent = 100 * (uint64_t)atomic_fetch_add(&reads, 1);
  messages_begin(&m, sequence, 0);
  for (unsigned i = 0; i < SOCKETS; i++) {
    uint8_t info[INFO_SIZE] = {0};
    char remote[32];
    address_put(remote, i);
    info_put(info, FIELD_BYTES_SENT, sent);
    messages_socket(&m, &(struct message_socket){.cookie = 1 + i,
                                                 .local = "10.0.0.100",
                                                 .remote = remote,
                                                 .local_port = 443,
                                                 .remote_port = 50000,
                                                 .inode = 1});
    messages_info(&m, info, sizeof(info));
  }
  messages_done(&m, 0);
  fake_socket_send(s, &m);
}

static int open_events(void *data) {
  (void)data;
  int fd[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd),
                   0);
  events_fd = fd[1];
  return fd[0];
}

/* Every third connection was never established. The window shows that (linux:
 * tcp_init_metrics() and tcp_ack_update_window(): 0 before). */
static void *pour(void *data) {
  static struct messages m;
  (void)data;
  for (unsigned i = 0; i < EVENTS; i++) {
    uint8_t info[INFO_SIZE] = {0};
    char remote[32];
    address_put(remote, i);
    info_put(info, FIELD_SEGS_OUT, 3);
    if (i % 3 != 0) {
      info_put(info, FIELD_SND_WND, 65536);
      info_put(info, FIELD_SEGS_IN, 3);
      info_put(info, FIELD_BYTES_ACKED, 101);
      info_put(info, FIELD_BYTES_SENT, 100);
    }
    messages_begin(&m, 0, 0);
    m.type = SOCK_DIAG_BY_FAMILY;
    messages_socket(&m, &(struct message_socket){.cookie = 100000 + i,
                                                 .state = TCP_STATE_CLOSE,
                                                 .local = "10.0.0.100",
                                                 .remote = remote,
                                                 .local_port = 443,
                                                 .remote_port = 50000});
    messages_info(&m, info, sizeof(info));
    if (send(events_fd, m.bytes, m.size, MSG_NOSIGNAL) < 0)
      abort();
    atomic_fetch_add(&poured, 1);
  }
  return NULL;
}

struct counts {
  int64_t opened, closed, failed, sent;
};

static void on_value(const struct accumulator_value *v, void *data) {
  struct counts *c = data;
  if (strcmp(v->instance, "opened") == 0)
    c->opened += v->counter;
  else if (strcmp(v->instance, "closed") == 0)
    c->closed += v->counter;
  else if (strcmp(v->instance, "failed") == 0)
    c->failed += v->counter;
  else if (strcmp(v->instance, "bytes_sent") == 0)
    c->sent += v->counter;
}

struct sums {
  struct counts total, members;
};

static void on_series(const char *member, struct accumulator *a, bool chosen,
                      void *data) {
  struct sums *s = data;
  (void)chosen;
  accumulator_emit(a, INFO_SIZE, ACCUMULATOR_COUNTERS, on_value,
                   member == NULL ? &s->total : &s->members);
}

/* Reads once, and returns the events that the plugin has received. */
static uint64_t read_once(struct reader *r, struct sums *sums) {
  struct error error;
  if (reader_read(r, &error) != DUMP_COMPLETE)
    fail_msg("%s", error.text);
  memset(sums, 0, sizeof(*sums));
  group_each(reader_group(r, 0), on_series, sums);
  reader_commit(r);
  return reader_health(r)->observer.close_policy.received;
}

static void check(struct reader *r, const struct sums *s) {
  const struct observer_health *h = &reader_health(r)->observer;
  int64_t failed = (EVENTS + 2) / 3, unclear = (int64_t)h->unclear;
  assert_int_equal(s->total.failed, failed);
  assert_int_equal(s->total.opened, EVENTS - failed - unclear);
  assert_int_equal(s->total.closed, s->total.opened);
  int64_t shown = (int64_t)(atomic_load(&reads) - 1) * 100 * SOCKETS;
  assert_int_equal(s->total.sent, shown + 100 * s->total.opened);
  assert_memory_equal(&s->members, &s->total, sizeof(s->total));
  assert_int_equal(h->malformed, 0);
  assert_int_equal(h->close_policy.lost, 0);
}

static struct group_settings members_settings(void) {
  static const enum metric_id metrics[] = {METRIC_OPENED, METRIC_CLOSED,
                                           METRIC_FAILED, METRIC_BYTES_SENT,
                                           METRIC_OUTLIERS};
  /* As many as there are members, so that none retires with its counters. */
  struct group_settings g = {.name = (char *)"peers",
                             .by = {DIMENSION_REMOTE_ADDRESS},
                             .by_count = 1,
                             .worst = 2,
                             .max_members = 200,
                             .member_timeout = READS_MAX,
                             .selector = selector_new(SELECTOR_AND)};
  assert_non_null(g.selector);
  for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
    assert_int_equal(metric_list_add(&g.metrics, metrics[i], NULL), 0);
  return g;
}

static void events_that_pour_in_during_reads_count_once(void **state) {
  (void)state;
  static fake_answer_fn *answers[READS_MAX];
  for (size_t i = 0; i < READS_MAX; i++)
    answers[i] = answer;
  struct group_settings group = members_settings();
  struct settings settings = {
      .group = &group, .group_count = 1, .count_closed = COUNT_CLOSED_ALWAYS};
  struct fake_kernel *kernel = fake_kernel_new(answers, READS_MAX);
  const struct observer_world world = {
      .open = fake_kernel_open, .open_destroy = open_events, .data = kernel};
  struct error error;
  struct sums sums;
  pthread_t thread;
  alarm(GUARD_S);
  struct reader *r = reader_new(&settings, GUARD_S * 1000, &world, &error);
  assert_non_null(r);
  read_once(r, &sums);
  assert_int_equal(pthread_create(&thread, NULL, pour, NULL), 0);
  /* Every other time it does not read, so that the backlog grows. */
  /* After each burst without a read, reads while the next one comes. */
  for (unsigned burst = BURST; burst <= EVENTS; burst += BURST) {
    while (atomic_load(&poured) < burst)
      sched_yield();
    for (int i = 0; i < 4; i++)
      read_once(r, &sums);
  }
  pthread_join(thread, NULL);
  read_once(r, &sums);
  check(r, &sums);
  reader_free(r);
  close(events_fd);
  fake_kernel_stop(kernel);
  fake_kernel_free(kernel);
  selector_free(group.selector);
  metric_list_clear(&group.metrics);
  alarm(0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(events_that_pour_in_during_reads_count_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
