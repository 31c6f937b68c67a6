/* Memory for what grows with the number of sockets. A large piece is pages of
 * its own, so that it grows without being copied and goes back to the system
 * when it is let go, whatever the heap looks like by then. */
#ifndef TCPINFO_UTIL_BUFFER_H
#define TCPINFO_UTIL_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroes: a piece of no bytes. Who owns it lets it go by a size of 0. */
struct buffer {
  void *at;    /* aligned to 16 at least */
  size_t size; /* bytes */
};

/* Gives the piece that size. What it held stays, as far as there is room, and
 * may have moved; what is new is zeroes. False: out of memory, and all is as it
 * was; never for a size that is not larger. */
bool buffer_resize(struct buffer *p, size_t size);

#endif
