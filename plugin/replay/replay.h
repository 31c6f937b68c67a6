/* Recorded replies instead of the kernel: pcap files of link type 253
 * (LINKTYPE_NETLINK: a 16-byte cooked header, then netlink messages), as
 * nlmon(4)-style captures of any program that dumps TCP sockets have them.
 *
 * One dump a read: all answers up to the request that asks for a family which
 * this dump already has (ss asks for IPv4 and IPv6 one after the other: that is
 * one dump), or to the end of the file. Other netlink traffic, and sock_diag of
 * other protocols, is passed over. In a file without any request the answers
 * themselves say where a dump begins; UDP cannot be told from TCP there. Dumps
 * of several programs at the same time are not told apart: they fail. */
#ifndef TCPINFO_REPLAY_REPLAY_H
#define TCPINFO_REPLAY_REPLAY_H

#include "kernel/netlink.h"

struct replay;

/* Opens the files one after the other, to check them: NULL with the reason
 * where one cannot be read or is no such recording. The names are copied. */
struct replay *replay_new(char *const *files, size_t count,
                          struct error *error);
void replay_free(struct replay *r);

/* The next dump. `time_ms`, where not NULL, is set to when it was recorded
 * (milliseconds since 1970) before its first answer is handed over.
 * DUMP_FAILED: this dump ended in an error of the kernel, has no end, or the
 * file is broken; the next call goes on behind it, behind a broken file with
 * the next one. DUMP_ENDED: all files have been read. */
enum dump_result replay_dump(struct replay *r, netlink_message_cb *cb,
                             void *data, uint64_t *time_ms,
                             struct error *error);

#endif
