/* Builds selectors for tests, each in one expression. A lack of memory or a
 * text that is no prefix fails the test. */
#ifndef TEST_BUILD_SELECTOR_H
#define TEST_BUILD_SELECTOR_H

#include "filter/selector.h"

/* Parses a text such as 10.0.0.0/8; an address without a length has all bits.
 */
struct prefix build_prefix(const char *text);

/* Each returns a new node with `count` entries, which the caller frees. The
 * entries are: pairs of int, low and high; const char * as for build_prefix();
 * unsigned, of which all bits are compared; nodes, which the new node then
 * owns. */
struct selector *build_ports(enum selector_op op, int count, ...);
struct selector *build_addresses(enum selector_op op, int count, ...);
struct selector *build_values(enum selector_op op, int count, ...);
struct selector *build_tree(enum selector_op op, int count, ...);

#endif
