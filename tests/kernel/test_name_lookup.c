/* name_lookup: users from a stand-in for getpwuid_r(3), devices
 * from one for if_indextoname(3), and cgroups as folders that the test makes,
 * found through a list of mounts that it writes. */
#include "kernel/name_lookup.h"

#include "util/text.h"

#include <errno.h>
#include <malloc.h>
#include <mntent.h>
#include <net/if.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* --- In the C library's place --------------------------------------------- */

static struct passwd known;
static bool user_exists;
static int user_error;

int getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size,
               struct passwd **found) {
  (void)buffer;
  (void)size;
  *found = NULL;
  if (user_error != 0 || !user_exists || uid != known.pw_uid)
    return user_error;
  *entry = known;
  *found = entry;
  return 0;
}

static const char *device_name[16]; /* by index; NULL: no such device */
static int device_lookups;

char *if_indextoname(unsigned index, char name[IF_NAMESIZE]) {
  device_lookups++;
  if (index >= 16 || device_name[index] == NULL)
    return NULL;
  return strcpy(name, device_name[index]);
}

static char folder[] = "/tmp/tcpinfo-test-names-XXXXXX";
static int walks; /* looks at the list of mounts */

static const char *path_of(const char *name) {
  static char path[128];
  snprintf(path, sizeof(path), "%s/%s", folder, name);
  return path;
}

FILE *setmntent(const char *file, const char *mode) {
  assert_string_equal(file, "/proc/self/mounts");
  walks++;
  return fopen(path_of("mounts"), mode);
}

/* --- A tree of cgroups ---------------------------------------------------- */

static void mounts_write(const char *type) {
  FILE *f = fopen(path_of("mounts"), "w");
  assert_non_null(f);
  fprintf(f, "proc /proc proc rw 0 0\nnone %s/tree %s rw 0 0\n", folder, type);
  fclose(f);
}

static uint64_t cgroup_make(const char *name) {
  struct stat st;
  assert_int_equal(mkdir(path_of(name), 0700), 0);
  assert_int_equal(stat(path_of(name), &st), 0);
  return st.st_ino;
}

static struct name_lookup *names;

static int setup(void **state) {
  (void)state;
  user_exists = false;
  user_error = 0;
  memset(device_name, 0, sizeof(device_name));
  device_lookups = 0;
  if (mkdtemp(folder) == NULL)
    return -1;
  mounts_write("cgroup2");
  names = name_lookup_new();
  walks = 0;
  return names != NULL ? 0 : -1;
}

static int teardown(void **state) {
  (void)state;
  char command[64];
  name_lookup_free(names);
  snprintf(command, sizeof(command), "rm -r %s", folder);
  int status = system(command);
  memcpy(strchr(folder, '\0') - 6, "XXXXXX", 6);
  return status;
}

static char text[TEXT_CLEAN_MAX];

/* The path of a cgroup, or why there is none. */
static const char *cgroup(uint64_t id) {
  bool gone;
  const char *path = name_lookup_cgroup(names, id, &gone);
  assert_false(path != NULL && gone);
  return path != NULL ? path : gone ? "(gone)" : "(unknown)";
}

static const char *user(uint32_t uid) {
  name_lookup_user(names, uid, text);
  return text;
}

static const char *device(uint32_t index) {
  const char *name = name_lookup_interface(names, index);
  return name != NULL ? name : "(gone)";
}

/* --- Tests ---------------------------------------------------------------- */

static void user_has_a_cleaned_name_or_its_number(void **state) {
  (void)state;
  char name[] = "DOMAIN\\jo e";
  known = (struct passwd){.pw_uid = 1000, .pw_name = name};
  user_exists = true;
  assert_string_equal(user(1000), "DOMAIN_jo_e");
  assert_string_equal(user(4294967295), "4294967295");
  name[0] = '\0';
  assert_string_equal(user(1000), "1000");
  name[0] = 'x';
  user_error = EIO;
  assert_string_equal(user(1000), "1000");
}

static void long_user_name_is_cut(void **state) {
  (void)state;
  char name[2 * TEXT_CLEAN_MAX] = "";
  memset(name, 'n', sizeof(name) - 1);
  known = (struct passwd){.pw_uid = 7, .pw_name = name};
  user_exists = true;
  assert_int_equal(strlen(user(7)), TEXT_CLEAN_MAX - 1);
}

static void device_has_its_present_name(void **state) {
  (void)state;
  device_name[7] = "eth0";
  assert_string_equal(device(7), "eth0");
  assert_string_equal(device(8), "(gone)");
  device_name[7] = "wan";
  device_name[8] = "eth0";
  name_lookup_renew(names);
  assert_string_equal(device(7), "wan");
  assert_string_equal(device(8), "eth0");
  device_name[7] = NULL;
  name_lookup_renew(names);
  assert_string_equal(device(7), "(gone)");
}

static void device_is_looked_up_once_a_read(void **state) {
  (void)state;
  device_name[7] = "eth0";
  for (int read = 1; read <= 3; read++) {
    for (int i = 0; i < 5; i++) {
      device(7);
      device(8);
    }
    assert_int_equal(device_lookups, 2 * read);
    name_lookup_renew(names);
  }
}

/* Devices and cgroups of containers come and go for ever. */
static void memory_for_what_is_gone_is_bounded(void **state) {
  (void)state;
  cgroup_make("tree");
  size_t most = 0;
  for (uint32_t i = 1; i <= 200000; i++) {
    device(1000 + i);
    cgroup(UINT64_MAX - i);
    if (i % 100 == 0)
      name_lookup_renew(names);
    if (i == 20000)
      most = mallinfo2().uordblks;
  }
  assert_true(mallinfo2().uordblks <= most + (1 << 20));
}

static void cgroup_has_its_path_below_the_mount(void **state) {
  (void)state;
  uint64_t top = cgroup_make("tree");
  uint64_t slice = cgroup_make("tree/system.slice");
  uint64_t unit = cgroup_make("tree/system.slice/my unit@1.service");
  uint64_t other = cgroup_make("tree/user.slice");
  assert_string_equal(cgroup(unit), "system.slice/my unit@1.service");
  assert_string_equal(cgroup(slice), "system.slice");
  assert_string_equal(cgroup(other), "user.slice");
  assert_string_equal(cgroup(top), "");
  assert_int_equal(walks, 1);
}

static void many_cgroups_are_all_found(void **state) {
  (void)state;
  enum { MANY = 200 };
  static uint64_t id[MANY];
  cgroup_make("tree");
  for (int i = 0; i < MANY; i++) {
    char name[32];
    snprintf(name, sizeof(name), "tree/unit%d", i);
    id[i] = cgroup_make(name);
  }
  for (int i = 0; i < MANY; i++) {
    char expected[32];
    snprintf(expected, sizeof(expected), "unit%d", i);
    assert_string_equal(cgroup(id[i]), expected);
  }
  assert_int_equal(walks, 1);
}

static void unknown_cgroup_is_searched_for_once_a_read(void **state) {
  (void)state;
  cgroup_make("tree");
  assert_string_equal(cgroup(UINT64_MAX), "(gone)");
  assert_string_equal(cgroup(UINT64_MAX - 1), "(gone)");
  assert_int_equal(walks, 1);
  name_lookup_renew(names);
  uint64_t later = cgroup_make("tree/later");
  assert_string_equal(cgroup(later), "later");
  assert_int_equal(walks, 2);
}

/* Sockets may live on in a cgroup that was removed. */
static void cgroup_that_is_gone_is_not_searched_for_again(void **state) {
  (void)state;
  cgroup_make("tree");
  for (int read = 0; read < 5; read++) {
    assert_string_equal(cgroup(UINT64_MAX), "(gone)");
    name_lookup_renew(names);
  }
  assert_int_equal(walks, 1);
}

/* Also a series that begins after its cgroup has gone gets the name. */
static void removed_cgroup_keeps_its_path_until_the_next_walk(void **state) {
  (void)state;
  cgroup_make("tree");
  uint64_t id = cgroup_make("tree/short");
  assert_string_equal(cgroup(id), "short");
  assert_int_equal(rmdir(path_of("tree/short")), 0);
  name_lookup_renew(names);
  assert_string_equal(cgroup(id), "short");
  assert_string_equal(cgroup(UINT64_MAX), "(gone)");
  assert_string_equal(cgroup(id), "(gone)");
}

static void host_without_cgroup_v2_knows_none(void **state) {
  (void)state;
  uint64_t top = cgroup_make("tree");
  assert_true(name_lookup_has_cgroups());
  mounts_write("cgroup");
  assert_false(name_lookup_has_cgroups());
  assert_string_equal(cgroup(top), "(unknown)");
  assert_int_equal(unlink(path_of("mounts")), 0);
  assert_false(name_lookup_has_cgroups());
}

static void nothing_can_be_freed(void **state) {
  (void)state;
  name_lookup_free(NULL);
}

int main(void) {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
  const struct CMUnitTest tests[] = {
      IN_FOLDER(user_has_a_cleaned_name_or_its_number),
      IN_FOLDER(long_user_name_is_cut),
      IN_FOLDER(device_has_its_present_name),
      IN_FOLDER(device_is_looked_up_once_a_read),
      IN_FOLDER(memory_for_what_is_gone_is_bounded),
      IN_FOLDER(cgroup_has_its_path_below_the_mount),
      IN_FOLDER(many_cgroups_are_all_found),
      IN_FOLDER(unknown_cgroup_is_searched_for_once_a_read),
      IN_FOLDER(cgroup_that_is_gone_is_not_searched_for_again),
      IN_FOLDER(removed_cgroup_keeps_its_path_until_the_next_walk),
      IN_FOLDER(host_without_cgroup_v2_knows_none),
      cmocka_unit_test(nothing_can_be_freed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
