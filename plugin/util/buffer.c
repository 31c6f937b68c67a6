#include "util/buffer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Buffers of this size or more are mapped: freed, they leave no holes in the
 * heap, which the daemon would keep. */
enum { MAPPED_FROM = 4096 };

static bool is_mapped(size_t size) { return size >= MAPPED_FROM; }

static void *memory_new(size_t size) {
  if (!is_mapped(size))
    return calloc(1, size);
  void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at != MAP_FAILED ? at : NULL;
}

static void memory_free(void *at, size_t size) {
  if (is_mapped(size))
    munmap(at, size);
  else
    free(at);
}

/* Pages that the kernel adds are zeroed; the rest of the last page may hold
 * bytes from before an earlier shrinking. */
static void *mapped_resize(void *at, size_t old, size_t size) {
  void *now = mremap(at, old, size, MREMAP_MAYMOVE);
  if (now == MAP_FAILED)
    return NULL;
  if (size > old) {
    size_t rest = -old & ((size_t)sysconf(_SC_PAGESIZE) - 1);
    memset((char *)now + old, 0, size - old < rest ? size - old : rest);
  }
  return now;
}

static void *memory_move(const struct buffer *p, size_t size) {
  void *now = memory_new(size);
  if (now == NULL)
    return NULL;
  if (p->size > 0)
    memcpy(now, p->at, p->size < size ? p->size : size);
  memory_free(p->at, p->size);
  return now;
}

bool buffer_resize(struct buffer *p, size_t size) {
  if (size == p->size)
    return true;
  if (size == 0) {
    memory_free(p->at, p->size);
    *p = (struct buffer){.at = NULL};
    return true;
  }
  void *now = is_mapped(p->size) && is_mapped(size)
                  ? mapped_resize(p->at, p->size, size)
                  : memory_move(p, size);
  if (now == NULL && size > p->size)
    return false;
  if (now != NULL) /* else the larger one stays */
    *p = (struct buffer){.at = now, .size = size};
  return true;
}
