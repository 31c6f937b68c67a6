/* Compares connection/socket_table.c with a plain array, over walks in which
 * sockets come, go, are missed, come twice or in another order. Also tests that
 * the table expects the order of the last walk. */
#include "connection/socket_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MOST = 3000 };

struct socket {
  struct socket_record record;
  uint64_t value; /* value_of() the cookie; finds swapped records */
};

struct world {
  struct socket_table *table;
  uint64_t cookie[MOST]; /* in the order of a walk */
  bool known[MOST];      /* the table has a record */
  size_t count;
  uint64_t next_cookie;
};

static uint64_t value_of(uint64_t cookie) { return cookie * 31 + 7; }

/* Walks over one socket: finds or adds its record. */
static struct socket *meet(struct world *w, uint64_t cookie, bool known) {
  struct socket *s = (struct socket *)socket_table_next(w->table, cookie);
  assert_int_equal(s != NULL, known);
  if (s == NULL) {
    s = (struct socket *)socket_table_add(w->table, cookie);
    assert_non_null(s);
    assert_int_equal(s->value, 0);
    s->value = value_of(cookie);
  }
  assert_true(s->record.cookie == cookie);
  assert_true(s->value == value_of(cookie));
  s->record.mark = 2;
  return s;
}

static void world_insert(struct world *w, size_t at) {
  if (w->count == MOST)
    return;
  for (size_t i = w->count++; i > at; i--) {
    w->cookie[i] = w->cookie[i - 1];
    w->known[i] = w->known[i - 1];
  }
  w->next_cookie += 1 + (uint64_t)rand() % 3;
  w->cookie[at] = w->next_cookie << (rand() % 2 ? 32 : 0);
  w->known[at] = false;
}

static void world_remove(struct world *w, size_t at) {
  if (w->known[at]) {
    struct socket_record *record = socket_table_find(w->table, w->cookie[at]);
    assert_non_null(record);
    socket_table_remove(w->table, record);
    assert_null(socket_table_find(w->table, w->cookie[at]));
  }
  w->count--;
  for (size_t i = at; i < w->count; i++) {
    w->cookie[i] = w->cookie[i + 1];
    w->known[i] = w->known[i + 1];
  }
}

static void world_walk(struct world *w, unsigned missed_percent) {
  socket_table_begin(w->table);
  for (size_t i = 0; i < w->count; i++) {
    if ((unsigned)rand() % 100 < missed_percent)
      continue;
    meet(w, w->cookie[i], w->known[i]);
    w->known[i] = true;
    if (rand() % 50 == 0) /* the walk repeats the socket */
      meet(w, w->cookie[i], true);
  }
}

static void world_check(const struct world *w) {
  size_t known = 0, used = 0;
  for (size_t i = 0; i < w->count; i++) {
    const struct socket *s =
        (const struct socket *)socket_table_find(w->table, w->cookie[i]);
    assert_int_equal(s != NULL, w->known[i]);
    if (s != NULL)
      assert_true(s->value == value_of(w->cookie[i]));
    known += w->known[i];
  }
  for (uint32_t i = 0; i < socket_table_end(w->table); i++)
    used += socket_table_at(w->table, i) != NULL;
  assert_int_equal(socket_table_count(w->table), known);
  assert_int_equal(used, known);
}

static void world_change(struct world *w, size_t inserted, size_t removed) {
  for (size_t i = 0; i < inserted; i++)
    world_insert(w, (size_t)rand() % (w->count + 1));
  for (size_t i = 0; i < removed && w->count > 0; i++)
    world_remove(w, (size_t)rand() % w->count);
  if (rand() % 4 == 0 && w->count > 1) { /* two sockets swap places */
    size_t from = (size_t)rand() % w->count, to = (size_t)rand() % w->count;
    uint64_t cookie = w->cookie[from];
    bool known = w->known[from];
    w->cookie[from] = w->cookie[to];
    w->known[from] = w->known[to];
    w->cookie[to] = cookie;
    w->known[to] = known;
  }
}

static void random_walks_find_what_an_array_finds(void **state) {
  (void)state;
  static struct world w;
  for (unsigned seed = 1; seed <= 40; seed++) {
    srand(seed);
    w = (struct world){.table = socket_table_new(sizeof(struct socket))};
    assert_non_null(w.table);
    for (int walk = 0; walk < 60; walk++) {
      size_t most = (size_t)1 << rand() % 11;
      size_t inserted = (size_t)rand() % most, removed = (size_t)rand() % most;
      world_change(&w, inserted, walk % 7 == 6 ? w.count : removed);
      world_walk(&w, rand() % 3 == 0 ? 20 : 0);
      if (rand() % 2 == 0)
        socket_table_compact(w.table);
      world_check(&w);
    }
    socket_table_clear(w.table);
    assert_int_equal(socket_table_count(w.table), 0);
    assert_null(socket_table_find(w.table, w.count > 0 ? w.cookie[0] : 1));
    socket_table_free(w.table);
  }
}

static void world_make(struct world *w, size_t count) {
  *w = (struct world){.table = socket_table_new(sizeof(struct socket))};
  for (size_t i = 0; i < count; i++)
    world_insert(w, i);
  socket_table_begin(w->table);
  for (size_t i = 0; i < count; i++) {
    meet(w, w->cookie[i], false);
    w->known[i] = true;
  }
}

static void ahead_is(const struct world *w, uint32_t steps, size_t i) {
  const struct socket_record *record = socket_table_ahead(w->table, steps);
  assert_non_null(record);
  assert_true(record->cookie == w->cookie[i]);
}

/* The table predicts the next sockets, even after others came and went. */
static void next_sockets_are_known_ahead(void **state) {
  (void)state;
  static struct world w;
  srand(5);
  world_make(&w, 1000);
  for (int walk = 0; walk < 10; walk++) {
    socket_table_begin(w.table);
    for (size_t i = 0; i + 6 < w.count; i++) {
      meet(&w, w.cookie[i], true);
      ahead_is(&w, 1, i + 1);
      ahead_is(&w, 6, i + 6);
    }
    for (size_t i = w.count - 6; i < w.count; i++)
      meet(&w, w.cookie[i], true);
    assert_null(socket_table_ahead(w.table, 1));
    /* A tenth goes and a tenth comes; the next walk sets the new order. */
    world_change(&w, 100, 100);
    socket_table_begin(w.table);
    for (size_t i = 0; i < w.count; i++) {
      meet(&w, w.cookie[i], w.known[i]);
      w.known[i] = true;
    }
  }
  socket_table_free(w.table);
}

/* A run of sockets that are gone costs one look-up in the hash, not one each.
 */
static void run_of_gone_sockets_costs_one_hash_lookup(void **state) {
  (void)state;
  static struct world w;
  srand(6);
  world_make(&w, 1000);
  for (int i = 0; i < 300; i++)
    world_remove(&w, 200);
  socket_table_begin(w.table);
  for (size_t i = 0; i + 1 < w.count; i++) {
    meet(&w, w.cookie[i], true);
    if (i != 199) /* here the table still expects a socket that is gone */
      ahead_is(&w, 1, i + 1);
  }
  socket_table_free(w.table);
}

/* The start of a walk has more new sockets than the free room before the order
 * of the last walk. */
static void more_new_sockets_than_room_keep_the_last_walk(void **state) {
  (void)state;
  static struct world w;
  srand(7);
  world_make(&w, 500);
  for (int i = 0; i < 2000; i++)
    world_insert(&w, 0);
  socket_table_begin(w.table);
  for (size_t i = 0; i + 1 < w.count; i++) {
    meet(&w, w.cookie[i], w.known[i]);
    if (i >= 2000)
      ahead_is(&w, 1, i + 1);
  }
  socket_table_free(w.table);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_walks_find_what_an_array_finds),
      cmocka_unit_test(next_sockets_are_known_ahead),
      cmocka_unit_test(run_of_gone_sockets_costs_one_hash_lookup),
      cmocka_unit_test(more_new_sockets_than_room_keep_the_last_walk),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
