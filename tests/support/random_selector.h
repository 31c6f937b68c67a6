/* Random selectors and sockets, from pools that are small enough for them to
 * meet. What comes follows from srandom(3) alone. */
#ifndef TEST_RANDOM_SELECTOR_H
#define TEST_RANDOM_SELECTOR_H

#include "support/bytecode_machine.h"

/* What bounds a random selector, and what came of it. */
struct random {
  int budget;        /* of what it may cost */
  unsigned features; /* that the code may use */
  bool exact;        /* the kernel's ops can say it, of full sockets */
};

/* The caller frees it. */
struct selector *random_selector(int depth, struct random *r);

/* A connection, or now and then a listener. */
struct socket random_socket(void);

/* What becomes of it in the end: it keeps its mark since Linux 5.14. */
struct socket random_mini(const struct socket *s);

/* One of the cgroups that are chosen from, from now on, in the place of one of
 * the first three. */
void random_know_cgroup(size_t i, uint64_t id);

#endif
