/* Makes random selectors and sockets from pools that are so small that a
 * selector often matches a socket. The sequence depends on srandom(3) only. */
#ifndef TEST_RANDOM_SELECTOR_H
#define TEST_RANDOM_SELECTOR_H

#include "support/bytecode_machine.h"

/* The limits of a random selector, and one result. */
struct random {
  int budget;        /* cost that is left */
  unsigned features; /* of bytecode that the selector may use */
  bool exact; /* result: bytecode can express it exactly for full sockets */
};

/* The caller frees the selector. */
struct selector *random_selector(int depth, struct random *r);

/* Returns a connection or, less often, a listener. */
struct socket random_socket(void);

/* Returns the mini socket that `s` becomes when it closes. It keeps the mark of
 * `s` since Linux 5.14. */
struct socket random_mini(const struct socket *s);

/* Replaces one of the first three cgroups in the pool. */
void random_set_cgroup(size_t i, uint64_t id);

#endif
