#include "support/pipe.h"

#include "collectd/dispatch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void pipe_dump_begin(struct pipe *p) {
  messages_begin(&p->messages, 1, 0);
  messages_request(&p->messages);
  pcap_writer_write(p->pcap, &p->messages);
  messages_begin(&p->messages, 1, 0);
}

void pipe_dump_end(struct pipe *p, int code) {
  messages_done(&p->messages, code);
  pcap_writer_write(p->pcap, &p->messages);
  pcap_writer_pause(p->pcap, INTERVAL_MS - 2); /* each packet adds 1 ms */
}

void pipe_socket(struct pipe *p, struct message_socket s, const uint8_t *info,
                 size_t size) {
  if (p->messages.size > 30000) {
    pcap_writer_write(p->pcap, &p->messages);
    messages_begin(&p->messages, 1, 0);
  }
  messages_socket(&p->messages, &s);
  if (size > 0)
    messages_info(&p->messages, info, size);
}

struct group_settings *pipe_group(struct pipe *p, const char *name) {
  struct group_settings *g = &p->group[p->settings.group_count++];
  *g = (struct group_settings){.name = (char *)name,
                               .max_members = 100,
                               .member_timeout = 6,
                               .selector = selector_new(SELECTOR_AND)};
  assert_non_null(g->selector);
  return g;
}

void pipe_want(struct group_settings *g, const char *metric,
               const char *statistic) {
  struct statistic s;
  int id = metric_find(metric);
  assert_true(id >= 0);
  if (statistic != NULL)
    assert_true(statistic_parse(statistic, &s));
  assert_int_equal(metric_list_add(&g->metrics, (enum metric_id)id,
                                   statistic != NULL ? &s : NULL),
                   0);
}

struct pipe *pipe_new(void) {
  struct pipe *p = calloc(1, sizeof(*p));
  assert_non_null(p);
  p->pcap = pcap_writer_new(&pcap_writer_header_good);
  p->settings.group = p->group;
  return p;
}

void pipe_start(struct pipe *p) {
  struct error error;
  p->file = pcap_writer_file(p->pcap);
  p->settings.replay = &p->file;
  p->settings.replay_count = 1;
  p->reader = reader_new(&p->settings, INTERVAL_MS, NULL, &error);
  if (p->reader == NULL)
    fail_msg("%s", error.text);
}

enum dump_result pipe_read(struct pipe *p) {
  struct error error;
  fake_daemon_clear();
  enum dump_result result = reader_read(p->reader, &error);
  if (result == DUMP_COMPLETE) {
    dispatch_read(p->reader);
    reader_commit(p->reader);
  } else if (result == DUMP_FAILED) {
    dispatch_failure(reader_health(p->reader));
  }
  return result;
}

void pipe_free(struct pipe *p) {
  fake_daemon_clear();
  reader_free(p->reader);
  pcap_writer_free(p->pcap);
  for (size_t i = 0; i < p->settings.group_count; i++) {
    selector_free(p->group[i].selector);
    metric_list_clear(&p->group[i].metrics);
  }
  free(p);
}

void absent(const char *name) {
  if (fake_daemon_find(name) != NULL)
    fail_msg("%s was dispatched", name);
}

void gauge_is(const char *name, double value) {
  double got = fake_daemon_gauge(name);
  if (got < value - 1e-9 || got > value + 1e-9)
    fail_msg("%s is %.12g, not %.12g", name, got, value);
}

void counter_is(const char *name, int64_t value) {
  int64_t got = fake_daemon_counter(name);
  if (got != value)
    fail_msg("%s is %lld, not %lld", name, (long long)got, (long long)value);
}
