/* Runs and audits bytecode as the kernel does. It was written after the
 * kernel's source, independently of the compiler. Invalid bytecode fails the
 * test. */
#ifndef TEST_BYTECODE_MACHINE_H
#define TEST_BYTECODE_MACHINE_H

#include "filter/bytecode.h"

/* A socket as the kernel's message describes it; the kernel compares these
 * values (linux: inet_diag_bc_sk() and inet_diag_msg_attrs_fill(),
 * inet_twsk_diag_fill(), inet_req_diag_fill()). */
struct socket {
  uint8_t family;
  struct socket_attrs attrs;
  bool mini; /* a mini socket has no cgroup */
};

/* Returns true if the kernel would send the socket. Empty code passes every
 * socket. */
bool machine_passes(const struct bytecode *b, const struct socket *s);

/* Checks all that the kernel's audit checks (linux: inet_diag_bc_audit()), that
 * the `yes` of a condition is its length, and that `b->features` are the
 * features that the code uses. Returns the cost of the code. */
size_t machine_audit(const struct bytecode *b);

/* The features that the list of a selector needs, by its op. */
extern const unsigned machine_needs[SELECTOR_OP_COUNT];

#endif
