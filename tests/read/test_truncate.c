/* Real messages, cut at every length: those of this kernel, and of the recorded
 * ones in tests/data. Each copy stands in memory of just its size, so that a
 * sanitizer sees every byte that is read beyond. What cannot be decoded has to
 * be counted by the scan. */
#include "kernel/decode.h"
#include "kernel/sock_diag.h"
#include "read/reader.h"
#include "replay/replay.h"
#include "support/messages.h"
#include "support/pcap_writer.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <math.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { MESSAGES = 500, SCANNED = 12 };

struct message {
  uint32_t size;
  uint8_t *bytes;
};

static struct message message[MESSAGES];
static size_t message_count;

static void keep(const struct nlmsghdr *nlh, void *data) {
  (void)data;
  if (message_count == MESSAGES)
    return;
  struct message *m = &message[message_count++];
  m->size = nlh->nlmsg_len;
  m->bytes = malloc(m->size);
  assert_non_null(m->bytes);
  memcpy(m->bytes, nlh, m->size);
}

static void forget(void) {
  while (message_count > 0)
    free(message[--message_count].bytes);
}

static struct decoder decoder;

static bool decodes(const struct message *m, uint32_t size) {
  struct nlmsghdr *copy = malloc(size);
  struct sample s;
  memcpy(copy, m->bytes, size);
  copy->nlmsg_len = size;
  bool good = decode(&decoder, copy, &s) == 0;
  for (int b = 0; good && b < BLOCK_COUNT; b++) /* all of it can be read */
    for (size_t i = 0; i < s.block[b].size; i++)
      ((volatile const uint8_t *)s.block[b].bytes)[i];
  free(copy);
  return good;
}

static void check_cuts(void) {
  size_t refused = 0, tried = 0;
  for (size_t i = 0; i < message_count; i++) {
    assert_true(decodes(&message[i], message[i].size));
    for (uint32_t size = sizeof(struct nlmsghdr); size < message[i].size;
         size++, tried++)
      refused += !decodes(&message[i], size);
  }
  print_message("%zu messages, cut in %zu ways, %zu refused\n", message_count,
                tried, refused);
  assert_true(refused > tried / 2);
}

/* Every metric, with the histogram of each distribution. */
static void want_all(struct metric_list *list) {
  static const struct statistic histogram = {.kind = STATISTIC_HISTOGRAM};
  for (int id = 0; id < METRIC_COUNT; id++)
    assert_int_equal(metric_list_add(list, (enum metric_id)id, NULL), 0);
  assert_int_equal(metric_list_complete(list), 0);
  for (int id = 0; id < METRIC_COUNT; id++)
    if (metric_table[id].kind == METRIC_KIND_DISTRIBUTION)
      assert_int_equal(metric_list_add(list, (enum metric_id)id, &histogram),
                       0);
}

static void on_value(const struct accumulator_value *v, void *data) {
  assert_true(v->derive || (isfinite(v->gauge) && v->gauge >= 0));
  ++*(size_t *)data;
}

static void on_series(const char *member, struct accumulator *accumulator,
                      bool chosen, void *data) {
  (void)member;
  accumulator_emit(accumulator, 280,
                   chosen ? ACCUMULATOR_COUNTERS : ACCUMULATOR_ALL, on_value,
                   data);
}

/* The same cut messages as one recorded dump: the scan counts what decode
 * refuses, and the dump is complete all the same. */
static void check_scan(void) {
  static struct messages out;
  struct pcap *pcap = pcap_writer_new(&pcap_writer_header_good);
  size_t refused = 0;
  messages_begin(&out, 1, 0);
  messages_request(&out);
  for (size_t i = 0; i < message_count && i < SCANNED; i++) {
    for (uint32_t size = sizeof(struct nlmsghdr); size < message[i].size;
         size++) {
      if (out.size > 30000) {
        pcap_writer_write(pcap, &out);
        messages_begin(&out, 1, 0);
      }
      struct nlmsghdr *nlh = (struct nlmsghdr *)(out.bytes + out.size);
      static const uint8_t padding[4];
      messages_raw(&out, message[i].bytes, size);
      messages_raw(&out, padding, MNL_ALIGN(size) - size);
      nlh->nlmsg_len = size;
      nlh->nlmsg_type = TCPDIAG_GETSOCK;
      nlh->nlmsg_flags = NLM_F_MULTI;
      nlh->nlmsg_seq = 1;
      nlh->nlmsg_pid = 0;
      refused += !decodes(&message[i], size);
    }
  }
  messages_done(&out, 0);
  pcap_writer_write(pcap, &out);

  struct group_settings group = {.name = (char *)"all",
                                 .by = {DIMENSION_LOCAL_PORT},
                                 .by_count = 1,
                                 .max_members = 5,
                                 .member_timeout = 6,
                                 .worst = 3,
                                 .selector = selector_new(SELECTOR_AND)};
  want_all(&group.metrics);
  char *file = pcap_writer_file(pcap);
  struct settings settings = {
      .group = &group, .group_count = 1, .replay = &file, .replay_count = 1};
  struct error error;
  struct reader *scan = reader_new(&settings, 1000, NULL, &error);
  assert_non_null(scan);
  assert_int_equal(reader_read(scan, &error), DUMP_COMPLETE);
  assert_int_equal(reader_health(scan)->observer.malformed, refused);
  size_t values = 0;
  group_each(reader_group(scan, 0), on_series, &values);
  assert_true(values > METRIC_COUNT);
  reader_commit(scan);
  reader_free(scan);
  selector_free(group.selector);
  metric_list_clear(&group.metrics);
  pcap_writer_free(pcap);
}

static void connections_open(int fd[4]) {
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(a);
  fd[0] = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(fd[0], (struct sockaddr *)&a, sizeof(a)), 0);
  assert_int_equal(listen(fd[0], 8), 0);
  assert_int_equal(getsockname(fd[0], (struct sockaddr *)&a, &size), 0);
  for (int i = 1; i < 4; i++) {
    fd[i] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd[i], (struct sockaddr *)&a, sizeof(a)), 0);
  }
}

/* Uses each kind of block as long as Linux 6.18 sends it, with all bits set, as
 * no kernel would send it. */
static void cut_messages_with_every_block_are_safe(void **state) {
  (void)state;
  static const struct {
    uint16_t type;
    size_t size;
  } row[] = {{INET_DIAG_SKMEMINFO, 36}, {INET_DIAG_INFO, 280},
             {INET_DIAG_SHUTDOWN, 1},   {INET_DIAG_CGROUP_ID, 8},
             {INET_DIAG_MARK, 4},       {INET_DIAG_BBRINFO, 20},
             {INET_DIAG_DCTCPINFO, 16}};
  static const uint8_t fill[] = {0, 1, 0x7f, 0xff};
  static const uint8_t states[] = {TCP_STATE_ESTABLISHED, TCP_STATE_LISTEN};
  uint8_t bytes[280];
  for (size_t i = 0; i < sizeof(fill) * sizeof(states); i++) {
    static struct messages m;
    messages_begin(&m, 1, 0);
    messages_socket(&m, &(struct message_socket){.cookie = i + 1,
                                                 .state = states[i % 2],
                                                 .timer = 1,
                                                 .recv_queue = UINT32_MAX,
                                                 .send_queue = 1,
                                                 .local = "10.0.0.1",
                                                 .local_port = 443});
    memset(bytes, fill[i / 2], sizeof(bytes));
    for (size_t k = 0; k < sizeof(row) / sizeof(row[0]); k++)
      messages_attribute(&m, row[k].type, bytes, row[k].size);
    messages_attribute(&m, INET_DIAG_CONG, "cubic", 6);
    keep(m.last, NULL);
  }
  check_cuts();
  check_scan();
  forget();
}

static void cut_messages_of_this_kernel_are_safe(void **state) {
  (void)state;
  int fd[4];
  struct error error;
  struct sock_diag_request request = {
      .states = 0xffe, .extensions = 0x7f, .timeout_ms = 10000};
  connections_open(fd);
  struct sock_diag *d = sock_diag_new(NULL, NULL);
  if (sock_diag_dump(d, &request, keep, NULL, &error) != DUMP_COMPLETE)
    fail_msg("%s", error.text);
  sock_diag_free(d);
  for (int i = 0; i < 4; i++)
    close(fd[i]);
  assert_true(message_count >= 7); /* both ends, and the listener */
  check_cuts();
  check_scan();
  forget();
}

/* The first dump of a kernel's recording. */
static void check_recording(const char *kernel) {
  char path[256];
  char *file = path;
  struct error error;
  snprintf(path, sizeof(path), "tests/data/linux-%s.pcap", kernel);
  struct replay *r = replay_new(&file, 1, &error);
  if (r == NULL)
    fail_msg("%s", error.text);
  assert_int_equal(replay_dump(r, keep, NULL, NULL, &error), DUMP_COMPLETE);
  replay_free(r);
  assert_true(message_count > 20);
  check_cuts();
  check_scan();
  forget();
}

static void cut_messages_of_linux_5_10_are_safe(void **state) {
  (void)state;
  check_recording("5.10");
}

static void cut_messages_of_linux_6_1_are_safe(void **state) {
  (void)state;
  check_recording("6.1");
}

static void cut_messages_of_linux_6_12_are_safe(void **state) {
  (void)state;
  check_recording("6.12");
}

static void cut_messages_of_linux_6_18_are_safe(void **state) {
  (void)state;
  check_recording("6.18");
}

static void cut_messages_of_linux_7_2_are_safe(void **state) {
  (void)state;
  check_recording("7.2");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cut_messages_with_every_block_are_safe),
      cmocka_unit_test(cut_messages_of_this_kernel_are_safe),
      cmocka_unit_test(cut_messages_of_linux_5_10_are_safe),
      cmocka_unit_test(cut_messages_of_linux_6_1_are_safe),
      cmocka_unit_test(cut_messages_of_linux_6_12_are_safe),
      cmocka_unit_test(cut_messages_of_linux_6_18_are_safe),
      cmocka_unit_test(cut_messages_of_linux_7_2_are_safe),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
