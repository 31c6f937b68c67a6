/* Arrays on the heap that grow and shrink. */
#ifndef TCPINFO_UTIL_ARRAY_H
#define TCPINFO_UTIL_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

/* Gives `array`, a pointer to items or NULL, room for `count` items: as
 * realloc(3), what it held stays as far as there is room, may have moved, and
 * new items are undefined. The caller frees it with free(3).
 *
 *     if (!ARRAY_RESIZE(list->item, list->count + 1))
 *       return -1;
 *     list->item[list->count++] = item;
 *
 * False, and `array` is left as it was, if memory ran out, if the size in bytes
 * overflows, or if `count` is 0, which is also what SIZE_MAX + 1 gives. */
#define ARRAY_RESIZE(array, count)                                             \
  array_resize(&(array), (count), sizeof(*(array)))

/* The same; `array` is the address of the pointer to the items, of whatever
 * type, and `size` the bytes of one item. */
bool array_resize(void *array, size_t count, size_t size);

#endif
