#include "support/failing_memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/types.h>

static bool counting;
static size_t allocations, fail_first, fail_count;

void memory_fail(size_t first, size_t count) {
  counting = true;
  allocations = 0;
  fail_first = first;
  fail_count = count;
}

size_t memory_back(void) {
  counting = false;
  return allocations;
}

static bool fails(void) {
  if (!counting)
    return false;
  size_t n = allocations++;
  if (n < fail_first || n - fail_first >= fail_count)
    return false;
  errno = ENOMEM;
  return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void *__real_mmap(void *at, size_t size, int protection, int flags, int fd,
                  off_t offset);
void *__real_mremap(void *at, size_t old, size_t size, int flags);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd,
                  off_t offset);
void *__wrap_mremap(void *at, size_t old, size_t size, int flags);

void *__wrap_malloc(size_t size) {
  return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
  return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *at, size_t size) {
  return fails() ? NULL : __real_realloc(at, size);
}

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd,
                  off_t offset) {
  return fails() ? MAP_FAILED
                 : __real_mmap(at, size, protection, flags, fd, offset);
}

void *__wrap_mremap(void *at, size_t old, size_t size, int flags) {
  return fails() ? MAP_FAILED : __real_mremap(at, old, size, flags);
}
