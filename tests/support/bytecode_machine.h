/* Runs and audits bytecode as the kernel does, written from what the kernel
 * does and not from the compiler. What must not be fails the test. */
#ifndef TEST_BYTECODE_MACHINE_H
#define TEST_BYTECODE_MACHINE_H

#include "filter/bytecode.h"

/* What the kernel compares is what its message says (linux: inet_diag_bc_sk()
 * and inet_diag_msg_attrs_fill(), inet_twsk_diag_fill(), inet_req_diag_fill()).
 */
struct socket {
  uint8_t family;
  struct socket_attrs attrs;
  bool mini; /* has no cgroup */
};

/* Whether the kernel would send it; without code it sends all. */
bool machine_passes(const struct bytecode *b, const struct socket *s);

/* What the kernel's audit asks, and that a condition's `yes` is its length, and
 * that `b->features` are those used. Returns what the code costs. */
size_t machine_audit(const struct bytecode *b);

/* The features that a selector's list needs, by its op. */
extern const unsigned machine_needs[SELECTOR_OP_COUNT];

#endif
