/* Accumulators -> value lists. Beside tcpinfo.c the only file that knows the
 * daemon. */
#ifndef TCPINFO_DISPATCH_H
#define TCPINFO_DISPATCH_H

#include "scan.h"

/* Dispatches all values of a complete read, under one timestamp, which it
 * returns: the groups' and the plugin's own. To be called before scan_commit().
 * `previous`: the timestamp of the complete read before, 0 for none; a member
 * that came since then is also told as it was at that time, so that its first
 * growth is not lost to those who look at rates. */
uint64_t dispatch_read(struct scan *s, uint64_t previous);

/* Dispatches what is to be said of a read that was dropped: tcpinfo-self's
 * totals. */
void dispatch_failure(const struct scan_health *h);

#endif
