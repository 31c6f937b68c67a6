/* The groups that count the connections of a history, and checks of their
 * values: no counter falls, and members and `other` add up to the total. */
#ifndef TEST_HISTORY_GROUPS_H
#define TEST_HISTORY_GROUPS_H

#include "group/group.h"
#include "support/complaint.h"
#include "support/lives_model.h"

/* GROUP_ALL has every connection; GROUP_PORT those whose remote port is not
 * LIVES_OTHER_PORT; GROUP_PEER has members by remote address, at most two with
 * own series; GROUP_CGROUP has members by cgroup. Without struct tcp_info there
 * are only the first two. */
enum { GROUP_ALL, GROUP_PORT, GROUP_PEER, GROUP_CGROUP, GROUPS };

/* The values that are checked: first enum life_counter, then enum life_end. */
enum { VALUES = LIFE_COUNTERS + LIFE_ENDS };
const char *value_name(int value);

enum { MEMBERS_MAX = 16 };

/* The last reported counters of a group, in total and by member. */
struct series {
  uint64_t total[VALUES], connections, members_connections;
  size_t member_count;
  struct member_counters {
    char name[24];
    uint64_t value[VALUES];
  } member[MEMBERS_MAX];
};

struct groups {
  struct group *group[GROUPS];
  size_t count;
  struct series series[GROUPS];
  struct complaint *complaint;
};

/* Group setup and teardown of cmocka, around all histories. */
int groups_setup(void **state);
int groups_teardown(void **state);

/* Makes the groups; `g` must be zeroed except for the complaint. */
void groups_new(struct groups *g, bool info);
void groups_free(struct groups *g);
uint32_t groups_attrs(const struct groups *g);
const char *groups_name(size_t group);

/* Reads and checks the values of the groups, after a complete dump. */
void groups_read(struct groups *g);

/* Returns a value of one member; 0 if the member was never reported. */
uint64_t groups_member(struct groups *g, size_t group, const char *member,
                       int value);

#endif
