/* Names for numbers that come from outside: users, devices, cgroups. Looked up
 * when a series begins, never within a dump: it may open files. */
#ifndef TCPINFO_NAMES_H
#define TCPINFO_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NAMES_TEXT_MAX = 256 }; /* with the final NUL */

struct names;

/* NULL where memory ran out. */
struct names *names_new(void);
void names_free(struct names *n);

/* A read begins: what was not found may be looked for again. */
void names_renew(struct names *n);

/* A copy in which letters, digits and `_ . @ -` stay and every other character
 * becomes '_'. `text` has room for NAMES_TEXT_MAX characters. */
void names_clean(const char *name, char *text);

/* Each writes the name, or the number where there is none, to `text`, as
 * names_clean() does. */

/* As getpwuid(3) has it. */
void names_user(struct names *n, uint32_t uid, char *text);

/* In the caller's network namespace; of 0, "unbound". */
void names_interface(struct names *n, uint32_t index, char *text);

/* Whether a cgroup v2 is mounted here, so that names can be had. */
bool names_has_cgroups(void);

/* The last part of the path of the cgroup v2 with that id (its inode number,
 * linux: cgroup_ino()); of the topmost one "root", of 0 "none". All of them are
 * looked for at once, at most once a read. */
void names_cgroup(struct names *n, uint64_t id, char *text);

#endif
