/* Reads one value of an option into the settings, checked against the option's
 * row (config/option.h). Does not walk the configuration: config_read.c does.
 */
#ifndef TCPINFO_COLLECTD_CONFIG_OPTION_H
#define TCPINFO_COLLECTD_CONFIG_OPTION_H

#include "collectd/config_walk.h"

/* Reads one value of w->item into the settings. Returns 0, or -1 with the line
 * in w->error. Not for OPTION_GROUP. */
int config_option_read(struct config_walk *w, const oconfig_value_t *v);

/* Checks what is known only at the end of a group's block: `block` is the
 * group, all of whose lines have been read. Completes the group's selector.
 * Returns as config_option_read(). */
int config_option_end_group(struct config_walk *w, const oconfig_item_t *block);

#endif
