/* Tests read/reader.c over a socket whose other end plays the kernel: failed
 * dumps are dropped and counted, and the next dump has all values; a rejected
 * filter is replaced by a coarser one. */
#include "read/reader.h"
#include "support/fake_kernel.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

enum { SOCKETS = 20, INFO_SIZE = 232, TIMEOUT_MS = 1500 };

struct fixture {
  struct group_settings group;
  struct settings settings;
  struct fake_kernel *kernel;
  struct reader *reader;
};

static void start(struct fixture *f, fake_answer_fn *const *answers,
                  size_t count, struct selector *selector) {
  struct error error;
  *f = (struct fixture){.group = {.name = (char *)"all",
                                  .max_members = 10,
                                  .member_timeout = 6,
                                  .selector = selector}};
  assert_non_null(selector);
  assert_int_equal(metric_list_add(&f->group.metrics, METRIC_BYTES_SENT, NULL),
                   0);
  assert_int_equal(metric_list_add(&f->group.metrics, METRIC_CONNECTIONS, NULL),
                   0);
  f->settings = (struct settings){
      .group = &f->group, .group_count = 1, .count_closed = COUNT_CLOSED_NEVER};
  f->kernel = fake_kernel_new(answers, count);
  const struct observer_world world = {.open = fake_kernel_open,
                                       .data = f->kernel};
  f->reader = reader_new(&f->settings, TIMEOUT_MS, &world, &error);
  assert_non_null(f->reader);
}

static void stop(struct fixture *f) {
  reader_free(f->reader);
  fake_kernel_stop(f->kernel);
  fake_kernel_free(f->kernel);
  selector_free(f->group.selector);
  metric_list_clear(&f->group.metrics);
}

/* --- Answers of the kernel ----------------------------------------------- */

/* Each dump shows every socket with 100 bytes more than the dump before. */
static uint64_t bytes;

static void sockets_put(struct messages *m, unsigned count) {
  uint8_t info[INFO_SIZE] = {0};
  memcpy(info + field_table[FIELD_BYTES_SENT].offset, &bytes, sizeof(bytes));
  for (unsigned i = 0; i < count; i++) {
    messages_socket(m, &(struct message_socket){.cookie = i,
                                                .local = "10.0.0.1",
                                                .remote = "10.0.0.2",
                                                .remote_port = 443});
    messages_info(m, info, sizeof(info));
  }
}

static void answer_complete(struct fake_socket *s, uint32_t sequence) {
  static struct messages m;
  bytes += 100;
  messages_begin(&m, sequence, 0);
  sockets_put(&m, SOCKETS);
  messages_done(&m, 0);
  fake_socket_send(s, &m);
}

static void answer_half(struct fake_socket *s, uint32_t sequence,
                        void (*end)(struct messages *, int), int code) {
  static struct messages m;
  bytes += 100;
  messages_begin(&m, sequence, 0);
  sockets_put(&m, SOCKETS / 2);
  if (end != NULL)
    end(&m, code);
  fake_socket_send(s, &m);
}

static void answer_done_enoent(struct fake_socket *s, uint32_t sequence) {
  answer_half(s, sequence, messages_done, ENOENT);
}

static void answer_ebusy(struct fake_socket *s, uint32_t sequence) {
  answer_half(s, sequence, messages_error, EBUSY);
}

static void answer_without_end(struct fake_socket *s, uint32_t sequence) {
  answer_half(s, sequence, NULL, 0); /* until the dump times out */
  fake_socket_await_close(s, 10000);
}

static void answer_einval(struct fake_socket *s, uint32_t sequence) {
  static struct messages m;
  messages_begin(&m, sequence, 0);
  messages_error(&m, EINVAL);
  fake_socket_send(s, &m);
}

static void answer_eperm(struct fake_socket *s, uint32_t sequence) {
  static struct messages m;
  messages_begin(&m, sequence, 0);
  messages_error(&m, EPERM);
  fake_socket_send(s, &m);
}

static void answer_slowly(struct fake_socket *s, uint32_t sequence) {
  static struct messages m;
  bytes += 100;
  messages_begin(&m, sequence, 0);
  sockets_put(&m, SOCKETS);
  fake_socket_send(s, &m);
  usleep(100000); /* signals come meanwhile */
  messages_begin(&m, sequence, 0);
  messages_done(&m, 0);
  fake_socket_send(s, &m);
}

/* --- Values of the reader ------------------------------------------------- */

struct values {
  double connections;
  int64_t bytes;
};

static void on_value(const struct accumulator_value *v, void *data) {
  struct values *values = data;
  if (v->derive)
    values->bytes = v->counter;
  else
    values->connections = v->gauge;
}

static void on_series(const char *member, struct accumulator *accumulator,
                      bool chosen, void *data) {
  (void)member;
  (void)chosen;
  accumulator_emit(accumulator, INFO_SIZE, ACCUMULATOR_ALL, on_value, data);
}

static void read_is(struct fixture *f, enum dump_result expected) {
  struct error error = {.text = ""};
  enum dump_result result = reader_read(f->reader, &error);
  if (result != expected)
    fail_msg("%d: %s", result, error.text);
  if (expected == DUMP_COMPLETE)
    reader_commit(f->reader);
  else
    assert_true(strlen(error.text) > 0);
}

static void values_are(struct fixture *f, double connections, int64_t sent) {
  struct values values = {-1, -1};
  group_each(reader_group(f->reader, 0), on_series, &values);
  assert_true(values.connections == connections);
  assert_int_equal(values.bytes, sent);
}

static void failed_dump_changes_nothing(void **state) {
  (void)state;
  static fake_answer_fn *const answers[] = {
      answer_complete, answer_done_enoent, answer_complete,    answer_ebusy,
      answer_complete, answer_without_end, answer_done_enoent, answer_complete};
  static const bool fails[] = {false, true, false, true,
                               false, true, true,  false};
  struct fixture f;
  uint64_t errors = 0;
  bytes = 0;
  start(&f, answers, sizeof(answers) / sizeof(answers[0]),
        selector_new(SELECTOR_AND));
  for (size_t i = 0; i < sizeof(fails) / sizeof(fails[0]); i++) {
    errors += fails[i];
    read_is(&f, fails[i] ? DUMP_FAILED : DUMP_COMPLETE);
    assert_int_equal(reader_health(f.reader)->observer.errors, errors);
    if (!fails[i]) /* the growth since the first dump, despite failures */
      values_are(&f, SOCKETS, (int64_t)i * 100 * SOCKETS);
  }
  stop(&f);
}

static void on_alarm(int signal) { (void)signal; }

static void signals_do_not_break_a_read(void **state) {
  (void)state;
  static fake_answer_fn *const answers[] = {answer_complete, answer_slowly,
                                            answer_slowly};
  struct sigaction action = {.sa_handler = on_alarm}; /* no SA_RESTART */
  struct itimerval timer = {{0, 3000}, {0, 3000}}, off = {{0, 0}, {0, 0}};
  struct fixture f;
  bytes = 0;
  start(&f, answers, 3, selector_new(SELECTOR_AND));
  sigaction(SIGALRM, &action, NULL);
  for (int i = 0; i < 3; i++) {
    setitimer(ITIMER_REAL, &timer, NULL);
    read_is(&f, DUMP_COMPLETE);
    setitimer(ITIMER_REAL, &off, NULL);
    values_are(&f, SOCKETS, i * 100 * SOCKETS);
  }
  assert_int_equal(reader_health(f.reader)->observer.errors, 0);
  stop(&f);
}

/* Matches sockets outside cgroup 1 with remote port 443. If the kernel rejects
 * the filter, the reader first removes the cgroup and then the port, and keeps
 * the coarser filter. */
static struct selector *refusable(void) {
  struct selector *all = selector_new(SELECTOR_AND);
  struct selector *outside = selector_new(SELECTOR_NOT);
  struct selector *cgroup = selector_new(SELECTOR_CGROUP);
  struct selector *port = selector_new(SELECTOR_REMOTE_PORT);
  assert_int_equal(
      selector_add_value(cgroup, (struct selector_value){1, UINT64_MAX}), 0);
  assert_int_equal(selector_add_port(port, (struct port_range){443, 443}), 0);
  assert_int_equal(selector_add_child(outside, cgroup), 0);
  assert_int_equal(selector_add_child(all, outside), 0);
  assert_int_equal(selector_add_child(all, port), 0);
  return all;
}

/* An attribute that may change during the life of a socket must not hide the
 * socket from a dump: after another change it would count as new, with all its
 * bytes. */
static void
attributes_that_change_are_not_filtered_in_the_kernel(void **state) {
  (void)state;
  static fake_answer_fn *const answers[] = {answer_complete};
  static const enum selector_op op[] = {SELECTOR_MARK, SELECTOR_INTERFACE};
  for (size_t i = 0; i < 2; i++) {
    struct selector *s = selector_new(op[i]);
    struct fixture f;
    assert_int_equal(
        selector_add_value(s, (struct selector_value){1, UINT32_MAX}), 0);
    start(&f, answers, 1, s);
    assert_int_equal(reader_request(f.reader)->code_size, 0);
    stop(&f);
  }
}

static void refused_filter_is_made_coarser(void **state) {
  (void)state;
  static fake_answer_fn *const once[] = {answer_eperm, answer_complete,
                                         answer_complete};
  static fake_answer_fn *const whatever[] = {answer_eperm, answer_eperm,
                                             answer_eperm, answer_complete};
  static fake_answer_fn *const always[] = {answer_eperm, answer_einval,
                                           answer_complete};
  struct fixture f;
  bytes = 0;
  start(&f, once, 3, refusable());
  size_t size = reader_request(f.reader)->code_size;
  read_is(&f, DUMP_COMPLETE);
  values_are(&f, SOCKETS, 0);
  assert_int_equal(reader_health(f.reader)->observer.refused, 1);
  assert_true(strlen(reader_refusal(f.reader)) > 0);
  assert_true(reader_request(f.reader)->code_size > 0);
  assert_true(reader_request(f.reader)->code_size < size);
  read_is(&f, DUMP_COMPLETE);
  assert_int_equal(reader_health(f.reader)->observer.refused, 1);
  values_are(&f, SOCKETS, 100 * SOCKETS);
  stop(&f);

  bytes = 0;
  start(&f, always, 3, refusable());
  read_is(&f, DUMP_COMPLETE);
  assert_int_equal(reader_request(f.reader)->code_size, 0);
  assert_int_equal(reader_health(f.reader)->observer.refused, 1);
  assert_int_equal(reader_health(f.reader)->observer.errors, 0);
  stop(&f);

  /* If the kernel also rejects a request without a filter, the filter is not
   * the reason and stays. */
  bytes = 0;
  start(&f, whatever, 4, refusable());
  read_is(&f, DUMP_FAILED);
  assert_int_equal(reader_request(f.reader)->code_size, size);
  read_is(&f, DUMP_COMPLETE);
  assert_int_equal(reader_request(f.reader)->code_size, size);
  assert_int_equal(reader_health(f.reader)->observer.refused, 0);
  stop(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(failed_dump_changes_nothing),
      cmocka_unit_test(signals_do_not_break_a_read),
      cmocka_unit_test(attributes_that_change_are_not_filtered_in_the_kernel),
      cmocka_unit_test(refused_filter_is_made_coarser),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
