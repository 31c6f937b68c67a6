/* Names of cgroups, devices and users that a test chooses, in the place of
 * those of kernel/name_lookup.c: the test is linked with FAKE_NAMES
 * (CMakeLists.txt), which wraps the functions that look names up. */
#ifndef TCPINFO_TESTS_FAKE_NAMES_H
#define TCPINFO_TESTS_FAKE_NAMES_H

enum { FAKE_NAMES_MOST = 4096 }; /* ids and indexes below this have a place */

extern const char fake_names_gone[]; /* stands for what was removed */

extern struct fake_names {
  const char *cgroup[FAKE_NAMES_MOST]; /* paths; NULL: no cgroups here */
  const char *device[FAKE_NAMES_MOST]; /* names; NULL: "dev" and the index */
} fake_names;

#endif
