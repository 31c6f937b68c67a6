/* The state of the walk through collectd's configuration tree, and the refusals
 * that all readers share. */
#ifndef TCPINFO_COLLECTD_CONFIG_WALK_H
#define TCPINFO_COLLECTD_CONFIG_WALK_H

#include "config/option.h"
#include "config/settings.h"
#include "util/error.h"

#include <collectd/liboconfig/oconfig.h>

/* The point that the reading of a <Plugin> or a <Group> block has reached. */
struct config_walk {
  struct settings *settings;
  struct group_settings *group;             /* NULL: at the plugin level */
  struct selector *list[SELECTOR_OP_COUNT]; /* of the group, borrowed */
  /* An `or` of a list and of conditions that follow a name; NULL: the list is
   * alone. Borrowed. */
  struct selector *either[SELECTOR_OP_COUNT];
  unsigned seen;       /* a bit for each option of the block, by row */
  unsigned directions; /* of the group, enum direction_bit */
  const oconfig_value_t *outliers; /* of the group's Metric; NULL: not given */
  const struct config_option *option; /* the option that is read, */
  const oconfig_item_t *item;         /* and its line or block */
  int metric; /* the last metric of `item`; -1: none so far */
  struct error *error;
};

/* Writes the line for a value of w->option; `v` NULL: there is no value.
 * Returns -1. */
int config_walk_refuse(const struct config_walk *w, const oconfig_value_t *v,
                       const char *problem);

/* The same with another text of what is legal than the row's. */
int config_walk_refuse_with(const struct config_walk *w,
                            const oconfig_value_t *v, const char *problem,
                            const char *legal);

/* Writes "out of memory". Returns -1. */
int config_walk_out_of_memory(const struct config_walk *w);

/* The value as text, borrowed from `v`. NULL: the value is no text, and has
 * been refused. */
const char *config_walk_text(const struct config_walk *w,
                             const oconfig_value_t *v);

#endif
