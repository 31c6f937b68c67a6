/* pcap: files that it accepts, and the packets in them. */
#include "replay/pcap.h"
#include "support/pcap_writer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/netlink.h>

static struct pcap *open_good(struct pcap *p) {
  struct error error = {""};
  struct pcap *c = pcap_open(pcap_writer_file(p), &error);
  if (c == NULL)
    fail_msg("%s", error.text);
  return c;
}

static void assert_reads(struct pcap *c, const struct messages *m,
                         uint64_t time_ms) {
  struct pcap_packet packet;
  struct error error = {""};
  if (pcap_read(c, NETLINK_SOCK_DIAG, &packet, &error) != PCAP_PACKET)
    fail_msg("no packet: %s", error.text);
  assert_int_equal(packet.size, m->size);
  assert_memory_equal(packet.messages, m->bytes, m->size);
  assert_int_equal((uintptr_t)packet.messages % 4, 0);
  assert_false(packet.cut);
  assert_int_equal(packet.time_ms, time_ms);
}

static enum pcap_result read_end(struct pcap *c, struct error *error) {
  struct pcap_packet packet;
  return pcap_read(c, NETLINK_SOCK_DIAG, &packet, error);
}

static struct messages one, two;

static void messages_make(void) {
  messages_begin(&one, 1, 2);
  messages_socket(&one, &(struct message_socket){.cookie = 7});
  messages_begin(&two, 1, 2);
  messages_done(&two, 0);
}

static void check_round_trip(uint32_t magic) {
  struct pcap_writer_header h = pcap_writer_header_good;
  h.magic = magic;
  struct pcap *p = pcap_writer_new(&h);
  messages_make();
  pcap_writer_write(p, &one);
  pcap_writer_write_as(p, NETLINK_ROUTE, &one, one.size);
  pcap_writer_write_as(p, NETLINK_SOCK_DIAG << 8, &one, one.size);
  pcap_writer_write(p, &two);
  struct pcap *c = open_good(p);
  for (int i = 0; i < 2; i++) {
    assert_reads(c, &one, 1000000000000);
    assert_reads(c, &two, 1000000000003);
    assert_int_equal(read_end(c, NULL), PCAP_END);
    assert_int_equal(read_end(c, NULL), PCAP_END);
    assert_int_equal(pcap_rewind(c, NULL), 0);
  }
  pcap_close(c);
  pcap_writer_free(p);
}

static void times_in_microseconds_are_read(void **state) {
  (void)state;
  check_round_trip(0xa1b2c3d4);
}

static void times_in_nanoseconds_are_read(void **state) {
  (void)state;
  check_round_trip(0xa1b23c4d);
}

static void bits_above_the_link_type_are_ignored(void **state) {
  (void)state;
  struct pcap_writer_header h = pcap_writer_header_good;
  h.link_type |= 0x40000000;
  struct pcap *p = pcap_writer_new(&h);
  pcap_close(open_good(p));
  pcap_writer_free(p);
}

static void cut_packet_is_marked(void **state) {
  (void)state;
  struct pcap *p = pcap_writer_new(&pcap_writer_header_good);
  messages_make();
  pcap_writer_write_as(p, NETLINK_SOCK_DIAG, &one, one.size - 4);
  struct pcap *c = open_good(p);
  struct pcap_packet packet;
  assert_int_equal(pcap_read(c, NETLINK_SOCK_DIAG, &packet, NULL), PCAP_PACKET);
  assert_true(packet.cut);
  assert_int_equal(packet.size, one.size - 4);
  pcap_close(c);
  pcap_writer_free(p);
}

static void assert_refused(const char *file, const char *why) {
  struct error error = {""};
  assert_null(pcap_open(file, &error));
  if (strstr(error.text, why) == NULL || strstr(error.text, file) == NULL)
    fail_msg("\"%s\" or the file's name is not in \"%s\"", why, error.text);
}

static void other_files_are_refused(void **state) {
  (void)state;
  static const struct {
    struct pcap_writer_header header;
    const char *why;
  } bad[] = {
      {{0xd4c3b2a1, 0x0200, 0x0400, {0}, 0, 0xfd000000}, "byte order"},
      {{0x4d3cb2a1, 0x0200, 0x0400, {0}, 0, 0xfd000000}, "byte order"},
      {{0x0a0d0d0a, 0, 0, {0}, 0, 0}, "editcap -F pcap"},
      {{0xa1b2c3d4, 2, 4, {0}, 262144, 1}, "253"},
      {{0xa1b2c3d4, 1, 4, {0}, 262144, 253}, "2.4"},
      {{0x464c457f, 2, 4, {0}, 262144, 253}, "no pcap"},
  };
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    struct pcap *p = pcap_writer_new(&bad[i].header);
    assert_refused(pcap_writer_file(p), bad[i].why);
    pcap_writer_free(p);
  }
  struct pcap *p = pcap_writer_new(&pcap_writer_header_good);
  assert_return_code(truncate(pcap_writer_file(p), 23), errno);
  assert_refused(pcap_writer_file(p), "too short");
  pcap_writer_free(p);
  assert_refused("/nonexistent/file", strerror(ENOENT));
  assert_refused("/", strerror(EISDIR));
}

static void impossible_lengths_break_the_file(void **state) {
  (void)state;
  const uint32_t lengths[] = {0, 15, 262145, 0x80000000, 0xffffffff};
  for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
    const uint32_t header[] = {0, 0, lengths[i], lengths[i]};
    struct pcap *p = pcap_writer_new(&pcap_writer_header_good);
    messages_make();
    pcap_writer_write(p, &one);
    pcap_writer_write_raw(p, header, sizeof(header));
    pcap_writer_write(p, &two);
    struct pcap *c = open_good(p);
    assert_reads(c, &one, 1000000000000);
    struct error error = {""};
    assert_int_equal(read_end(c, &error), PCAP_BROKEN);
    assert_non_null(strstr(error.text, "16 to 262144"));
    pcap_close(c);
    pcap_writer_free(p);
  }
}

/* Cut at each length: the whole packets before, then an end between two
 * packets, and nowhere else. */
static void file_may_end_only_between_packets(void **state) {
  (void)state;
  struct pcap *p = pcap_writer_new(&pcap_writer_header_good);
  messages_make();
  pcap_writer_write(p, &one);
  pcap_writer_write(p, &two);
  const size_t first = sizeof(struct pcap_writer_header);
  const size_t second = first + 32 + one.size;
  for (size_t size = second + 32 + two.size; size-- > first;) {
    assert_return_code(truncate(pcap_writer_file(p), (off_t)size), errno);
    struct pcap *c = open_good(p);
    if (size >= second)
      assert_reads(c, &one, 1000000000000);
    struct error error = {""};
    bool whole = size == first || size == second;
    assert_int_equal(read_end(c, &error), whole ? PCAP_END : PCAP_BROKEN);
    assert_true(whole || strstr(error.text, "middle of a packet") != NULL);
    pcap_close(c);
  }
  pcap_writer_free(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(times_in_microseconds_are_read),
      cmocka_unit_test(times_in_nanoseconds_are_read),
      cmocka_unit_test(bits_above_the_link_type_are_ignored),
      cmocka_unit_test(cut_packet_is_marked),
      cmocka_unit_test(other_files_are_refused),
      cmocka_unit_test(impossible_lengths_break_the_file),
      cmocka_unit_test(file_may_end_only_between_packets),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
