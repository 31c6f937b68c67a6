#include "util/hash.h"

#include <string.h>

/* Spreads every bit of `h` over all bits of the result. The factors are odd and
 * of no pattern: the fractions of the square roots of 2 and 3. */
static uint64_t mix(uint64_t h) {
  h = (h ^ h >> 32) * 0x6a09e667f3bcc909u;
  h = (h ^ h >> 29) * 0xbb67ae8584caa73bu;
  return h ^ h >> 32;
}

uint64_t hash_bytes(const void *data, size_t size, uint64_t seed) {
  const uint8_t *p = data;
  uint64_t h = mix(seed + size + 1);
  for (; size >= 8; size -= 8, p += 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    h = mix(h ^ word);
  }
  if (size > 0) {
    uint64_t word = 0;
    memcpy(&word, p, size);
    h = mix(h ^ word);
  }
  return h;
}
