/* Selectors in one expression. What memory is not there for, or what is no
 * prefix, fails the test. */
#ifndef TEST_BUILD_SELECTOR_H
#define TEST_BUILD_SELECTOR_H

#include "filter/selector.h"

/* 10.0.0.0/8; an address alone counts whole. */
struct prefix build_prefix(const char *text);

/* A node with `count` entries: pairs of int, low and high; const char *, as
 * above; unsigned, all of whose bits count; nodes, which then belong to it. */
struct selector *build_ports(enum selector_op op, int count, ...);
struct selector *build_addresses(enum selector_op op, int count, ...);
struct selector *build_values(enum selector_op op, int count, ...);
struct selector *build_tree(enum selector_op op, int count, ...);

#endif
