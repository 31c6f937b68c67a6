/* Reads collectd's configuration tree into the settings. */
#ifndef TCPINFO_COLLECTD_CONFIG_READ_H
#define TCPINFO_COLLECTD_CONFIG_READ_H

#include "config/settings.h"
#include "util/error.h"

struct oconfig_item_s; /* a node of liboconfig's tree */

/* Reads one <Plugin tcpinfo> block into `s`, which settings_init() prepared.
 * The block may come several times: defaults at its plugin level hold for all
 * groups of the block and of the blocks after it. Returns 0, or -1 with the
 * line to log for the first wrong setting; `s` is then only good for
 * settings_free(). */
int config_read(struct settings *s, const struct oconfig_item_s *block,
                struct error *error);

/* To be called after the last block: if there is no group, adds the group `all`
 * with IgnoreLoopback. Returns 0, or -1 with "out of memory". */
int config_finish(struct settings *s, struct error *error);

#endif
