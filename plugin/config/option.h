/* The options of the configuration, a row each: name, level, how often, type,
 * bounds, defaults, unit. Defaults are set from the row (settings.c), values
 * are checked against the row (collectd/config_option.c), and the text of what
 * is legal is made from the row.
 *
 * A new option of a simple type (OPTION_COUNT, OPTION_NUMBER, OPTION_BOOLEAN)
 * is a row in option_table.c and a field in settings.h. Nothing here depends on
 * the daemon or on its configuration tree. */
#ifndef TCPINFO_CONFIG_OPTION_H
#define TCPINFO_CONFIG_OPTION_H

#include "filter/selector.h"

#include <stdbool.h>
#include <stddef.h>

enum option_level {
  OPTION_IN_PLUGIN = 1, /* <Plugin tcpinfo> */
  OPTION_IN_GROUP = 2,  /* <Group> */
  OPTION_IN_BOTH = 3,   /* the plugin's value is the default of the groups */
};

enum option_repeat {
  OPTION_REPEATED,    /* each line adds to those before */
  OPTION_ONCE,        /* once in a block */
  OPTION_ONCE_IN_ALL, /* once in all <Plugin> blocks together */
};

enum option_type {
  /* The row says all: */
  OPTION_COUNT,          /* one whole number */
  OPTION_NUMBER,         /* one number above the minimum */
  OPTION_BOOLEAN,        /* true or false */
  OPTION_SEVERITY,       /* numbers above the minimum, for a warning and, not
                            lower, for a failure */
  OPTION_PREFIX_LENGTHS, /* whole numbers, for IPv4 and for IPv6 */
  /* These have a reader of their own: */
  OPTION_COUNT_CLOSED,
  OPTION_PATHS,
  OPTION_GROUP, /* a block; the bounds are those of its name's length */
  OPTION_PORTS,
  OPTION_ADDRESSES,
  OPTION_FILTER,
  OPTION_DIRECTIONS,
  OPTION_DIMENSIONS,
  OPTION_DISTRIBUTIONS,
  OPTION_METRICS,
  OPTION_TYPE_COUNT,
};

/* The other options of the group without which the option has no effect. */
enum option_need {
  OPTION_NEEDS_NOTHING,
  OPTION_NEEDS_REMOTE_NETWORK, /* By "remote-network" */
  OPTION_NEEDS_BY,
  OPTION_NEEDS_WORST, /* By and Worst */
};

/* A field of the settings that a value is stored in. */
struct option_field {
  size_t offset;
  enum option_store {
    OPTION_STORE_NONE,
    OPTION_STORE_BOOL,
    OPTION_STORE_BYTE,
    OPTION_STORE_UNSIGNED,
    OPTION_STORE_DOUBLE,
  } store;
};

enum { OPTION_VALUES_MAX = 2 };

struct option_value {
  double minimum, maximum; /* a minimum is legal only if whole numbers are */
  double preset;           /* without the option */
  struct option_field in_plugin, in_group;
};

struct config_option {
  const char *name;
  enum option_level level;
  enum option_repeat repeat;
  int arity; /* number of values; 0: one or more */
  enum option_type type;
  struct option_value value[OPTION_VALUES_MAX];
  const char *unit;     /* plural; of numbers */
  const char *preset_0; /* meaning of a default of 0 that is out of range */
  enum option_need need;
  enum selector_op op; /* of ports and addresses */
  const char *legal;   /* if the text is not made from the columns above */
};

/* In the order in which messages list the options. At most 32. */
extern const struct config_option option_table[];
extern const size_t option_count;

/* The option of that name, in upper or lower case; NULL: there is none. */
const struct config_option *option_find(const char *name);

/* The needed options as text, such as "By and Worst"; NULL: none. */
const char *option_need_text(enum option_need need);

enum { OPTION_LEGAL_MAX = 208 };

/* The text behind "legal is ", made for a person. Returns `text`. */
const char *option_legal(const struct config_option *o,
                         char text[OPTION_LEGAL_MAX]);

/* Tells if the value is in the range of the option's value `i`; NAN is not. */
bool option_in_range(const struct config_option *o, int i, double value);

/* Stores a value in the settings that `field` is a field of. OPTION_STORE_NONE:
 * does nothing. The value must be in the range of the field's C type. */
void option_store(struct option_field field, void *settings, double value);

/* The value that option_store() stored; 0 for OPTION_STORE_NONE. */
double option_load(struct option_field field, const void *settings);

#endif
