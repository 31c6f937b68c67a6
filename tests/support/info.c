#include "support/info.h"

#include <string.h>

void info_put(uint8_t *block, enum field_id id, uint64_t value) {
  const struct field *f = &field_table[id];
  uint32_t v4 = (uint32_t)value;
  uint16_t v2 = (uint16_t)value;
  if (f->width == 8)
    memcpy(block + f->offset, &value, 8);
  else if (f->width == 4)
    memcpy(block + f->offset, &v4, 4);
  else if (f->width == 2)
    memcpy(block + f->offset, &v2, 2);
  else
    block[f->offset] = (uint8_t)(block[f->offset] | value << f->shift);
}
