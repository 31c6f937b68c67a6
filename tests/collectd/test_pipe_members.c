/* Tests the plugin from recorded dumps to the values in a fake daemon
 * (support/pipe.h), for members and listeners: worst members and outliers,
 * histograms, accept queues, and attributes beside tcp_info. */
#include "support/pipe.h"

#include <collectd/core/daemon/collectd.h>

#include <collectd/core/daemon/plugin.h>

#include <linux/inet_diag.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PEERS = 20 };

/* --- The worst member ----------------------------------------------------- */

/* The counters and the round-trip time of each peer's only socket. */
struct peers {
  uint32_t segments[PEERS], retrans[PEERS], rtt[PEERS];
};

/* Adds the dump of another interval: each peer has sent 1,000 segments, the
 * peer `lossy` has retransmitted `retrans` of them, the peer `slow` has a
 * round-trip time of 700 ms. -1: no peer. */
static void peers_dump(struct pipe *p, struct peers *all, int lossy,
                       unsigned retrans, int slow, int code) {
  pipe_dump_begin(p);
  for (int i = 0; i < PEERS; i++) {
    uint8_t info[INFO_SIZE] = {0};
    char address[32];
    all->segments[i] += 1000;
    all->retrans[i] += i == lossy ? retrans : 0;
    info_put(info, FIELD_DATA_SEGS_OUT, all->segments[i]);
    info_put(info, FIELD_TOTAL_RETRANS, all->retrans[i]);
    info_put(info, FIELD_BYTES_RETRANS, 1); /* data, not SYNs */
    info_put(info, FIELD_BYTES_SENT, all->segments[i] * 1000);
    info_put(info, FIELD_RTT, i == slow ? 700000 : 1000);
    snprintf(address, sizeof(address), "10.0.0.%d", i);
    pipe_socket(p,
                (struct message_socket){.cookie = (uint64_t)i + 1,
                                        .local = "10.1.0.1",
                                        .remote = address,
                                        .remote_port = 443},
                info, sizeof(info));
  }
  pipe_dump_end(p, code);
}

static struct pipe *peers_pipe(unsigned worst) {
  struct pipe *p = pipe_new();
  struct group_settings *g = pipe_group(p, "web");
  pipe_want(g, "connections", NULL);
  pipe_want(g, "outliers", NULL);
  g->by[g->by_count++] = DIMENSION_REMOTE_ADDRESS;
  g->max_members = 3;
  g->worst = worst;
  g->worst_retrans = (struct severity){1, 5};
  g->worst_rtt = (struct severity){0.5, 2};
  return p;
}

static void member_is(const char *name, const char *member) {
  const struct fake_value *v = fake_daemon_find(name);
  if (v == NULL)
    fail_msg("%s was not dispatched", name);
  assert_string_equal(v->member, member);
}

/* The worst peer is not one of the 3 of 20 that have series of their own. */
static void worst_members_are_dispatched_by_rank(void **state) {
  (void)state;
  struct peers all = {.segments = {0}};
  struct pipe *p = peers_pipe(2);
  peers_dump(p, &all, 17, 500, -1, 0); /* before the first read */
  peers_dump(p, &all, 17, 40, 9, 0);
  peers_dump(p, &all, 17, 20, -1, 2); /* fails */
  peers_dump(p, &all, 3, 100, -1, 0);
  pipe_start(p);

  assert_int_equal(pipe_read(p), DUMP_COMPLETE);
  absent("tcpinfo-web-worst1/percent-retrans_percent");
  absent("tcpinfo-web-worst1/latency-rtt-p95");
  absent("tcpinfo-web/count-outliers");

  assert_int_equal(pipe_read(p), DUMP_COMPLETE);
  gauge_is("tcpinfo-web-worst1/percent-retrans_percent", 4);
  member_is("tcpinfo-web-worst1/percent-retrans_percent", "10.0.0.17");
  gauge_is("tcpinfo-web-worst2/percent-retrans_percent", 0);
  member_is("tcpinfo-web-worst2/percent-retrans_percent", ""); /* no member */
  gauge_is("tcpinfo-web-worst1/latency-rtt-p95", 0.7);
  member_is("tcpinfo-web-worst1/latency-rtt-p95", "10.0.0.9");
  gauge_is("tcpinfo-web-worst2/latency-rtt-p95", 0.001);
  member_is("tcpinfo-web-worst2/latency-rtt-p95", "10.0.0.0");
  absent("tcpinfo-web-worst3/percent-retrans_percent");
  absent("tcpinfo-web-10.0.0.17/count-connections");
  gauge_is("tcpinfo-web/count-outliers", 2);
  member_is("tcpinfo-web/count-connections", "");
  absent("tcpinfo-web-other/count-outliers");
  member_is("tcpinfo-self/count-members", ""); /* dispatched after the worst */

  assert_int_equal(pipe_read(p), DUMP_FAILED);
  absent("tcpinfo-web-worst1/percent-retrans_percent");
  assert_int_equal(pipe_read(p), DUMP_COMPLETE); /* covers both intervals */
  gauge_is("tcpinfo-web-worst1/percent-retrans_percent", 5);
  member_is("tcpinfo-web-worst1/percent-retrans_percent", "10.0.0.3");
  gauge_is("tcpinfo-web-worst2/percent-retrans_percent", 1);
  member_is("tcpinfo-web-worst2/percent-retrans_percent", "10.0.0.17");
  gauge_is("tcpinfo-web-worst1/latency-rtt-p95",
           0.001); /* covers this dump only */
  pipe_free(p);
}

static void notified(size_t i, int severity, const char *name,
                     const char *member, const char *message) {
  assert_true(i < fake_daemon.notification_count);
  assert_int_equal(fake_daemon.notification[i].severity, severity);
  assert_string_equal(fake_daemon.notification[i].name, name);
  assert_string_equal(fake_daemon.notification[i].member, member);
  assert_string_equal(fake_daemon.notification[i].message, message);
}

#define RETRANS "tcpinfo-web-worst1/percent-retrans_percent"
#define RTT "tcpinfo-web-worst1/latency-rtt-p95"

/* Times are of the monotonic clock: the wall clock may be set meanwhile. */
static void notification_follows_the_second_bad_read(void **state) {
  (void)state;
  struct peers all = {.segments = {0}};
  struct pipe *p = peers_pipe(1);
  static const int lossy[] = {-1, 17, 17, 3, 3, 3, -1, -1};
  static const int slow[] = {-1, 9, 9, 9, 9, 9, 9, -1};
  enum { READS = sizeof(lossy) / sizeof(lossy[0]) };
  for (int i = 0; i < READS; i++)
    peers_dump(p, &all, lossy[i], 60, slow[i], 0);
  pipe_start(p);

  for (int i = 0; i < 2; i++) { /* one bad read is not enough */
    assert_int_equal(pipe_read(p), DUMP_COMPLETE);
    assert_int_equal(fake_daemon.notification_count, 0);
  }
  assert_int_equal(pipe_read(p), DUMP_COMPLETE);
  assert_int_equal(fake_daemon.notification_count, 2);
  notified(0, NOTIF_FAILURE, RETRANS, "10.0.0.17",
           "tcpinfo: group web: 10.0.0.17 is the worst member by "
           "retrans_percent: 6 %, at or above 5.");
  notified(1, NOTIF_WARNING, RTT, "10.0.0.9",
           "tcpinfo: group web: 10.0.0.9 is the worst member by rtt-p95: 700 "
           "ms, at or above 500.");
  for (int i = 0; i < 2; i++) { /* another member, too soon */
    fake_daemon_set_clock(3600);
    assert_int_equal(pipe_read(p), DUMP_COMPLETE);
    assert_int_equal(fake_daemon.notification_count, 0);
  }
  fake_daemon_advance(60);
  fake_daemon_set_clock(-7200);
  assert_int_equal(pipe_read(p), DUMP_COMPLETE);
  assert_int_equal(fake_daemon.notification_count, 1);
  notified(0, NOTIF_FAILURE, RETRANS, "10.0.0.3",
           "tcpinfo: group web: 10.0.0.3 is the worst member by "
           "retrans_percent: 6 %, at or above 5.");
  fake_daemon_advance(60);
  assert_int_equal(pipe_read(p), DUMP_COMPLETE);
  assert_int_equal(fake_daemon.notification_count, 1);
  notified(0, NOTIF_OKAY, RETRANS, "10.0.0.3",
           "tcpinfo: group web: retrans_percent: no member with enough traffic "
           "to judge is at or above 1 % any more; 10.0.0.3 was the last.");
  fake_daemon_advance(60);
  assert_int_equal(pipe_read(p), DUMP_COMPLETE);
  assert_int_equal(fake_daemon.notification_count, 1);
  notified(
      0, NOTIF_OKAY, RTT, "10.0.0.9",
      "tcpinfo: group web: rtt-p95: no member with enough traffic to judge "
      "is at or above 500 ms any more; 10.0.0.9 was the last.");
  pipe_free(p);
}

static void without_worst_there_are_no_series_and_notifications(void **state) {
  (void)state;
  struct peers all = {.segments = {0}};
  struct pipe *p = peers_pipe(0);
  for (int read = 0; read < 2; read++)
    peers_dump(p, &all, 17, 500, 9, 0);
  pipe_start(p);
  for (int read = 0; read < 2; read++)
    assert_int_equal(pipe_read(p), DUMP_COMPLETE);
  absent(RETRANS);
  absent(RTT);
  gauge_is("tcpinfo-web/count-outliers", 2);
  assert_int_equal(fake_daemon.notification_count, 0);
  pipe_free(p);
}

/* --- Histograms ----------------------------------------------------------- */

static void histogram_of(struct group_settings *g, enum metric_id id) {
  static const struct statistic histogram = {.kind = STATISTIC_HISTOGRAM};
  assert_int_equal(metric_list_add(&g->metrics, id, &histogram), 0);
}

static void histograms_of_members_add_up_to_the_total(void **state) {
  (void)state;
  struct pipe *p = pipe_new();
  struct group_settings *g = pipe_group(p, "web");
  histogram_of(g, METRIC_RTT);
  g->by[g->by_count++] = DIMENSION_REMOTE_PORT;
  g->max_members = 1;
  pipe_dump_begin(p);
  for (unsigned i = 0; i < 10; i++) {
    uint8_t info[INFO_SIZE] = {0};
    info_put(info, FIELD_RTT, 1000 * i); /* the first has no value yet */
    info_put(info, FIELD_LAST_ACK_RECV, i == 9 ? 99999 : 0); /* idle */
    pipe_socket(p,
                (struct message_socket){.cookie = i + 1,
                                        .remote_port = i < 6 ? 443 : 80},
                info, sizeof(info));
  }
  pipe_dump_end(p, 0);
  pipe_start(p);
  assert_int_equal(pipe_read(p), DUMP_COMPLETE);
  gauge_is("tcpinfo-web/bucket-rtt-0.0005", 0);
  gauge_is("tcpinfo-web/bucket-rtt-0.001", 1);
  gauge_is("tcpinfo-web/bucket-rtt-0.005", 5);
  gauge_is("tcpinfo-web/bucket-rtt-0.01", 8);
  gauge_is("tcpinfo-web/bucket-rtt-inf", 8);
  gauge_is("tcpinfo-web-443/bucket-rtt-0.002", 2);
  gauge_is("tcpinfo-web-443/bucket-rtt-inf", 5);
  gauge_is("tcpinfo-web-other/bucket-rtt-0.005", 0);
  gauge_is("tcpinfo-web-other/bucket-rtt-inf", 3);
  absent("tcpinfo-web/latency-rtt-p50"); /* was not asked for */
  pipe_free(p);
}

/* --- Listeners ------------------------------------------------------------ */

static void listener_put(struct pipe *p, uint64_t cookie, uint16_t port,
                         uint32_t queue, uint32_t limit) {
  pipe_socket(p,
              (struct message_socket){.cookie = cookie,
                                      .state = TCP_STATE_LISTEN,
                                      .local = "0.0.0.0",
                                      .local_port = port,
                                      .recv_queue = queue,
                                      .send_queue = limit},
              NULL, 0);
}

static void listeners_dump(struct pipe *p, unsigned more) {
  uint8_t info[INFO_SIZE] = {0};
  pipe_dump_begin(p);
  listener_put(p, 1, 443, 9, 8);
  listener_put(p, 2, 80, 1, 4);
  for (unsigned i = 0; i < more; i++)
    listener_put(p, 3 + i, (uint16_t)(1000 + i), 2, 0);
  listener_put(p, 2, 80, 1, 4); /* repeats count once */
  pipe_socket(p,
              (struct message_socket){.cookie = 100,
                                      .local = "10.0.0.1",
                                      .local_port = 443,
                                      .remote = "10.0.0.2"},
              info, sizeof(info));
  pipe_dump_end(p, 0);
}

static struct group_settings *listeners_group(struct pipe *p,
                                              enum dimension by) {
  struct group_settings *g = pipe_group(p, "web");
  pipe_want(g, "connections", NULL);
  pipe_want(g, "opened", NULL);
  pipe_want(g, "accept_queue", "max");
  pipe_want(g, "accept_queue", "sum");
  pipe_want(g, "accept_limit", "min");
  pipe_want(g, "accept_percent", "max");
  pipe_want(g, "accept_percent", "min");
  g->by[g->by_count++] = by;
  return g;
}

static void listening_port_is_a_member_without_connections(void **state) {
  (void)state;
  struct pipe *p = pipe_new();
  listeners_group(p, DIMENSION_LOCAL_PORT);
  for (int read = 0; read < 12; read++)
    listeners_dump(p, 0);
  pipe_start(p);
  for (int read = 0; read < 12; read++) { /* longer than MemberTimeout */
    assert_int_equal(pipe_read(p), DUMP_COMPLETE);
    gauge_is("tcpinfo-web/count-connections", 1);
    gauge_is("tcpinfo-web/queue_length-accept_queue-max", 9);
    gauge_is("tcpinfo-web/queue_length-accept_queue-sum", 10);
    gauge_is("tcpinfo-web/queue_length-accept_limit-min", 4);
    gauge_is("tcpinfo-web/percent-accept_percent-max", 100); /* 9 of 8 */
    gauge_is("tcpinfo-web-443/count-connections", 1);
    gauge_is("tcpinfo-web-443/queue_length-accept_queue-max", 9);
    gauge_is("tcpinfo-web-80/count-connections", 0);
    gauge_is("tcpinfo-web-80/queue_length-accept_queue-max", 1);
    gauge_is("tcpinfo-web-80/percent-accept_percent-min", 25);
    counter_is("tcpinfo-web-80/total_connections-opened", 0);
    gauge_is("tcpinfo-web-other/count-connections", 0);
    absent("tcpinfo-web-other/queue_length-accept_queue-max");
    gauge_is("tcpinfo-self/count-members", 2);
  }
  pipe_free(p);
}

/* A listener with a limit of 0 has no percentage. */
static void listeners_beyond_max_members_are_counted_in_other(void **state) {
  (void)state;
  struct pipe *p = pipe_new();
  listeners_group(p, DIMENSION_LOCAL_PORT)->max_members = 2;
  for (int read = 0; read < 3; read++)
    listeners_dump(p, 30);
  pipe_start(p);
  for (int read = 0; read < 3; read++) {
    assert_int_equal(pipe_read(p), DUMP_COMPLETE);
    gauge_is("tcpinfo-web/queue_length-accept_queue-sum", 10 + 60);
    gauge_is("tcpinfo-self/count-members", 32);
  }
  double sum = 0;
  for (size_t i = 0; i < fake_daemon.count; i++)
    if (strcmp(fake_daemon.value[i].instance,
               "queue_length-accept_queue-sum") == 0 &&
        strcmp(fake_daemon.value[i].group, "web") != 0)
      sum += fake_daemon.value[i].gauge;
  assert_true(sum == 70);
  pipe_free(p);
}

/* By remote-address, listeners are in `other`. */
static void listener_has_no_remote_address(void **state) {
  (void)state;
  struct pipe *p = pipe_new();
  listeners_group(p, DIMENSION_REMOTE_ADDRESS);
  listeners_dump(p, 0);
  pipe_start(p);
  assert_int_equal(pipe_read(p), DUMP_COMPLETE);
  gauge_is("tcpinfo-web/queue_length-accept_queue-max", 9);
  gauge_is("tcpinfo-web-other/queue_length-accept_queue-max", 9);
  absent("tcpinfo-web-0.0.0.0/count-connections");
  absent("tcpinfo-web-10.0.0.2/queue_length-accept_queue-max");
  gauge_is("tcpinfo-self/count-members", 1);
  pipe_free(p);
}

/* Only accept_* and states need listeners. */
static void listeners_are_not_dumped_unless_reported(void **state) {
  (void)state;
  struct pipe *p = pipe_new();
  struct group_settings *g = pipe_group(p, "web");
  pipe_want(g, "connections", NULL);
  g->by[g->by_count++] = DIMENSION_LOCAL_PORT;
  listeners_dump(p, 3);
  pipe_start(p);
  assert_int_equal(pipe_read(p), DUMP_COMPLETE);
  gauge_is("tcpinfo-web-443/count-connections", 1);
  absent("tcpinfo-web-80/count-connections");
  gauge_is("tcpinfo-self/count-sockets_dumped", 1);
  pipe_free(p);
}

/* --- Attributes beside tcp_info ------------------------------------------- */

static void attributes_beside_tcp_info_are_reported(void **state) {
  (void)state;
  struct pipe *p = pipe_new();
  struct group_settings *g = pipe_group(p, "all");
  pipe_want(g, "rmem", "sum");
  pipe_want(g, "backlog", "max");
  pipe_want(g, "drops", NULL);
  pipe_want(g, "bbr_bandwidth", "max");
  pipe_want(g, "bbr_min_rtt", "max");
  pipe_want(g, "dctcp_alpha", "max");
  pipe_want(g, "congestion", NULL);
  for (uint32_t read = 0; read < 2; read++) {
    pipe_dump_begin(p);
    for (uint32_t i = 1; i <= 3; i++) {
      uint8_t info[INFO_SIZE] = {0};
      uint32_t memory[9] = {100 * i, 0, 0, 0, 0, 0, 0, 7, 50 + read * i};
      uint32_t bbr[5] = {5, 1, 30000};
      uint16_t dctcp[8] = {1, 0, 256, 0};
      pipe_socket(p, (struct message_socket){.cookie = i}, info, sizeof(info));
      messages_attribute(&p->messages, INET_DIAG_SKMEMINFO, memory,
                         sizeof(memory));
      if (i == 1)
        messages_attribute(&p->messages, INET_DIAG_BBRINFO, bbr, sizeof(bbr));
      if (i == 2)
        messages_attribute(&p->messages, INET_DIAG_DCTCPINFO, dctcp,
                           sizeof(dctcp));
      messages_attribute(&p->messages, INET_DIAG_CONG, i == 1 ? "bbr" : "dctcp",
                         i == 1 ? 4 : 6);
    }
    pipe_dump_end(p, 0);
  }
  pipe_start(p);
  assert_int_equal(pipe_read(p), DUMP_COMPLETE);
  counter_is("tcpinfo-all/packets-drops", 0);
  assert_int_equal(pipe_read(p), DUMP_COMPLETE);
  counter_is("tcpinfo-all/packets-drops", 6);
  gauge_is("tcpinfo-all/memory-rmem-sum", 600);
  gauge_is("tcpinfo-all/memory-backlog-max", 7);
  gauge_is("tcpinfo-all/bytes-bbr_bandwidth-max", 4294967296.0 + 5);
  gauge_is("tcpinfo-all/latency-bbr_min_rtt-max", 0.03);
  gauge_is("tcpinfo-all/percent-dctcp_alpha-max", 25);
  gauge_is("tcpinfo-all/count-congestion-bbr", 1);
  gauge_is("tcpinfo-all/count-congestion-dctcp", 2);
  pipe_free(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(worst_members_are_dispatched_by_rank),
      cmocka_unit_test(notification_follows_the_second_bad_read),
      cmocka_unit_test(without_worst_there_are_no_series_and_notifications),
      cmocka_unit_test(histograms_of_members_add_up_to_the_total),
      cmocka_unit_test(listening_port_is_a_member_without_connections),
      cmocka_unit_test(listeners_beyond_max_members_are_counted_in_other),
      cmocka_unit_test(listener_has_no_remote_address),
      cmocka_unit_test(listeners_are_not_dumped_unless_reported),
      cmocka_unit_test(attributes_beside_tcp_info_are_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
