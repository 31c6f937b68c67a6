/* member_key: keys and names by every dimension. */
#include "group/member_key.h"
#include "support/fake_names.h"
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

static const struct hash_key secret = {1, 2};

/* The name of the member that a socket with these attributes belongs to. */
static void name_is(const struct group_settings *settings,
                    const struct socket_attrs *attrs, const char *expected) {
  uint8_t key[MEMBER_KEY_MAX];
  struct member_name name;
  struct name_lookup *names = name_lookup_new();
  assert_true(member_key_size(settings) <= MEMBER_KEY_MAX);
  member_key_make(settings, attrs, key);
  member_key_name(settings, key, names, &secret, &name);
  assert_string_equal(name.plain, expected);
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
    struct member_name name[2];
    by(&g, (enum dimension)d);
    for (int i = 0; i < 2; i++) {
      uint8_t key[MEMBER_KEY_MAX];
      char clean[TEXT_CLEAN_MAX];
      struct socket_attrs s = {.local_port = 0};
      memset((void *)socket_attrs_at(&s, dimension_table[d].attr), i,
             socket_attr_table[dimension_table[d].attr].size);
      s.congestion[CONGESTION_NAME_SIZE - 1] = '\0';
      member_key_make(&g, &s, key);
      member_key_name(&g, key, names, &secret, &name[i]);
      assert_true(name[i].plain[0] != '\0');
      text_clean(name[i].plain, clean);
      assert_string_equal(name[i].plain, clean); /* fit for a series' name */
    }
    if (strcmp(name[0].plain, name[1].plain) == 0 ||
        strcmp(name[0].distinct, name[1].distinct) == 0 ||
        name[0].owner == name[1].owner)
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
             {"fd80::abcd:0:1", "fd80__abcd_0_1", "fd80___44"}};
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
    snprintf(expected, sizeof(expected), "inbound-u0-cubic-unbound-none-%s",
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
  struct socket_attrs t = {.cgroup = 18000000000000000000u};
  by(&g, DIMENSION_CGROUP);
  by(&g, DIMENSION_CONGESTION);
  by(&g, DIMENSION_DIRECTION);
  name_is(&g, &t, "18000000000000000000-none-outbound");
  char clean[TEXT_CLEAN_MAX];
  text_clean("a b/c\\x2d\303\244_.@-Z9", clean);
  assert_string_equal(clean, "a_b_c_x2d___.@-Z9");
}

/* Together with the group's name it fits, and two keys never share a name. */
static void long_and_distinct_names_end_in_a_hash(void **state) {
  (void)state;
  char name[61];
  struct member_name a, b;
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
  member_key_name(&g, key, names, &secret, &a);
  assert_int_equal(strlen(name) + 1 + strlen(a.plain), 127);
  assert_string_equal(a.plain, a.distinct);
  t.local.bytes[15] ^= 1;
  member_key_make(&g, &t, key);
  member_key_name(&g, key, names, &secret, &b);
  assert_string_not_equal(a.plain, b.plain);
  g.name = (char *)"g";
  member_key_name(&g, key, names, &secret, &a);
  assert_memory_equal(a.plain, a.distinct, strlen(a.plain));
  assert_int_equal(strlen(a.distinct), strlen(a.plain) + 9);
  name_lookup_free(names);
}

/* Dashboards and thresholds mean by `other` and `worst1` what the group says of
 * itself, whether it has Worst or not. */
static void names_of_the_group_itself_are_not_members(void **state) {
  (void)state;
  static const char *const row[][2] = {
      {"other", "_other"},       {"worst1", "_worst1"},
      {"worst20", "_worst20"},   {"worst1x", "_worst1x"},
      {"worst1-x", "_worst1-x"}, {"worst", "worst"},
      {"worstx", "worstx"},      {"others", "others"},
      {"_other", "_other"}};
  for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
    struct group_settings g = group();
    struct socket_attrs s = {.local_port = 0};
    by(&g, DIMENSION_CONGESTION);
    snprintf(s.congestion, sizeof(s.congestion), "%s", row[i][0]);
    name_is(&g, &s, row[i][1]);
  }
}

/* fe80::1 is on every link (RFC 4007); any other address is one host. */
static void link_local_address_belongs_to_its_device(void **state) {
  (void)state;
  static const struct {
    const char *address;
    bool zoned;
  } row[] = {{"fe80::1", true},      {"febf::1", true},   {"fec0::1", false},
             {"2001:db8::1", false}, {"10.1.2.3", false}, {"::", false}};
  static const enum dimension zoned[] = {DIMENSION_REMOTE_ADDRESS,
                                         DIMENSION_REMOTE_NETWORK,
                                         DIMENSION_LOCAL_ADDRESS};
  for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
    for (size_t d = 0; d < sizeof(zoned) / sizeof(zoned[0]); d++) {
      struct group_settings g = group();
      uint8_t a[MEMBER_KEY_MAX], b[MEMBER_KEY_MAX];
      struct socket_attrs s = {.remote = address(row[i].address),
                               .local = address(row[i].address),
                               .interface = 2};
      by(&g, zoned[d]);
      member_key_make(&g, &s, a);
      s.interface = 3;
      member_key_make(&g, &s, b);
      assert_int_equal(memcmp(a, b, member_key_size(&g)) != 0, row[i].zoned);
      assert_int_equal(member_key_may_rename(&g, a), row[i].zoned);
    }
  struct group_settings g = group();
  struct socket_attrs s = {.remote = address("fe80::1"), .interface = 7};
  by(&g, DIMENSION_REMOTE_ADDRESS);
  name_is(&g, &s, "fe80__1_dev_7");
  g.by[0] = DIMENSION_REMOTE_NETWORK;
  name_is(&g, &s, "fe80___dev_7_44");
}

/* --- cgroups -------------------------------------------------------------- */

static void name_of_a_cgroup_tells_its_unit(void **state) {
  (void)state;
  static const char *const row[][2] = {
      {"", "root"},
      {"init.scope", "init.scope"},
      {"system.slice/nginx.service", "nginx.service"},
      {"system.slice", "system.slice"},
      {"shop/web", "web"},
      {"docker/0123", "0123"},
      {"machine.slice/libpod-0123.scope/container",
       "libpod-0123.scope_container"},
      {"machine.slice/libpod-4567.scope/container",
       "libpod-4567.scope_container"},
      {"user.slice/user-1000.slice/user@1000.service/app.slice/nginx.service",
       "user@1000.service_app.slice_nginx.service"},
      {"system.slice/docker-89.scope/system.slice/nginx.service",
       "docker-89.scope_system.slice_nginx.service"},
      {".service/a", "a"},
      {"a.scope/", "a.scope_"}};
  struct group_settings g = group();
  by(&g, DIMENSION_CGROUP);
  for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
    struct socket_attrs s = {.cgroup = 1 + i};
    fake_names.cgroup[1 + i] = row[i][0];
    name_is(&g, &s, row[i][1]);
  }
}

/* Writes the member's name and returns its owner. */
static uint64_t owner_of(const struct group_settings *g,
                         const struct socket_attrs *s,
                         struct member_name *name) {
  uint8_t key[MEMBER_KEY_MAX];
  struct name_lookup *names = name_lookup_new();
  member_key_make(g, s, key);
  member_key_name(g, key, names, &secret, name);
  name_lookup_free(names);
  return name->owner;
}

/* A restarted service is the same; another one of the same name is not. */
static void owner_of_a_cgroup_is_its_path(void **state) {
  (void)state;
  struct group_settings g = group();
  struct member_name a, b, c;
  by(&g, DIMENSION_CGROUP);
  fake_names.cgroup[1] = fake_names.cgroup[2] = "system.slice/x.service";
  fake_names.cgroup[3] = "shop.slice/x.service";
  uint64_t first = owner_of(&g, &(struct socket_attrs){.cgroup = 1}, &a);
  assert_true(first == owner_of(&g, &(struct socket_attrs){.cgroup = 2}, &b));
  assert_true(first != owner_of(&g, &(struct socket_attrs){.cgroup = 3}, &c));
  assert_string_equal(a.plain, c.plain);
  assert_string_equal(a.distinct, b.distinct);
  assert_string_not_equal(a.distinct, c.distinct);
}

static void owner_of_a_device_is_its_name(void **state) {
  (void)state;
  struct group_settings g = group();
  struct member_name a, b;
  by(&g, DIMENSION_INTERFACE);
  fake_names.device[1] = fake_names.device[2] = "eth0";
  uint64_t first = owner_of(&g, &(struct socket_attrs){.interface = 1}, &a);
  assert_true(first ==
              owner_of(&g, &(struct socket_attrs){.interface = 2}, &b));
  fake_names.device[2] = "eth1";
  assert_true(first !=
              owner_of(&g, &(struct socket_attrs){.interface = 2}, &b));
}

static void what_is_gone_has_no_name(void **state) {
  (void)state;
  struct group_settings g = group();
  struct member_name name;
  by(&g, DIMENSION_CGROUP);
  fake_names.cgroup[31] = fake_names.device[31] = fake_names_gone;
  owner_of(&g, &(struct socket_attrs){.cgroup = 31}, &name);
  assert_false(name.exists);
  owner_of(&g, &(struct socket_attrs){.cgroup = 0},
           &name); /* before Linux 5.8 */
  assert_true(name.exists);
  owner_of(&g, &(struct socket_attrs){.cgroup = UINT64_MAX}, &name);
  assert_true(name.exists); /* no cgroup v2 here: numbers stand for all */
  g.by[0] = DIMENSION_INTERFACE;
  owner_of(&g, &(struct socket_attrs){.interface = 31}, &name);
  assert_false(name.exists);
  owner_of(&g, &(struct socket_attrs){.interface = 0}, &name);
  assert_true(name.exists);
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
      cmocka_unit_test(long_and_distinct_names_end_in_a_hash),
      cmocka_unit_test(names_of_the_group_itself_are_not_members),
      cmocka_unit_test(link_local_address_belongs_to_its_device),
      cmocka_unit_test(name_of_a_cgroup_tells_its_unit),
      cmocka_unit_test(owner_of_a_cgroup_is_its_path),
      cmocka_unit_test(owner_of_a_device_is_its_name),
      cmocka_unit_test(what_is_gone_has_no_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
