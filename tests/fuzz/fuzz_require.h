/* What the fuzz targets share. */
#ifndef TEST_FUZZ_REQUIRE_H
#define TEST_FUZZ_REQUIRE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts with the text, so that the fuzzer keeps the input. */
static inline void require(int condition, const char *error) {
  if (condition)
    return;
  fprintf(stderr, "%s\n", error);
  abort();
}

#endif
