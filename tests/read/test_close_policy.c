/* Tests read/close_policy.c: if and when destroy events are received. The test
 * plays the kernel, which sends as many events as the test needs, and sets the
 * clock. */
#include "read/close_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>

#include <cmocka.h>

enum { SECOND = 1000, RATE = 100 };

struct world {
  struct settings settings;
  struct close_policy *close_policy;
  int kernel; /* the kernel's end of the subscription; -1: none */
  unsigned opened;
  bool refuse;
  int buffer; /* bytes that the kernel grants; 0: as it likes */
  uint64_t now_ms, taken;
  struct proc_snmp host;
};

static int on_open(void *data) {
  struct world *w = data;
  int fd[2];
  w->opened++;
  if (w->refuse)
    return -1;
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
  if (w->kernel >= 0)
    close(w->kernel);
  if (w->buffer > 0)
    assert_int_equal(
        setsockopt(fd[1], SOL_SOCKET, SO_RCVBUF, &w->buffer, sizeof(w->buffer)),
        0);
  w->kernel = fd[0];
  return fd[1];
}

static void on_backlog(void *data) { (void)data; }

static void on_event(const struct nlmsghdr *nlh, uint64_t after_ms,
                     void *data) {
  (void)nlh;
  (void)after_ms;
  ((struct world *)data)->taken++;
}

static void start(struct world *w, enum count_closed count_closed) {
  *w = (struct world){
      .settings = {.count_closed = count_closed, .max_close_rate = RATE},
      .kernel = -1,
      .now_ms = 1000000};
  w->close_policy = close_policy_new(&w->settings, on_open, w, on_backlog, w);
  assert_non_null(w->close_policy);
}

static void stop(struct world *w) {
  close_policy_free(w->close_policy);
  if (w->kernel >= 0)
    close(w->kernel);
}

/* Simulates an interval of 10 s with `closed` closed connections, in the host's
 * counts and, if there is a subscription, as events; then reads. */
static const struct close_policy_health *
read_after(struct world *w, unsigned closed, bool host_known) {
  const struct nlmsghdr event = {.nlmsg_len = sizeof(event),
                                 .nlmsg_type = NLMSG_MIN_TYPE};
  bool followed =
      close_policy_health(w->close_policy)->state == CLOSE_POLICY_RECEIVING;
  for (unsigned i = 0; followed && i < closed; i++)
    assert_int_equal(send(w->kernel, &event, sizeof(event), 0), sizeof(event));
  w->host.active_opens += closed / 2 + 7;
  w->host.passive_opens += closed - closed / 2;
  w->host.curr_estab += 7;
  w->now_ms += 10 * SECOND;
  close_policy_read(w->close_policy, w->now_ms, host_known ? &w->host : NULL,
                    on_event, w);
  return close_policy_health(w->close_policy);
}

static void never_subscribes_if_off(void **state) {
  (void)state;
  struct world w;
  start(&w, COUNT_CLOSED_NEVER);
  for (int i = 0; i < 10; i++)
    assert_int_equal(read_after(&w, 1, true)->state, CLOSE_POLICY_OFF);
  assert_int_equal(w.opened, 0);
  assert_int_equal(close_policy_health(w.close_policy)->suspended_ms, 0);
  stop(&w);
}

static void receives_events_below_the_rate(void **state) {
  (void)state;
  struct world w;
  start(&w, COUNT_CLOSED_AUTO);
  assert_int_equal(read_after(&w, 0, true)->state, CLOSE_POLICY_RECEIVING);
  for (unsigned i = 1; i <= 5; i++) {
    const struct close_policy_health *h = read_after(&w, 10 * RATE, true);
    assert_int_equal(h->state, CLOSE_POLICY_RECEIVING);
    assert_int_equal(h->received, 10 * RATE * i);
    assert_int_equal(w.taken, 10 * RATE * i);
    assert_int_equal(h->suspended_ms, 0);
  }
  assert_int_equal(w.opened, 1);
  stop(&w);
}

/* Above the rate the subscription ends, after all events received so far were
 * taken. It resumes after some reads, if the host's counts have fallen. */
static void suspends_above_the_rate_and_resumes_below(void **state) {
  (void)state;
  struct world w;
  start(&w, COUNT_CLOSED_AUTO);
  read_after(&w, 0, true);
  const struct close_policy_health *h = read_after(&w, 10 * RATE + 1, true);
  assert_int_equal(h->state, CLOSE_POLICY_SUSPENDED);
  assert_true(h->rate > RATE && h->rate < RATE + 1);
  assert_int_equal(w.taken, 10 * RATE + 1);
  char byte;
  assert_int_equal(recv(w.kernel, &byte, 1, 0),
                   0); /* the other end is closed */

  for (unsigned i = 0; i < 20; i++)
    assert_int_equal(read_after(&w, 9 * RATE, true)->state,
                     CLOSE_POLICY_SUSPENDED);
  assert_int_equal(w.opened, 1);
  assert_int_equal(h->suspended_ms, 20 * 10 * SECOND);
  assert_int_equal(read_after(&w, 7 * RATE, true)->state,
                   CLOSE_POLICY_RECEIVING);
  assert_int_equal(w.opened, 2);

  /* The rate is exceeded again at once: the policy waits for some reads, even
   * if nothing closes. */
  assert_int_equal(read_after(&w, 20 * RATE, true)->state,
                   CLOSE_POLICY_SUSPENDED);
  unsigned waited = 0;
  while (read_after(&w, 0, true)->state == CLOSE_POLICY_SUSPENDED)
    waited++;
  assert_in_range(waited, 6, 30);
  stop(&w);
}

/* Without the host's counts only a new subscription shows the rate, so the
 * policy subscribes less and less often. */
static void tries_less_and_less_often_without_host_counts(void **state) {
  (void)state;
  struct world w;
  start(&w, COUNT_CLOSED_AUTO);
  read_after(&w, 0, false);
  unsigned longest = 0;
  for (unsigned i = 0; i < 8; i++) {
    assert_int_equal(read_after(&w, 20 * RATE, false)->state,
                     CLOSE_POLICY_SUSPENDED);
    unsigned waited = 0;
    while (read_after(&w, 20 * RATE, false)->state == CLOSE_POLICY_SUSPENDED)
      waited++;
    assert_true(waited >= longest);
    longest = waited;
  }
  assert_in_range(longest, 100, 1000);
  stop(&w);
}

static void always_receives_at_any_rate(void **state) {
  (void)state;
  struct world w;
  start(&w, COUNT_CLOSED_ALWAYS);
  for (unsigned i = 0; i < 3; i++)
    assert_int_equal(read_after(&w, 100 * RATE, true)->state,
                     CLOSE_POLICY_RECEIVING);
  assert_int_equal(w.taken, 200 * RATE); /* the first read subscribed */
  stop(&w);
}

static void refused_subscription_is_tried_again(void **state) {
  (void)state;
  struct world w;
  start(&w, COUNT_CLOSED_AUTO);
  w.refuse = true;
  const struct close_policy_health *h = read_after(&w, 1, true);
  assert_int_equal(h->state, CLOSE_POLICY_FAILED);
  assert_true(h->reason.text[0] != '\0');
  for (int i = 0; i < 100; i++)
    assert_int_equal(read_after(&w, 1, true)->state, CLOSE_POLICY_FAILED);
  assert_in_range(w.opened, 2, 6);
  assert_int_equal(h->suspended_ms, 100 * 10 * SECOND);
  w.refuse = false;
  int reads = 0;
  while (read_after(&w, 1, true)->state == CLOSE_POLICY_FAILED)
    assert_true(reads++ < 400);
  assert_int_equal(h->state, CLOSE_POLICY_RECEIVING);
  stop(&w);
}

/* If the subscription breaks, its events are kept and the policy subscribes
 * again. */
static void
broken_subscription_keeps_its_events_and_is_tried_again(void **state) {
  (void)state;
  struct world w;
  start(&w, COUNT_CLOSED_AUTO);
  read_after(&w, 0, true);
  read_after(&w, 5, true);
  close(w.kernel);
  w.kernel = -1;
  const struct close_policy_health *h = close_policy_health(w.close_policy);
  for (int i = 0; i < 100 && h->state == CLOSE_POLICY_RECEIVING; i++) {
    usleep(10000); /* until the thread has seen it */
    w.now_ms += 10 * SECOND;
    close_policy_read(w.close_policy, w.now_ms, NULL, on_event, &w);
  }
  assert_int_equal(h->state, CLOSE_POLICY_FAILED);
  assert_int_equal(h->received, 5);
  int reads = 0;
  while (read_after(&w, 0, true)->state == CLOSE_POLICY_FAILED)
    assert_true(reads++ < 20);
  stop(&w);
}

/* The facts of a message about lost events: what was granted and asked for, in
 * the same unit. */
static void health_has_the_receive_buffer(void **state) {
  (void)state;
  struct world w;
  start(&w, COUNT_CLOSED_AUTO);
  assert_int_equal(close_policy_health(w.close_policy)->buffer, 0);
  w.buffer = 30000;
  const struct close_policy_health *h = read_after(&w, 0, true);
  assert_int_equal(h->buffer, 30000);
  assert_int_equal(h->buffer_asked, 32 << 20);
  stop(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(never_subscribes_if_off),
      cmocka_unit_test(receives_events_below_the_rate),
      cmocka_unit_test(suspends_above_the_rate_and_resumes_below),
      cmocka_unit_test(tries_less_and_less_often_without_host_counts),
      cmocka_unit_test(always_receives_at_any_rate),
      cmocka_unit_test(health_has_the_receive_buffer),
      cmocka_unit_test(refused_subscription_is_tried_again),
      cmocka_unit_test(broken_subscription_keeps_its_events_and_is_tried_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
