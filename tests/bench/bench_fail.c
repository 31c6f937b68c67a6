#include "bench_fail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bench_fail(const char *failed) {
  fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, failed,
          strerror(errno));
  exit(1);
}
