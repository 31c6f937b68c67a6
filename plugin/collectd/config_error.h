/* The one line that says what is wrong with a setting:
 *
 *      Group "web": LocalPort "99999": not a port; legal is 1 to 65535, ...
 *
 * It always fits struct error, whatever was written. */
#ifndef TCPINFO_COLLECTD_CONFIG_ERROR_H
#define TCPINFO_COLLECTD_CONFIG_ERROR_H

#include "util/error.h"

#include <stdbool.h>

struct oconfig_value_s;

/* Longer text is cut, and ends in "..." (here with the final NUL). */
enum { CONFIG_ERROR_SHOWN_MAX = 64 };

/* Where the rest of the line is at its longest, `problem` and `legal` may have
 * this many characters together. */
enum { CONFIG_ERROR_ROOM = 290 };

struct config_error {
  const char *group;                   /* NULL: at the plugin level */
  const char *option;                  /* as the user wrote it, or as we do */
  const struct oconfig_value_s *value; /* NULL: there is none */
  const char *problem, *legal;
};

/* Returns -1. */
int config_error_set(struct error *error, const struct config_error *m);

/* Characters to insert, remove or replace until `a` reads as `b`, upper and
 * lower case being the same; of each, the first 31 count. */
unsigned config_error_distance(const char *a, const char *b);

/* Whether something at that distance from `text` was probably meant. */
bool config_error_is_slip(const char *text, unsigned distance);

#endif
