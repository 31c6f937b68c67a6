/* Tests connection/connection.c with random histories of sockets. It gets dumps
 * and destroy events, some of which are lost, late or suspended; its groups
 * must count everything once. A failure prints its seed and the shortest part
 * of the history that still fails. TCPINFO_SEED is the number of the first
 * history, TCPINFO_HISTORIES the number of histories. */
#include "support/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HISTORIES = 100000 };

/* The weight of each kind in the random choice; dumps are added separately. */
static const unsigned step_weight[STEP_KINDS] = {
    [STEP_OPEN] = 14,     [STEP_ESTABLISH] = 5, [STEP_FAIL] = 3,
    [STEP_TRAFFIC] = 20,  [STEP_CHANGE] = 5,    [STEP_HALF_CLOSE] = 4,
    [STEP_CLOSE] = 12,    [STEP_RELEASE] = 5,   [STEP_EXPIRE] = 5,
    [STEP_RECONNECT] = 2, [STEP_OTHER] = 1,     [STEP_TAKE] = 2,
};

static enum step_kind random_kind(struct dice *d) {
  unsigned sum = 0;
  for (int i = 0; i < STEP_KINDS; i++)
    sum += step_weight[i];
  unsigned n = dice_below(d, sum);
  for (int i = 0;; i++) {
    if (n < step_weight[i])
      return (enum step_kind)i;
    n -= step_weight[i];
  }
}

static void scenario_add(struct scenario *p, enum step_kind kind,
                         uint32_t sockets, struct dice *d) {
  assert_true(p->count < STEPS_MAX);
  uint64_t seed = dice_next(d);
  seed = seed << 32 | dice_next(d);
  p->step[p->count++] = (struct step){kind, (int)dice_below(d, sockets), seed};
}

static void scenario_make(struct scenario *p, uint64_t seed) {
  static const size_t size[] = {280, 280, 280, 248, 232, 192, 280, 0};
  struct dice d = {seed * 0x9e3779b97f4a7c15u};
  p->info_size = size[dice_below(&d, 8)];
  p->states = TCP_STATES_TRAFFIC;
  if (dice_one_in(&d, 4))
    p->states |= TCP_STATES_REST;
  uint32_t sockets = 1 + dice_below(&d, LIVES_SLOTS);
  p->loses = dice_one_in(&d, 3);
  p->real_bytes = dice_one_in(&d, 32);
  p->followed = !dice_one_in(&d, 8);
  p->hooks = !dice_one_in(&d, 4);
  p->count = 0;
  for (uint32_t opens = dice_below(&d, sockets); opens > 0; opens--)
    scenario_add(p, STEP_OPEN, sockets, &d);
  for (uint32_t dumps = 3 + dice_below(&d, 10); dumps > 0; dumps--) {
    for (uint32_t steps = dice_below(&d, 10); steps > 0; steps--)
      scenario_add(p, random_kind(&d), sockets, &d);
    scenario_add(p, STEP_DUMP, sockets, &d);
  }
}

/* Removes the steps that the failure does not need. */
static void scenario_shorten(struct history *h, struct scenario *p) {
  bool changed = true;
  while (changed) {
    changed = false;
    for (size_t i = p->count; i-- > 0;) {
      struct scenario shorter = *p;
      shorter.count--;
      memmove(&shorter.step[i], &shorter.step[i + 1],
              (shorter.count - i) * sizeof(shorter.step[0]));
      if (history_run(h, &shorter, false))
        continue;
      *p = shorter;
      changed = true;
    }
  }
}

static uint64_t environment(const char *name, uint64_t preset) {
  const char *text = getenv(name);
  return text != NULL ? strtoull(text, NULL, 10) : preset;
}

static void random_histories_count_once_and_end_once(void **state) {
  (void)state;
  static struct history h;
  static struct scenario p;
  uint64_t seed = environment("TCPINFO_SEED", 1);
  uint64_t end = seed + environment("TCPINFO_HISTORIES", HISTORIES);
  for (; seed < end; seed++) {
    scenario_make(&p, seed);
    if (history_run(&h, &p, false))
      continue;
    scenario_shorten(&h, &p);
    printf("TCPINFO_SEED=%llu: tcp_info of %zu bytes, states %x%s\n",
           (unsigned long long)seed, p.info_size, p.states,
           p.followed ? ", events are received" : "");
    history_run(&h, &p, true);
    fail_msg("history %llu: %s", (unsigned long long)seed, h.complaint.text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_histories_count_once_and_end_once),
  };
  return cmocka_run_group_tests(tests, groups_setup, groups_teardown);
}
