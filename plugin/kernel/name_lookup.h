/* Names of users, network devices and cgroups, looked up by the numbers that
 * the kernel reports. A look-up may open files and ask other services, so it is
 * made when a series begins, never within a dump. */
#ifndef TCPINFO_KERNEL_NAME_LOOKUP_H
#define TCPINFO_KERNEL_NAME_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct name_lookup;

/* NULL: out of memory. */
struct name_lookup *name_lookup_new(void);
void name_lookup_free(struct name_lookup *n); /* NULL is legal */

/* To be called once a read: cgroups that were not found may be searched for
 * again. */
void name_lookup_renew(struct name_lookup *n);

/* Each of the next three writes a name, cleaned by text_clean(), to `text`; the
 * number in decimal if there is no name. `text` has room for TEXT_CLEAN_MAX
 * bytes. */

/* The user's name as getpwuid_r(3) returns it. */
void name_lookup_user(struct name_lookup *n, uint32_t uid, char *text);

/* The device's name in the caller's network namespace; for 0 "unbound". */
void name_lookup_interface(struct name_lookup *n, uint32_t index, char *text);

/* The last part of the path of the cgroup v2 with that id, which is the inode
 * number of its folder (linux: include/linux/cgroup.h, cgroup_ino()). "root"
 * for the topmost one, "none" for 0. If the id is unknown, reads the whole
 * tree, at most once between two calls of name_lookup_renew(). */
void name_lookup_cgroup(struct name_lookup *n, uint64_t id, char *text);

/* True if a cgroup v2 is mounted here, so that name_lookup_cgroup() can find
 * names. */
bool name_lookup_has_cgroups(void);

#endif
