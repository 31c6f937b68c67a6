/* Makes collectd's value lists and notifications from the values of a read.
 * Beside plugin.c the only file that uses the daemon's functions. */
#ifndef TCPINFO_COLLECTD_DISPATCH_H
#define TCPINFO_COLLECTD_DISPATCH_H

#include "read/reader.h"

/* Dispatches all values of a complete read under one timestamp: those of the
 * groups and the plugin's own (tcpinfo-self). To be called between
 * reader_read(), which returned DUMP_COMPLETE, and reader_commit(). */
void dispatch_read(struct reader *reader);

/* Dispatches the values of a read whose dump failed: the totals of
 * tcpinfo-self, and nothing else. */
void dispatch_failure(const struct reader_health *health);

#endif
