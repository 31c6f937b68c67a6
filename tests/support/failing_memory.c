#include "support/failing_memory.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct failing_memory failing_memory = {.first = 1};

void memory_fail(size_t first, size_t count) {
  failing_memory = (struct failing_memory){.on = true, .first = 1};
  if (count > 0) {
    failing_memory.first = first;
    failing_memory.last = first + count - 1;
  }
}

size_t memory_back(void) {
  failing_memory.on = false;
  return failing_memory.count;
}

static bool fails(void) {
  struct failing_memory *m = &failing_memory;
  if (!m->on)
    return false;
  uint64_t number = m->count++;
  if (number < m->first || number > m->last)
    return false;
  errno = ENOMEM;
  return true;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size) {
  return fails() ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size) {
  return fails() ? NULL : __real_calloc(count, size);
}

void *__real_realloc(void *at, size_t size);
void *__wrap_realloc(void *at, size_t size);
void *__wrap_realloc(void *at, size_t size) {
  return fails() ? NULL : __real_realloc(at, size);
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text) {
  return fails() ? NULL : __real_strdup(text);
}

void *__real_mmap(void *at, size_t size, int protection, int flags, int fd,
                  off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd,
                  off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd,
                  off_t offset) {
  return fails() ? MAP_FAILED
                 : __real_mmap(at, size, protection, flags, fd, offset);
}

/* The fifth argument exists with MREMAP_FIXED only, which the plugin does not
 * use. */
void *__real_mremap(void *at, size_t old, size_t size, int flags, ...);
void *__wrap_mremap(void *at, size_t old, size_t size, int flags, ...);
void *__wrap_mremap(void *at, size_t old, size_t size, int flags, ...) {
  return fails() ? MAP_FAILED : __real_mremap(at, old, size, flags);
}

FILE *__real_setmntent(const char *file, const char *type);
FILE *__wrap_setmntent(const char *file, const char *type);
FILE *__wrap_setmntent(const char *file, const char *type) {
  return fails() ? NULL : __real_setmntent(file, type);
}

FILE *__real_fopen(const char *file, const char *mode);
FILE *__wrap_fopen(const char *file, const char *mode);
FILE *__wrap_fopen(const char *file, const char *mode) {
  return fails() ? NULL : __real_fopen(file, mode);
}

struct mnl_socket *__real_mnl_socket_fdopen(int fd);
struct mnl_socket *__wrap_mnl_socket_fdopen(int fd);
struct mnl_socket *__wrap_mnl_socket_fdopen(int fd) {
  return fails() ? NULL : __real_mnl_socket_fdopen(fd);
}
