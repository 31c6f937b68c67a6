/* Reads collectd's configuration tree into the settings. */
#ifndef TCPINFO_COLLECTD_CONFIG_READ_H
#define TCPINFO_COLLECTD_CONFIG_READ_H

#include "config/settings.h"
#include "util/error.h"

struct oconfig_item_s; /* liboconfig's tree */

/* Adds one <Plugin tcpinfo> block, which may come several times: its plugin
 * level defaults hold for all its groups and for the blocks after it. Returns
 * -1 and the line to log on the first mistake; `s` is then only good for
 * settings_free(). */
int config_read(struct settings *s, const struct oconfig_item_s *block,
                struct error *error);

/* After the last block: without any group, adds the group `all` with
 * IgnoreLoopback. -1: out of memory. */
int config_finish(struct settings *s, struct error *error);

#endif
