#include "util/buffer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* From here on a piece is pages of its own: what is given back then leaves no
 * holes in the heap, which would stay with the daemon. */
enum { MAPPED_FROM = 4096 };

static bool is_mapped(size_t size) { return size >= MAPPED_FROM; }

static void *piece_new(size_t size) {
  if (!is_mapped(size))
    return calloc(1, size);
  void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at != MAP_FAILED ? at : NULL;
}

static void piece_free(void *at, size_t size) {
  if (is_mapped(size))
    munmap(at, size);
  else
    free(at);
}

/* What the kernel adds is zeroes; what was cut off within the last page and
 * comes again is not. */
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

static void *piece_move(const struct buffer *p, size_t size) {
  void *now = piece_new(size);
  if (now == NULL)
    return NULL;
  if (p->size > 0)
    memcpy(now, p->at, p->size < size ? p->size : size);
  piece_free(p->at, p->size);
  return now;
}

bool buffer_resize(struct buffer *p, size_t size) {
  if (size == p->size)
    return true;
  if (size == 0) {
    piece_free(p->at, p->size);
    *p = (struct buffer){.at = NULL};
    return true;
  }
  void *now = is_mapped(p->size) && is_mapped(size)
                  ? mapped_resize(p->at, p->size, size)
                  : piece_move(p, size);
  if (now == NULL && size > p->size)
    return false;
  if (now != NULL) /* a smaller one could not be had: the larger one does */
    *p = (struct buffer){.at = now, .size = size};
  return true;
}
