/* The configuration that a benchmark measures. */
#ifndef BENCH_CONFIGURE_H
#define BENCH_CONFIGURE_H

#include "collectd/config_read.h"

/* `text`: what is between <Plugin tcpinfo> and its end. -1 with the reason;
 * then there is nothing to be freed. */
int configure(struct settings *s, const char *text, struct error *error);

#endif
