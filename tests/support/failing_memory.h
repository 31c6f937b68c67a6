/* Lets allocations fail, for a test that is linked with
 *
 *     LINKER:--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=mmap,--wrap=mremap
 */
#ifndef TEST_FAILING_MEMORY_H
#define TEST_FAILING_MEMORY_H

#include <stddef.h>

/* From now on the allocations first, first + 1 ... (counted from 0) fail,
 * `count` of them. */
void memory_fail(size_t first, size_t count);

/* Ends that. Returns the number of allocations since memory_fail(). */
size_t memory_back(void);

#endif
