/* One option of the configuration and its values: what settings.c has in its
 * table, and how one value of each kind is read and checked. */
#ifndef TCPINFO_COLLECTD_CONFIG_OPTION_H
#define TCPINFO_COLLECTD_CONFIG_OPTION_H

#include "collectd/config_error.h"
#include "config/settings.h"

#include <collectd/liboconfig/oconfig.h>

struct config_option;

/* How far the reading of a <Plugin> or a <Group> block has come. */
struct config_walk {
  struct settings *settings;
  struct group_settings *group;             /* NULL: at the plugin level */
  struct selector *list[SELECTOR_OP_COUNT]; /* of the group, borrowed */
  unsigned seen;                            /* bit: row of the table */
  unsigned directions; /* of the group, enum direction_bit */
  struct given {       /* in the group, of use only with a certain By */
    const struct config_option *option; /* NULL: not given */
    const oconfig_value_t *value;
  } prefix, worst, outliers;
  const struct config_option *option;
  const oconfig_item_t *item;
  int metric; /* the last one of this item, or -1 */
  struct error *error;
};

/* Takes in one value of r->item: 0, or -1 with the line in r->error. */
typedef int config_option_read_fn(struct config_walk *r,
                                  const oconfig_value_t *v);

enum config_option_flag {
  CONFIG_OPTION_IN_PLUGIN = 1,
  CONFIG_OPTION_IN_GROUP = 2,
  CONFIG_OPTION_ONCE = 4, /* at one place */
  CONFIG_OPTION_BLOCK = 8,
  CONFIG_OPTION_ONCE_IN_ALL = 16, /* of the whole plugin: nor in two blocks */
};

struct config_option {
  const char *name;
  unsigned flags;      /* enum config_option_flag */
  int values;          /* so many, 1 or 2; 0: any number but none */
  enum selector_op op; /* of ports and addresses */
  config_option_read_fn *read;
  const char *legal; /* for people: "legal is ..." */
};

config_option_read_fn config_option_read_dump_timeout,
    config_option_read_count_closed, config_option_read_max_close_rate,
    config_option_read_replay, config_option_read_port,
    config_option_read_address, config_option_read_filter,
    config_option_read_direction, config_option_read_ignore_loopback,
    config_option_read_by, config_option_read_prefix, config_option_read_worst,
    config_option_read_worst_retrans, config_option_read_worst_rtt,
    config_option_read_histogram, config_option_read_max_members,
    config_option_read_member_timeout, config_option_read_metric;

/* What only the end of the group's block shows. */
int config_option_end_group(struct config_walk *r);

/* The line for a value of the option that is being read. `v` NULL: no value. */
int config_option_refuse(const struct config_walk *r, const oconfig_value_t *v,
                         const char *problem);
int config_option_out_of_memory(const struct config_walk *r);

/* NULL: refused, because it is no text. */
const char *config_option_text(const struct config_walk *r,
                               const oconfig_value_t *v);

/* Has `to` refuse loopback connections. -1: out of memory. */
int config_option_add_not_loopback(struct selector *to);

#endif
