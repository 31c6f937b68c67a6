/* member_key: keys and names by every dimension. */
#include "group/member_key.h"
#include "util/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct group_settings group(void) {
  return (struct group_settings){
      .name = (char *)"g", .prefix_ipv4 = 20, .prefix_ipv6 = 44};
}

static void by(struct group_settings *g, enum dimension d) {
  g->by[g->by_count++] = d;
}

static struct address address(const char *text) {
  struct prefix p;
  assert_true(prefix_parse(text, &p));
  return p.address;
}

/* The name of the member that a socket with these attributes belongs to. */
static void name_is(const struct group_settings *settings,
                    const struct socket_attrs *attrs, const char *expected) {
  uint8_t key[MEMBER_KEY_MAX];
  char name[MEMBER_KEY_NAME_MAX];
  struct name_lookup *names = name_lookup_new();
  assert_true(member_key_size(settings) <= MEMBER_KEY_MAX);
  member_key_make(settings, attrs, key);
  member_key_format(settings, key, names, false, name);
  assert_string_equal(name, expected);
  name_lookup_free(names);
}

/* --- the table ------------------------------------------------------------ */

static void every_dimension_has_a_row_with_a_name_of_its_own(void **state) {
  (void)state;
  for (int d = 0; d < DIMENSION_COUNT; d++) {
    const struct dimension_row *row = &dimension_table[d];
    assert_non_null(row->name);
    assert_in_range(row->attr, 0, ATTR_COUNT - 1);
    assert_non_null(row->format);
    for (int other = 0; other < d; other++)
      assert_string_not_equal(row->name, dimension_table[other].name);
  }
}

/* Whatever the remote end is, a listening socket has none. */
static void only_remote_dimensions_have_no_listeners(void **state) {
  (void)state;
  for (int d = 0; d < DIMENSION_COUNT; d++) {
    enum socket_attr attr = dimension_table[d].attr;
    assert_int_equal(dimension_table[d].listeners,
                     attr != ATTR_REMOTE_ADDRESS && attr != ATTR_REMOTE_PORT);
  }
}

/* The attribute, and no other one, makes the key. */
static void key_is_made_of_the_attribute_in_the_row(void **state) {
  (void)state;
  for (int d = 0; d < DIMENSION_COUNT; d++) {
    struct group_settings g = group();
    struct socket_attrs zero = {.local_port = 0};
    uint8_t key[2][MEMBER_KEY_MAX] = {{0}};
    by(&g, (enum dimension)d);
    assert_int_equal(member_key_size(&g), dimension_size((enum dimension)d));
    member_key_make(&g, &zero, key[0]);
    for (int attr = 0; attr < ATTR_COUNT; attr++) {
      struct socket_attrs other = zero;
      memset((void *)socket_attrs_at(&other, (enum socket_attr)attr), 1,
             socket_attr_table[attr].size);
      other.congestion[CONGESTION_NAME_SIZE - 1] = '\0';
      member_key_make(&g, &other, key[1]);
      bool differ = memcmp(key[0], key[1], member_key_size(&g)) != 0;
      if (differ != (attr == (int)dimension_table[d].attr))
        fail_msg("by %s, %s", dimension_table[d].name,
                 socket_attr_table[attr].name);
    }
  }
}

/* Every dimension formats the value of its own attribute: the names of two
 * sockets that differ in nothing else differ. */
static void name_is_made_of_the_attribute_in_the_row(void **state) {
  (void)state;
  struct name_lookup *names = name_lookup_new();
  for (int d = 0; d < DIMENSION_COUNT; d++) {
    struct group_settings g = group();
    char name[2][MEMBER_KEY_NAME_MAX];
    by(&g, (enum dimension)d);
    for (int i = 0; i < 2; i++) {
      uint8_t key[MEMBER_KEY_MAX];
      char clean[TEXT_CLEAN_MAX];
      struct socket_attrs s = {.local_port = 0};
      memset((void *)socket_attrs_at(&s, dimension_table[d].attr), i,
             socket_attr_table[dimension_table[d].attr].size);
      s.congestion[CONGESTION_NAME_SIZE - 1] = '\0';
      member_key_make(&g, &s, key);
      member_key_format(&g, key, names, false, name[i]);
      assert_true(name[i][0] != '\0');
      text_clean(name[i], clean);
      assert_string_equal(name[i], clean); /* fit for a series' name */
    }
    if (strcmp(name[0], name[1]) == 0)
      fail_msg("by %s", dimension_table[d].name);
  }
  name_lookup_free(names);
}

static void every_dimension_at_once_makes_a_key(void **state) {
  (void)state;
  struct group_settings g = group();
  uint8_t key[MEMBER_KEY_MAX + 1];
  struct socket_attrs s = {.local_port = 1};
  for (int d = 0; d < DIMENSION_COUNT; d++)
    by(&g, (enum dimension)d);
  memset(key, 0xee, sizeof(key));
  member_key_make(&g, &s, key);
  assert_in_range(member_key_size(&g), 1, MEMBER_KEY_MAX);
  assert_int_equal(key[member_key_size(&g)], 0xee);
}

/* --- names ---------------------------------------------------------------- */

static void addresses_and_networks_have_names(void **state) {
  (void)state;
  static const struct {
    const char *address, *name, *network;
  } row[] = {{"10.1.2.3", "10.1.2.3", "10.1.0.0_20"},
             {"2001:db8::1", "2001_db8__1", "2001_db8___44"},
             {"::1", "__1", "___44"},
             {"fe80::abcd:0:1", "fe80__abcd_0_1", "fe80___44"}};
  for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
    struct group_settings g = group();
    char expected[MEMBER_KEY_NAME_MAX];
    struct socket_attrs t = {.remote = address(row[i].address),
                             .local = address(row[i].address),
                             .local_port = 443,
                             .remote_port = 65535,
                             .inbound = true,
                             .uid = 0,
                             .congestion = "cubic"};
    by(&g, DIMENSION_LOCAL_PORT);
    by(&g, DIMENSION_REMOTE_ADDRESS);
    by(&g, DIMENSION_REMOTE_PORT);
    snprintf(expected, sizeof(expected), "443-%s-65535", row[i].name);
    name_is(&g, &t, expected);
    g.by_count = 0;
    by(&g, DIMENSION_REMOTE_NETWORK);
    name_is(&g, &t, row[i].network);
    g.by_count = 0;
    by(&g, DIMENSION_DIRECTION);
    by(&g, DIMENSION_UID);
    by(&g, DIMENSION_CONGESTION);
    by(&g, DIMENSION_INTERFACE);
    by(&g, DIMENSION_CGROUP);
    by(&g, DIMENSION_LOCAL_ADDRESS);
    snprintf(expected, sizeof(expected), "inbound-root-cubic-unbound-none-%s",
             row[i].name);
    name_is(&g, &t, expected);
  }
}

static void sockets_of_one_network_have_one_key(void **state) {
  (void)state;
  struct group_settings g = group();
  uint8_t a[MEMBER_KEY_MAX], b[MEMBER_KEY_MAX], c[MEMBER_KEY_MAX];
  by(&g, DIMENSION_REMOTE_NETWORK);
  struct socket_attrs s = {.remote = address("10.1.2.3")};
  member_key_make(&g, &s, a);
  s.remote = address("10.1.15.255");
  member_key_make(&g, &s, b);
  s.remote = address("10.1.16.0");
  member_key_make(&g, &s, c);
  assert_memory_equal(a, b, member_key_size(&g));
  assert_memory_not_equal(a, c, member_key_size(&g));
}

static void ids_without_a_name_stand_as_numbers(void **state) {
  (void)state;
  struct group_settings g = group();
  struct socket_attrs t = {.uid = 4123456789u,
                           .interface = 4000000000u,
                           .cgroup = 18000000000000000000u};
  by(&g, DIMENSION_UID);
  by(&g, DIMENSION_INTERFACE);
  by(&g, DIMENSION_CGROUP);
  by(&g, DIMENSION_CONGESTION);
  by(&g, DIMENSION_DIRECTION);
  name_is(&g, &t, "4123456789-4000000000-18000000000000000000-none-outbound");
  char clean[TEXT_CLEAN_MAX];
  text_clean("a b/c\\x2d\303\244_.@-Z9", clean);
  assert_string_equal(clean, "a_b_c_x2d___.@-Z9");
}

/* Together with the group's name it fits, and two keys never share a name. */
static void long_and_equal_names_end_in_a_hash(void **state) {
  (void)state;
  char name[61], a[MEMBER_KEY_NAME_MAX], b[MEMBER_KEY_NAME_MAX];
  memset(name, 'g', 60);
  name[60] = '\0';
  struct group_settings g = {.name = name};
  struct name_lookup *names = name_lookup_new();
  uint8_t key[MEMBER_KEY_MAX];
  struct socket_attrs t = {
      .remote = address("2001:db8:1234:5678:9abc:def0:1234:5678")};
  t.local = t.remote;
  by(&g, DIMENSION_REMOTE_ADDRESS);
  by(&g, DIMENSION_LOCAL_ADDRESS);
  member_key_make(&g, &t, key);
  member_key_format(&g, key, names, false, a);
  assert_int_equal(strlen(name) + 1 + strlen(a), 127);
  t.local.bytes[15] ^= 1;
  member_key_make(&g, &t, key);
  member_key_format(&g, key, names, false, b);
  assert_string_not_equal(a, b);
  g.name = (char *)"g";
  member_key_format(&g, key, names, false, a);
  member_key_format(&g, key, names, true, b);
  assert_memory_equal(a, b, strlen(a));
  assert_int_equal(strlen(b), strlen(a) + 9);
  name_lookup_free(names);
}

static void names_of_other_series_are_taken(void **state) {
  (void)state;
  struct group_settings g = group();
  assert_true(member_key_name_is_taken(&g, "other"));
  assert_false(member_key_name_is_taken(&g, "worst1"));
  g.worst = 1;
  assert_true(member_key_name_is_taken(&g, "worst1"));
  assert_true(member_key_name_is_taken(&g, "worst20"));
  assert_false(member_key_name_is_taken(&g, "worst"));
  assert_false(member_key_name_is_taken(&g, "worst1x"));
  assert_false(member_key_name_is_taken(&g, "others"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_dimension_has_a_row_with_a_name_of_its_own),
      cmocka_unit_test(only_remote_dimensions_have_no_listeners),
      cmocka_unit_test(key_is_made_of_the_attribute_in_the_row),
      cmocka_unit_test(name_is_made_of_the_attribute_in_the_row),
      cmocka_unit_test(every_dimension_at_once_makes_a_key),
      cmocka_unit_test(addresses_and_networks_have_names),
      cmocka_unit_test(sockets_of_one_network_have_one_key),
      cmocka_unit_test(ids_without_a_name_stand_as_numbers),
      cmocka_unit_test(long_and_equal_names_end_in_a_hash),
      cmocka_unit_test(names_of_other_series_are_taken),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
