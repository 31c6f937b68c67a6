/* member: each rule of the ladder at the head of member.c, as a short history
 * of a few members. A step is a letter and the member it is about:
 *
 *   j q    a socket of the member joins; a socket of it leaves
 *   s m l  its sockets sent 10, 1,000 or 1,000,000 bytes
 *
 * A `.` without a member is the end of a read, and a `!` uses up more than half
 * of the names that there may be. MaxMembers is 2, so that one
 * series may change hands in a read; MemberTimeout is 2. */
#include "group/member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TEXT_MAX = 64 };

struct world {
  struct group_settings settings;
  struct plan *plan;
  struct name_lookup *names;
  struct members *members;
  uint32_t member['z' + 1];  /* number, by letter */
  unsigned sockets['z' + 1]; /* by letter */
  char dispatched[TEXT_MAX]; /* in the last read */
};

static void world_make(struct world *w) {
  memset(w, 0, sizeof(*w));
  w->settings.name = (char *)"group";
  w->settings.by[w->settings.by_count++] = DIMENSION_REMOTE_PORT;
  w->settings.max_members = 2;
  w->settings.member_timeout = 2;
  assert_int_equal(metric_list_add(&w->settings.metrics, METRIC_OPENED, NULL),
                   0);
  w->plan = plan_new(&w->settings.metrics);
  w->names = name_lookup_new();
  w->members = members_new(&w->settings, w->plan, w->names);
  assert_non_null(w->members);
  members_begin(w->members);
}

static void world_free(struct world *w) {
  members_free(w->members);
  name_lookup_free(w->names);
  plan_free(w->plan);
  metric_list_clear(&w->settings.metrics);
}

/* Appends the member's letter, with a `*` if only counters are dispatched. */
static void on_series(const char *name, struct accumulator *a,
                      bool counters_only, void *data) {
  struct world *w = data;
  size_t at = strlen(w->dispatched);
  (void)a;
  if (strcmp(name, "other") != 0)
    snprintf(w->dispatched + at, TEXT_MAX - at, "%c%s ", atoi(name),
             counters_only ? "*" : "");
}

/* The dump shows each socket. */
static void sockets_show(struct world *w) {
  static const uint64_t delta[FIELD_COUNT];
  const struct sample sample = {.state = TCP_STATE_ESTABLISHED};
  const struct observation o = {.sample = &sample, .delta = delta};
  for (size_t i = 0; i <= 'z'; i++)
    for (unsigned k = 0; k < w->sockets[i]; k++)
      accumulator_add(members_accumulator(w->members, w->member[i]), &o);
}

static void read_end(struct world *w) {
  w->dispatched[0] = '\0';
  sockets_show(w);
  members_settle(w->members);
  members_each(w->members, on_series, w);
  size_t at = strlen(w->dispatched);
  snprintf(w->dispatched + at, TEXT_MAX - at, "+%zu",
           members_in_other(w->members));
  members_commit(w->members);
  members_begin(w->members);
}

static void step(struct world *w, char what, char letter) {
  const struct socket_attrs attrs = {.remote_port = (uint16_t)letter};
  uint32_t *member = &w->member[(unsigned char)letter];
  switch (what) {
  case 'j':
    *member = members_join(w->members, &attrs);
    w->sockets[(unsigned char)letter]++;
    return;
  case 'q':
    members_leave(w->members, *member, false);
    w->sockets[(unsigned char)letter]--;
    return;
  case 's':
    members_add_bytes(w->members, *member, 10);
    return;
  case 'm':
    members_add_bytes(w->members, *member, 1000);
    return;
  case 'l':
    members_add_bytes(w->members, *member, 1000000);
    return;
  }
  fail_msg("no step %c", what);
}

/* So many members have a series, and leave. */
static void names_use(struct world *w) {
  enum { FIRST = 1000, MANY = 33000 };
  static uint32_t member[MANY];
  w->settings.max_members = MANY;
  for (unsigned i = 0; i < MANY; i++) {
    const struct socket_attrs attrs = {.remote_port = (uint16_t)(FIRST + i)};
    member[i] = members_join(w->members, &attrs);
  }
  members_settle(w->members);
  members_commit(w->members);
  for (unsigned i = 0; i < MANY; i++)
    members_leave(w->members, member[i], false);
  w->settings.max_members = 2;
  for (unsigned read = 0; read <= w->settings.member_timeout; read++)
    read_end(w);
}

static void run(struct world *w, const char *steps) {
  for (; *steps != '\0'; steps++)
    if (*steps == '.')
      read_end(w);
    else if (*steps == '!')
      names_use(w);
    else if (*steps != ' ') {
      step(w, steps[0], steps[1]);
      steps++;
    }
}

/* `dispatched`: the series of the last read, and how many members with a socket
 * had none. */
static const struct history {
  const char *what, *steps, *dispatched;
} table[] = {
    /* Rule 1. */
    {"the first socket gets a free series", "ja .", "a +0"},
    {"two series, three members", "ja jb jc .", "a b +1"},
    {"one that had a series gets one again", "ja qa . . . ja .", "a +0"},
    {"a later socket gets none at once", "ja jb jc la mb qa . . . jc .",
     "b c* +1"},
    {"if names are scarce it is chosen", "! ja .", "a* +1"},
    {"and reports in the next read", "! ja . .", "a +0"},

    /* Rule 2. */
    {"a series stays for one read without a socket", "ja . qa . .", "a +0"},
    {"and leaves after MemberTimeout", "ja . qa . . .", "+0"},
    {"a short-lived socket keeps it", "ja . qa . ja qa . .", "a +0"},

    /* Rule 3. */
    {"a member without a socket is no candidate", "ja jb jc la lb mc . qc . .",
     "a b +0"},
    {"one with a short-lived socket is", "ja jb la lb jc lc lc lc qc .",
     "a b c* +1"},
    {"but not if names are scarce", "! ja jb la lb . jc lc lc lc qc .",
     "a b +1"},
    {"unless it had one in the read before, too",
     "! ja jb la lb . jc lc lc lc qc . jc lc lc lc qc .", "a b c* +1"},

    /* Rule 5. */
    {"a free series goes to the most active candidate",
     "ja jb jc jd la lb mc ld qa . . . .", "b d* +2"},

    /* Rule 6. */
    {"twice as active is not enough", "ja jb jc la mb mc mc .", "a b +1"},
    {"three times is", "ja jb jc la mb mc mc mc .", "a b c* +1"},
    {"the other one has left by then", "ja jb jc la mb mc mc mc . .", "a c +1"},
    {"sockets count as well as bytes", "ja jb jc jc jc .", "a b c* +1"},
    {"of equally active ones the younger leaves", "ja jb jc jc jc . .",
     "a c +1"},
    {"activity fades", "ja jb sa sb . jc jc jc jc . . . . . . . . .", "a c +1"},

    /* Rule 7. */
    {"one series changes hands in a read", "ja jb jc jd lc ld .", "a b c* +2"},
    {"another one in the next", "ja jb jc jd lc ld . .", "a c d* +2"},
};

static void each_rule_decides_who_gets_a_series(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
    const struct history *h = &table[i];
    struct world w;
    world_make(&w);
    run(&w, h->steps);
    if (strcmp(w.dispatched, h->dispatched) != 0)
      fail_msg("%s (%s): \"%s\", not \"%s\"", h->what, h->steps, w.dispatched,
               h->dispatched);
    world_free(&w);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_rule_decides_who_gets_a_series),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
