/* Accumulators -> value lists. Beside tcpinfo.c the only file that knows the
 * daemon. */
#ifndef TCPINFO_COLLECTD_DISPATCH_H
#define TCPINFO_COLLECTD_DISPATCH_H

#include "read/reader.h"

/* Dispatches all values of a complete read, under one timestamp: the groups'
 * and the plugin's own. To be called before reader_commit(). */
void dispatch_read(struct reader *s);

/* Dispatches what is to be said of a read that was dropped: tcpinfo-self's
 * totals. */
void dispatch_failure(const struct reader_health *h);

#endif
