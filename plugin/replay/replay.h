/* Dumps from recordings instead of the kernel: pcap files of link type 253
 * (LINKTYPE_NETLINK: a 16-byte cooked header, then netlink messages), recorded
 * on an nlmon device while any program dumps TCP sockets. Knows requests and
 * the frame of the answers, not what they say about a socket.
 *
 * A dump consists of all answers up to the end of the file or to a request for
 * a family that the dump already has: ss requests IPv4 and IPv6 one after the
 * other, which is one dump. Other netlink traffic, and sock_diag of other
 * protocols, is skipped. In a file without any request a dump begins at its
 * first answer; UDP cannot be told from TCP there. Dumps of several programs at
 * the same time cannot be separated: they fail. */
#ifndef TCPINFO_REPLAY_REPLAY_H
#define TCPINFO_REPLAY_REPLAY_H

#include "kernel/netlink.h"

struct replay;

/* Opens each file once, to check it. NULL with the reason if memory ran out, or
 * if a file cannot be read or is no such recording. Copies the names. */
struct replay *replay_new(char *const *files, size_t count,
                          struct error *error);
void replay_free(struct replay *r); /* NULL is legal */

/* Reads the next dump and calls `cb` for each answer. `time_ms`, unless NULL,
 * is set to the time of the recording (milliseconds since 1970) before the
 * first answer. DUMP_FAILED, with the reason: the dump ended in an error of the
 * kernel or has no end, or the file is broken. The next call continues behind
 * the failed dump, or with the next file behind a broken one. DUMP_ENDED: all
 * files have been read. Never returns DUMP_REFUSED. */
enum dump_result replay_dump(struct replay *r, netlink_message_cb *cb,
                             void *data, uint64_t *time_ms,
                             struct error *error);

#endif
