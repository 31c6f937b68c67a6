/* Names of users, network devices and cgroups, looked up by the numbers that
 * the kernel reports. A look-up may open files and ask other services, so it is
 * made after a dump, never within. */
#ifndef TCPINFO_KERNEL_NAME_LOOKUP_H
#define TCPINFO_KERNEL_NAME_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct name_lookup;

/* NULL: out of memory. */
struct name_lookup *name_lookup_new(void);
void name_lookup_free(struct name_lookup *n); /* NULL is legal */

/* To be called once a read: devices are looked up anew, and cgroups that were
 * not found may be searched for again. */
void name_lookup_renew(struct name_lookup *n);

/* Writes the user's name as getpwuid_r(3) returns it, cleaned by text_clean(),
 * to `text`, which has room for TEXT_CLEAN_MAX bytes; the number in decimal if
 * there is no name. */
void name_lookup_user(struct name_lookup *n, uint32_t uid, char *text);

/* Returns the device's present name in the caller's network namespace; NULL:
 * there is no such device. Looks up each device at most once between two calls
 * of name_lookup_renew(). Borrowed until the next call of a function here. */
const char *name_lookup_interface(struct name_lookup *n, uint32_t index);

/* Returns the path of the cgroup v2 with that id, which is the inode number of
 * its folder (linux: include/linux/cgroup.h, cgroup_ino()), below the folder
 * that the cgroups are mounted on: "system.slice/x.service"; "" for the topmost
 * one. NULL: not found; `gone` is then true if there are cgroups here, so that
 * this one was removed (an id is not used again), or is outside of the mount.
 * If the id is unknown, reads the whole tree, at most once between two calls of
 * name_lookup_renew(). Borrowed until the next call of a function here. */
const char *name_lookup_cgroup(struct name_lookup *n, uint64_t id, bool *gone);

/* True if a cgroup v2 is mounted here, so that name_lookup_cgroup() can find
 * names. */
bool name_lookup_has_cgroups(void);

#endif
