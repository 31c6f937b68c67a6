/* The configuration as plain data: filled in once from collectd's tree, then
 * only read, except for the lists of conditions that follow a name (follow.h).
 * Values are checked where they are filled in; nothing checks them
 * again. Ranges and defaults are in option_table.c. */
#ifndef TCPINFO_CONFIG_SETTINGS_H
#define TCPINFO_CONFIG_SETTINGS_H

#include "config/dimension.h"
#include "filter/selector.h"
#include "metric/metric.h"

/* The values at or above which a notification is sent. */
struct severity {
  double warning, failure;
};

struct group_settings {
  char *name; /* [A-Za-z0-9_.]+, at most 60, unique, not "self" */
  struct selector *selector;          /* never NULL */
  enum dimension by[DIMENSION_COUNT]; /* in the order of the configuration */
  size_t by_count;                    /* 0: no members */
  uint8_t prefix_ipv4, prefix_ipv6;   /* bits; of remote-network */
  unsigned max_members;
  unsigned member_timeout;       /* intervals */
  unsigned worst;                /* worst members reported; 0: none */
  struct severity worst_retrans; /* percent */
  struct severity worst_rtt;     /* seconds */
  bool ignore_loopback;          /* while reading; then in `selector` */
  struct metric_list histograms; /* while reading; then in `metrics` */
  struct metric_list metrics;    /* never empty */
};

/* The times at which the plugin subscribes to the kernel's close events. */
enum count_closed {
  COUNT_CLOSED_AUTO, /* while their rate is at most max_close_rate */
  COUNT_CLOSED_ALWAYS,
  COUNT_CLOSED_NEVER,
};

struct settings {
  struct group_settings *group; /* owned, as is all that it points to */
  size_t group_count;
  double dump_timeout; /* seconds; 0: the plugin's interval */
  enum count_closed count_closed;
  double max_close_rate; /* destroyed sockets per second */
  char **replay;         /* files, in order; none: the kernel is asked */
  size_t replay_count;
  /* While reading: defaults of the groups, and a bit for each option that was
   * given and may be given only once in all blocks. */
  struct metric_list metrics;
  unsigned max_members;
  unsigned given;
};

/* Fills in the defaults, without any group. To be ended by settings_free(). */
void settings_init(struct settings *s);

/* Frees what `s` owns, not `s`; `s` is then empty, and may be freed again. */
void settings_free(struct settings *s);

/* Adds a group of that name (copied) that selects every connection, with the
 * defaults of the options and those of `s`. Returns the group, which belongs to
 * `s` and may move with the next call; NULL: out of memory. */
struct group_settings *settings_add_group(struct settings *s, const char *name);

#endif
