/* socket_attrs: the table of attributes, and what is computed from it. */
#include "tcp/socket_attrs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ALL = (1 << ATTR_COUNT) - 1 };

/* A socket whose attributes are all made of the byte. */
static struct socket_attrs filled(int byte) {
  struct socket_attrs s;
  memset(&s, byte, sizeof(s));
  s.inbound = byte != 0;
  s.congestion[CONGESTION_NAME_SIZE - 1] = '\0';
  s.unknown = 0;
  return s;
}

static void every_attribute_has_a_row_with_a_name_of_its_own(void **state) {
  (void)state;
  for (int i = 0; i < ATTR_COUNT; i++) {
    const struct socket_attr_row *row = &socket_attr_table[i];
    assert_non_null(row->name);
    assert_in_range(row->size, 1, sizeof(union socket_attr_value));
    for (int k = 0; k < i; k++)
      assert_string_not_equal(row->name, socket_attr_table[k].name);
  }
}

static void attributes_do_not_overlap(void **state) {
  (void)state;
  bool used[sizeof(struct socket_attrs)] = {false};
  size_t unknown = offsetof(struct socket_attrs, unknown);
  for (size_t i = 0; i < sizeof(uint32_t); i++)
    used[unknown + i] = true;
  for (int i = 0; i < ATTR_COUNT; i++)
    for (size_t k = 0; k < socket_attr_table[i].size; k++) {
      assert_false(used[socket_attr_table[i].offset + k]);
      used[socket_attr_table[i].offset + k] = true;
    }
}

/* A row that forgot its messages would be unknown for ever. */
static void full_sockets_tell_every_attribute(void **state) {
  (void)state;
  assert_int_equal(socket_attrs_unknown(ATTRS_OF_FULL), 0);
}

static void other_messages_do_not_tell_some_attributes(void **state) {
  (void)state;
  uint32_t uid = ATTR_BIT(ATTR_UID);
  uint32_t mini = uid | ATTR_BIT(ATTR_CGROUP) | ATTR_BIT(ATTR_CONGESTION);
  uint32_t close = mini | ATTR_BIT(ATTR_MARK);
  uint32_t disconnect =
      close | ATTR_BIT(ATTR_REMOTE_PORT) | ATTR_BIT(ATTR_LOCAL_ADDRESS);
  assert_int_equal(socket_attrs_unknown(ATTRS_OF_ORPHAN), uid);
  assert_int_equal(socket_attrs_unknown(ATTRS_OF_MINI), mini);
  assert_int_equal(socket_attrs_unknown(ATTRS_OF_CLOSE), close);
  assert_int_equal(socket_attrs_unknown(ATTRS_OF_DISCONNECT), disconnect);
}

/* Unless an attribute may come to be told later it must not change either: its
 * connection would stay in `other`. Remote port and local address come from the
 * last message of a connection alone. */
static void what_a_dump_may_not_tell_is_looked_at_again(void **state) {
  (void)state;
  uint32_t untold = socket_attrs_unknown(ATTRS_OF_ORPHAN) |
                    socket_attrs_unknown(ATTRS_OF_MINI);
  assert_int_equal(untold & ~socket_attrs_changing(), 0);
}

static void hash_is_of_the_asked_attributes(void **state) {
  (void)state;
  struct socket_attrs zero = filled(0);
  for (int i = 0; i < ATTR_COUNT; i++) {
    struct socket_attrs other = zero;
    memset((void *)socket_attrs_at(&other, (enum socket_attr)i), 1,
           socket_attr_table[i].size);
    other.congestion[CONGESTION_NAME_SIZE - 1] = '\0';
    assert_int_not_equal(socket_attrs_hash(&zero, ALL),
                         socket_attrs_hash(&other, ALL));
    assert_int_equal(socket_attrs_hash(&zero, ALL & ~ATTR_BIT(i)),
                     socket_attrs_hash(&other, ALL & ~ATTR_BIT(i)));
  }
  assert_int_equal(socket_attrs_hash(&zero, 0), 0);
}

/* The decoder leaves bytes of earlier messages behind a name. */
static void bytes_behind_a_text_do_not_matter(void **state) {
  (void)state;
  struct socket_attrs a = filled(0), b = filled(7);
  b = (struct socket_attrs){.congestion = "cubic"};
  a.congestion[8] = 'x';
  memcpy(a.congestion, "cubic", 6);
  char copy[2][CONGESTION_NAME_SIZE];
  uint32_t set = ATTR_BIT(ATTR_CONGESTION);
  assert_int_equal(socket_attrs_hash(&a, set), socket_attrs_hash(&b, set));
  socket_attrs_copy(&a, ATTR_CONGESTION, copy[0]);
  socket_attrs_copy(&b, ATTR_CONGESTION, copy[1]);
  assert_memory_equal(copy[0], copy[1], CONGESTION_NAME_SIZE);
}

static void copies_and_numbers_are_the_values(void **state) {
  (void)state;
  struct socket_attrs s = {.local_port = 443,
                           .remote_port = 65535,
                           .interface = UINT32_MAX,
                           .uid = 1000,
                           .mark = 0x80000001,
                           .cgroup = UINT64_MAX - 1,
                           .inbound = true};
  const struct {
    enum socket_attr attr;
    uint64_t value;
  } row[] = {{ATTR_LOCAL_PORT, 443},       {ATTR_REMOTE_PORT, 65535},
             {ATTR_INTERFACE, UINT32_MAX}, {ATTR_UID, 1000},
             {ATTR_MARK, 0x80000001},      {ATTR_CGROUP, UINT64_MAX - 1},
             {ATTR_DIRECTION, 1},          {ATTR_CONGESTION, 0},
             {ATTR_LOCAL_ADDRESS, 0}};
  for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
    assert_true(socket_attrs_number(&s, row[i].attr) == row[i].value);
  for (int i = 0; i < ATTR_COUNT; i++) {
    union socket_attr_value value;
    struct socket_attrs all = filled(0x55);
    memset(&value, 0, sizeof(value));
    socket_attrs_copy(&all, (enum socket_attr)i, &value);
    assert_memory_equal(&value, socket_attrs_at(&all, (enum socket_attr)i),
                        socket_attr_table[i].size);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_attribute_has_a_row_with_a_name_of_its_own),
      cmocka_unit_test(attributes_do_not_overlap),
      cmocka_unit_test(full_sockets_tell_every_attribute),
      cmocka_unit_test(other_messages_do_not_tell_some_attributes),
      cmocka_unit_test(what_a_dump_may_not_tell_is_looked_at_again),
      cmocka_unit_test(hash_is_of_the_asked_attributes),
      cmocka_unit_test(bytes_behind_a_text_do_not_matter),
      cmocka_unit_test(copies_and_numbers_are_the_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
