/* Addresses are parsed by inet_pton(3) but not formatted by inet_ntop(3), which
 * writes ::1:2 as ::0.1.0.2. */
#include "tcp/address.h"

#include "util/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

bool address_is_ipv4(const struct address *a) {
  return memcmp(a->bytes, mapped, 12) == 0;
}

bool address_is_any(const struct address *a) {
  static const uint8_t zero[16];
  return memcmp(a->bytes + 12, zero, 4) == 0 &&
         (address_is_ipv4(a) || memcmp(a->bytes, zero, 12) == 0);
}

bool address_is_loopback(const struct address *a) {
  static const uint8_t one[16] = {[15] = 1};
  if (address_is_ipv4(a))
    return a->bytes[12] == 127;
  return memcmp(a->bytes, one, 16) == 0;
}

bool address_is_link_local(const struct address *a) {
  return a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

bool address_equal(const struct address *a, const struct address *b) {
  return memcmp(a->bytes, b->bytes, 16) == 0;
}

static unsigned group_of(const struct address *a, int i) {
  return (unsigned)a->bytes[2 * i] << 8 | a->bytes[2 * i + 1];
}

char *address_format(const struct address *a, char *text) {
  const uint8_t *b = a->bytes;
  if (address_is_ipv4(a)) {
    snprintf(text, ADDRESS_TEXT_MAX, "%u.%u.%u.%u", b[12], b[13], b[14], b[15]);
    return text;
  }

  /* RFC 5952: "::" for the longest run of zeros, the first of equals, and
   * never for a single one. */
  int start = -1, length = 1;
  for (int i = 0, run = 0; i < 8; i++) {
    run = group_of(a, i) == 0 ? run + 1 : 0;
    if (run > length) {
      length = run;
      start = i - run + 1;
    }
  }

  char *p = text;
  for (int i = 0; i < 8; i++) {
    if (i == start) {
      p += sprintf(p, "::");
      i += length - 1;
      continue;
    }
    p += sprintf(p, "%s%x", i > 0 && i != start + length ? ":" : "",
                 group_of(a, i));
  }
  return text;
}

struct address address_network(const struct address *a, uint8_t bits) {
  struct address network = *a;
  for (unsigned i = bits; i < 128; i++)
    network.bytes[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
  return network;
}

bool prefix_parse(const char *text, struct prefix *out) {
  char address[ADDRESS_TEXT_MAX];
  const char *slash = strchr(text, '/');
  size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
  if (length >= sizeof(address))
    return false;
  memcpy(address, text, length);
  address[length] = '\0';

  uint32_t words[4];
  unsigned first = 0; /* bits in front of an IPv4 address */
  struct prefix p;
  if (inet_pton(AF_INET, address, words) == 1) {
    p.address = address_from_inet(AF_INET, words);
    first = 96;
  } else if (inet_pton(AF_INET6, address, words) == 1) {
    p.address = address_from_inet(AF_INET6, words);
  } else {
    return false;
  }

  uint64_t bits = 128 - first;
  if (slash != NULL && !text_parse_decimal(slash + 1, bits, &bits))
    return false;
  bits += first;
  p.bits = (uint8_t)bits;
  p.address = address_network(&p.address, p.bits);
  *out = p;
  return true;
}

bool prefix_match(const struct prefix *p, const struct address *a) {
  if (p->bits < 96 && address_is_ipv4(a))
    return false;
  unsigned whole = p->bits / 8, rest = p->bits % 8;
  if (memcmp(p->address.bytes, a->bytes, whole) != 0)
    return false;
  return rest == 0 ||
         (p->address.bytes[whole] ^ a->bytes[whole]) >> (8 - rest) == 0;
}

static bool port_parse(const char *text, uint16_t *out) {
  uint64_t value;
  if (!text_parse_decimal(text, UINT16_MAX, &value) || value == 0)
    return false;
  *out = (uint16_t)value;
  return true;
}

bool port_range_parse(const char *text, struct port_range *out) {
  char low[8];
  struct port_range range;
  size_t length = strcspn(text, "-");
  if (length >= sizeof(low))
    return false;
  memcpy(low, text, length);
  low[length] = '\0';
  if (!port_parse(low, &range.low))
    return false;
  range.high = range.low;
  if (text[length] == '-' && !port_parse(text + length + 1, &range.high))
    return false;
  if (range.low > range.high)
    return false;
  *out = range;
  return true;
}
