#include "support/complaint.h"

#include <stdarg.h>
#include <stdio.h>

void complain(struct complaint *c, const char *format, ...) {
  va_list list;
  if (c->text[0] != '\0')
    return;
  va_start(list, format);
  vsnprintf(c->text, sizeof(c->text), format, list);
  va_end(list);
}
