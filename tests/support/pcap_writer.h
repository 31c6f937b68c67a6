/* Writes recordings for tests: pcap files of link type 253, or files with an
 * intentionally wrong header. A write error aborts the test. */
#ifndef TEST_PCAP_WRITER_H
#define TEST_PCAP_WRITER_H

#include "support/messages.h"

struct pcap;

struct pcap_writer_header {
  uint32_t magic;
  uint16_t version_major, version_minor;
  uint32_t reserved[2];
  uint32_t snaplen, link_type;
};

/* Microseconds, version 2.4, link type 253. */
extern const struct pcap_writer_header pcap_writer_header_good;

/* Makes a temporary file in TMPDIR or /tmp. */
struct pcap *pcap_writer_new(const struct pcap_writer_header *header);

/* Removes the file. Files that are left are removed when the program ends. */
void pcap_writer_free(struct pcap *p);

/* Writes all buffered data to the file and returns its name, which `p` owns. */
char *pcap_writer_file(struct pcap *p);

/* Writes one packet of NETLINK_SOCK_DIAG, 1 ms later than the packet before it.
 * The first packet has the time 1,000,000,000,000 ms. */
void pcap_writer_write(struct pcap *p, const struct messages *m);

/* Delays the next packet. */
void pcap_writer_pause(struct pcap *p, uint64_t ms);

/* Writes a packet of any netlink family, cut off after `captured` bytes of its
 * messages. */
void pcap_writer_write_as(struct pcap *p, uint16_t family,
                          const struct messages *m, size_t captured);

/* Writes any bytes. */
void pcap_writer_write_raw(struct pcap *p, const void *data, size_t size);

#endif
