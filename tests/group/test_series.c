/* series: each transition of the table at the head of series.c, as a short
 * history of a few members. A step is a letter and the member it is about:
 *
 *   r  the member's series is to report at once: a new one, or its retired one
 *   c  the same, chosen by the settling
 *   l  the series leaves
 *   u  a connection of the member is added in this dump
 *   o  one of its connections opened
 *
 * and without a member:
 *
 *   ,  series age; no socket joined their members
 *   ^  series age; a socket joined each member, and may be gone again
 *   .  the end of a read: names, dispatch, commit; then the next dump begins
 */
#include "group/series.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* `s` and `t` have different keys and the same name. */
static const struct {
  char letter;
  const char *congestion;
} members[] = {{'a', "a"},   {'b', "b"},     {'c', "c"},
               {'d', "d"},   {'e', "e"},     {'s', "x_y"},
               {'t', "x y"}, {'v', "other"}, {'w', "worst1"}};

enum { MEMBERS = sizeof(members) / sizeof(members[0]), TEXT_MAX = 512 };

static const char state_letter[SERIES_STATE_COUNT] = {
    [SERIES_NONE] = 'N',    [SERIES_CHOSEN] = 'C',  [SERIES_REPORTING] = 'R',
    [SERIES_LEAVING] = 'L', [SERIES_RETIRED] = 'X',
};

struct world {
  struct group_settings settings;
  struct plan *plan;
  struct name_lookup *names;
  struct key_table *table;
  struct series_set *set;
  struct series *series[MEMBERS]; /* by member; NULL: none */
  char dispatched[TEXT_MAX];      /* in the last read */
};

static void on_ended(uint32_t member, void *data) {
  struct world *w = data;
  assert_non_null(w->series[member]); /* a series ends once */
  w->series[member] = NULL;
}

static void world_make(struct world *w) {
  memset(w, 0, sizeof(*w));
  w->settings.name = (char *)"group";
  w->settings.by[w->settings.by_count++] = DIMENSION_CONGESTION;
  w->settings.max_members = 1; /* so 4 retired series are remembered */
  w->settings.member_timeout = 2;
  w->settings.worst = 1;
  assert_int_equal(metric_list_add(&w->settings.metrics, METRIC_OPENED, NULL),
                   0);
  assert_int_equal(
      metric_list_add(&w->settings.metrics, METRIC_BYTES_SENT, NULL), 0);
  w->plan = plan_new(&w->settings.metrics);
  w->names = name_lookup_new();
  w->table = key_table_new(member_key_size(&w->settings), 8);
  w->set = series_set_new(&(struct series_options){
      .settings = &w->settings,
      .plan = w->plan,
      .names = w->names,
      .members = w->table,
      .ended = on_ended,
      .data = w,
  });
  assert_non_null(w->set);
  for (uint32_t i = 0; i < MEMBERS; i++) {
    struct socket_attrs attrs = {.uid = 0};
    uint8_t key[MEMBER_KEY_MAX];
    strcpy(attrs.congestion, members[i].congestion);
    member_key_make(&w->settings, &attrs, key);
    assert_true(series_set_reserve(w->set, i + 1));
    assert_int_equal(key_table_add(w->table, key), i);
  }
  series_set_begin(w->set);
}

static void world_free(struct world *w) {
  series_set_free(w->set);
  key_table_free(w->table);
  name_lookup_free(w->names);
  plan_free(w->plan);
  metric_list_clear(&w->settings.metrics);
}

static void connection_add(struct accumulator *a) {
  static const uint64_t delta[FIELD_COUNT];
  const struct sample sample = {.state = TCP_STATE_ESTABLISHED};
  const struct observation o = {.sample = &sample, .delta = delta};
  accumulator_add(a, &o);
}

/* --- Steps ---------------------------------------------------------------- */

static uint32_t member_of(char letter) {
  for (uint32_t i = 0; i < MEMBERS; i++)
    if (members[i].letter == letter)
      return i;
  fail_msg("no member %c", letter);
  return 0;
}

static void give(struct world *w, uint32_t member, enum series_state state) {
  if (w->series[member] != NULL)
    series_resume(w->set, w->series[member], state);
  else
    w->series[member] = series_new(w->set, member, state);
  assert_int_equal(series_state_of(w->series[member]), state);
  assert_int_equal(series_member(w->series[member]), member);
}

static void age(struct world *w, bool joined) {
  struct series *s = NULL;
  while ((s = series_set_next(w->set, s)) != NULL)
    series_age(w->set, s, joined);
}

static void on_opened(const struct accumulator_value *v, void *data) {
  if (strcmp(v->instance, "opened") == 0)
    *(int64_t *)data = v->counter;
}

/* Appends NAME=OPENED, with a `*` if only counters are dispatched. The hash at
 * the end of a name is written as `#`. */
static void on_series(const char *name, struct accumulator *a,
                      bool counters_only, void *data) {
  struct world *w = data;
  size_t at = strlen(w->dispatched);
  size_t length = strlen(name);
  bool hash = length > 9 && name[length - 9] == '_' &&
              strspn(name + length - 8, "0123456789abcdef") == 8;
  int64_t opened = -1;
  accumulator_emit(a, 0, counters_only ? ACCUMULATOR_COUNTERS : ACCUMULATOR_ALL,
                   on_opened, &opened);
  snprintf(w->dispatched + at, TEXT_MAX - at, "%s%.*s%s%s=%d",
           at > 0 ? " " : "", (int)(hash ? length - 8 : length), name,
           hash ? "#" : "", counters_only ? "*" : "", (int)opened);
}

static void read_end(struct world *w) {
  w->dispatched[0] = '\0';
  series_set_name(w->set);
  series_set_each(w->set, on_series, w);
  series_set_commit(w->set);
  series_set_begin(w->set);
}

static void step(struct world *w, char what, uint32_t member) {
  switch (what) {
  case 'r':
    give(w, member, SERIES_REPORTING);
    return;
  case 'c':
    give(w, member, SERIES_CHOSEN);
    return;
  case 'l':
    series_leave(w->set, w->series[member]);
    return;
  case 'u':
    connection_add(series_set_accumulator(w->set, member));
    return;
  case 'o':
    accumulator_count(series_set_accumulator(w->set, member),
                      ACCUMULATOR_OPENED);
    return;
  }
  fail_msg("no step %c", what);
}

static void run(struct world *w, const char *steps) {
  for (; *steps != '\0'; steps++)
    if (*steps == '.')
      read_end(w);
    else if (*steps == ',' || *steps == '^')
      age(w, *steps == '^');
    else if (*steps != ' ') {
      step(w, steps[0], member_of(steps[1]));
      steps++;
    }
}

/* Writes each member that has a series, and its state: "aR tX". */
static void states_write(const struct world *w, char text[TEXT_MAX]) {
  size_t at = 0;
  text[0] = '\0';
  for (uint32_t i = 0; i < MEMBERS; i++)
    if (w->series[i] != NULL)
      at += (size_t)snprintf(text + at, TEXT_MAX - at, "%s%c%c",
                             at > 0 ? " " : "", members[i].letter,
                             state_letter[series_state_of(w->series[i])]);
}

/* --- Transitions ---------------------------------------------------------- */

#define RETIRE_ABCD "ra oa . la . rb ob ob . lb . rc . lc . rd . ld ."

/* `dispatched`: in the last read. `states`: after all steps. */
static const struct history {
  const char *what, *steps, *dispatched, *states;
} table[] = {
    /* NONE */
    {"without series all is counted in other", "ua oa .", "other=1", ""},
    {"a series reports at once", "ra ua oa .", "a=1 other=0", "aR"},
    {"a chosen series dispatches its counters", "ca ua oa .", "a*=0 other=1",
     "aR"},

    /* CHOSEN */
    {"until the commit", "ca", "", "aC"},
    {"and reports after it", "ca oa . ua oa .", "a=1 other=1", "aR"},

    /* REPORTING */
    {"a series goes on", "ra ua oa . ua oa .", "a=2 other=0", "aR"},
    {"a series that leaves is dispatched", "ra ua oa . ua oa la .",
     "a=2 other=0", "aX"},
    {"until the commit", "ra . la", "a=0 other=0", "aL"},
    {"one read without a socket", "ra ua . , .", "a=0 other=0", "aR"},
    {"MemberTimeout reads without one: leaves", "ra ua . , . ,", "a=0 other=0",
     "aL"},
    {"a connection ends the idle time", "ra . , . ua , . ,", "a=0 other=0",
     "aR"},
    {"so does a socket that joined", "ra . , . ^ . ,", "a=0 other=0", "aR"},

    /* LEAVING */
    {"what comes later is counted in other", "ra oa . la oa .", "a=1 other=1",
     "aX"},

    /* RETIRED */
    {"a retired series is not dispatched", "ra oa . la . oa .", "other=1",
     "aX"},
    {"its counters go on when it reports", "ra oa . la . oa . ra oa .",
     "a=2 other=1", "aR"},
    {"and when it is chosen", "ra oa . la . ca oa .", "a*=1 other=1", "aR"},
    {"its idle time starts anew", "ra . , . , . ra . ,", "a=0 other=0", "aR"},

    /* Two members of one name. */
    {"both live: the later one gets a hash", "rs us os . us rt ut .",
     "x_y=1 x_y_#=0 other=0", "sR tR"},
    {"both are new", "rs us rt ut .", "x_y=0 x_y_#=0 other=0", "sR tR"},
    {"a chosen one keeps its name", "cs ct .", "x_y*=0 x_y_#*=0 other=0",
     "sR tR"},
    {"one that leaves and is used keeps its name", "rs . us ls rt ut .",
     "x_y=0 x_y_#=0 other=0", "sX tR"},
    {"the hash stays when the other one is gone",
     "rs us rt ut . ls ut . ut ot .", "x_y_#=1 other=0", "sX tR"},
    {"an unused one that reports is inherited", "rs us os . rt ut ot .",
     "x_y=2 other=0", "tR"},
    {"and its member is counted in other", "rs us os . rt ut . ut os .",
     "x_y=1 other=1", "tR"},
    {"an unused one that leaves is inherited", "rs us os . ls rt ut ot .",
     "x_y=2 other=0", "tR"},
    {"a retired one is inherited", "rs us os . ls . rt ut ot .",
     "x_y=2 other=0", "tR"},
    {"by a chosen one, too", "rs us os . ls . ct ot .", "x_y*=1 other=1", "tR"},
    {"and back", "rs os . ls . rt ot . lt . rs os .", "x_y=3 other=0", "sR"},
    {"two keep their own series", "rs us rt ut ot . ls lt . rt ut . ut .",
     "x_y_#=1 other=0", "sX tR"},

    /* Names that the group uses itself. */
    {"a member called other gets a hash", "rv uv ov .", "other_#=1 other=0",
     "vR"},
    {"and goes on under it", "rv uv ov . lv . ov . rv ov .",
     "other_#=2 other=1", "vR"},
    {"a member called worst1 gets a hash", "rw uw ow .", "worst1_#=1 other=0",
     "wR"},

    /* 4 x MaxMembers retired series are remembered. */
    {"four are remembered", RETIRE_ABCD, "d=0 other=0", "aX bX cX dX"},
    {"the oldest of five is forgotten", RETIRE_ABCD "re . le .", "e=0 other=0",
     "bX cX dX eX"},
    {"one that reported again is not the oldest",
     RETIRE_ABCD "ra . la . re . le .", "e=0 other=0", "aX cX dX eX"},
    {"a remembered one has its own counters", RETIRE_ABCD "re . le . rc .",
     "c=0 other=0", "bX cR dX eX"},
    {"a forgotten one starts at the floor", RETIRE_ABCD "re . le . ra oa .",
     "a=2 other=0", "aR bX cX dX eX"},
    {"so does every new one", RETIRE_ABCD "re . le . rs os .", "x_y=2 other=0",
     "bX cX dX eX sR"},
    {"the floor rises to what is forgotten",
     RETIRE_ABCD "re . le . rs . ls . ra .", "a=2 other=0", "aR cX dX eX sX"},
    {"and never falls", RETIRE_ABCD "re . le . rs . ls . rv . lv . ra .",
     "a=2 other=0", "aR dX eX sX vX"},
};

static void each_transition_keeps_names_and_counters(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
    const struct history *h = &table[i];
    struct world w;
    char states[TEXT_MAX];
    world_make(&w);
    run(&w, h->steps);
    states_write(&w, states);
    if (strcmp(w.dispatched, h->dispatched) != 0 ||
        strcmp(states, h->states) != 0)
      fail_msg("%s (%s): dispatched \"%s\", not \"%s\"; states \"%s\", not "
               "\"%s\"",
               h->what, h->steps, w.dispatched, h->dispatched, states,
               h->states);
    world_free(&w);
  }
}

/* --- The set -------------------------------------------------------------- */

static void chosen_reporting_and_leaving_series_take_room(void **state) {
  (void)state;
  struct world w;
  world_make(&w);
  assert_true(series_set_has_room(w.set));
  run(&w, "ca");
  assert_false(series_set_has_room(w.set));
  run(&w, ".");
  assert_false(series_set_has_room(w.set));
  run(&w, "la");
  assert_false(series_set_has_room(w.set));
  run(&w, ".");
  assert_true(series_set_has_room(w.set));
  world_free(&w);
}

static void a_floor_exists_once_counters_are_forgotten(void **state) {
  (void)state;
  struct world w;
  world_make(&w);
  run(&w, RETIRE_ABCD "rs . rt ut ."); /* t inherits from s: not forgotten */
  assert_false(series_set_has_floor(w.set));
  run(&w, "lt .");
  assert_true(series_set_has_floor(w.set));
  world_free(&w);
}

static void the_sum_is_that_of_all_series_and_of_other(void **state) {
  (void)state;
  struct world w;
  world_make(&w);
  struct accumulator *total = accumulator_new(w.plan);
  run(&w, "ra rb cc ua ub uc ud . lb . ua ua ub uc uc uc uc ud");
  accumulator_begin(total);
  series_set_sum(w.set, total);
  assert_int_equal(accumulator_connections(total), 8);
  assert_int_equal(accumulator_connections(series_set_other(w.set)), 2);
  accumulator_free(total);
  world_free(&w);
}

static void on_bytes(const struct accumulator_value *v, void *data) {
  if (strcmp(v->instance, "opened") != 0)
    *(int64_t *)data = v->counter;
}

static void growth_is_in_the_sum_once(void **state) {
  (void)state;
  static const uint64_t delta[FIELD_COUNT] = {[FIELD_BYTES_SENT] = 5};
  struct world w;
  int64_t bytes = -1;
  world_make(&w);
  struct accumulator *total = accumulator_new(w.plan);
  run(&w, "ra .");
  accumulator_add_growth(series_set_accumulator(w.set, member_of('a')), delta);
  accumulator_add_growth(series_set_other(w.set), delta);
  for (int i = 0; i < 2; i++) {
    series_set_sum(w.set, total);
    accumulator_emit(total, SIZE_MAX, ACCUMULATOR_COUNTERS, on_bytes, &bytes);
    assert_int_equal(bytes, 10);
    run(&w, ".");
  }
  accumulator_free(total);
  world_free(&w);
}

static void a_retired_series_keeps_no_values_of_a_dump(void **state) {
  (void)state;
  struct world w;
  world_make(&w);
  run(&w, "ra . ua la . ra");
  struct accumulator *a = series_set_accumulator(w.set, member_of('a'));
  assert_ptr_not_equal(a, series_set_other(w.set));
  assert_int_equal(accumulator_connections(a), 0);
  world_free(&w);
}

static void series_are_walked_in_the_order_in_which_they_came(void **state) {
  (void)state;
  struct world w;
  world_make(&w);
  run(&w, "rb ra rc . lb . rb");
  struct series *s = NULL;
  static const char order[] = "acb";
  for (size_t i = 0; i < 3; i++) {
    s = series_set_next(w.set, s);
    assert_non_null(s);
    assert_int_equal(series_member(s), member_of(order[i]));
  }
  assert_null(series_set_next(w.set, s));
  world_free(&w);
}

static void a_trimmed_set_can_grow_again(void **state) {
  (void)state;
  enum { MANY = 100000 };
  struct world w;
  world_make(&w);
  run(&w, "ra oa .");
  for (int round = 0; round < 3; round++) {
    assert_true(series_set_reserve(w.set, MANY));
    assert_ptr_equal(series_set_accumulator(w.set, MANY - 1),
                     series_set_other(w.set));
    series_set_prefetch(w.set, MANY - 1);
    series_set_trim(w.set, MEMBERS);
    series_set_prefetch(w.set, UINT32_MAX); /* no member has this number */
    series_set_prefetch(w.set, 0);
  }
  run(&w, "oa .");
  assert_string_equal(w.dispatched, "a=2 other=0");
  world_free(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_transition_keeps_names_and_counters),
      cmocka_unit_test(chosen_reporting_and_leaving_series_take_room),
      cmocka_unit_test(a_floor_exists_once_counters_are_forgotten),
      cmocka_unit_test(the_sum_is_that_of_all_series_and_of_other),
      cmocka_unit_test(growth_is_in_the_sum_once),
      cmocka_unit_test(a_retired_series_keeps_no_values_of_a_dump),
      cmocka_unit_test(series_are_walked_in_the_order_in_which_they_came),
      cmocka_unit_test(a_trimmed_set_can_grow_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
