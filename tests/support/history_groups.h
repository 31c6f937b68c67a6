/* The groups that the connections's histories are counted in, and what they
 * say: that no counter falls, and that members and `other` add up to the total.
 */
#ifndef TEST_HISTORY_GROUPS_H
#define TEST_HISTORY_GROUPS_H

#include "group/group.h"
#include "support/lives_model.h"

/* Every connection; those not to LIVES_OTHER_PORT; by remote address, two of
 * which have series of their own; by cgroup. Without struct tcp_info only the
 * first two.
 */
enum { GROUP_ALL, GROUP_PORT, GROUP_PEER, GROUP_CGROUP, GROUPS };

/* The counters that are looked at: as enum life_counter, then enum life_end. */
enum { VALUES = LIFE_COUNTERS + LIFE_ENDS };
const char *value_name(int value);

/* What went wrong first; empty: nothing. */
struct complaint {
  char text[512];
};
__attribute__((format(printf, 2, 3))) void complain(struct complaint *c,
                                                    const char *format, ...);

enum { SOCKET_ROWS_MAX = 16 };

/* A group's counters as they were last reported, by member. */
struct series {
  uint64_t total[VALUES], connections, members_connections;
  size_t rows;
  struct socket_row {
    char name[24];
    uint64_t value[VALUES];
  } row[SOCKET_ROWS_MAX];
};

struct groups {
  struct group *group[GROUPS];
  size_t count;
  struct series series[GROUPS];
  struct complaint *complaint;
};

/* Once, around all histories (for cmocka). */
int groups_setup(void **state);
int groups_teardown(void **state);

/* `g` is zeroed but for the complaint. */
void groups_new(struct groups *g, bool info);
void groups_free(struct groups *g);
uint32_t groups_attrs(const struct groups *g);
const char *groups_name(size_t group);

/* After a complete dump: reads what they report. */
void groups_read(struct groups *g);

/* Of one member; 0 where it was never reported. */
uint64_t groups_member(struct groups *g, size_t group, const char *member,
                       int value);

#endif
