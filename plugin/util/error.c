#include "util/error.h"

#include <stdarg.h>
#include <stdio.h>

int error_set(struct error *error, const char *format, ...) {
  if (error == NULL)
    return -1;
  va_list ap;
  va_start(ap, format);
  vsnprintf(error->text, sizeof(error->text), format, ap);
  va_end(ap);
  return -1;
}
