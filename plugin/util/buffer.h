/* Memory for data that grows with the number of sockets. A large buffer is
 * mapped on its own pages, so that it grows without being copied and returns to
 * the system when it is freed, however fragmented the heap is. */
#ifndef TCPINFO_UTIL_BUFFER_H
#define TCPINFO_UTIL_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed: a buffer of no bytes. Its owner frees it by buffer_resize(p, 0). */
struct buffer {
  void *at;    /* aligned to 16 at least; NULL if size is 0 */
  size_t size; /* bytes */
};

/* Gives the buffer `size` bytes. Its content stays as far as there is room, and
 * may move; new bytes are zero. False: out of memory, and the buffer is as it
 * was. Shrinking always succeeds, but may leave the buffer larger than `size`.
 */
bool buffer_resize(struct buffer *p, size_t size);

#endif
