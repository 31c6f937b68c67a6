/* replay: the dumps that the messages of a recording form; recordings written
 * here and recorded ones of real kernels. */
#include "replay/replay.h"
#include "support/pcap_writer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* The result of the last dump. */
static struct {
  size_t count;
  uint32_t first, last; /* cookies */
  uint64_t time_ms;
  struct error error;
} seen;

static void see(const struct nlmsghdr *nlh, void *data) {
  (void)data;
  const struct inet_diag_msg *m = mnl_nlmsg_get_payload(nlh);
  assert_true(mnl_nlmsg_get_payload_len(nlh) >= sizeof(*m));
  seen.last = m->id.idiag_cookie[0];
  if (seen.count++ == 0)
    seen.first = seen.last;
}

static enum dump_result next(struct replay *r) {
  seen.count = 0;
  seen.first = seen.last = 0;
  seen.time_ms = 0;
  strcpy(seen.error.text, "");
  return replay_dump(r, see, NULL, &seen.time_ms, &seen.error);
}

static void assert_complete(struct replay *r, size_t count, uint32_t first) {
  if (next(r) != DUMP_COMPLETE)
    fail_msg("not complete: %s", seen.error.text);
  assert_int_equal(seen.count, count);
  assert_int_equal(seen.first, count > 0 ? first : 0);
}

static void assert_fails(struct replay *r, const char *why) {
  assert_int_equal(next(r), DUMP_FAILED);
  if (strstr(seen.error.text, why) == NULL)
    fail_msg("\"%s\" is not in \"%s\"", why, seen.error.text);
}

static void assert_ended(struct replay *r) {
  assert_int_equal(next(r), DUMP_ENDED);
  assert_int_equal(next(r), DUMP_ENDED);
}

static struct replay *open_files(char *const *files, size_t count) {
  struct error error = {""};
  struct replay *r = replay_new(files, count, &error);
  if (r == NULL)
    fail_msg("%s", error.text);
  return r;
}

static struct replay *open_pcap(struct pcap *p) {
  char *file = pcap_writer_file(p);
  return open_files(&file, 1);
}

static struct messages m; /* the packet being written */

/* Requests of ss: IPv4 or IPv6 by AF_x, TCP. */
static void put_request(struct pcap *p, uint32_t sequence, uint8_t family) {
  messages_begin(&m, sequence, 0);
  messages_request_v2(&m, family, family == AF_UNIX ? 0 : IPPROTO_TCP);
  pcap_writer_write(p, &m);
}

/* Answers from port 99 with the cookies `first` and so on. */
static void put_answers(struct pcap *p, uint32_t sequence, uint8_t family,
                        uint32_t first, size_t count) {
  messages_begin(&m, sequence, 99);
  m.type = SOCK_DIAG_BY_FAMILY;
  for (size_t i = 0; i < count; i++)
    messages_socket(
        &m, &(struct message_socket){.family = family, .cookie = first + i});
  pcap_writer_write(p, &m);
}

static void put_done(struct pcap *p, uint32_t sequence, int code) {
  messages_begin(&m, sequence, 99);
  messages_done(&m, code);
  pcap_writer_write(p, &m);
}

static void put_error(struct pcap *p, uint32_t sequence, int code) {
  messages_begin(&m, sequence, 99);
  messages_error(&m, code);
  pcap_writer_write(p, &m);
}

static void put_dump(struct pcap *p, uint32_t sequence, uint8_t family,
                     uint32_t first, size_t count) {
  put_request(p, sequence, family);
  put_answers(p, sequence, family, first, count);
  put_done(p, sequence, 0);
}

static void put_legacy(struct pcap *p, uint32_t sequence, bool request,
                       uint32_t first) {
  messages_begin(&m, sequence, 0);
  messages_request(&m);
  if (request)
    pcap_writer_write(p, &m);
  messages_begin(&m, sequence, 99);
  messages_socket(&m, &(struct message_socket){.cookie = first});
  messages_socket(
      &m, &(struct message_socket){.family = AF_INET6, .cookie = first + 1});
  messages_done(&m, 0);
  pcap_writer_write(p, &m);
}

static void requests_of_ss_for_both_families_are_one_dump(void **state) {
  (void)state;
  struct pcap *p = pcap_writer_new(&pcap_writer_header_good);
  put_dump(p, 1, AF_INET, 1, 3); /* 3 packets */
  put_dump(p, 1, AF_INET6, 4, 2);
  put_dump(p, 2, AF_INET, 11, 1);
  put_dump(p, 3, AF_INET, 21, 4); /* IPv4 again: the next read */
  struct replay *r = open_pcap(p);
  assert_complete(r, 5, 1);
  assert_int_equal(seen.time_ms, 1000000000000);
  assert_complete(r, 1, 11);
  assert_int_equal(seen.time_ms, 1000000000006);
  assert_complete(r, 4, 21);
  assert_int_equal(seen.time_ms, 1000000000009);
  assert_ended(r);
  replay_free(r);
  pcap_writer_free(p);
}

static void legacy_request_is_one_dump(void **state) {
  (void)state;
  struct pcap_writer_header h = pcap_writer_header_good;
  h.magic = 0xa1b23c4d;
  struct pcap *p = pcap_writer_new(&h);
  put_legacy(p, 1, true, 1);
  put_legacy(p, 2, true, 11);
  put_dump(p, 3, AF_INET6, 21, 1);
  struct replay *r = open_pcap(p);
  assert_complete(r, 2, 1);
  assert_int_equal(seen.time_ms, 1000000000000);
  assert_complete(r, 2, 11);
  assert_int_equal(seen.time_ms, 1000000000002);
  assert_complete(r, 1, 21);
  assert_ended(r);
  replay_free(r);
  pcap_writer_free(p);
}

/* A request for dumps of another protocol, with answers like those of TCP. */
static void put_other_protocol(struct pcap *p, uint8_t protocol,
                               uint32_t whole_protocol) {
  messages_begin(&m, 1, 0);
  messages_request_v2(&m, AF_INET, protocol);
  if (whole_protocol != 0)
    messages_attribute(&m, INET_DIAG_REQ_PROTOCOL, &whole_protocol,
                       sizeof(whole_protocol));
  pcap_writer_write(p, &m);
  put_answers(p, 1, AF_INET, 1000, 2);
  put_done(p, 1, 0);
}

static void other_traffic_is_skipped(void **state) {
  (void)state;
  struct pcap *p = pcap_writer_new(&pcap_writer_header_good);
  put_dump(p, 1, AF_UNIX, 1000, 2);
  put_other_protocol(p, IPPROTO_UDP, 0);
  put_other_protocol(p, IPPROTO_MPTCP & 0xff, IPPROTO_MPTCP);
  put_request(p, 1, AF_INET);
  put_answers(p, 1, AF_INET, 1, 1);
  put_answers(p, 7, AF_INET, 1000, 1); /* another dump's answer */
  messages_begin(&m, 1, 98);           /* another program's */
  messages_socket(&m, &(struct message_socket){.cookie = 1000});
  m.last->nlmsg_type = SOCK_DIAG_BY_FAMILY;
  messages_done(&m, 0);
  pcap_writer_write(p, &m);
  messages_begin(&m, 1, 0); /* rtnetlink, an end */
  messages_done(&m, 0);
  pcap_writer_write_as(p, NETLINK_ROUTE, &m, m.size);
  messages_begin(&m, 1, 99); /* an event, and a request without dump */
  messages_socket(&m, &(struct message_socket){.cookie = 1000});
  m.last->nlmsg_flags = 0;
  messages_request_v2(&m, AF_INET, IPPROTO_TCP);
  m.last->nlmsg_flags = NLM_F_REQUEST;
  pcap_writer_write(p, &m);
  put_answers(p, 1, AF_INET, 2, 1);
  put_error(p, 1, 0); /* an acknowledgement */
  put_answers(p, 1, AF_INET, 3, 1);
  put_done(p, 1, 0);
  put_request(p, 1, AF_UNIX); /* its failure is not ours, nor its end */
  put_error(p, 1, ENOENT);
  put_dump(p, 1, AF_INET6, 4, 1);
  put_request(p, 1, AF_UNIX);
  struct replay *r = open_pcap(p);
  assert_complete(r, 4, 1);
  assert_int_equal(seen.last, 4);
  assert_ended(r);
  replay_free(r);
  pcap_writer_free(p);
}

static void answers_alone_are_dumps(void **state) {
  (void)state;
  struct pcap *p = pcap_writer_new(&pcap_writer_header_good);
  put_answers(p, 1, AF_UNIX, 1000, 1);
  put_done(p, 1, 0);
  put_answers(p, 1, AF_INET, 1, 3);
  put_answers(p, 1, AF_INET, 4, 3);
  put_done(p, 1, 0);
  put_answers(p, 1, AF_INET6, 7, 3);
  put_done(p, 1, 0);
  put_legacy(p, 2, false, 11);
  put_answers(p, 3, AF_INET, 21, 3); /* has no end */
  put_answers(p, 4, AF_INET, 31, 3);
  put_answers(p, 4, AF_INET, 34, 1);
  put_done(p, 4, 0);
  put_error(p, 5, EOPNOTSUPP);
  struct replay *r = open_pcap(p);
  assert_complete(r, 9, 1);
  assert_int_equal(seen.time_ms, 1000000000002);
  assert_complete(r, 2, 11);
  assert_fails(r, "no end");
  assert_fails(r, "inet_diag"); /* what follows it might belong to it */
  assert_ended(r);
  replay_free(r);
  pcap_writer_free(p);
}

static void failed_dump_does_not_affect_the_next(void **state) {
  (void)state;
  struct pcap *p = pcap_writer_new(&pcap_writer_header_good);
  put_request(p, 1, AF_INET);
  put_answers(p, 1, AF_INET, 1000, 2);
  put_done(p, 1, ENOENT); /* and the other half of this read is good */
  put_dump(p, 1, AF_INET6, 1000, 1);
  put_dump(p, 1, AF_INET, 1, 2);
  put_dump(p, 1, AF_INET6, 3, 1);
  put_request(p, 2, AF_INET);
  put_error(p, 2, EPERM);
  put_dump(p, 3, AF_INET, 11, 2);
  put_request(p, 4, AF_INET);
  put_answers(p, 4, AF_INET, 1000, 2);
  m.last->nlmsg_flags |= NLM_F_DUMP_INTR;
  pcap_writer_write(p, &m);
  put_answers(p, 4, AF_INET, 1000, 2);
  put_done(p, 4, 0);
  put_dump(p, 5, AF_INET, 21, 2);
  put_request(p, 6, AF_INET);
  put_answers(p, 6, AF_INET, 1000, 2); /* no end */
  put_dump(p, 7, AF_INET, 31, 2);
  put_request(p, 8, AF_INET);
  put_answers(p, 8, AF_INET6, 1000, 1);
  put_done(p, 8, 0);
  put_dump(p, 9, AF_INET, 41, 2);
  put_request(p, 10, AF_INET); /* no end of the file's last */
  struct replay *r = open_pcap(p);
  assert_fails(r, "tcp_diag");
  assert_complete(r, 3, 1);
  assert_fails(r, strerror(EPERM));
  assert_complete(r, 2, 11);
  assert_fails(r, "changed");
  assert_complete(r, 2, 21);
  assert_fails(r, "no end");
  assert_complete(r, 2, 31);
  assert_fails(r, "family");
  assert_complete(r, 2, 41);
  assert_fails(r, pcap_writer_file(p));
  assert_ended(r);
  replay_free(r);
  pcap_writer_free(p);
}

/* A second request while the first is answered: EBUSY, and then the rest of the
 * first, which must not pass for the second. */
static void overlapping_dumps_fail(void **state) {
  (void)state;
  for (uint32_t second = 1; second <= 2; second++) {
    struct pcap *p = pcap_writer_new(&pcap_writer_header_good);
    put_request(p, 1, AF_INET);
    put_answers(p, 1, AF_INET, 1, 2);
    put_request(p, second, AF_INET);
    put_error(p, second, EBUSY);
    put_answers(p, 1, AF_INET, 3, 2);
    put_done(p, 1, 0);
    put_dump(p, 3, AF_INET, 11, 2);
    struct replay *r = open_pcap(p);
    assert_fails(r, "no end");
    assert_fails(r, second == 1 ? "no end" : strerror(EBUSY));
    assert_complete(r, 2, 11);
    assert_ended(r);
    replay_free(r);
    pcap_writer_free(p);
  }
}

static void broken_packet_fails_its_dump_only(void **state) {
  (void)state;
  struct pcap *p = pcap_writer_new(&pcap_writer_header_good);
  put_request(p, 1, AF_INET);
  put_answers(p, 1, AF_INET, 1, 2);
  pcap_writer_write_as(p, NETLINK_SOCK_DIAG, &m,
                       m.size - 4); /* cut in a message */
  put_done(p, 1, 0);
  put_request(p, 2, AF_INET);
  messages_begin(&m, 2, 99);
  messages_done(&m, 0);
  size_t whole = m.size;
  messages_socket(&m, &(struct message_socket){.cookie = 1000});
  pcap_writer_write_as(p, NETLINK_SOCK_DIAG, &m, whole); /* cut between two */
  put_request(p, 3, AF_INET);
  put_answers(p, 3, AF_INET, 1, 2);
  m.last->nlmsg_len = 0x80000010;
  pcap_writer_write(p, &m);
  put_done(p, 3, 0);
  put_dump(p, 4, AF_INET, 11, 2);
  put_request(p, 5, AF_UNIX);
  put_answers(p, 5, AF_UNIX, 1, 2);
  pcap_writer_write_as(p, NETLINK_SOCK_DIAG, &m, m.size - 4); /* not ours */
  put_done(p, 5, 0);
  struct replay *r = open_pcap(p);
  assert_fails(r, "snapshot");
  assert_fails(r, "snapshot");
  assert_fails(r, "no netlink message");
  assert_complete(r, 2, 11);
  assert_ended(r);
  replay_free(r);
  pcap_writer_free(p);
}

/* A file that breaks off fails after its whole reads, one that is no longer
 * there fails once; then the next one is read. */
static void files_are_read_one_after_the_other(void **state) {
  (void)state;
  struct pcap *broken = pcap_writer_new(&pcap_writer_header_good);
  put_dump(broken, 1, AF_INET, 1, 2);
  put_dump(broken, 1, AF_INET, 3, 2);
  pcap_writer_write_raw(broken, "12345678", 8);
  struct pcap *gone = pcap_writer_new(&pcap_writer_header_good);
  struct pcap *good = pcap_writer_new(&pcap_writer_header_good);
  put_dump(good, 1, AF_INET, 1, 2);
  char *files[] = {pcap_writer_file(broken), pcap_writer_file(gone),
                   pcap_writer_file(good)};
  struct replay *r = open_files(files, 3);
  assert_return_code(unlink(files[1]), errno);
  struct error error = {""};
  assert_null(replay_new(files, 3, &error));
  assert_non_null(strstr(error.text, files[1]));
  assert_complete(r, 2, 1);
  assert_fails(r, files[0]);
  assert_fails(r, files[1]);
  assert_complete(r, 2, 1);
  assert_ended(r);
  replay_free(r);
  pcap_writer_free(gone);
  pcap_writer_free(broken);
  pcap_writer_free(good);
}

static void no_files_end_at_once(void **state) {
  (void)state;
  struct replay *r = open_files(NULL, 0);
  assert_ended(r);
  replay_free(r);
  replay_free(NULL);
}

#define DATA "tests/data/"

/* Each with three dumps of both families; NAME.1.ss.txt and so on have a line
 * for each socket of a dump. */
static char *const recording[] = {"linux-5.10", "linux-6.1", "linux-6.12",
                                  "linux-6.18", "linux-7.2"};

enum { RECORDINGS = sizeof(recording) / sizeof(recording[0]), DUMPS = 3 };

static FILE *data_open(const char *name, const char *end) {
  char path[256];
  snprintf(path, sizeof(path), DATA "%s%s", name, end);
  FILE *f = fopen(path, "re");
  if (f == NULL)
    fail_msg("%s: %s", path, strerror(errno));
  return f;
}

/* The number of sockets that ss printed of the dump. */
static size_t sockets_printed(const char *name, int dump) {
  char end[32];
  snprintf(end, sizeof(end), ".%d.ss.txt", dump + 1);
  FILE *f = data_open(name, end);
  size_t lines = 0;
  for (int c; (c = getc(f)) != EOF;)
    lines += c == '\n';
  fclose(f);
  return lines;
}

/* When the first request was recorded: the first packet of the file. */
static uint64_t first_request_ms(const char *name) {
  struct {
    uint32_t seconds, microseconds;
  } at;
  FILE *f = data_open(name, ".pcap");
  assert_int_equal(fseek(f, sizeof(struct pcap_writer_header), SEEK_SET), 0);
  assert_int_equal(fread(&at, sizeof(at), 1, f), 1);
  fclose(f);
  return at.seconds * UINT64_C(1000) + at.microseconds / 1000;
}

static void each_recorded_dump_has_the_sockets_that_ss_printed(void **state) {
  (void)state;
  char path[RECORDINGS][256];
  char *files[RECORDINGS];
  for (size_t i = 0; i < RECORDINGS; i++) {
    snprintf(path[i], sizeof(path[i]), DATA "%s.pcap", recording[i]);
    files[i] = path[i];
  }
  struct replay *r = open_files(files, RECORDINGS);
  for (size_t i = 0; i < RECORDINGS; i++) {
    uint64_t before_ms = first_request_ms(recording[i]);
    for (int dump = 0; dump < DUMPS; dump++) {
      if (next(r) != DUMP_COMPLETE)
        fail_msg("%s", seen.error.text);
      assert_true(seen.count > 20);
      assert_int_equal(seen.count, sockets_printed(recording[i], dump));
      if (dump == 0)
        assert_int_equal(seen.time_ms, before_ms);
      else
        assert_in_range(seen.time_ms, before_ms + 500, before_ms + 60000);
      before_ms = seen.time_ms;
    }
  }
  assert_ended(r);
  replay_free(r);
}

/* Reads the file to its end; gives the number of complete reads. */
static size_t read_all(char *file) {
  struct replay *r = open_files(&file, 1);
  size_t complete = 0;
  for (enum dump_result s; (s = next(r)) != DUMP_ENDED;)
    complete += s == DUMP_COMPLETE;
  replay_free(r);
  return complete;
}

/* Cut off earlier and earlier, a recording gives fewer and fewer reads. */
static void a_recording_cut_short_has_fewer_dumps(void **state) {
  (void)state;
  struct pcap *p = pcap_writer_new(&pcap_writer_header_good);
  FILE *f = data_open(recording[1], ".pcap");
  static uint8_t bytes[1 << 20];
  size_t size = fread(bytes, 1, sizeof(bytes), f);
  fclose(f);
  pcap_writer_write_raw(p, bytes + sizeof(struct pcap_writer_header),
                        size - sizeof(struct pcap_writer_header));
  char *file = pcap_writer_file(p);
  size_t before = read_all(file);
  assert_int_equal(before, DUMPS);
  for (size_t left = size; left > 2000; left -= 137) {
    assert_return_code(truncate(file, (off_t)left), errno);
    size_t complete = read_all(file);
    assert_true(complete <= before);
    before = complete;
  }
  assert_int_equal(before, 0);
  pcap_writer_free(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(requests_of_ss_for_both_families_are_one_dump),
      cmocka_unit_test(legacy_request_is_one_dump),
      cmocka_unit_test(other_traffic_is_skipped),
      cmocka_unit_test(answers_alone_are_dumps),
      cmocka_unit_test(failed_dump_does_not_affect_the_next),
      cmocka_unit_test(overlapping_dumps_fail),
      cmocka_unit_test(broken_packet_fails_its_dump_only),
      cmocka_unit_test(files_are_read_one_after_the_other),
      cmocka_unit_test(no_files_end_at_once),
      cmocka_unit_test(each_recorded_dump_has_the_sockets_that_ss_printed),
      cmocka_unit_test(a_recording_cut_short_has_fewer_dumps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
