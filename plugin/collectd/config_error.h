/* The one line that is logged for a wrong setting:
 *
 *      Group "web": LocalPort "99999": not a port; legal is 1 to 65535, ...
 *
 * The line always fits struct error, whatever the user wrote. */
#ifndef TCPINFO_COLLECTD_CONFIG_ERROR_H
#define TCPINFO_COLLECTD_CONFIG_ERROR_H

#include "filter/selector.h"
#include "util/error.h"

#include <stdbool.h>

struct oconfig_value_s;

/* Room for a name or a value, with the final NUL. Longer text is cut and ends
 * in
 * "...". */
enum { CONFIG_ERROR_SHOWN_MAX = 64 };

/* `problem` and `legal` may together have this many characters, so that the
 * line fits however long the other parts are: room for a problem, with the
 * final NUL, and the rest for what is legal. */
enum { CONFIG_ERROR_ROOM = 290, CONFIG_PROBLEM_MAX = 80 };

struct config_error {
  const char *group;  /* NULL: at the plugin level */
  const char *option; /* the user's word or the option's name */
  const struct oconfig_value_s *value; /* NULL: the option has no value */
  const char *problem, *legal;
};

/* Writes the line; control characters are shown as "?". Returns -1. */
int config_error_set(struct error *error, const struct config_error *e);

/* Writes the line for a name that nothing has yet, which is no error: the group
 * whose selector has the condition, and the condition. */
void config_error_absent(struct error *line, const char *group,
                         const struct selector_name *name);

/* The number of characters to insert, remove or replace until `a` reads as `b`;
 * upper and lower case are the same. Of both, the first 31 characters count. */
unsigned config_error_distance(const char *a, const char *b);

/* Tells if a name at that distance from `text` is so near that the user
 * probably meant that name. */
bool config_error_is_slip(const char *text, unsigned distance);

#endif
