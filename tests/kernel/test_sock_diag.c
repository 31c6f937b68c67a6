/* sock_diag against a fake kernel: what ends a dump, and what comes after it.
 */
#include "kernel/sock_diag.h"
#include "support/fake_kernel.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>

enum {
  LONG_MS = 60000, /* never reached where all is well */
  SHORT_MS = 40,
};

/* The cookies that came, in order. */
struct seen {
  size_t count;
  uint32_t cookie[4096];
};

static void see(const struct nlmsghdr *nlh, void *data) {
  struct seen *seen = data;
  const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
  assert_true(mnl_nlmsg_get_payload_len(nlh) >= sizeof(*m));
  assert_true(seen->count < 4096);
  seen->cookie[seen->count++] = m->id.idiag_cookie[0];
}

static struct {
  struct fake_kernel *kernel;
  struct sock_diag *diag;
  struct seen seen;
  struct error error;
} t;

static void begin(fake_answer_fn *const *answers, size_t count) {
  t.kernel = fake_kernel_new(answers, count);
  t.diag = sock_diag_new(fake_kernel_open, t.kernel);
  assert_non_null(t.diag);
}
#define BEGIN(...)                                                             \
  fake_answer_fn *const answers[] = {__VA_ARGS__};                             \
  begin(answers, sizeof(answers) / sizeof(answers[0]))

static enum dump_result ask(struct sock_diag_request r) {
  t.seen.count = 0;
  strcpy(t.error.text, "");
  r.states = 1 << 1;
  return sock_diag_dump(t.diag, &r, see, &t.seen, &t.error);
}

static enum dump_result dump(unsigned timeout_ms) {
  return ask((struct sock_diag_request){.timeout_ms = timeout_ms});
}

static void assert_dump_complete(size_t count) {
  if (dump(LONG_MS) != DUMP_COMPLETE)
    fail_msg("%s", t.error.text);
  assert_int_equal(t.seen.count, count);
  for (size_t i = 0; i < count; i++)
    assert_int_equal(t.seen.cookie[i], i + 1);
}

static void assert_dump_fails(unsigned timeout_ms, const char *why) {
  assert_int_equal(dump(timeout_ms), DUMP_FAILED);
  if (strstr(t.error.text, why) == NULL)
    fail_msg("\"%s\" is not in \"%s\"", why, t.error.text);
}

static void end(size_t sockets) {
  sock_diag_free(t.diag);
  fake_kernel_stop(t.kernel);
  assert_int_equal(t.kernel->opened, sockets);
  fake_kernel_free(t.kernel);
}

/* Sockets with the cookies `first` and so on. */
static void put_sockets(struct messages *m, uint32_t first, size_t count) {
  static const uint8_t info[280];
  for (size_t i = 0; i < count; i++) {
    messages_socket(m, &(struct message_socket){.cookie = first + i});
    messages_info(m, info, sizeof(info));
  }
}

static void answer_well(struct fake_socket *s, uint32_t sequence) {
  struct messages m;
  for (uint32_t i = 0; i < 10; i++) {
    messages_begin(&m, sequence, 0);
    put_sockets(&m, 1 + 50 * i, 50);
    fake_socket_send(s, &m);
  }
  messages_begin(&m, sequence, 0);
  messages_done(&m, 0);
  fake_socket_send(s, &m);
}

static void complete_dump_hands_over_each_answer(void **state) {
  (void)state;
  BEGIN(answer_well, answer_well, answer_well);
  assert_dump_complete(500);
  assert_dump_complete(500);
  assert_dump_complete(500);
  end(1);
}

static void answer_empty(struct fake_socket *s, uint32_t sequence) {
  struct messages m;
  messages_begin(&m, sequence, 0);
  messages_done(&m, 0);
  fake_socket_send(s, &m);
}

static uint32_t sequences[3];
static size_t sequence_count;

static void answer_noting(struct fake_socket *s, uint32_t sequence) {
  sequences[sequence_count++] = sequence;
  answer_empty(s, sequence);
}

static void answers_to_other_requests_are_skipped(void **state) {
  (void)state;
  BEGIN(answer_noting, answer_noting, answer_noting);
  sequence_count = 0;
  for (size_t i = 0; i < 3; i++)
    assert_dump_complete(0);
  end(1);
  assert_int_equal(sequence_count, 3);
  assert_int_not_equal(sequences[0], sequences[1]);
  assert_int_not_equal(sequences[1], sequences[2]);
  assert_int_not_equal(sequences[0], sequences[2]);
}

static void dump_may_have_no_answer(void **state) {
  (void)state;
  BEGIN(answer_empty, answer_well);
  assert_dump_complete(0);
  assert_dump_complete(500);
  end(1);
}

static void answer_done_enoent(struct fake_socket *s, uint32_t sequence) {
  struct messages m;
  messages_begin(&m, sequence, 0);
  put_sockets(&m, 1, 3);
  messages_done(&m, ENOENT);
  fake_socket_send(s, &m);
}

static void error_in_the_last_message_fails_the_dump(void **state) {
  (void)state;
  BEGIN(answer_done_enoent, answer_well);
  assert_dump_fails(LONG_MS, "tcp_diag");
  assert_dump_complete(500);
  end(2);
}

static void answer_ebusy_amid(struct fake_socket *s, uint32_t sequence) {
  struct messages m;
  messages_begin(&m, sequence, 0);
  put_sockets(&m, 1, 3);
  messages_error(&m, EBUSY);
  put_sockets(&m, 4, 3);
  fake_socket_send(s, &m);
  answer_empty(s, sequence);
}

static void error_amid_answers_fails_the_dump(void **state) {
  (void)state;
  BEGIN(answer_ebusy_amid, answer_well);
  assert_dump_fails(LONG_MS, strerror(EBUSY));
  assert_int_equal(t.seen.count, 3);
  assert_dump_complete(500);
  end(2);
}

static void answer_eopnotsupp(struct fake_socket *s, uint32_t sequence) {
  struct messages m;
  messages_begin(&m, sequence, 0);
  messages_error(&m, EOPNOTSUPP);
  fake_socket_send(s, &m);
}

static void answer_eperm(struct fake_socket *s, uint32_t sequence) {
  struct messages m;
  messages_begin(&m, sequence, 0);
  messages_error(&m, EPERM);
  fake_socket_send(s, &m);
}

static void errors_of_the_kernel_have_hints(void **state) {
  (void)state;
  BEGIN(answer_eopnotsupp, answer_eperm, answer_well);
  assert_dump_fails(LONG_MS, "inet_diag");
  assert_dump_fails(LONG_MS, "policy");
  assert_dump_complete(500);
  end(3);
}

static void answer_einval(struct fake_socket *s, uint32_t sequence) {
  struct messages m;
  messages_begin(&m, sequence, 0);
  messages_error(&m, EINVAL);
  fake_socket_send(s, &m);
}

static void answer_eacces_in_done(struct fake_socket *s, uint32_t sequence) {
  struct messages m;
  messages_begin(&m, sequence, 0);
  messages_done(&m, EACCES);
  fake_socket_send(s, &m);
}

static void answer_einval_amid(struct fake_socket *s, uint32_t sequence) {
  struct messages m;
  messages_begin(&m, sequence, 0);
  put_sockets(&m, 1, 3);
  messages_error(&m, EINVAL);
  fake_socket_send(s, &m);
}

static void answer_einval_in_second(struct fake_socket *s, uint32_t sequence) {
  struct messages m;
  messages_begin(&m, sequence, 0);
  put_sockets(&m, 1, 1);
  fake_socket_send(s, &m);
  answer_einval(s, sequence);
}

static void answer_einval_foreign(struct fake_socket *s, uint32_t sequence) {
  answer_einval(s, sequence - 1);
  answer_empty(s, sequence);
}

static enum dump_result dump_filtered(void) {
  static const struct inet_diag_bc_op code[] = {{INET_DIAG_BC_JMP, 4, 4}};
  return ask((struct sock_diag_request){
      .timeout_ms = LONG_MS, .code = code, .code_size = sizeof(code)});
}

/* Only what comes instead of a first answer to a request with a filter. */
static void only_a_filter_can_be_refused(void **state) {
  (void)state;
  static const struct {
    fake_answer_fn *answer;
    enum dump_result filtered, plain;
    const char *why;
  } rows[] = {
      {answer_einval, DUMP_REFUSED, DUMP_FAILED, "Invalid argument"},
      {answer_eperm, DUMP_REFUSED, DUMP_FAILED, "not permitted"},
      {answer_eacces_in_done, DUMP_REFUSED, DUMP_FAILED, "denied"},
      {answer_einval_amid, DUMP_FAILED, DUMP_FAILED, "ended the dump"},
      {answer_einval_in_second, DUMP_FAILED, DUMP_FAILED, "ended the dump"},
      {answer_done_enoent, DUMP_FAILED, DUMP_FAILED, "tcp_diag"},
      {answer_eopnotsupp, DUMP_FAILED, DUMP_FAILED, "inet_diag"},
      {answer_einval_foreign, DUMP_COMPLETE, DUMP_COMPLETE, ""},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    BEGIN(rows[i].answer, rows[i].answer, answer_well);
    assert_int_equal(dump_filtered(), rows[i].filtered);
    bool refused = rows[i].filtered == DUMP_REFUSED;
    if (strstr(t.error.text, rows[i].why) == NULL ||
        (strstr(t.error.text, "filter") != NULL) != refused)
      fail_msg("row %zu: \"%s\"", i, t.error.text);
    if (refused)
      assert_int_equal(t.seen.count, 0);
    assert_int_equal(dump(LONG_MS), rows[i].plain);
    assert_null(strstr(t.error.text, "filter"));
    assert_dump_complete(500);
    end(rows[i].plain == DUMP_COMPLETE ? 1 : 3);
  }
}

/* Completes the dump after all, so that a diag without a timeout is noticed. */
static void answer_too_late(struct fake_socket *s, uint32_t sequence) {
  if (!fake_socket_await_close(s, 10000))
    answer_empty(s, sequence);
}

static void answer_dripping(struct fake_socket *s, uint32_t sequence) {
  struct messages m;
  for (uint32_t i = 0; i < 2000; i++) {
    messages_begin(&m, sequence, 0);
    put_sockets(&m, 1 + i, 1);
    if (!fake_socket_send(s, &m) || fake_socket_await_close(s, 5))
      return;
  }
  answer_empty(s, sequence);
}

static void dump_ends_at_its_timeout(void **state) {
  (void)state;
  BEGIN(answer_too_late, answer_dripping, answer_well);
  assert_dump_fails(SHORT_MS, "40 ms");
  assert_dump_fails(SHORT_MS, "40 ms");
  assert_dump_complete(500);
  end(3);
}

static volatile sig_atomic_t signals;

static void count_signal(int number) {
  (void)number;
  signals++;
}

/* A signal every millisecond, which interrupts system calls for good. */
static void signals_start(void) {
  signals = 0;
  const struct sigaction action = {.sa_handler = count_signal};
  const struct itimerval often = {{0, 1000}, {0, 1000}};
  assert_return_code(sigaction(SIGALRM, &action, NULL), errno);
  assert_return_code(setitimer(ITIMER_REAL, &often, NULL), errno);
}

static void signals_stop(void) {
  const struct itimerval never = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &never, NULL);
  signal(SIGALRM, SIG_DFL);
}

/* Each part comes after some signals have met the waiting dump. */
static void answer_after_signals(struct fake_socket *s, uint32_t sequence) {
  struct messages m;
  for (uint32_t i = 0; i < 5; i++) {
    for (int before = signals; signals < before + 10;)
      if (fake_socket_await_close(s, 1))
        return;
    messages_begin(&m, sequence, 0);
    put_sockets(&m, 1 + i, 1);
    fake_socket_send(s, &m);
  }
  answer_empty(s, sequence);
}

static void signals_do_not_fail_a_dump(void **state) {
  (void)state;
  BEGIN(answer_after_signals, answer_too_late, answer_well);
  signals_start();
  assert_dump_complete(5);
  assert_dump_fails(SHORT_MS, "40 ms");
  assert_dump_complete(500);
  signals_stop();
  end(2);
}

static void answer_too_long(struct fake_socket *s, uint32_t sequence) {
  struct messages m;
  messages_begin(&m, sequence, 0);
  put_sockets(&m, 1, 90); /* 33 KB; the last does not fit diag's buffer */
  fake_socket_send(s, &m);
  answer_empty(s, sequence);
}

static void answer_left_over(struct fake_socket *s, uint32_t sequence) {
  struct messages m;
  messages_begin(&m, sequence, 0);
  put_sockets(&m, 1, 2);
  messages_raw(&m, "12345678", 8);
  fake_socket_send(s, &m);
  answer_empty(s, sequence);
}

/* The length is past INT_MAX. */
static void answer_huge_length(struct fake_socket *s, uint32_t sequence) {
  struct messages m;
  messages_begin(&m, sequence, 0);
  put_sockets(&m, 1, 2);
  m.last->nlmsg_len = 0x80000010;
  fake_socket_send(s, &m);
  answer_empty(s, sequence);
}

static void answer_nothing_at_all(struct fake_socket *s, uint32_t sequence) {
  struct messages m;
  messages_begin(&m, sequence, 0);
  fake_socket_send(s, &m);
  answer_empty(s, sequence);
}

static void malformed_answer_fails_the_dump(void **state) {
  (void)state;
  BEGIN(answer_too_long, answer_left_over, answer_huge_length,
        answer_nothing_at_all, answer_well);
  assert_dump_fails(LONG_MS, "more than the 32768");
  assert_int_equal(t.seen.count, 0);
  assert_dump_fails(LONG_MS, "malformed");
  assert_dump_fails(LONG_MS, "malformed");
  assert_dump_fails(LONG_MS, "empty");
  assert_dump_complete(500);
  end(5);
}

static void answer_interrupted(struct fake_socket *s, uint32_t sequence) {
  struct messages m;
  messages_begin(&m, sequence, 0);
  put_sockets(&m, 1, 2);
  messages_done(&m, 0);
  m.last->nlmsg_flags |= NLM_F_DUMP_INTR;
  fake_socket_send(s, &m);
}

static void inconsistent_dump_fails(void **state) {
  (void)state;
  BEGIN(answer_interrupted, answer_well);
  assert_dump_fails(LONG_MS, "changed");
  assert_dump_complete(500);
  end(2);
}

/* Foreign data, errors and ends before and between the right ones. */
static void answer_among_foreign(struct fake_socket *s, uint32_t sequence) {
  struct messages m;
  for (uint32_t i = 0; i < 3; i++) {
    messages_begin(&m, sequence, 0);
    put_sockets(&m, 1 + i, 1);
    m.sequence = sequence - 1;
    put_sockets(&m, 100, 1);
    messages_error(&m, EBUSY);
    messages_done(&m, 0);
    m.sequence = 0;
    messages_done(&m, 0);
    m.sequence = sequence;
    m.port = 4711;
    put_sockets(&m, 200, 1);
    messages_done(&m, 0);
    fake_socket_send(s, &m);
  }
  answer_empty(s, sequence);
}

static void messages_to_other_ports_are_skipped(void **state) {
  (void)state;
  BEGIN(answer_among_foreign, answer_among_foreign);
  assert_dump_complete(3);
  assert_dump_complete(3);
  end(1);
}

static void answer_closing(struct fake_socket *s, uint32_t sequence) {
  struct messages m;
  messages_begin(&m, sequence, 0);
  put_sockets(&m, 1, 2);
  fake_socket_send(s, &m);
  shutdown(s->fd, SHUT_RDWR);
}

static void closed_socket_fails_the_dump(void **state) {
  (void)state;
  BEGIN(answer_closing, answer_well);
  assert_dump_fails(LONG_MS, "empty");
  assert_dump_complete(500);
  end(2);
}

static int open_never(void *data) {
  (*(int *)data)++;
  errno = EAFNOSUPPORT;
  return -1;
}

static void dump_fails_without_a_socket(void **state) {
  (void)state;
  int calls = 0;
  t.diag = sock_diag_new(open_never, &calls);
  assert_dump_fails(LONG_MS, "RestrictAddressFamilies");
  assert_dump_fails(LONG_MS, strerror(EAFNOSUPPORT));
  assert_int_equal(calls, 2);
  sock_diag_free(t.diag);
}

static void request_has_its_bytes(void **state) {
  (void)state;
  static const uint8_t code[65532] = {1, 2, 3, [65527] = 9};
  struct sock_diag_request r = {.states = 0x402,
                                .extensions = 0x12,
                                .code = code,
                                .code_size = 65528,
                                .timeout_ms = LONG_MS};
  BEGIN(answer_empty);
  if (sock_diag_dump(t.diag, &r, see, &t.seen, &t.error) != DUMP_COMPLETE)
    fail_msg("%s", t.error.text);
  r.code_size = 65532;
  assert_int_equal(sock_diag_dump(t.diag, &r, see, &t.seen, &t.error),
                   DUMP_FAILED);
  assert_non_null(strstr(t.error.text, "65528"));
  r.code_size = 6;
  assert_int_equal(sock_diag_dump(t.diag, &r, see, &t.seen, &t.error),
                   DUMP_FAILED);
  sock_diag_free(t.diag);
  fake_kernel_stop(t.kernel);

  assert_int_equal(t.kernel->requests, 1);
  const struct nlmsghdr *nlh = (const void *)t.kernel->request;
  assert_int_equal(nlh->nlmsg_len, t.kernel->request_size);
  assert_int_equal(nlh->nlmsg_type, TCPDIAG_GETSOCK);
  assert_int_equal(nlh->nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
  const struct inet_diag_req *q = mnl_nlmsg_get_payload(nlh);
  assert_int_equal(q->idiag_states, 0x402);
  assert_int_equal(q->idiag_ext, 0x12);
  size_t attributes = 0;
  const struct nlattr *a;
  mnl_attr_for_each(a, nlh, sizeof(*q)) {
    attributes++;
    assert_int_equal(mnl_attr_get_type(a), INET_DIAG_REQ_BYTECODE);
    assert_int_equal(mnl_attr_get_payload_len(a), 65528);
    assert_memory_equal(mnl_attr_get_payload(a), code, 65528);
  }
  assert_int_equal(attributes, 1);
  fake_kernel_free(t.kernel);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(complete_dump_hands_over_each_answer),
      cmocka_unit_test(dump_may_have_no_answer),
      cmocka_unit_test(answers_to_other_requests_are_skipped),
      cmocka_unit_test(error_in_the_last_message_fails_the_dump),
      cmocka_unit_test(error_amid_answers_fails_the_dump),
      cmocka_unit_test(errors_of_the_kernel_have_hints),
      cmocka_unit_test(only_a_filter_can_be_refused),
      cmocka_unit_test(dump_ends_at_its_timeout),
      cmocka_unit_test(signals_do_not_fail_a_dump),
      cmocka_unit_test(malformed_answer_fails_the_dump),
      cmocka_unit_test(inconsistent_dump_fails),
      cmocka_unit_test(messages_to_other_ports_are_skipped),
      cmocka_unit_test(closed_socket_fails_the_dump),
      cmocka_unit_test(dump_fails_without_a_socket),
      cmocka_unit_test(request_has_its_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
