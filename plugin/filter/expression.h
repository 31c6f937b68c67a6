/* The filter language of ss(8) -> a selector. Names (services, devices,
 * cgroups) are looked up here, once: not to be called from a read. */
#ifndef TCPINFO_FILTER_EXPRESSION_H
#define TCPINFO_FILTER_EXPRESSION_H

#include "filter/selector.h"
#include "util/error.h"

/* NULL with the reason: "column N: ...", counted from 1, with what was expected
 * there. The caller owns the selector. */
struct selector *expression_parse(const char *text, struct error *error);

#endif
