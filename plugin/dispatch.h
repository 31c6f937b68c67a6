/* Accumulators -> value lists. Beside tcpinfo.c the only file that knows the
 * daemon. */
#ifndef TCPINFO_DISPATCH_H
#define TCPINFO_DISPATCH_H

#include "scan.h"

/* Dispatches all values of a complete read, under one timestamp: the groups'
 * and the plugin's own. To be called before scan_commit(). */
void dispatch_read(struct scan *s);

/* Dispatches what is to be said of a read that was dropped: tcpinfo-self's
 * totals. */
void dispatch_failure(const struct scan_health *h);

#endif
