/* Lets chosen allocations of the plugin fail: of malloc(3) and its kin,
 * mmap(2), mremap(2), and of functions that allocate a handle. Allocations
 * inside the C library do not fail. A test needs failing_memory() of
 * tests/CMakeLists.txt.
 */
#ifndef TEST_FAILING_MEMORY_H
#define TEST_FAILING_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
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

/* From now on the allocations first, first + 1 ... (counted from 0) fail,
 * `count` of them. */
void memory_fail(size_t first, size_t count);

/* Ends that. Returns the number of allocations since memory_fail(). */
size_t memory_back(void);

#endif
