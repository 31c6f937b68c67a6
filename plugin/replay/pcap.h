/* Reads pcap files of netlink messages (the classic format, link type 253).
 * Knows files and packets, not the content of a message. */
#ifndef TCPINFO_REPLAY_PCAP_H
#define TCPINFO_REPLAY_PCAP_H

#include "util/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pcap;

/* One packet, which was one datagram of a netlink socket. */
struct pcap_packet {
  const void *messages; /* aligned to 4 bytes; borrowed until the next
                           pcap_read() or pcap_close() */
  size_t size;          /* bytes */
  bool cut;             /* only its beginning was recorded */
  uint64_t time_ms;     /* milliseconds since 1970 */
};

/* Opens a file. NULL with the reason if memory ran out, or if the file cannot
 * be read or is of another format, byte order or link type. */
struct pcap *pcap_open(const char *file, struct error *error);
void pcap_close(struct pcap *c); /* NULL is legal */

enum pcap_result {
  PCAP_PACKET,
  PCAP_END,    /* end of the file, behind a complete packet */
  PCAP_BROKEN, /* nothing more can be read; `error` says why */
};

/* Reads the next packet of the netlink family `family` (NETLINK_x) and skips
 * others. `error` may be NULL. */
enum pcap_result pcap_read(struct pcap *c, uint16_t family,
                           struct pcap_packet *out, struct error *error);

/* Goes back to the first packet. Returns 0, or -1 with the reason. */
int pcap_rewind(struct pcap *c, struct error *error);

#endif
