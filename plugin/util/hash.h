/* Hashes of bytes: a keyed one for tables, and a fixed one for names and
 * checks. */
#ifndef TCPINFO_UTIL_HASH_H
#define TCPINFO_UTIL_HASH_H

#include <stddef.h>
#include <stdint.h>

/* The secret of a table, 128 bits. */
struct hash_key {
  uint64_t k0, k1;
};

/* Fills `out` from getrandom(2), without waiting. If that fails (a kernel that
 * has not gathered entropy yet, a seccomp filter without this call), the key is
 * made from the 16 random bytes that the kernel gave this process at its start
 * (getauxval(3), AT_RANDOM), the monotonic clock and the address of `out`. */
void hash_key_random(struct hash_key *out);

/* SipHash-1-3 of `size` bytes: who does not know the key cannot choose data
 * that collide. The same on hosts of either byte order. */
uint64_t hash_bytes(const void *data, size_t size, const struct hash_key *key);

/* SipHash-c-d (Aumasson and Bernstein, "SipHash: a fast short-input PRF",
 * 2012): `c` rounds for each 8 bytes, `d` at the end. */
uint64_t hash_siphash(const void *data, size_t size, const struct hash_key *key,
                      unsigned c, unsigned d);

/* A well mixed hash without a secret; `seed` chains several. The digits at the
 * end of a long member's name come from this function (group/member_key.c), so
 * its result is the same in every run and version; it must never change. Words
 * are read in the byte order of the host. Not for tables of keys that a peer
 * chooses: collisions are easy to construct. */
uint64_t hash_fixed(const void *data, size_t size, uint64_t seed);

#endif
