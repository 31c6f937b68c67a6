/* Checks the values of each read that the fake daemon holds for what holds in
 * every history:
 *
 *   - all values of a read have one time, later than that of the read before,
 *     and no two have the same name;
 *   - names have legal characters only;
 *   - a gauge is a number, not negative; a percentage is at most 100;
 *   - the counter of a name never falls;
 *   - the members of a group and `other` add up to its total: counters by their
 *     growth since the name was last dispatched, counts of sockets by their
 *     value;
 *   - a group has at most as many members with values as MaxMembers allows;
 *   - after a failed read only totals of tcpinfo-self are dispatched. */
#ifndef TEST_DISPATCHED_H
#define TEST_DISPATCHED_H

#include "config/settings.h"
#include "support/complaint.h"

struct dispatched;

/* `s` is borrowed. If `overflows`, the kernel may report any numbers, and sums
 * are no longer checked once one exceeds 2^60. Lack of memory aborts. */
struct dispatched *dispatched_new(const struct settings *s, bool overflows);
void dispatched_free(struct dispatched *d);

/* To be called after dispatch_read(), and after dispatch_failure(). */
void dispatched_check(struct dispatched *d, struct complaint *c);
void dispatched_check_failure(struct dispatched *d, struct complaint *c);

/* Returns the last counter dispatched under the name (as in struct fake_value),
 * 0 if there was none. */
int64_t dispatched_counter(const struct dispatched *d, const char *name);

#endif
