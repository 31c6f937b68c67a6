/* Addresses, prefixes and ports: parse, format, match.
 *
 * Every address is 16 bytes in network order; IPv4 is kept as ::ffff:a.b.c.d,
 * so an IPv4-mapped IPv6 address and the IPv4 address are the same value. */
#ifndef TCPINFO_TCP_ADDRESS_H
#define TCPINFO_TCP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

struct address {
  uint8_t bytes[16];
};

/* `bits` counts from the first of all 128 bits: 10.0.0.0/8 has 104. */
struct prefix {
  struct address address;
  uint8_t bits;
};

/* Both ends belong to the range; host order. */
struct port_range {
  uint16_t low, high;
};

enum { ADDRESS_TEXT_MAX = 46 }; /* INET6_ADDRSTRLEN, with the final NUL */

/* Makes an address of the four words in network order that the kernel sends
 * (idiag_src, idiag_dst): AF_INET uses the first, any other family all of them.
 */
static inline struct address address_from_inet(uint8_t family,
                                               const uint32_t words[4]) {
  struct address a = {.bytes = {[10] = 0xff, [11] = 0xff}};
  if (family == AF_INET)
    memcpy(a.bytes + 12, words, 4);
  else
    memcpy(a.bytes, words, 16);
  return a;
}

bool address_is_ipv4(const struct address *a);
bool address_is_any(const struct address *a);        /* 0.0.0.0 or :: */
bool address_is_loopback(const struct address *a);   /* 127.0.0.0/8 or ::1 */
bool address_is_link_local(const struct address *a); /* fe80::/10 */
bool address_equal(const struct address *a, const struct address *b);

/* Returns the address with all bits behind the first `bits` of 128 cleared. */
struct address address_network(const struct address *a, uint8_t bits);

/* Writes IPv4 in dots and IPv6 as RFC 5952 says. Returns `text`, which has room
 * for ADDRESS_TEXT_MAX bytes. */
char *address_format(const struct address *a, char *text);

/* Parses "10.0.0.1", "10.0.0.0/8", "::1" or "2001:db8::/32"; without a length
 * the whole address counts. Clears the bits behind the length. False if the
 * text is of another form; `out` is then left as it was. */
bool prefix_parse(const char *text, struct prefix *out);

/* True if the address is in the prefix. No IPv6 prefix, not even ::/0, contains
 * an IPv4 address. */
bool prefix_match(const struct prefix *p, const struct address *a);

/* Parses "443" or "8000-8099"; ports are 1 to 65535. False if the text is none
 * of these or the range is reversed; `out` is then left as it was. */
bool port_range_parse(const char *text, struct port_range *out);

#endif
