/* The format, read without libpcap (draft-ietf-opsawg-pcap):
 *
 *     | magic 4 | version 2+2 | - 8 | snaplen 4 | link type 4 |   the file
 *     | seconds 4 | fraction 4 | captured 4 | original 4 |        each packet
 *     | - 14 | netlink family 2 (network order) | messages |      link type 253
 *
 * The messages are in the byte order of the machine that recorded them, so only
 * files of this machine's order can be read. */
#include "replay/pcap.h"

#include "util/array.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  LINK_TYPE_NETLINK = 253,
  COOKED_SIZE = 16,
  COOKED_FAMILY = 14,
  /* The largest snapshot length that capturing programs write. */
  PACKET_SIZE_MAX = 262144,
};

#define MAGIC_MICROSECONDS 0xa1b2c3d4u
#define MAGIC_NANOSECONDS 0xa1b23c4du
#define MAGIC_PCAPNG 0x0a0d0d0au /* the same in both byte orders */

struct file_header {
  uint32_t magic;
  uint16_t version_major, version_minor;
  uint32_t reserved[2];
  uint32_t snaplen;
  uint32_t link_type;
};

struct packet_header {
  uint32_t seconds, fraction;
  uint32_t captured, original;
};

struct pcap {
  char *name;
  FILE *stream;
  uint32_t fraction_per_ms;
  uint8_t *packet; /* allocated at exactly its size */
};

/* Returns NULL, or the reason why the file cannot be read. */
static const char *header_problem(const struct file_header *h) {
  switch (h->magic) {
  case MAGIC_MICROSECONDS:
  case MAGIC_NANOSECONDS:
    break;
  case __builtin_bswap32(MAGIC_MICROSECONDS):
  case __builtin_bswap32(MAGIC_NANOSECONDS):
    return "was recorded on a machine of the other byte order; it can only be "
           "replayed on such a one";
  case MAGIC_PCAPNG:
    return "is a pcapng file; convert it with editcap -F pcap";
  default:
    return "is no pcap file";
  }
  if (h->version_major != 2)
    return "is of an unknown version of pcap; 2.4 is known";
  /* The upper four bits are about frame check sequences. */
  if ((h->link_type & 0x0fffffff) != LINK_TYPE_NETLINK)
    return "is not of link type 253 (netlink); record it on a device of nlmon";
  return NULL;
}

static int header_read(struct pcap *c, struct error *error) {
  struct file_header h;
  if (fread(&h, sizeof(h), 1, c->stream) != 1)
    return error_set(error, "%s: %s", c->name,
                     ferror(c->stream) ? strerror(errno)
                                       : "is too short for a pcap file");
  const char *problem = header_problem(&h);
  if (problem != NULL)
    return error_set(error, "%s: %s", c->name, problem);
  c->fraction_per_ms = h.magic == MAGIC_NANOSECONDS ? 1000000 : 1000;
  return 0;
}

struct pcap *pcap_open(const char *file, struct error *error) {
  struct pcap *c = calloc(1, sizeof(*c));
  if (c == NULL || (c->name = strdup(file)) == NULL) {
    error_set(error, "%s: out of memory", file);
    goto fail;
  }
  c->stream = fopen(file, "re");
  if (c->stream == NULL) {
    error_set(error, "%s: %s", file, strerror(errno));
    goto fail;
  }
  if (header_read(c, error) < 0)
    goto fail;
  return c;
fail:
  pcap_close(c);
  return NULL;
}

void pcap_close(struct pcap *c) {
  if (c == NULL)
    return;
  if (c->stream != NULL)
    fclose(c->stream);
  free(c->packet);
  free(c->name);
  free(c);
}

int pcap_rewind(struct pcap *c, struct error *error) {
  if (fseek(c->stream, sizeof(struct file_header), SEEK_SET) < 0)
    return error_set(error, "%s: %s", c->name, strerror(errno));
  return 0;
}

static enum pcap_result broken(const struct pcap *c, struct error *error) {
  if (ferror(c->stream))
    error_set(error, "%s: %s", c->name, strerror(errno));
  else
    error_set(error, "%s: ends in the middle of a packet", c->name);
  return PCAP_BROKEN;
}

/* Reads the next packet of any family into c->packet. */
static enum pcap_result packet_read(struct pcap *c, struct packet_header *h,
                                    struct error *error) {
  size_t n = fread(h, 1, sizeof(*h), c->stream);
  if (n == 0 && feof(c->stream))
    return PCAP_END;
  if (n != sizeof(*h))
    return broken(c, error);
  if (h->captured < COOKED_SIZE || h->captured > PACKET_SIZE_MAX) {
    error_set(error, "%s: a packet of %u bytes; there can be %d to %d", c->name,
              h->captured, COOKED_SIZE, PACKET_SIZE_MAX);
    return PCAP_BROKEN;
  }
  if (!ARRAY_RESIZE(c->packet, h->captured)) {
    error_set(error, "%s: out of memory", c->name);
    return PCAP_BROKEN;
  }
  if (fread(c->packet, h->captured, 1, c->stream) != 1)
    return broken(c, error);
  return PCAP_PACKET;
}

enum pcap_result pcap_read(struct pcap *c, uint16_t family,
                           struct pcap_packet *out, struct error *error) {
  struct packet_header h;
  enum pcap_result result;
  const uint8_t *at;
  do {
    result = packet_read(c, &h, error);
    if (result != PCAP_PACKET)
      return result;
    at = c->packet + COOKED_FAMILY;
  } while ((at[0] << 8 | at[1]) != family);
  *out = (struct pcap_packet){
      .messages = c->packet + COOKED_SIZE,
      .size = h.captured - COOKED_SIZE,
      .cut = h.captured < h.original,
      .time_ms = (uint64_t)h.seconds * 1000 + h.fraction / c->fraction_per_ms,
  };
  return PCAP_PACKET;
}
