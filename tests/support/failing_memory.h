/* Lets chosen allocations of the plugin fail. A program that links it needs
 * wrap() of tests/CMakeLists.txt, which makes the linker send the calls of
 * malloc(3) and its kin, mmap(2), mremap(2), and of functions that allocate a
 * handle, here. Allocations inside the C library do not fail. */
#ifndef TEST_FAILING_MEMORY_H
#define TEST_FAILING_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* While `on`, allocations are counted from 0, and those with a number from
 * `first` to `last` fail with ENOMEM. The test switches it off around what it
 * allocates itself. */
struct failing_memory {
  bool on;
  uint64_t count;
  uint64_t first, last; /* first > last: none fails */
};
extern struct failing_memory failing_memory;

#endif
