/* Reads a pcap file of netlink messages (the classic format; link type 253).
 * It knows files and packets, not what is in a message. */
#ifndef TCPINFO_CAPTURE_H
#define TCPINFO_CAPTURE_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct capture;

/* One packet: what was one datagram of the socket. */
struct capture_packet {
  const void *messages; /* aligned to 4 bytes; good until the next read */
  size_t size;          /* bytes */
  bool cut;             /* the recording holds only its beginning */
  uint64_t time_ms;     /* since 1970 */
};

/* NULL with the reason where the file cannot be read, or is of another format
 * or link type. */
struct capture *capture_open(const char *file, struct error *error);
void capture_close(struct capture *c);

enum capture_result {
  CAPTURE_PACKET,
  CAPTURE_END,    /* of the file, behind a whole packet */
  CAPTURE_BROKEN, /* nothing more can be read; `error` says why */
};

/* The next packet of `family` (NETLINK_x); others are passed over. */
enum capture_result capture_read(struct capture *c, uint16_t family,
                                 struct capture_packet *out,
                                 struct error *error);

/* Goes back to the first packet. */
int capture_rewind(struct capture *c, struct error *error);

#endif
