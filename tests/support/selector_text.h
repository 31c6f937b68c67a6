/* A selector as text, for comparisons:
 *
 *      (and (LocalPort 80 8000-8099) (not (RemoteAddress 10.0.0.0/8))) */
#ifndef TCPINFO_SELECTOR_TEXT_H
#define TCPINFO_SELECTOR_TEXT_H

#include "filter/selector.h"

/* Returns `out`; fails the test where `size` is too little. */
char *selector_text(const struct selector *s, char *out, size_t size);

#endif
