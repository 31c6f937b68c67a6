#include "support/pcap_writer.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pcap {
  char name[4096];
  FILE *stream;
  uint64_t time_ms;
  uint32_t fraction_per_ms;
  struct pcap *next;
};

/* A test that fails does not free its files; free_all() does. */
static struct pcap *all;

const struct pcap_writer_header pcap_writer_header_good = {
    .magic = 0xa1b2c3d4,
    .version_major = 2,
    .version_minor = 4,
    .snaplen = 262144,
    .link_type = 253,
};

static void require(int condition, const char *failed) {
  if (condition)
    return;
  perror(failed);
  abort();
}

static void free_all(void) {
  while (all != NULL)
    pcap_writer_free(all);
}

struct pcap *pcap_writer_new(const struct pcap_writer_header *header) {
  struct pcap *p = calloc(1, sizeof(*p));
  require(p != NULL, "pcap");
  const char *folder = getenv("TMPDIR");
  snprintf(p->name, sizeof(p->name), "%s/tcpinfo-XXXXXX",
           folder != NULL ? folder : "/tmp");
  int fd = mkstemp(p->name);
  require(fd >= 0, p->name);
  p->stream = fdopen(fd, "w");
  require(p->stream != NULL, p->name);
  p->time_ms = 1000000000000;
  p->fraction_per_ms = header->magic == 0xa1b23c4d ? 1000000 : 1000;
  static bool registered;
  if (!registered)
    registered = atexit(free_all) == 0;
  p->next = all;
  all = p;
  pcap_writer_write_raw(p, header, sizeof(*header));
  return p;
}

void pcap_writer_free(struct pcap *p) {
  struct pcap **link = &all;
  while (*link != p)
    link = &(*link)->next;
  *link = p->next;
  fclose(p->stream);
  unlink(p->name);
  free(p);
}

char *pcap_writer_file(struct pcap *p) {
  require(fflush(p->stream) == 0, p->name);
  return p->name;
}

void pcap_writer_write_raw(struct pcap *p, const void *data, size_t size) {
  require(size == 0 || fwrite(data, size, 1, p->stream) == 1, p->name);
}

void pcap_writer_write(struct pcap *p, const struct messages *m) {
  pcap_writer_write_as(p, NETLINK_SOCK_DIAG, m, m->size);
}

void pcap_writer_write_as(struct pcap *p, uint16_t family,
                          const struct messages *m, size_t captured) {
  struct {
    uint16_t type, device, unused[5], family;
  } cooked = {htons(4), htons(824), {0}, htons(family)};
  uint32_t header[] = {
      (uint32_t)(p->time_ms / 1000),
      (uint32_t)(p->time_ms % 1000) * p->fraction_per_ms,
      (uint32_t)(sizeof(cooked) + captured),
      (uint32_t)(sizeof(cooked) + m->size),
  };
  pcap_writer_write_raw(p, header, sizeof(header));
  pcap_writer_write_raw(p, &cooked, sizeof(cooked));
  pcap_writer_write_raw(p, m->bytes, captured);
  p->time_ms++;
}

void pcap_writer_pause(struct pcap *p, uint64_t ms) { p->time_ms += ms; }
