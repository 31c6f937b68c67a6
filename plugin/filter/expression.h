/* Reads an expression of ss(8)'s filter language into a selector. Knows the
 * language, not what happens with the selector. */
#ifndef TCPINFO_FILTER_EXPRESSION_H
#define TCPINFO_FILTER_EXPRESSION_H

#include "filter/selector.h"
#include "util/error.h"

/* Reads `text`. The caller owns the selector. NULL: `error` holds the reason,
 * "column N: expected ..., found ...", columns counted from 1 in characters, or
 * "out of memory".
 *
 * Names of services are looked up now: this opens files and is not to be called
 * from a read. Conditions on devices, on cgroups and on what cannot be looked
 * up now follow their names, see follow.h; until then they match nothing. */
struct selector *expression_parse(const char *text, struct error *error);

#endif
