/* Tests read/dump_request.c: each metric and each dimension requests only the
 * states and attributes that it needs. */
#include "read/dump_request.h"
#include "support/build_selector.h"
#include "support/bytecode_machine.h"

#include <linux/inet_diag.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
  INFO = 1 << (INET_DIAG_INFO - 1),
  SKMEM = 1 << (INET_DIAG_SKMEMINFO - 1),
  ALGORITHM = 1 << (INET_DIAG_VEGASINFO - 1),
  CONGESTION = 1 << (INET_DIAG_CONG - 1),
};

enum { GROUPS_MAX = 3 };

struct fixture {
  struct group_settings group_settings[GROUPS_MAX];
  struct settings settings;
  struct name_lookup *names;
  struct group *group[GROUPS_MAX];
  struct dump_request request;
};

static struct group_settings *settings_add(struct fixture *f) {
  size_t i = f->settings.group_count++;
  struct group_settings *g = &f->group_settings[i];
  *g = (struct group_settings){.name = (char *)"g",
                               .max_members = 10,
                               .member_timeout = 6,
                               .selector = selector_new(SELECTOR_AND)};
  assert_non_null(g->selector);
  f->settings.group = f->group_settings;
  return g;
}

static void want(struct group_settings *g, enum metric_id id) {
  assert_int_equal(metric_list_add(&g->metrics, id, NULL), 0);
  assert_int_equal(metric_list_complete(&g->metrics), 0);
}

static void make(struct fixture *f) {
  f->names = name_lookup_new();
  for (size_t i = 0; i < f->settings.group_count; i++) {
    f->group[i] = group_new(&f->group_settings[i], f->names);
    assert_non_null(f->group[i]);
  }
  assert_int_equal(dump_request_init(&f->request, &f->settings, f->group, 4711),
                   0);
}

static void stop(struct fixture *f) {
  dump_request_free(&f->request);
  for (size_t i = 0; i < f->settings.group_count; i++) {
    group_free(f->group[i]);
    selector_free(f->group_settings[i].selector);
    metric_list_clear(&f->group_settings[i].metrics);
  }
  name_lookup_free(f->names);
}

static void asks(const struct fixture *f, const char *name, unsigned extensions,
                 uint32_t states) {
  if (f->request.ask.extensions != extensions)
    fail_msg("%s: extensions 0x%x, not 0x%x", name, f->request.ask.extensions,
             extensions);
  if (f->request.ask.states != states)
    fail_msg("%s: states 0x%x, not 0x%x", name, f->request.ask.states, states);
}

static const uint32_t listen_state = 1u << TCP_STATE_LISTEN;

static void each_metric_asks_for_its_attributes_and_states(void **state) {
  (void)state;
  const uint32_t traffic = TCP_STATES_TRAFFIC;
  const uint32_t all = TCP_STATES_TRAFFIC | TCP_STATES_REST;
  static const struct {
    enum metric_id id;
    unsigned extensions;
  } row[] = {
      {METRIC_CONNECTIONS, 0},
      {METRIC_OPENED, 0},
      {METRIC_CLOSED, 0},
      {METRIC_FAILED, 0},
      {METRIC_UNREAD, 0},
      {METRIC_ACTIVE, INFO},
      {METRIC_RTT, INFO},
      {METRIC_THROUGHPUT, INFO},
      {METRIC_RECV_QUEUE, INFO},
      {METRIC_RETRANS, INFO},
      {METRIC_RETRANS_PERCENT, INFO},
      {METRIC_LIMITED, INFO},
      {METRIC_CA_STATE, INFO},
      {METRIC_OPTIONS, INFO},
      {METRIC_STALLED, INFO},
      {METRIC_ZERO_WINDOW, INFO},
      {METRIC_APP_LIMITED, INFO},
      {METRIC_UNSENT, INFO},
      {METRIC_OUTLIERS, INFO},
      {METRIC_RMEM, INFO | SKMEM},
      {METRIC_BACKLOG, INFO | SKMEM},
      {METRIC_DROPS, INFO | SKMEM},
      {METRIC_BBR_BANDWIDTH, INFO | ALGORITHM},
      {METRIC_BBR_MIN_RTT, INFO | ALGORITHM},
      {METRIC_DCTCP_ALPHA, INFO | ALGORITHM},
      {METRIC_CONGESTION, CONGESTION},
  };
  for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
    struct fixture f = {.names = NULL};
    want(settings_add(&f), row[i].id);
    make(&f);
    asks(&f, metric_table[row[i].id].name, row[i].extensions, traffic);
    assert_int_equal(f.request.ask.timeout_ms, 4711);
    stop(&f);
  }
  static const enum metric_id listening[] = {
      METRIC_ACCEPT_QUEUE, METRIC_ACCEPT_LIMIT, METRIC_ACCEPT_PERCENT};
  for (size_t i = 0; i < 3; i++) {
    struct fixture f = {.names = NULL};
    want(settings_add(&f), listening[i]);
    make(&f);
    asks(&f, metric_table[listening[i]].name, 0, traffic | listen_state);
    stop(&f);
  }
  struct fixture f = {.names = NULL};
  want(settings_add(&f), METRIC_STATES);
  make(&f);
  asks(&f, "states", 0, all);
  stop(&f);
}

/* No metric requests an attribute other than the three blocks and the name of
 * the congestion control. */
static void no_metric_asks_for_more_than_known_attributes(void **state) {
  (void)state;
  for (int id = 0; id < METRIC_COUNT; id++) {
    struct fixture f = {.names = NULL};
    want(settings_add(&f), (enum metric_id)id);
    make(&f);
    unsigned extensions = f.request.ask.extensions;
    assert_int_equal(
        extensions & ~(unsigned)(INFO | SKMEM | ALGORITHM | CONGESTION), 0);
    if (extensions & (SKMEM | ALGORITHM)) /* INFO shows if it is active */
      assert_true(extensions & INFO);
    assert_int_equal(f.request.ask.states & TCP_STATES_TRAFFIC,
                     TCP_STATES_TRAFFIC);
    /* No metric counts BOUND_INACTIVE sockets, and no state is above it. */
    assert_int_equal(
        f.request.ask.states & ~(TCP_STATES_TRAFFIC | TCP_STATES_REST), 0);
    stop(&f);
  }
}

/* The request covers the needs of every group. */
static void groups_together_ask_for_what_any_needs(void **state) {
  (void)state;
  struct fixture f = {.names = NULL};
  want(settings_add(&f), METRIC_CONGESTION);
  want(settings_add(&f), METRIC_DROPS);
  want(settings_add(&f), METRIC_ACCEPT_QUEUE);
  make(&f);
  asks(&f, "three groups", INFO | SKMEM | CONGESTION,
       TCP_STATES_TRAFFIC | listen_state);
  stop(&f);
}

/* A group with members requests INFO, for their traffic, and the attribute of
 * the dimension. */
static void members_ask_for_traffic_and_their_attributes(void **state) {
  (void)state;
  for (int by = 0; by < DIMENSION_COUNT; by++) {
    struct fixture f = {.names = NULL};
    struct group_settings *g = settings_add(&f);
    want(g, METRIC_CONNECTIONS);
    g->by[g->by_count++] = (enum dimension)by;
    make(&f);
    asks(&f, "By", by == DIMENSION_CONGESTION ? INFO | CONGESTION : INFO,
         TCP_STATES_TRAFFIC);
    assert_int_equal(f.request.listeners.states, listen_state);
    assert_int_equal(f.request.listeners.extensions, 0);
    stop(&f);
  }
}

/* The filter is made anew after a change, but no coarser or finer than the
 * kernel accepts. */
static void renewed_filter_has_the_detail_that_the_kernel_accepts(void **s) {
  (void)s;
  struct fixture f = {.names = NULL};
  struct group_settings *g = settings_add(&f);
  struct selector *cgroup = selector_new_name(
      SELECTOR_CGROUP, &(struct selector_name){.kind = SELECTOR_NAME_CGROUP,
                                               .option = "Filter",
                                               .text = (char *)"a",
                                               .target = (char *)"a"});
  assert_int_equal(selector_add_child(g->selector, cgroup), 0);
  assert_int_equal(
      selector_add_child(g->selector,
                         build_ports(SELECTOR_LOCAL_PORT, 1, 80, 80)),
      0);
  want(g, METRIC_CONNECTIONS);
  make(&f);
  struct dump_request *r = &f.request;
  const struct socket t = {.attrs = {.cgroup = 100, .local_port = 80}},
                      other = {.attrs = {.cgroup = 200, .local_port = 80}},
                      port = {.attrs = {.cgroup = 100, .local_port = 81}};
  assert_false(machine_passes(&r->bytecode, &t));
  cgroup->value[0] = (struct selector_value){100, UINT64_MAX};
  cgroup->count = 1;
  dump_request_renew(r);
  assert_true(machine_passes(&r->bytecode, &t));
  assert_false(machine_passes(&r->bytecode, &other));
  assert_ptr_equal(r->ask.code, r->bytecode.code);
  assert_int_equal(r->ask.code_size, r->bytecode.size);

  assert_true(dump_request_coarsen(r)); /* without cgroups */
  for (int i = 0; i < 2; i++, dump_request_renew(r)) {
    assert_int_equal(r->bytecode.features, 0);
    assert_true(machine_passes(&r->bytecode, &other));
    assert_false(machine_passes(&r->bytecode, &port));
  }
  assert_true(dump_request_coarsen(r)); /* without anything */
  for (int i = 0; i < 2; i++, dump_request_renew(r)) {
    assert_null(r->ask.code);
    assert_int_equal(r->ask.code_size, 0);
  }
  assert_false(dump_request_coarsen(r));
  dump_request_restore(r);
  assert_false(machine_passes(&r->bytecode, &other));
  stop(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_metric_asks_for_its_attributes_and_states),
      cmocka_unit_test(no_metric_asks_for_more_than_known_attributes),
      cmocka_unit_test(groups_together_ask_for_what_any_needs),
      cmocka_unit_test(members_ask_for_traffic_and_their_attributes),
      cmocka_unit_test(renewed_filter_has_the_detail_that_the_kernel_accepts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
