/* The local ports that the host listens on, by which the direction of a
 * connection is told. They are told anew for each dump; until all of them are,
 * those of before hold, too. */
#ifndef TCPINFO_CONNECTION_LISTENERS_H
#define TCPINFO_CONNECTION_LISTENERS_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroes: none. */
struct listeners {
  uint8_t now[(UINT16_MAX + 1) / 8];  /* a bit each */
  uint8_t next[(UINT16_MAX + 1) / 8]; /* those told since the begin */
};

void listeners_begin(struct listeners *l);
void listeners_add(struct listeners *l, uint16_t port);
void listeners_end(struct listeners *l); /* all were told */

bool listeners_has(const struct listeners *l, uint16_t port);

#endif
