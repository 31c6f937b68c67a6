/* Writes recordings for tests: pcap files of link type 253, or with a header
 * that is wrong on purpose. A failure to write aborts the test. */
#ifndef TEST_PCAP_H
#define TEST_PCAP_H

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

/* Makes a file of its own in TMPDIR or /tmp. */
struct pcap *pcap_writer_new(const struct pcap_writer_header *header);

/* Removes the file; the program's end does it for those that are left. */
void pcap_writer_free(struct pcap *p);

/* The name, after all that was written is in the file. */
char *pcap_writer_file(struct pcap *p);

/* One packet of NETLINK_SOCK_DIAG. Its time, in milliseconds, is one more than
 * that of the packet before; the first has 1,000,000,000,000. */
void pcap_writer_write(struct pcap *p, const struct messages *m);

/* The next packet is so much later. */
void pcap_writer_pause(struct pcap *p, uint64_t ms);

/* The same of any netlink family, and cut off after `captured` bytes of its
 * messages. */
void pcap_writer_write_as(struct pcap *p, uint16_t family,
                          const struct messages *m, size_t captured);

/* Any bytes. */
void pcap_writer_write_raw(struct pcap *p, const void *data, size_t size);

#endif
