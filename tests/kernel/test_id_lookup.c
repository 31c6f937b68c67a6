/* Tests kernel/id_lookup.c with this host's devices, ports and cgroups, and
 * with services that this test answers for. */
#include "kernel/id_lookup.h"

#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/magic.h>

/* --- Stand-ins for functions of the C library ----------------------------- */

static unsigned indices_asked;

int ioctl(int fd, unsigned long request, ...) {
  va_list ap;
  va_start(ap, request);
  void *argument = va_arg(ap, void *);
  va_end(ap);
  indices_asked += request == SIOCGIFINDEX;
  return (int)syscall(SYS_ioctl, fd, request, argument);
}

/* The answer for every service. */
static struct {
  int code;    /* errno, if the buffer is large enough */
  size_t size; /* that the buffer must have */
  int port;    /* 0: there is none */
  unsigned calls;
} service;

int getservbyname_r(const char *name, const char *protocol,
                    struct servent *entry, char *buffer, size_t size,
                    struct servent **result) {
  (void)name;
  assert_string_equal(protocol, "tcp");
  service.calls++;
  *result = NULL;
  if (size < service.size)
    return ERANGE;
  memset(buffer, 'x', size);
  if (service.code == 0 && service.port != 0) {
    *entry = (struct servent){.s_port = htons((uint16_t)service.port)};
    *result = entry;
  }
  return service.code;
}

/* --- Tests ---------------------------------------------------------------- */

static void device_has_its_index(void **state) {
  (void)state;
  uint64_t id = 4711;
  assert_int_equal(id_lookup_device("lo", &id), ID_FOUND);
  assert_int_equal(id, if_nametoindex("lo"));
}

/* The ioctl would have the kernel look for a module of that name, in each read.
 */
static void absent_device_loads_no_module(void **state) {
  (void)state;
  uint64_t id = 4711;
  indices_asked = 0;
  assert_int_equal(id_lookup_device("no-such-device", &id), ID_ABSENT);
  assert_int_equal(id_lookup_device("no-such-device-0", &id), ID_ABSENT);
  assert_int_equal(indices_asked, 0);
  assert_int_equal(id, 4711);
}

static void local_ports_are_the_range_of_this_host(void **state) {
  (void)state;
  unsigned low, high;
  uint64_t id;
  FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "r");
  assert_non_null(f);
  assert_int_equal(fscanf(f, "%u %u", &low, &high), 2);
  fclose(f);
  assert_int_equal(id_lookup_local_ports("", &id), ID_FOUND);
  assert_int_equal(id, (uint64_t)low << 16 | high);
}

static void service_has_its_port(void **state) {
  (void)state;
  uint64_t id = 4711;
  service.code = 0;
  service.port = 443;
  assert_int_equal(id_lookup_service("https", &id), ID_FOUND);
  assert_int_equal(id, 443);
  service.port = 65535;
  assert_int_equal(id_lookup_service("x", &id), ID_FOUND);
  assert_int_equal(id, 65535);
}

static void unknown_service_is_absent_and_a_failing_source_is_not(void **s) {
  (void)s;
  static const int codes[] = {ENOENT, EAGAIN, EIO, ETIMEDOUT, EMFILE, EINVAL};
  uint64_t id = 4711;
  service.code = 0;
  service.port = 0;
  assert_int_equal(id_lookup_service("htps", &id), ID_ABSENT);
  service.port = 443;
  for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
    service.code = codes[i];
    assert_int_equal(id_lookup_service("https", &id), ID_FAILED);
  }
  assert_int_equal(id, 4711);
}

static void service_with_many_names_gets_a_larger_buffer(void **state) {
  (void)state;
  uint64_t id = 0;
  service.code = 0;
  service.port = 80;
  service.size = 100000;
  assert_int_equal(id_lookup_service("http", &id), ID_FOUND);
  assert_int_equal(id, 80);
  service.size = SIZE_MAX; /* always too small */
  service.calls = 0;
  assert_int_equal(id_lookup_service("http", &id), ID_FAILED);
  assert_in_range(service.calls, 2, 100);
  service.size = 0;
}

static void path_of(const char *text, const char *expected) {
  char *path = id_lookup_path(text);
  assert_non_null(path);
  assert_string_equal(path, expected);
  free(path);
}

static void cgroup_is_a_folder_of_its_file_system(void **state) {
  (void)state;
  static const char *const mount[] = {"/sys/fs/cgroup",
                                      "/sys/fs/cgroup/unified"};
  uint64_t id = 4711;
  assert_int_equal(id_lookup_cgroup("/proc", &id), ID_ABSENT);
  assert_int_equal(id_lookup_cgroup("/no/such", &id), ID_ABSENT);
  assert_int_equal(id_lookup_cgroup("/etc/passwd/x", &id), ID_ABSENT);
  assert_int_equal(id, 4711);
  for (size_t i = 0; i < sizeof(mount) / sizeof(mount[0]); i++) {
    char path[256];
    struct statfs fs;
    struct stat st;
    if (statfs(mount[i], &fs) != 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
      continue;
    assert_int_equal(stat(mount[i], &st), 0);
    assert_int_equal(id_lookup_cgroup(mount[i], &id), ID_FOUND);
    assert_int_equal(id, st.st_ino);
    snprintf(path, sizeof(path), "%s/cgroup.procs", mount[i]);
    assert_int_equal(id_lookup_cgroup(path, &id), ID_ABSENT); /* no folder */
    snprintf(path, sizeof(path), "%s/no-such", mount[i]);
    assert_int_equal(id_lookup_cgroup(path, &id), ID_ABSENT);

    /* Within the file system, or as it stands. */
    path_of("no-such", path);
    path_of("/no-such", path);
    path_of(path, path);
    snprintf(path, sizeof(path), "%s/proc/x", mount[i]);
    path_of("/proc/x", path);
    path_of(mount[i], mount[i]);
    return;
  }
  skip(); /* no control groups of version 2 here */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(device_has_its_index),
      cmocka_unit_test(absent_device_loads_no_module),
      cmocka_unit_test(local_ports_are_the_range_of_this_host),
      cmocka_unit_test(service_has_its_port),
      cmocka_unit_test(unknown_service_is_absent_and_a_failing_source_is_not),
      cmocka_unit_test(service_with_many_names_gets_a_larger_buffer),
      cmocka_unit_test(cgroup_is_a_folder_of_its_file_system),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
