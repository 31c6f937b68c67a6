/* decode: every part of a message, and messages cut at every length. Copies
 * have memory of exactly their size, so that a sanitizer sees
 * every byte read beyond. */
#include "kernel/decode.h"
#include "support/messages.h"

#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

/* Shared by all tests: what it remembers must not matter. */
static struct decoder decoder;

static int decode_copy(const void *bytes, size_t size, struct sample *out) {
  struct nlmsghdr *copy = malloc(size);
  memcpy(copy, bytes, size);
  copy->nlmsg_len = (uint32_t)size;
  int status = decode(&decoder, copy, out);
  free(copy);
  return status;
}

static void every_part_of_a_message_is_decoded(void **state) {
  (void)state;
  struct messages m;
  struct sample s;
  struct address a;
  char text[ADDRESS_TEXT_MAX];
  uint8_t info[104];
  memset(info, 0x5a, sizeof(info));
  messages_begin(&m, 1, 0);
  messages_socket(&m, &(struct message_socket){.cookie = 0x123456789abcdef0u,
                                               .state = TCP_STATE_CLOSE_WAIT,
                                               .timer = 4,
                                               .local = "10.0.0.1",
                                               .local_port = 443,
                                               .remote = "192.0.2.7",
                                               .remote_port = 50000,
                                               .recv_queue = 11,
                                               .send_queue = 22});
  messages_attribute(&m, INET_DIAG_SHUTDOWN, "\1", 1);
  messages_info(&m, info, sizeof(info));
  messages_attribute(&m, INET_DIAG_CONG, "cubic", 6);
  assert_int_equal(decode(&decoder, m.last, &s), 0);
  assert_true(s.cookie == 0x123456789abcdef0u);
  assert_int_equal(s.state, TCP_STATE_CLOSE_WAIT);
  assert_int_equal(s.timer, 4);
  assert_string_equal(address_format(&s.attrs.local, text), "10.0.0.1");
  assert_string_equal(address_format(&s.attrs.remote, text), "192.0.2.7");
  assert_int_equal(s.attrs.local_port, 443);
  assert_int_equal(s.attrs.remote_port, 50000);
  assert_int_equal(s.recv_queue, 11);
  assert_int_equal(s.send_queue, 22);
  assert_int_equal(s.info_size, sizeof(info));
  assert_memory_equal(s.info, info, sizeof(info));

  /* A mapped address is the IPv4 address. */
  a = s.attrs.remote;
  messages_begin(&m, 1, 0);
  messages_socket(&m, &(struct message_socket){.local = "::ffff:10.0.0.1",
                                               .remote = "::ffff:192.0.2.7"});
  assert_int_equal(decode(&decoder, m.last, &s), 0);
  assert_true(address_equal(&s.attrs.remote, &a));
  assert_null(s.info);
  assert_int_equal(s.info_size, 0);

  messages_begin(&m, 1, 0);
  messages_socket(&m, &(struct message_socket){.local = "2001:db8::1",
                                               .remote = "2001:db8::2"});
  assert_int_equal(decode(&decoder, m.last, &s), 0);
  assert_string_equal(address_format(&s.attrs.remote, text), "2001:db8::2");
}

static void unknown_family_or_state_is_refused(void **state) {
  (void)state;
  struct messages m;
  struct sample s;
  messages_begin(&m, 1, 0);
  messages_socket(&m, &(struct message_socket){.family = AF_UNIX});
  assert_int_equal(decode(&decoder, m.last, &s), -1);
  messages_begin(&m, 1, 0);
  messages_socket(&m, &(struct message_socket){.state = TCP_STATE_COUNT});
  assert_int_equal(decode(&decoder, m.last, &s), -1);
  messages_begin(&m, 1, 0);
  messages_socket(&m, &(struct message_socket){.state = 255});
  assert_int_equal(decode(&decoder, m.last, &s), -1);
}

/* Each block is what came, of whatever length, and borrowed. */
static void blocks_have_their_length_and_are_borrowed(void **state) {
  (void)state;
  static const struct {
    uint16_t type;
    enum field_block block;
    size_t size; /* as Linux 6.18 sends it */
  } row[] = {{INET_DIAG_INFO, BLOCK_INFO, 280},
             {INET_DIAG_SKMEMINFO, BLOCK_SKMEM, 36},
             {INET_DIAG_BBRINFO, BLOCK_BBR, 20},
             {INET_DIAG_DCTCPINFO, BLOCK_DCTCP, 16}};
  enum { ROWS = sizeof(row) / sizeof(row[0]) };
  assert_int_equal(ROWS, BLOCK_COUNT);
  for (size_t cut = 0; cut <= 300; cut++) {
    struct messages m;
    struct sample s;
    uint8_t bytes[ROWS][300];
    messages_begin(&m, 1, 0);
    messages_socket(&m, &(struct message_socket){.local = "10.0.0.1"});
    for (size_t i = 0; i < ROWS; i++) {
      memset(bytes[i], (int)(i + 1), sizeof(bytes[i]));
      messages_attribute(&m, row[i].type, bytes[i],
                         cut < row[i].size ? cut : row[i].size);
    }
    assert_int_equal(decode(&decoder, m.last, &s), 0);
    for (size_t i = 0; i < ROWS; i++) {
      const struct block *b = &s.block[row[i].block];
      assert_int_equal(b->size, cut < row[i].size ? cut : row[i].size);
      assert_memory_equal(b->bytes, bytes[i], b->size);
      assert_true(b->bytes >= m.bytes &&
                  b->bytes + b->size <= m.bytes + m.size);
      assert_int_equal((uintptr_t)b->bytes % 4, 0);
    }
    assert_ptr_equal(s.info, s.block[BLOCK_INFO].bytes);
  }
}

/* Also if the sample had blocks before. */
static void missing_attribute_leaves_no_block(void **state) {
  (void)state;
  struct messages m;
  struct sample s;
  uint64_t value;
  memset(&s, 0x5a, sizeof(s));
  messages_begin(&m, 1, 0);
  messages_socket(&m, &(struct message_socket){.local = "10.0.0.1"});
  messages_attribute(&m, INET_DIAG_VEGASINFO, "1234567890123456", 16);
  assert_int_equal(decode(&decoder, m.last, &s), 0);
  for (int i = 0; i < BLOCK_COUNT; i++) {
    assert_null(s.block[i].bytes);
    assert_int_equal(s.block[i].size, 0);
  }
  for (int id = 0; id < FIELD_COUNT; id++)
    assert_false(sample_get(&s, (enum field_id)id, &value));
  assert_false(s.full); /* only INFO and SHUTDOWN say so */
}

/* Fields are found in their blocks: socket memory as linux:
 * include/uapi/linux/sock_diag.h numbers it. */
static void fields_are_found_in_their_blocks(void **state) {
  (void)state;
  struct messages m;
  struct sample s;
  uint64_t value;
  uint32_t memory[9] = {10, 11, 12, 13, 14, 15, 16, 17, 18};
  uint32_t bbr[5] = {1, 2, 3, 4, 5};
  uint16_t dctcp[8] = {1, 0, 512, 0};
  messages_begin(&m, 1, 0);
  messages_socket(&m, &(struct message_socket){.local = "10.0.0.1"});
  messages_attribute(&m, INET_DIAG_SKMEMINFO, memory, sizeof(memory));
  messages_attribute(&m, INET_DIAG_BBRINFO, bbr, sizeof(bbr));
  messages_attribute(&m, INET_DIAG_DCTCPINFO, dctcp, sizeof(dctcp));
  assert_int_equal(decode(&decoder, m.last, &s), 0);
  static const enum field_id id[] = {
      FIELD_RMEM_ALLOC, FIELD_RCVBUF,    FIELD_WMEM_ALLOC,
      FIELD_SNDBUF,     FIELD_FWD_ALLOC, FIELD_WMEM_QUEUED,
      FIELD_OPTMEM,     FIELD_BACKLOG,   FIELD_DROPS};
  for (uint32_t i = 0; i < 9; i++) {
    assert_true(sample_get(&s, id[i], &value));
    assert_int_equal(value, 10 + i);
  }
  assert_true(sample_get(&s, FIELD_BBR_BW_HI, &value));
  assert_int_equal(value, 2);
  assert_true(sample_get(&s, FIELD_DCTCP_ENABLED, &value));
  assert_int_equal(value, 1);
  assert_false(sample_get(&s, FIELD_RTT, &value)); /* no INFO */
}

/* Every length but those where an attribute ends is refused. */
static void message_cut_within_an_attribute_is_refused(void **state) {
  (void)state;
  struct messages m;
  struct sample s;
  uint8_t info[280] = {0};
  messages_begin(&m, 1, 0);
  messages_socket(&m, &(struct message_socket){.local = "10.0.0.1"});
  size_t header = m.size;
  messages_attribute(&m, INET_DIAG_SHUTDOWN, "\1", 1);
  size_t first = m.size;
  messages_info(&m, info, sizeof(info));
  size_t second = m.size;
  messages_attribute(&m, INET_DIAG_CONG, "cubic", 6);
  assert_int_equal(decode_copy(m.last, m.size, &s), 0);
  for (size_t size = sizeof(struct nlmsghdr); size < m.size; size++) {
    bool whole = size == header || size == second ||
                 (size >= first - 3 && size <= first) || size >= m.size - 2;
    assert_int_equal(decode_copy(m.bytes, size, &s), whole ? 0 : -1);
    if (whole)
      assert_int_equal(s.info_size, size >= second ? sizeof(info) : 0);
  }
}

/* An attribute that claims to be longer, or shorter than its own header. */
static void attribute_with_a_wrong_length_is_refused(void **state) {
  (void)state;
  struct messages m;
  struct sample s;
  uint8_t info[232] = {0};
  for (unsigned length = 0; length < 0x10000; length++) {
    messages_begin(&m, 1, 0);
    messages_socket(&m, &(struct message_socket){.local = "10.0.0.1"});
    struct nlattr *attr = (struct nlattr *)(m.bytes + m.size);
    messages_info(&m, info, sizeof(info));
    attr->nla_len = (uint16_t)length;
    int status = decode_copy(m.bytes, m.size, &s);
    if (length < sizeof(*attr) || length > sizeof(*attr) + sizeof(info))
      assert_int_equal(status, -1);
    else if (status == 0)
      assert_true(s.info_size <= sizeof(info));
  }
}

static size_t below(size_t n) { return (size_t)random() % n; }

/* Attributes of few types and sizes, so that messages of one length differ in
 * what stands where, or in one header only. */
static void message_throw(struct messages *m) {
  static const uint16_t type[] = {INET_DIAG_SHUTDOWN,  INET_DIAG_INFO,
                                  INET_DIAG_MARK,      INET_DIAG_CONG,
                                  INET_DIAG_CGROUP_ID, INET_DIAG_SKMEMINFO};
  static const size_t size[] = {4, 8, 8, 12};
  messages_begin(m, 1, 0);
  messages_socket(m, &(struct message_socket){.local = "10.0.0.1"});
  for (size_t n = below(LAYOUT_ATTRIBUTES + 3); n > 0; n--) {
    uint8_t bytes[12];
    for (size_t i = 0; i < sizeof(bytes); i++)
      bytes[i] = (uint8_t)below(3);
    size_t k = below(4);
    messages_attribute(m, type[below(6)], bytes, size[k] - below(2));
  }
  if (below(10) == 0) /* one that claims more than there is */
    messages_raw(m, "\x20\0\1\0", 4);
}

/* The same with and without earlier messages. */
static void remembered_layouts_change_no_result(void **state) {
  (void)state;
  static struct messages m;
  size_t good = 0, known = 0;
  for (int i = 0; i < 300000; i++) {
    message_throw(&m);
    m.last->nlmsg_len = (uint32_t)m.size;
    struct decoder fresh = {0}, before = decoder;
    struct sample s, expected;
    memset(&s, 0x5a, sizeof(s));
    memset(&expected, 0x5a, sizeof(expected));
    int status = decode(&decoder, m.last, &s);
    assert_int_equal(status, decode(&fresh, m.last, &expected));
    if (status != 0)
      continue;
    good++;
    known += memcmp(&before, &decoder, sizeof(before)) == 0;
    assert_memory_equal(&s, &expected, sizeof(s));
  }
  print_message("%zu good, %zu as one before\n", good, known);
  assert_true(good > 50000 && known > 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_part_of_a_message_is_decoded),
      cmocka_unit_test(unknown_family_or_state_is_refused),
      cmocka_unit_test(blocks_have_their_length_and_are_borrowed),
      cmocka_unit_test(missing_attribute_leaves_no_block),
      cmocka_unit_test(fields_are_found_in_their_blocks),
      cmocka_unit_test(message_cut_within_an_attribute_is_refused),
      cmocka_unit_test(attribute_with_a_wrong_length_is_refused),
      cmocka_unit_test(remembered_layouts_change_no_result),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
