/* Reads the configuration that a benchmark measures. */
#ifndef BENCH_CONFIGURE_H
#define BENCH_CONFIGURE_H

#include "collectd/config_read.h"

/* Reads `text`, the content of a block <Plugin tcpinfo>. The caller frees `s`
 * with settings_free(). On failure returns -1 and stores the reason; then `s`
 * must not be freed. */
int configure(struct settings *s, const char *text, struct error *error);

#endif
