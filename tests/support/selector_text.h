/* Formats a selector as text, for comparisons:
 *
 *      (and (LocalPort 80 8000-8099) (not (RemoteAddress 10.0.0.0/8)))
 *
 * The name that a condition follows stands before what it means at present:
 * (interface =eth0 2). */
#ifndef TEST_SELECTOR_TEXT_H
#define TEST_SELECTOR_TEXT_H

#include "filter/selector.h"

/* Returns `out`; fails the test if `size` is too small. */
char *selector_text(const struct selector *s, char *out, size_t size);

#endif
