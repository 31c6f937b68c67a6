#include "util/array.h"

#include <stdlib.h>
#include <string.h>

/* memcpy(): a T * must not be read as a void *. */
bool array_resize(void *array, size_t count, size_t size) {
  size_t bytes;
  void *items;
  if (count == 0 || __builtin_mul_overflow(count, size, &bytes))
    return false;
  memcpy(&items, array, sizeof(items));
  items = realloc(items, bytes);
  if (items == NULL)
    return false;
  memcpy(array, &items, sizeof(items));
  return true;
}
