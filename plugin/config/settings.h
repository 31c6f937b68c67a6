/* The configuration as plain data: read once from collectd's tree, then only
 * looked at. It is checked where it is read; nothing behind checks it again. */
#ifndef TCPINFO_CONFIG_SETTINGS_H
#define TCPINFO_CONFIG_SETTINGS_H

#include "config/dimension.h"
#include "filter/selector.h"
#include "metric/metric.h"

/* From where on a notification is due. */
struct severity {
  double warning, failure;
};

struct group_settings {
  char *name; /* [A-Za-z0-9_.]+, at most 60, unique, not "self" */
  struct selector *selector;          /* never NULL */
  enum dimension by[DIMENSION_COUNT]; /* in the order of the configuration */
  size_t by_count;                    /* 0: no members */
  uint8_t prefix_ipv4, prefix_ipv6; /* of remote-network; bits, 0 to 32, 128 */
  unsigned max_members;             /* 1 to 10000 */
  unsigned member_timeout;          /* intervals, 1 to 10000 */
  unsigned worst;                   /* members named as such; 0 to 100 */
  struct severity worst_retrans;    /* percent */
  struct severity worst_rtt;        /* seconds */
  struct metric_list histograms;    /* of use while reading only */
  struct metric_list metrics;       /* never empty */
};

/* Whether the kernel's notices of destroyed sockets are followed. */
enum count_closed {
  COUNT_CLOSED_AUTO, /* while they are not more than max_close_rate */
  COUNT_CLOSED_ALWAYS,
  COUNT_CLOSED_NEVER,
};

struct settings {
  struct group_settings *group;
  size_t group_count;
  double dump_timeout; /* seconds; 0: the plugin's interval */
  enum count_closed count_closed;
  double max_close_rate; /* closes a second, more than 0, at most 10 million */
  char **replay;         /* files, in order; none: the kernel is asked */
  size_t replay_count;
  /* Of use while reading only: defaults of the groups; which options of the
   * whole plugin were given, by bits of their own. */
  struct metric_list metrics;
  unsigned max_members;
  unsigned given;
};

/* `s` becomes what no configuration at all gives. */
void settings_init(struct settings *s);

void settings_free(struct settings *s); /* what `s` owns, not `s` */

#endif
