/* The local ports on which the host listens. They decide the direction of a
 * connection.
 *
 * The ports are listed anew for each dump. Until the list is complete, the
 * ports of the list before count, too. */
#ifndef TCPINFO_CONNECTION_LISTENERS_H
#define TCPINFO_CONNECTION_LISTENERS_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroes: no ports. */
struct listeners {
  uint8_t complete[(UINT16_MAX + 1) / 8]; /* one bit for each port */
  uint8_t next[(UINT16_MAX + 1) / 8];     /* the list in the making */
};

/* Begins a list, adds a port to it, ends it. */
void listeners_begin(struct listeners *l);
void listeners_add(struct listeners *l, uint16_t port);
void listeners_end(struct listeners *l);

/* Returns whether the host listens on the port. */
bool listeners_has(const struct listeners *l, uint16_t port);

#endif
