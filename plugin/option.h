/* One option of the configuration and its values: what settings.c has in its
 * table, and how one value of each kind is read and checked. */
#ifndef TCPINFO_OPTION_H
#define TCPINFO_OPTION_H

#include "mistake.h"
#include "settings.h"

#include <collectd/liboconfig/oconfig.h>

struct option;

/* How far the reading of a <Plugin> or a <Group> block has come. */
struct reading {
  struct settings *settings;
  struct group_settings *group;             /* NULL: at the plugin level */
  struct selector *list[SELECTOR_OP_COUNT]; /* of the group, borrowed */
  unsigned seen;                            /* bit: row of the table */
  unsigned directions; /* of the group, enum direction_bit */
  struct given {       /* in the group, of use only with a certain By */
    const struct option *option; /* NULL: not given */
    const oconfig_value_t *value;
  } prefix, worst, outliers;
  const struct option *option;
  const oconfig_item_t *item;
  int metric; /* the last one of this item, or -1 */
  struct error *error;
};

/* Takes in one value of r->item: 0, or -1 with the line in r->error. */
typedef int option_read_fn(struct reading *r, const oconfig_value_t *v);

enum option_flag {
  OPTION_IN_PLUGIN = 1,
  OPTION_IN_GROUP = 2,
  OPTION_ONCE = 4, /* at one place */
  OPTION_BLOCK = 8,
  OPTION_ONCE_IN_ALL = 16, /* of the whole plugin: nor in two blocks */
};

struct option {
  const char *name;
  unsigned flags;      /* enum option_flag */
  int values;          /* so many, 1 or 2; 0: any number but none */
  enum selector_op op; /* of ports and addresses */
  option_read_fn *read;
  const char *legal; /* for people: "legal is ..." */
};

option_read_fn option_read_dump_timeout, option_read_count_closed,
    option_read_max_close_rate, option_read_replay, option_read_port,
    option_read_address, option_read_filter, option_read_direction,
    option_read_ignore_loopback, option_read_by, option_read_prefix,
    option_read_worst, option_read_worst_retrans, option_read_worst_rtt,
    option_read_histogram, option_read_max_members, option_read_member_timeout,
    option_read_metric;

/* What only the end of the group's block shows. */
int option_end_group(struct reading *r);

/* The line for a value of the option that is being read. `v` NULL: no value. */
int option_refuse(const struct reading *r, const oconfig_value_t *v,
                  const char *problem);
int option_out_of_memory(const struct reading *r);

/* NULL: refused, because it is no text. */
const char *option_text(const struct reading *r, const oconfig_value_t *v);

/* Has `to` refuse loopback connections. -1: out of memory. */
int option_add_not_loopback(struct selector *to);

#endif
