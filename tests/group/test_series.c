/* series: each transition of the table at the head of series.c, as a short
 * history of a few members, which are network devices. A step is a letter and
 * the member it is about:
 *
 *   r  the member gets a series that reports at once
 *   c  the settling offers it a series of its own, which it accepts
 *   t  the settling offers it the series of another member; it accepts
 *   n  the settling has nothing to offer
 *   l  the series leaves
 *   u  a connection of the member is added in this dump
 *   o  one of its connections opened
 *   x  its device is gone
 *   k  its device is called k from now on
 *   b  its device is called as at first
 *
 * and without a member:
 *
 *   ,  series age; no socket joined their members
 *   ^  series age; a socket joined each member, and may be gone again
 *   ;  the settling gives names
 *   .  the end of a read: names, dispatch, commit; then the next dump begins
 */
#include "group/series.h"

#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* `s` and `t` are different devices and have the same name when cleaned; so
 * have `f` and `g` in Graphite. `p` and `q` are devices of the same name. */
static const struct {
  char letter;
  const char *device;
} members[] = {{'a', "a"},       {'b', "b"},   {'c', "c"},   {'d', "d"},
               {'e', "e"},       {'f', "f.1"}, {'g', "f_1"}, {'p', "p"},
               {'q', "p"},       {'s', "x+y"}, {'t', "x y"}, {'v', "other"},
               {'w', "worst1-a"}};

enum { MEMBERS = sizeof(members) / sizeof(members[0]), TEXT_MAX = 512 };

/* In the C library's place: the devices' names now, NULL if it is gone. The
 * index is the number of the member plus one. */
static const char *device[MEMBERS];

char *if_indextoname(unsigned index, char name[IF_NAMESIZE]) {
  if (index == 0 || index > MEMBERS || device[index - 1] == NULL)
    return NULL;
  return strcpy(name, device[index - 1]);
}

static const char state_letter[SERIES_STATE_COUNT] = {
    [SERIES_NONE] = 'N',
    [SERIES_CHOSEN] = 'C',
    [SERIES_REPORTING] = 'R',
    [SERIES_LEAVING] = 'L',
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

static void on_taken(uint32_t member, struct series *s, void *data) {
  struct world *w = data;
  w->series[member] = s;
}

static void world_make(struct world *w) {
  memset(w, 0, sizeof(*w));
  w->settings.name = (char *)"group";
  w->settings.by[w->settings.by_count++] = DIMENSION_INTERFACE;
  w->settings.max_members = 1;
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
      .taken = on_taken,
      .data = w,
  });
  assert_non_null(w->set);
  for (uint32_t i = 0; i < MEMBERS; i++) {
    struct socket_attrs attrs = {.interface = i + 1};
    uint8_t key[MEMBER_KEY_MAX];
    device[i] = members[i].device;
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

static void offer_is(struct world *w, uint32_t member,
                     enum series_offer expected) {
  assert_int_equal(series_offer(w->set, member), expected);
  if (expected == SERIES_OFFER_NOTHING)
    return;
  struct series *s = series_accept(w->set);
  assert_non_null(s);
  assert_ptr_equal(w->series[member], s);
  assert_int_equal(series_member(s), member);
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
  name_lookup_renew(w->names);
}

static void step(struct world *w, char what, uint32_t member) {
  switch (what) {
  case 'r':
    w->series[member] = series_begin(w->set, member);
    assert_int_equal(series_state_of(w->series[member]), SERIES_REPORTING);
    return;
  case 'c':
    offer_is(w, member, SERIES_OFFER_NEW);
    assert_int_equal(series_state_of(w->series[member]), SERIES_CHOSEN);
    return;
  case 't':
    offer_is(w, member, SERIES_OFFER_TAKE_OVER);
    return;
  case 'n':
    offer_is(w, member, SERIES_OFFER_NOTHING);
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
  case 'x':
    device[member] = NULL;
    return;
  case 'k':
    device[member] = "k";
    return;
  case 'b':
    device[member] = members[member].device;
    return;
  }
  fail_msg("no step %c", what);
}

static void run(struct world *w, const char *steps) {
  for (; *steps != '\0'; steps++)
    if (*steps == '.')
      read_end(w);
    else if (*steps == ';')
      series_set_name(w->set);
    else if (*steps == ',' || *steps == '^')
      age(w, *steps == '^');
    else if (*steps != ' ') {
      step(w, steps[0], member_of(steps[1]));
      steps++;
    }
}

/* Writes each member that has a series, and its state: "aR tL". */
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

/* `dispatched`: in the last read. `states`: after all steps. */
static const struct history {
  const char *what, *steps, *dispatched, *states;
} table[] = {
    /* NONE */
    {"without series all is counted in other", "ua oa .", "other=1", ""},
    {"a series reports at once", "ra ua oa .", "a=1 other=0", "aR"},
    {"a chosen series dispatches its counters", "; ca ua oa .", "a*=0 other=1",
     "aR"},

    /* CHOSEN */
    {"until the commit", "; ca", "", "aC"},
    {"and reports after it", "; ca oa . ua oa .", "a=1 other=1", "aR"},

    /* REPORTING */
    {"a series goes on", "ra ua oa . ua oa .", "a=2 other=0", "aR"},
    {"a series that leaves is dispatched", "ra ua oa . ua oa ; la .",
     "a=2 other=0", ""},
    {"until the commit", "ra . la", "a=0 other=0", "aL"},
    {"one read without a socket", "ra ua . , .", "a=0 other=0", "aR"},
    {"MemberTimeout reads without one: leaves", "ra ua . , . ,", "a=0 other=0",
     "aL"},
    {"a connection ends the idle time", "ra . , . ua , . ,", "a=0 other=0",
     "aR"},
    {"so does a socket that joined", "ra . , . ^ . ,", "a=0 other=0", "aR"},

    /* LEAVING and after it */
    {"what comes later is counted in other", "ra oa . ; la oa .", "a=1 other=1",
     ""},
    {"a series that ended is not dispatched", "ra oa . la . oa .", "other=1",
     ""},
    {"the counters of its name go on when it reports",
     "ra oa . la . oa . ra oa .", "a=2 other=1", "aR"},
    {"and when it is chosen", "ra oa . la . ; ca oa .", "a*=1 other=1", "aR"},
    {"its idle time starts anew", "ra . , . , . ra . ,", "a=0 other=0", "aR"},
    {"however many came between",
     "ra oa oa . la . rd od . ld . re oe . le . rv . lv . rs . ls . ra oa .",
     "a=3 other=0", "aR"},

    /* Two members whose names become one. */
    {"both live: the later one gets a hash", "rs us os . us rt ut .",
     "x_y=1 x_y_#=0 other=0", "sR tR"},
    {"both are new", "rs us rt ut .", "x_y=0 x_y_#=0 other=0", "sR tR"},
    {"both are chosen", "; cs ct .", "x_y*=0 x_y_#*=0 other=0", "sR tR"},
    {"one that leaves keeps its name", "rs . us ; ls . rt ut .",
     "x_y_#=0 other=0", "tR"},
    {"for good", "rs us os . ls . . . rt ut ot .", "x_y_#=1 other=0", "tR"},
    {"and its counters", "rs os . ls . rt ot . lt . rs os .", "x_y=2 other=0",
     "sR"},
    {"the hash stays when the other one is gone",
     "rs us rt ut ot . ls lt . rt ut ot .", "x_y_#=2 other=0", "tR"},
    {"names that are one name in Graphite are one", "rf rg of og og .",
     "f.1=1 f_1_#=2 other=0", "fR gR"},
    {"whoever was first", "rg rf of og og .", "f_1=2 f.1_#=1 other=0", "fR gR"},

    /* Two members that are the same to a user. */
    {"a new one takes the series over at once", "rp up op . rq uq oq .",
     "p=2 other=0", "qR"},
    {"and the old one is counted in other",
     "rp up op . rq uq oq . op oq up uq .", "p=3 other=1", "qR"},
    {"a candidate takes it over", "rp up op . op oq ; tq .", "p=2 other=1",
     "qR"},
    {"and reports in the next read", "rp up op . ; tq . oq op .", "p=2 other=1",
     "qR"},
    {"also one that leaves", "rp op . ; lp tq . oq .", "p=2 other=0", "qR"},
    {"one that ended goes on", "rp op . lp . rq oq .", "p=2 other=0", "qR"},
    {"two new ones are one", "rp rq op oq up uq .", "p=2 other=0", "qR"},
    {"the idle time starts anew", "rp . , . ; tq , .", "p=0 other=0", "qR"},

    /* A name that changes. */
    {"the old name ends", "ra oa . ka oa .", "a=2 other=0", ""},
    {"the new one begins", "ra oa . ka . ; ca . oa .", "k=1 other=0", "aR"},
    {"with counters of its own", "ra oa . ka . ra oa . ba . oa . ra oa .",
     "a=2 other=1", "aR"},
    {"another member gets the name: it goes on there",
     "ra oa rd od . xa kd . ; cd . od .", "k=1 other=0", "dR"},
    {"two members change their names",
     "rp op ka . ra oa . ba ; xp . ; ca . oa .", "a=1 other=0", "aR"},
    {"a device that is gone has no name", "ra oa . xa oa .", "a=2 other=0", ""},
    {"and gets none", "xa ra oa ua .", "other=1", ""},
    {"nor by a choice", "xa oa ; na .", "other=1", ""},

    /* Names that the group uses itself. */
    {"a member called other gets another name", "rv uv ov .",
     "_other=1 other=0", "vR"},
    {"and goes on under it", "rv uv ov . lv . ov . rv ov .", "_other=2 other=1",
     "vR"},
    {"so does one called worst1-a", "rw uw ow .", "_worst1-a=1 other=0", "wR"},
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
      cmocka_unit_test(the_sum_is_that_of_all_series_and_of_other),
      cmocka_unit_test(growth_is_in_the_sum_once),
      cmocka_unit_test(series_are_walked_in_the_order_in_which_they_came),
      cmocka_unit_test(a_trimmed_set_can_grow_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
