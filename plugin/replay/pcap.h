/* Reads a pcap file of netlink messages (the classic format; link type 253).
 * It knows files and packets, not what is in a message. */
#ifndef TCPINFO_REPLAY_PCAP_H
#define TCPINFO_REPLAY_PCAP_H

#include "util/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pcap;

/* One packet: what was one datagram of the socket. */
struct pcap_packet {
  const void *messages; /* aligned to 4 bytes; good until the next read */
  size_t size;          /* bytes */
  bool cut;             /* the recording holds only its beginning */
  uint64_t time_ms;     /* since 1970 */
};

/* NULL with the reason where the file cannot be read, or is of another format
 * or link type. */
struct pcap *pcap_open(const char *file, struct error *error);
void pcap_close(struct pcap *c);

enum pcap_result {
  PCAP_PACKET,
  PCAP_END,    /* of the file, behind a whole packet */
  PCAP_BROKEN, /* nothing more can be read; `error` says why */
};

/* The next packet of `family` (NETLINK_x); others are passed over. */
enum pcap_result pcap_read(struct pcap *c, uint16_t family,
                           struct pcap_packet *out, struct error *error);

/* Goes back to the first packet. */
int pcap_rewind(struct pcap *c, struct error *error);

#endif
