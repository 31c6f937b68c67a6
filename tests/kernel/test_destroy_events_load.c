/* destroy_events under load, with a pair of sockets in the kernel's place:
 * nothing is lost, comes twice or out of order; the queue is bounded; the
 * thread ends when told. */
#include "support/event_peer.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum {
  SENDERS = 8,
  EACH = 25000, /* events of one sender */
  STEP = 1250,  /* of all senders: make a backlog, do not fill the queue */
  MANY = 60000, /* more than the queue holds */
  MIB = 1 << 20,
};

/* Held by a scan. */
static pthread_mutex_t scan = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint refused, taken; /* calls of backlog_take() */

struct got {
  uint32_t next[SENDERS]; /* the number that has to come */
  uint64_t after_ms[SENDERS][EACH], last_ms;
};
static struct got got;
static _Atomic uint64_t sent_ms[SENDERS][EACH]; /* sent then, or before */
static atomic_uint quota;                       /* events of each, until now */

static void check(const struct nlmsghdr *nlh, uint64_t after_ms, void *data) {
  struct got *g = data;
  const struct event *e = (const void *)nlh;
  assert_int_equal((uintptr_t)nlh % 4, 0);
  assert_in_range(e->sender, 0, SENDERS - 1);
  assert_int_equal(e->number, g->next[e->sender]);
  assert_in_range(e->number, 0, EACH - 1);
  g->next[e->sender]++;
  assert_true(event_is_whole(e));
  assert_true(after_ms >= g->last_ms);
  g->last_ms = after_ms;
  g->after_ms[e->sender][e->number] = after_ms;
}

static void *send_all(void *data) {
  uint32_t sender = (uint32_t)(uintptr_t)data;
  for (uint32_t i = 0; i < EACH; i++) {
    while (i >= quota)
      sched_yield();
    if (!peer_send(sender, i, 0))
      break;
    sent_ms[sender][i] = now_ms();
  }
  return NULL;
}

/* As a plugin would: if no scan is under way, and without waiting for it. */
static void backlog_take(void *data) {
  (void)data;
  peer.backlog++;
  if (pthread_mutex_trylock(&scan) != 0) {
    refused++;
    return;
  }
  destroy_events_take(peer.destroy, check, &got);
  pthread_mutex_unlock(&scan);
  taken++;
}

/* A scan that goes on until there is a backlog, and then takes; then a backlog
 * alone. */
static void cycle(void) {
  unsigned before = refused;
  pthread_mutex_lock(&scan);
  quota += STEP;
  while (refused == before)
    pause_ms(1);
  destroy_events_take(peer.destroy, check, &got);
  pthread_mutex_unlock(&scan);
  before = taken;
  quota += STEP;
  while (taken == before)
    pause_ms(1);
}

static void no_event_is_lost_under_load(void **state) {
  (void)state;
  pthread_t thread[SENDERS];
  peer_begin(backlog_take);
  peer_start();
  for (uintptr_t i = 0; i < SENDERS; i++)
    assert_int_equal(pthread_create(&thread[i], NULL, send_all, (void *)i), 0);
  while (quota < EACH)
    cycle();
  for (size_t i = 0; i < SENDERS; i++)
    pthread_join(thread[i], NULL);
  destroy_events_stop(peer.destroy);
  destroy_events_take(peer.destroy, check, &got);
  for (size_t s = 0; s < SENDERS; s++) {
    assert_int_equal(got.next[s], EACH);
    for (size_t i = 0; i < EACH; i++)
      if (got.after_ms[s][i] > sent_ms[s][i])
        fail_msg("an event of %" PRIu64 " is said to be after %" PRIu64,
                 sent_ms[s][i], got.after_ms[s][i]);
  }
  struct destroy_events_totals totals = destroy_events_totals(peer.destroy);
  assert_int_equal(totals.received, SENDERS * EACH);
  assert_int_equal(totals.lost, 0);
  print_message("%u refused, %u takes by the backlog function\n", refused,
                taken);
  peer_end();
}

/* The thread held up: the taker does all by itself. */

static atomic_bool held;

static void backlog_hold(void *data) {
  (void)data;
  peer.backlog++;
  while (held)
    pause_ms(1);
}

static void *send_many(void *data) {
  uint32_t sender = (uint32_t)(uintptr_t)data;
  for (uint32_t i = 0; i < MANY; i++)
    if (!peer_send(sender, i, 0))
      break;
  return NULL;
}

static void events_arrive_while_the_backlog_function_waits(void **state) {
  (void)state;
  pthread_t sender;
  held = true;
  peer_begin(backlog_hold);
  peer_start();
  assert_int_equal(pthread_create(&sender, NULL, send_many, NULL), 0);
  while (peer.backlog == 0)
    pause_ms(1);
  size_t n = 0;
  while (n < MANY)
    n += peer_take();
  pthread_join(sender, NULL);
  assert_int_equal(peer.backlog, 1);
  held = false;
  destroy_events_stop(peer.destroy);
  assert_int_equal(n + peer_take(), MANY);
  peer_end();
}

/* The queue full, and never taken. */

static void backlog_refuse(void *data) {
  (void)data;
  peer.backlog++;
}

/* Sends until nothing is taken any more while the thread has tried 20 times. */
static size_t fill(uint32_t *number) {
  size_t bytes = 0;
  for (;;) {
    unsigned tries = peer.backlog;
    while (!peer_send(0, *number, MSG_DONTWAIT)) {
      assert_int_equal(errno, EAGAIN);
      if (peer.backlog - tries > 20)
        return bytes;
      pause_ms(1);
    }
    bytes += event_size(0, (*number)++);
  }
}

static void loss_from_a_full_queue_is_counted_exactly(void **state) {
  (void)state;
  peer_begin(backlog_refuse);
  peer_start();
  uint32_t sent = 0;
  size_t bytes = fill(&sent);
  assert_in_range(bytes, 14 * MIB, 17 * MIB);
  uint64_t since = now_ms();
  unsigned tries = peer.backlog;
  pause_ms(300);
  tries = peer.backlog - tries; /* the thread does not spin */
  assert_in_range(tries, 0, (now_ms() - since) / 5 + 5);
  assert_true(destroy_events_runs(peer.destroy));
  destroy_events_stop(peer.destroy);
  assert_false(destroy_events_runs(peer.destroy));
  size_t n = peer_take();
  struct destroy_events_totals totals = destroy_events_totals(peer.destroy);
  assert_int_equal(totals.received, n);
  assert_int_equal(totals.received + totals.lost, sent);
  assert_in_range(totals.lost, 1, sent / 10);
  peer_end();
}

/* KiB of memory that this process may write to. */
static long memory(void) {
  long pages = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  assert_non_null(f);
  assert_int_equal(fscanf(f, "%*d %*d %*d %*d %*d %ld", &pages), 1);
  fclose(f);
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* The taker takes what the queue and the socket hold, and all goes on; the
 * memory is given back, each time. */
static void memory_is_given_back_after_a_full_queue(void **state) {
  (void)state;
  peer_begin(backlog_refuse);
  peer_start();
  long before = memory();
  for (int i = 0; i < 3; i++) {
    uint32_t sent = 0;
    fill(&sent);
    assert_true(memory() - before > 14 * 1024);
    assert_int_equal(peer_take(), sent);
    assert_true(memory() - before < 6 * 1024);
    peer_send_many(1, 100);
    assert_int_equal(peer_take(), 100);
  }
  destroy_events_stop(peer.destroy);
  assert_int_equal(destroy_events_totals(peer.destroy).lost, 0);
  peer_end();
}

static void *send_on(void *data) {
  for (uint32_t i = 0; peer_send(0, i, 0); i++)
    ;
  return data;
}

/* The one who stops holds the lock of the scan, and the senders go on. */
static void stop_ends_under_load(void **state) {
  (void)state;
  pthread_t sender[2];
  refused = taken = 0;
  peer_begin(backlog_take);
  peer_start();
  pthread_mutex_lock(&scan);
  for (size_t i = 0; i < 2; i++)
    assert_int_equal(pthread_create(&sender[i], NULL, send_on, NULL), 0);
  while (refused < 2)
    pause_ms(1);
  destroy_events_stop(peer.destroy);
  for (size_t i = 0; i < 2; i++)
    pthread_join(sender[i], NULL);
  assert_int_equal(taken, 0);
  assert_true(peer_take() > 1000);
  pthread_mutex_unlock(&scan);
  peer_end();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_event_is_lost_under_load),
      cmocka_unit_test(events_arrive_while_the_backlog_function_waits),
      cmocka_unit_test(loss_from_a_full_queue_is_counted_exactly),
      cmocka_unit_test(memory_is_given_back_after_a_full_queue),
      cmocka_unit_test(stop_ends_under_load),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
