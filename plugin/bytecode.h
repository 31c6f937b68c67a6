/* A selector as inet_diag bytecode, which the kernel runs on each socket of a
 * dump (INET_DIAG_REQ_BYTECODE; linux: net/ipv4/inet_diag.c,
 * inet_diag_bc_audit() and inet_diag_bc_run()). Pure: no socket is touched. */
#ifndef TCPINFO_BYTECODE_H
#define TCPINFO_BYTECODE_H

#include "selector.h"

/* More conditions than this cost the kernel more per socket than sending the
 * socket costs: such a selector becomes a coarser one, at last none. */
enum { BYTECODE_CONDITIONS_MAX = 32 };

struct bytecode {
  uint8_t *code; /* multiple of 4 bytes; NULL where size is 0 */
  size_t size;   /* 0: no filter, every socket passes */
};

/* What passes holds at least every socket that matches `s`. Uses only
 * operations that every kernel since 2.6.14 knows. Returns -1 where memory ran
 * out; `out` is freed with bytecode_free(). */
int bytecode_compile(const struct selector *s, struct bytecode *out);
void bytecode_free(struct bytecode *b);

#endif
