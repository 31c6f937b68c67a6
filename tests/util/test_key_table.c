/* key_table: random operations against a plain array, the numbers of records,
 * and what trimming leaves. */
#include "util/key_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <cmocka.h>

enum { KEY_SIZE = 5, MANY = 5000 };

/* Takes the C library's place, to count the secrets that are drawn. */
static int secrets;

ssize_t getrandom(void *buffer, size_t size, unsigned flags) {
  (void)flags;
  memset(buffer, ++secrets, size);
  return (ssize_t)size;
}

struct record {
  uint64_t key, touched;
};

/* The bytes of a number, so that many keys differ in few bits. */
static const uint8_t *key_of(uint64_t n) {
  static uint8_t key[KEY_SIZE];
  for (int i = 0; i < KEY_SIZE; i++)
    key[i] = (uint8_t)(n >> 8 * i);
  return key;
}

static struct key_table *table_new(void) {
  struct key_table *t = key_table_new(KEY_SIZE, sizeof(struct record));
  assert_non_null(t);
  return t;
}

static uint32_t add(struct key_table *t, uint64_t n) {
  uint32_t i = key_table_add(t, key_of(n));
  assert_int_not_equal(i, KEY_TABLE_NONE);
  struct record *r = key_table_at(t, i);
  assert_int_equal((uintptr_t)r % 8, 0);
  assert_true(r->key == 0 && r->touched == 0);
  r->key = n;
  return i;
}

/* The expected number of each key; KEY_TABLE_NONE: not in the table. */
static uint32_t number[MANY];

static void model_clear(void) { memset(number, 0xff, sizeof(number)); }

static void check_all(const struct key_table *t) {
  uint32_t used = 0, expected = 0;
  for (uint32_t n = 0; n < MANY; n++) {
    assert_int_equal(key_table_find(t, key_of(n)), number[n]);
    if (number[n] == KEY_TABLE_NONE)
      continue;
    expected++;
    assert_true(number[n] < key_table_end(t));
    assert_true(key_table_used(t, number[n]));
    const struct record *r = key_table_at(t, number[n]);
    assert_int_equal(r->key, n);
    assert_memory_equal(key_table_key(t, number[n]), key_of(n), KEY_SIZE);
  }
  for (uint32_t i = 0; i < key_table_end(t); i++)
    used += key_table_used(t, i);
  assert_int_equal(used, expected);
}

/* `percent`: how many steps add. */
static void change(struct key_table *t, int steps, int percent) {
  for (int i = 0; i < steps; i++) {
    uint32_t n = (uint32_t)rand() % MANY;
    bool adds = rand() % 100 < percent;
    if (adds && number[n] == KEY_TABLE_NONE) {
      number[n] = add(t, n);
    } else if (!adds && number[n] != KEY_TABLE_NONE) {
      key_table_remove(t, number[n]);
      number[n] = KEY_TABLE_NONE;
    }
  }
}

static void table_finds_what_was_added_and_not_removed(void **state) {
  (void)state;
  static const int percent[] = {90, 50, 20, 70, 2, 60, 0, 80};
  struct key_table *t = table_new();
  model_clear();
  srand(5);
  for (size_t i = 0; i < sizeof(percent) / sizeof(percent[0]); i++) {
    change(t, 4 * MANY, percent[i]);
    check_all(t);
    key_table_trim(t);
    check_all(t);
  }
  key_table_free(t);
}

static void empty_table_finds_nothing(void **state) {
  (void)state;
  struct key_table *t = table_new();
  assert_int_equal(key_table_find(t, key_of(0)), KEY_TABLE_NONE);
  assert_int_equal(key_table_end(t), 0);
  key_table_trim(t);
  assert_int_equal(key_table_end(t), 0);
  key_table_free(t);
  key_table_free(NULL);
}

static void each_table_draws_a_secret(void **state) {
  (void)state;
  secrets = 0;
  struct key_table *a = table_new(), *b = table_new();
  assert_int_equal(secrets, 2);
  key_table_free(a);
  key_table_free(b);
}

static void number_of_a_removed_record_is_used_again(void **state) {
  (void)state;
  struct key_table *t = table_new();
  for (uint64_t n = 0; n < 100; n++)
    assert_int_equal(add(t, n), n);
  struct record *r = key_table_at(t, 40);
  r->touched = 1;
  key_table_remove(t, 40);
  assert_false(key_table_used(t, 40));
  assert_int_equal(key_table_find(t, key_of(40)), KEY_TABLE_NONE);
  assert_int_equal(add(t, 1000), 40); /* zeroed: see add() */
  assert_int_equal(key_table_end(t), 100);
  key_table_free(t);
}

/* Only the numbers at the end can go; of those in front the lowest is used
 * next. */
static void trim_keeps_numbers_and_lowers_the_end(void **state) {
  (void)state;
  struct key_table *t = table_new();
  model_clear();
  for (uint32_t n = 0; n < MANY; n++)
    number[n] = add(t, n);
  for (uint32_t n = 0; n < MANY; n++) {
    if (n == 7 || n == 500)
      continue;
    key_table_remove(t, number[n]);
    number[n] = KEY_TABLE_NONE;
  }
  key_table_trim(t);
  check_all(t);
  assert_int_equal(key_table_end(t), 501);
  number[0] = add(t, 0);
  assert_int_equal(number[0], 0);
  check_all(t);
  key_table_free(t);
}

static void trim_of_a_busy_table_changes_nothing(void **state) {
  (void)state;
  struct key_table *t = table_new();
  model_clear();
  for (uint32_t n = 0; n < MANY; n++)
    number[n] = add(t, n);
  for (uint32_t n = MANY / 2; n < MANY; n++) {
    key_table_remove(t, number[n]);
    number[n] = KEY_TABLE_NONE;
  }
  key_table_trim(t);
  assert_int_equal(key_table_end(t), MANY);
  check_all(t);
  key_table_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(table_finds_what_was_added_and_not_removed),
      cmocka_unit_test(empty_table_finds_nothing),
      cmocka_unit_test(each_table_draws_a_secret),
      cmocka_unit_test(number_of_a_removed_record_is_used_again),
      cmocka_unit_test(trim_keeps_numbers_and_lowers_the_end),
      cmocka_unit_test(trim_of_a_busy_table_changes_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
