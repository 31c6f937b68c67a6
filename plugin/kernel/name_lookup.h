/* Names for numbers that come from outside: users, devices, cgroups. Looked up
 * when a series begins, never within a dump: it may open files. */
#ifndef TCPINFO_KERNEL_NAME_LOOKUP_H
#define TCPINFO_KERNEL_NAME_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct name_lookup;

/* NULL where memory ran out. */
struct name_lookup *name_lookup_new(void);
void name_lookup_free(struct name_lookup *n);

/* A read begins: what was not found may be looked for again. */
void name_lookup_renew(struct name_lookup *n);

/* Each writes the name, or the number where there is none, to `text`, as
 * text_clean() does. */

/* As getpwuid(3) has it. */
void name_lookup_user(struct name_lookup *n, uint32_t uid, char *text);

/* In the caller's network namespace; of 0, "unbound". */
void name_lookup_interface(struct name_lookup *n, uint32_t index, char *text);

/* Whether a cgroup v2 is mounted here, so that names can be had. */
bool name_lookup_has_cgroups(void);

/* The last part of the path of the cgroup v2 with that id (its inode number,
 * linux: cgroup_ino()); of the topmost one "root", of 0 "none". All of them are
 * looked for at once, at most once a read. */
void name_lookup_cgroup(struct name_lookup *n, uint64_t id, char *text);

#endif
