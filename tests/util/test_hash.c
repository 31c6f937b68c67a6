/* hash: SipHash against its published test vectors, the fixed hash against
 * results of earlier versions, the quality of both, and keys. */
#include "util/hash.h"

#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#include <cmocka.h>

/* Takes the C library's place, so that the test can make it fail. */
static bool no_entropy;
static int calls;

ssize_t getrandom(void *buffer, size_t size, unsigned flags) {
  assert_int_equal(flags, GRND_NONBLOCK);
  calls++;
  if (no_entropy) {
    errno = EAGAIN;
    return -1;
  }
  memset(buffer, calls, size);
  return (ssize_t)size;
}

/* The key 00 01 .. 0f of the reference implementation, as little-endian words.
 */
static const struct hash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

/* SipHash-2-4 of no byte, 00, 00 01, ... and 00 01 .. 3e, as published with the
 * reference implementation. */
static const uint64_t siphash_2_4[64] = {
    0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a,
    0x85676696d7fb7e2d, 0xcf2794e0277187b7, 0x18765564cd99a68d,
    0xcbc9466e58fee3ce, 0xab0200f58b01d137, 0x93f5f5799a932462,
    0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
    0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee,
    0xa129ca6149be45e5, 0x3f2acc7f57c29bdb, 0x699ae9f52cbe4794,
    0x4bc1b3f0968dd39c, 0xbb6dc91da77961bd, 0xbed65cf21aa2ee98,
    0xd0f2cbb02e3b67c7, 0x93536795e3a33e88, 0xa80c038ccd5ccec8,
    0xb8ad50c6f649af94, 0xbce192de8a85b8ea, 0x17d835b85bbb15f3,
    0x2f2e6163076bcfad, 0xde4daaaca71dc9a5, 0xa6a2506687956571,
    0xad87a3535c49ef28, 0x32d892fad841c342, 0x7127512f72f27cce,
    0xa7f32346f95978e3, 0x12e0b01abb051238, 0x15e034d40fa197ae,
    0x314dffbe0815a3b4, 0x027990f029623981, 0xcadcd4e59ef40c4d,
    0x9abfd8766a33735c, 0x0e3ea96b5304a7d0, 0xad0c42d6fc585992,
    0x187306c89bc215a9, 0xd4a60abcf3792b95, 0xf935451de4f21df2,
    0xa9538f0419755787, 0xdb9acddff56ca510, 0xd06c98cd5c0975eb,
    0xe612a3cb9ecba951, 0xc766e62cfcadaf96, 0xee64435a9752fe72,
    0xa192d576b245165a, 0x0a8787bf8ecb74b2, 0x81b3e73d20b49b6f,
    0x7fa8220ba3b2ecea, 0x245731c13ca42499, 0xb78dbfaf3a8d83bd,
    0xea1ad565322a1a0b, 0x60e61c23a3795013, 0x6606d7e446282b93,
    0x6ca4ecb15c5f91e1, 0x9f626da15c9625f3, 0xe51b38608ef25f57,
    0x958a324ceb064572};

static void siphash_gives_the_published_results(void **state) {
  (void)state;
  uint8_t data[64];
  for (uint8_t i = 0; i < sizeof(data); i++)
    data[i] = i;
  for (size_t size = 0; size < sizeof(data); size++)
    if (hash_siphash(data, size, &key, 2, 4) != siphash_2_4[size])
      fail_msg("SipHash-2-4 of %zu bytes", size);
}

static void tables_are_hashed_with_one_and_three_rounds(void **state) {
  (void)state;
  uint8_t data[40];
  memset(data, 0xa5, sizeof(data));
  for (size_t size = 0; size <= sizeof(data); size++) {
    uint64_t hash = hash_bytes(data, size, &key);
    assert_true(hash == hash_siphash(data, size, &key, 1, 3));
    assert_true(hash != hash_siphash(data, size, &key, 2, 4));
  }
}

/* Names of members end in digits of this hash. The results are those of the
 * first version, on a host that is little-endian. */
static void fixed_hash_never_changes(void **state) {
  (void)state;
  static const struct {
    const char *data;
    uint64_t seed, hash;
  } rows[] = {
      {"", 0, 0xb5129dbb8d1d79c9},
      {"", 7, 0x09335577da9a950b},
      {"a", 0, 0xdcd7c507feff0b4c},
      {"a", 7, 0x36bd477d13e94ee1},
      {"10.0.0.1", 0, 0x0e41df116d1d7167},
      {"10.0.0.1", 7, 0x4428b94b5a6793b3},
      {"ten bytes.", 0, 0xc98e1bfa30f961ba},
      {"ten bytes.", 7, 0x53f0829b846e6809},
      {"0123456789abcdef", 0, 0x6a573e9d30e86f6c},
      {"0123456789abcdef", 7, 0x7429e83204bed7a3},
      {"0123456789abcdefghijklmno", 0, 0xd65e2679cbf949c8},
      {"0123456789abcdefghijklmno", 7, 0xfc67341f4498ebc9},

  };
  if (htole16(1) != 1)
    skip();
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
    if (hash_fixed(rows[i].data, strlen(rows[i].data), rows[i].seed) !=
        rows[i].hash)
      fail_msg("\"%s\"", rows[i].data);
}

typedef uint64_t hash_fn(const void *data, size_t size, uint64_t seed);

static uint64_t keyed(const void *data, size_t size, uint64_t seed) {
  return hash_bytes(data, size, &(struct hash_key){.k0 = seed, .k1 = 1});
}

/* Each bit of the data changes about half of the result's bits. */
static void check_mixing(hash_fn *hash) {
  uint8_t data[19] = {1, 2, 3};
  for (size_t size = 1; size <= sizeof(data); size++) {
    uint64_t before = hash(data, size, 7);
    int changed = 0;
    for (size_t bit = 0; bit < size * 8; bit++) {
      data[bit / 8] ^= (uint8_t)(1 << bit % 8);
      changed += __builtin_popcountll(before ^ hash(data, size, 7));
      data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_in_range(changed, size * 8 * 26, size * 8 * 38);
    assert_true(hash(data, size, 7) == before);
    assert_true(hash(data, size, 8) != before);
    assert_true(hash(data, size - 1, 7) != before);
  }
}

/* Small numbers spread over a small table. */
static void check_spread(hash_fn *hash) {
  unsigned slot[256] = {0}, most = 0;
  for (uint64_t i = 0; i < 256 * 16; i++) {
    unsigned *s = &slot[hash(&i, sizeof(i), 0) % 256];
    if (++*s > most)
      most = *s;
  }
  assert_in_range(most, 17, 40); /* 16 on average */
}

static void every_bit_of_the_data_counts(void **state) {
  (void)state;
  check_mixing(keyed);
  check_mixing(hash_fixed);
}

static void small_numbers_are_spread(void **state) {
  (void)state;
  check_spread(keyed);
  check_spread(hash_fixed);
}

static void both_words_of_the_key_count(void **state) {
  (void)state;
  uint64_t hash = hash_bytes("x", 1, &key);
  struct hash_key other = key;
  other.k0 ^= 1;
  assert_true(hash_bytes("x", 1, &other) != hash);
  other = key;
  other.k1 ^= (uint64_t)1 << 63;
  assert_true(hash_bytes("x", 1, &other) != hash);
}

static void key_comes_from_the_kernel(void **state) {
  (void)state;
  struct hash_key a = {0};
  no_entropy = false;
  calls = 0x40;
  hash_key_random(&a);
  assert_int_equal(calls, 0x41);
  assert_true(a.k0 == 0x4141414141414141 && a.k1 == a.k0);
}

static void keys_without_entropy_still_differ(void **state) {
  (void)state;
  struct hash_key k[2] = {{0}, {0}};
  no_entropy = true;
  hash_key_random(&k[0]);
  hash_key_random(&k[1]);
  no_entropy = false;
  assert_true(k[0].k0 != 0 && k[0].k1 != 0);
  assert_true(k[0].k1 != k[1].k1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(siphash_gives_the_published_results),
      cmocka_unit_test(tables_are_hashed_with_one_and_three_rounds),
      cmocka_unit_test(fixed_hash_never_changes),
      cmocka_unit_test(every_bit_of_the_data_counts),
      cmocka_unit_test(small_numbers_are_spread),
      cmocka_unit_test(both_words_of_the_key_count),
      cmocka_unit_test(key_comes_from_the_kernel),
      cmocka_unit_test(keys_without_entropy_still_differ),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
