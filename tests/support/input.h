/* Takes numbers from the bytes of a fuzzer. After the last byte all are 0. */
#ifndef TEST_INPUT_H
#define TEST_INPUT_H

#include <stddef.h>
#include <stdint.h>

struct input {
  const uint8_t *at;
  size_t left;
};

/* Returns the next `bytes` bytes as a number, the low byte first. */
static inline uint64_t input_take(struct input *in, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes && in->left > 0; i++, in->left--)
    value |= (uint64_t)*in->at++ << 8 * i;
  return value;
}

static inline uint8_t input_byte(struct input *in) {
  return (uint8_t)input_take(in, 1);
}

/* Takes up to `size` bytes and stores their number in `taken`. */
static inline const uint8_t *input_bytes(struct input *in, size_t size,
                                         size_t *taken) {
  const uint8_t *at = in->at;
  *taken = size < in->left ? size : in->left;
  in->at += *taken;
  in->left -= *taken;
  return at;
}

#endif
