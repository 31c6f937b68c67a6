/* Tests the plugin from recorded dumps to the values in a fake daemon
 * (support/pipe.h): first the values of each kind of metric for known messages,
 * then random histories against a model. */
#include "support/pipe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- Known messages ------------------------------------------------------ */

static void values_follow_from_the_messages(void **state) {
  (void)state;
  struct pipe *p = pipe_new();
  struct group_settings *g = pipe_group(p, "all");
  static const char *const simple[] = {
      "connections",  "active",          "opened",      "closed",
      "bytes_sent",   "retrans",         "total_rto",   "busy_time",
      "rto_time",     "retrans_percent", "limited",     "spurious_percent",
      "rwnd_limited", "ce_percent",      "delivered_ce"};
  static const char *const distribution[] = {
      "rtt",           "queue_delay", "cwnd",       "ssthresh",
      "throughput",    "recv_queue",  "send_queue", "pacing_rate",
      "delivery_rate", "rttvar",      "min_rtt"};
  static const char *const statistic[] = {"min", "max", "avg", "sum", "p50"};
  for (size_t i = 0; i < sizeof(simple) / sizeof(simple[0]); i++)
    pipe_want(g, simple[i], NULL);
  for (size_t i = 0; i < sizeof(distribution) / sizeof(distribution[0]); i++)
    for (size_t k = 0; k < sizeof(statistic) / sizeof(statistic[0]); k++)
      pipe_want(g, distribution[i], statistic[k]);

  for (unsigned read = 0; read < 2; read++) {
    pipe_dump_begin(p);
    for (unsigned i = 1; i <= 3; i++) {
      uint8_t info[INFO_SIZE] = {0};
      info_put(info, FIELD_RTT, 10000 * i);
      info_put(info, FIELD_RTTVAR, 500 * i);
      info_put(info, FIELD_MIN_RTT, 8000);
      info_put(info, FIELD_SND_CWND, 10 * i);
      info_put(info, FIELD_SND_MSS, 1000);
      info_put(info, FIELD_SND_SSTHRESH, i == 3 ? 20 : 0x7fffffff);
      info_put(info, FIELD_LAST_ACK_RECV, i == 3 ? 10001 : 10000);
      info_put(info, FIELD_PACING_RATE, i == 1 ? UINT64_MAX : 1000000);
      info_put(info, FIELD_DELIVERY_RATE, 5000 * i);
      info_put(info, FIELD_APP_LIMITED, i == 2);
      info_put(info, FIELD_BYTES_SENT, 1000 + read * 300 * i);
      info_put(info, FIELD_TOTAL_RETRANS, 7 + read * i);
      info_put(info, FIELD_BYTES_RETRANS, 1); /* data, not SYNs */
      info_put(info, FIELD_DATA_SEGS_OUT, 100 + read * 40);
      info_put(info, FIELD_DSACK_DUPS, 1 + read * (i == 1));
      info_put(info, FIELD_DELIVERED, 5);
      info_put(info, FIELD_TOTAL_RTO, 65535 + read * 2);
      info_put(info, FIELD_TOTAL_RTO_TIME, 50 + read * 25);
      /* The shares of 30 s: 6 s network, 1 s receiver, 2 s sender. */
      info_put(info, FIELD_BUSY_TIME, 9000000 + read * 3000000);
      info_put(info, FIELD_RWND_LIMITED, 500000 + read * (i == 1) * 1000000);
      info_put(info, FIELD_SNDBUF_LIMITED, 500000 + read * (i == 2) * 2000000);
      pipe_socket(p,
                  (struct message_socket){.cookie = i,
                                          .local = "10.0.0.1",
                                          .remote = "10.0.0.2",
                                          .recv_queue = 5 * i,
                                          .send_queue = i},
                  info, sizeof(info));
    }
    pipe_dump_end(p, 0);
  }
  pipe_start(p);

  assert_int_equal(pipe_read(p), DUMP_COMPLETE);
  gauge_is("tcpinfo-all/count-connections", 3);
  counter_is("tcpinfo-all/total_bytes-bytes_sent", 0);
  counter_is("tcpinfo-all/total_connections-opened", 0);
  absent("tcpinfo-all/percent-retrans_percent"); /* no segments yet */
  absent("tcpinfo-all/percent-limited-network");

  assert_int_equal(pipe_read(p), DUMP_COMPLETE);
  gauge_is("tcpinfo-all/count-connections", 3);
  gauge_is("tcpinfo-all/count-active", 2);
  counter_is("tcpinfo-all/total_connections-opened", 0);
  counter_is("tcpinfo-all/total_connections-closed", 0);
  counter_is("tcpinfo-all/total_bytes-bytes_sent", 1800);
  counter_is("tcpinfo-all/packets-retrans", 6);
  counter_is("tcpinfo-all/total_events-total_rto", 6); /* wrapped */
  counter_is("tcpinfo-all/total_time_in_ms-busy_time", 9000);
  counter_is("tcpinfo-all/total_time_in_ms-rwnd_limited", 1000);
  counter_is("tcpinfo-all/total_time_in_ms-rto_time", 75);
  gauge_is("tcpinfo-all/percent-retrans_percent", 5);
  gauge_is("tcpinfo-all/percent-spurious_percent", 100.0 / 6);
  absent("tcpinfo-all/percent-ce_percent"); /* no segment delivered */
  gauge_is("tcpinfo-all/percent-limited-network", 20);
  gauge_is("tcpinfo-all/percent-limited-receiver", 10.0 / 3);
  gauge_is("tcpinfo-all/percent-limited-sender", 20.0 / 3);
  gauge_is("tcpinfo-all/percent-limited-idle", 70);
  /* The third is idle: its last ACK is from before the last read. */
  gauge_is("tcpinfo-all/latency-rtt-min", 0.010);
  gauge_is("tcpinfo-all/latency-rtt-max", 0.020);
  gauge_is("tcpinfo-all/latency-rtt-avg", 0.015);
  gauge_is("tcpinfo-all/latency-rtt-p50", 0.010);
  gauge_is("tcpinfo-all/latency-rttvar-max", 0.001);
  gauge_is("tcpinfo-all/latency-queue_delay-min", 0.002);
  gauge_is("tcpinfo-all/latency-queue_delay-max", 0.012);
  gauge_is("tcpinfo-all/count-cwnd-sum", 60);
  gauge_is("tcpinfo-all/count-cwnd-p50", 20);
  gauge_is("tcpinfo-all/count-ssthresh-max", 20);
  gauge_is("tcpinfo-all/count-ssthresh-min", 20);
  gauge_is("tcpinfo-all/bytes-throughput-max", 1000000);
  gauge_is("tcpinfo-all/bytes-recv_queue-sum", 30);
  gauge_is("tcpinfo-all/bytes-send_queue-avg", 2);
  gauge_is("tcpinfo-all/bytes-pacing_rate-sum", 2000000);
  gauge_is("tcpinfo-all/bytes-delivery_rate-sum", 20000);
  gauge_is("tcpinfo-self/count-sockets_dumped", 3);
  gauge_is("tcpinfo-self/count-sockets_matched", 3);
  gauge_is("tcpinfo-self/count-sockets_tracked", 3);
  gauge_is("tcpinfo-self/bytes-tcp_info", INFO_SIZE);
  counter_is("tcpinfo-self/total_events-dump_errors", 0);
  for (size_t i = 1; i < fake_daemon.count; i++)
    assert_true(fake_daemon.value[i].time == fake_daemon.value[0].time);

  assert_int_equal(pipe_read(p), DUMP_ENDED);
  assert_int_equal(fake_daemon.count, 0);
  pipe_free(p);
}

/* A group without sockets has values of 0. A field that the kernel does not
 * send has no series. */
static void
empty_group_has_zeros_and_old_kernel_leaves_out_series(void **state) {
  (void)state;
  struct pipe *p = pipe_new();
  struct group_settings *g = pipe_group(p, "empty");
  static const char *const metric[] = {
      "connections", "active",  "opened",  "bytes_sent", "retrans",
      "rehash",      "rcv_wnd", "limited", "delivered",  "bytes_acked"};
  selector_free(g->selector);
  g->selector = selector_new(SELECTOR_OR); /* matches nothing */
  struct group_settings *all = pipe_group(p, "all");
  for (size_t i = 0; i < sizeof(metric) / sizeof(metric[0]); i++) {
    pipe_want(g, metric[i], NULL);
    pipe_want(all, metric[i], NULL);
  }
  assert_int_equal(metric_list_complete(&g->metrics), 0);
  assert_int_equal(metric_list_complete(&all->metrics), 0);
  uint8_t info[INFO_SIZE] = {0};
  for (int read = 0; read < 2; read++) {
    pipe_dump_begin(p);
    pipe_socket(p, (struct message_socket){.cookie = 1}, info, 136);
    pipe_dump_end(p, 0);
  }
  pipe_dump_begin(p);
  pipe_dump_end(p, 0);
  pipe_start(p);
  for (int read = 0; read < 3; read++) {
    assert_int_equal(pipe_read(p), DUMP_COMPLETE);
    gauge_is("tcpinfo-empty/count-connections", 0);
    gauge_is("tcpinfo-empty/count-active", 0);
    counter_is("tcpinfo-empty/total_connections-opened", 0);
    counter_is("tcpinfo-empty/packets-retrans", 0);
    counter_is("tcpinfo-empty/total_bytes-bytes_acked", 0);
    absent("tcpinfo-empty/total_bytes-bytes_sent"); /* 4.19 */
    absent("tcpinfo-empty/total_events-rehash");    /* 6.2 */
    absent("tcpinfo-all/total_bytes-bytes_sent");
    absent("tcpinfo-all/bytes-rcv_wnd-max");
    absent("tcpinfo-all/percent-limited-idle");
    gauge_is("tcpinfo-all/count-connections", read < 2);
  }
  pipe_free(p);
}

static void sockets_are_counted_by_state(void **state) {
  (void)state;
  struct pipe *p = pipe_new();
  struct group_settings *g = pipe_group(p, "web");
  pipe_want(g, "connections", NULL);
  pipe_want(g, "states", NULL);
  pipe_want(g, "opened", NULL);
  pipe_want(g, "closed", NULL);
  g->by[g->by_count++] = DIMENSION_REMOTE_ADDRESS;
  uint8_t info[INFO_SIZE] = {0};
  static const uint8_t second[] = {TCP_STATE_SYN_RECV, TCP_STATE_ESTABLISHED,
                                   TCP_STATE_TIME_WAIT, TCP_STATE_TIME_WAIT,
                                   TCP_STATE_TIME_WAIT};
  for (int read = 0; read < 5; read++) {
    pipe_dump_begin(p);
    pipe_socket(p,
                (struct message_socket){.cookie = 1, .state = TCP_STATE_LISTEN},
                NULL, 0);
    bool mini = second[read] != TCP_STATE_ESTABLISHED;
    for (int twice = 0; twice < 2; twice++) /* repeats count once */
      pipe_socket(p,
                  (struct message_socket){
                      .cookie = 2, .state = second[read], .remote = "10.0.0.9"},
                  info, mini ? 0 : sizeof(info));
    pipe_dump_end(p, 0);
  }
  pipe_start(p);
  for (int read = 0; read < 2; read++) {
    assert_int_equal(pipe_read(p), DUMP_COMPLETE);
    gauge_is("tcpinfo-web/count-connections", read == 1);
    gauge_is("tcpinfo-web/tcp_connections-LISTEN", 1);
    gauge_is("tcpinfo-web/tcp_connections-SYN_RECV", read == 0);
    gauge_is("tcpinfo-web/tcp_connections-ESTABLISHED", read == 1);
    gauge_is("tcpinfo-web/tcp_connections-TIME_WAIT", 0);
    gauge_is("tcpinfo-web/tcp_connections-CLOSING", 0);
    counter_is("tcpinfo-web/total_connections-opened", read);
    counter_is("tcpinfo-web/total_connections-closed", 0);
  }
  gauge_is("tcpinfo-web-10.0.0.9/count-connections", 1);
  for (int read = 2; read < 5; read++) {
    assert_int_equal(pipe_read(p), DUMP_COMPLETE);
    gauge_is("tcpinfo-web/count-connections", 0);
    counter_is("tcpinfo-web/total_connections-closed", 1);
    counter_is("tcpinfo-web-10.0.0.9/total_connections-closed", 1);
    gauge_is("tcpinfo-web-10.0.0.9/tcp_connections-TIME_WAIT", 1);
    gauge_is("tcpinfo-web-other/tcp_connections-LISTEN", 1);
  }
  pipe_free(p);
}

static void failed_dump_is_not_dispatched_and_made_up_for(void **state) {
  (void)state;
  struct pipe *p = pipe_new();
  struct group_settings *g = pipe_group(p, "all");
  pipe_want(g, "connections", NULL);
  pipe_want(g, "opened", NULL);
  pipe_want(g, "closed", NULL);
  pipe_want(g, "bytes_sent", NULL);
  pipe_want(g, "cwnd", "sum");
  pipe_want(g, "retrans_percent", NULL);
  for (unsigned read = 0; read < 5; read++) {
    pipe_dump_begin(p);
    for (unsigned i = 0; i < 4; i++) {
      uint8_t info[INFO_SIZE] = {0};
      if ((read == 0 || read == 2) && i >= 2)
        break; /* fails half-way */
      info_put(info, FIELD_BYTES_SENT, 1000 * (read + 1));
      info_put(info, FIELD_TOTAL_RETRANS, read * (i == 0));
      info_put(info, FIELD_BYTES_RETRANS, 1);
      info_put(info, FIELD_DATA_SEGS_OUT, 10 * read);
      info_put(info, FIELD_SND_CWND, 10);
      pipe_socket(p, (struct message_socket){.cookie = i}, info, sizeof(info));
    }
    pipe_dump_end(p, read == 0 || read == 2 ? 2 : 0); /* ENOENT */
  }
  pipe_start(p);
  assert_int_equal(pipe_read(p), DUMP_FAILED);
  absent("tcpinfo-all/count-connections");
  counter_is("tcpinfo-self/total_events-dump_errors", 1);
  assert_int_equal(pipe_read(p), DUMP_COMPLETE); /* the first complete dump */
  gauge_is("tcpinfo-all/count-connections", 4);
  counter_is("tcpinfo-all/total_connections-opened", 0);
  counter_is("tcpinfo-all/total_bytes-bytes_sent", 2 * 1000);
  assert_int_equal(pipe_read(p), DUMP_FAILED);
  counter_is("tcpinfo-self/total_events-dump_errors", 2);
  assert_int_equal(fake_daemon.count, 2);
  assert_int_equal(pipe_read(p), DUMP_COMPLETE);
  gauge_is("tcpinfo-all/count-connections", 4);
  gauge_is("tcpinfo-all/count-cwnd-sum", 40);
  counter_is("tcpinfo-all/total_bytes-bytes_sent", 2 * 1000 + 4 * 2000);
  counter_is("tcpinfo-all/total_connections-closed", 0);
  gauge_is("tcpinfo-all/percent-retrans_percent", 100.0 * 2 / 80);
  assert_int_equal(pipe_read(p), DUMP_COMPLETE);
  counter_is("tcpinfo-all/total_bytes-bytes_sent", 2 * 1000 + 4 * 3000);
  pipe_free(p);
}

/* Each failing dump has new connections. Counters go on without a jump after
 * the last failure. */
static void memory_is_bounded_while_dumps_fail(void **state) {
  (void)state;
  enum { FAILURES = 60, EACH = 8000 };
  struct pipe *p = pipe_new();
  struct group_settings *g = pipe_group(p, "all");
  pipe_want(g, "connections", NULL);
  pipe_want(g, "opened", NULL);
  pipe_want(g, "closed", NULL);
  pipe_want(g, "bytes_sent", NULL);
  g->by[g->by_count++] = DIMENSION_REMOTE_PORT;
  uint8_t info[INFO_SIZE] = {0};
  uint64_t cookie = 0;
  info_put(info, FIELD_BYTES_SENT, 7);
  for (int read = 0; read < FAILURES + 3; read++) {
    bool fails = read > 0 && read <= FAILURES;
    pipe_dump_begin(p);
    for (unsigned i = 0; i < (fails ? EACH : 5); i++)
      pipe_socket(p,
                  (struct message_socket){.cookie = fails ? ++cookie : ~i,
                                          .remote_port = (uint16_t)(i + 1)},
                  info, sizeof(info));
    pipe_dump_end(p, fails ? 2 : 0);
    info_put(info, FIELD_BYTES_SENT, 7 + (uint64_t)read);
  }
  pipe_start(p);
  int64_t sent = 0;
  for (int read = 0; read < FAILURES + 3; read++) {
    bool fails = read > 0 && read <= FAILURES;
    assert_int_equal(pipe_read(p), fails ? DUMP_FAILED : DUMP_COMPLETE);
    assert_true(reader_health(p->reader)->observer.tracked <= 65536 + 2 * EACH);
    if (fails)
      continue;
    gauge_is("tcpinfo-all/count-connections", 5);
    int64_t now = fake_daemon_counter("tcpinfo-all/total_bytes-bytes_sent");
    assert_true(now >= sent);
    if (read == FAILURES + 2)
      assert_int_equal(now - sent, 5);
    sent = now;
  }
  pipe_free(p);
}

static void one_failed_dump_loses_nothing_of_the_next(void **state) {
  (void)state;
  enum { MANY = 70000 };
  struct pipe *p = pipe_new();
  struct group_settings *g = pipe_group(p, "all");
  pipe_want(g, "bytes_sent", NULL);
  uint8_t info[INFO_SIZE] = {0};
  for (unsigned read = 0; read < 3; read++) {
    pipe_dump_begin(p);
    info_put(info, FIELD_BYTES_SENT, 1000 * (read + 1));
    for (unsigned i = 0; i < (read == 0 ? 5u : MANY); i++)
      pipe_socket(p, (struct message_socket){.cookie = i}, info, sizeof(info));
    pipe_dump_end(p, read == 1 ? 2 : 0);
  }
  pipe_start(p);
  assert_int_equal(pipe_read(p), DUMP_COMPLETE);
  assert_int_equal(pipe_read(p), DUMP_FAILED);
  assert_int_equal(pipe_read(p), DUMP_COMPLETE);
  counter_is("tcpinfo-all/total_bytes-bytes_sent",
             5 * 2000 + (int64_t)(MANY - 5) * 3000);
  pipe_free(p);
}

/* The shares are of the whole time since the last complete dump, however many
 * sockets the failed dump listed (`came`). */
static void shares_of_time_include_the_failed_interval(void **state) {
  (void)state;
  for (unsigned came = 0; came < 3; came++) {
    struct pipe *p = pipe_new();
    pipe_want(pipe_group(p, "all"), "limited", NULL);
    for (unsigned read = 0; read < 3; read++) {
      pipe_dump_begin(p);
      for (unsigned i = 0; i < (read == 1 ? came : 2); i++) {
        uint8_t info[INFO_SIZE] = {0};
        info_put(info, FIELD_BUSY_TIME, i * read * INTERVAL_MS * 1000ull);
        info_put(info, FIELD_RWND_LIMITED, i * read * INTERVAL_MS * 1000ull);
        pipe_socket(p, (struct message_socket){.cookie = i}, info,
                    sizeof(info));
      }
      pipe_dump_end(p, read == 1 ? 2 : 0);
    }
    pipe_start(p);
    assert_int_equal(pipe_read(p), DUMP_COMPLETE);
    assert_int_equal(pipe_read(p), DUMP_FAILED);
    assert_int_equal(pipe_read(p), DUMP_COMPLETE);
    gauge_is("tcpinfo-all/percent-limited-receiver", 50);
    gauge_is("tcpinfo-all/percent-limited-idle", 50);
    pipe_free(p);
  }
}

static void malformed_messages_are_counted_and_left_out(void **state) {
  (void)state;
  struct pipe *p = pipe_new();
  pipe_want(pipe_group(p, "all"), "connections", NULL);
  uint8_t info[INFO_SIZE] = {0};
  pipe_dump_begin(p);
  for (unsigned i = 0; i < 5; i++)
    pipe_socket(
        p,
        (struct message_socket){.cookie = i,
                                .state = i == 3 ? 99 : TCP_STATE_ESTABLISHED,
                                .family = i == 4 ? 7 : 0},
        info, sizeof(info));
  pipe_dump_end(p, 0);
  pipe_start(p);
  assert_int_equal(pipe_read(p), DUMP_COMPLETE);
  gauge_is("tcpinfo-all/count-connections", 3);
  counter_is("tcpinfo-self/total_events-malformed", 2);
  pipe_free(p);
}

/* --- Random histories ---------------------------------------------------- */

enum { SOCKETS = 300, PEERS = 40, MAX_MEMBERS = 8, SERIES_MAX = 4096 };

struct live {
  bool alive;
  uint64_t cookie, bytes, handed_out;
  uint32_t retrans;
  unsigned peer;
  bool known;
  int missed;
};

struct model {
  struct live socket[SOCKETS];
  uint64_t next_cookie;
  uint64_t bytes; /* the expected total of the group after a read */
  unsigned connections;
  bool complete_once;
};

static unsigned chance(unsigned n) { return (unsigned)rand() % n; }

static void model_move(struct model *m) {
  for (unsigned i = 0; i < SOCKETS; i++) {
    struct live *s = &m->socket[i];
    if (s->alive && chance(8) == 0)
      s->alive = false;
    if (!s->alive && !s->known && chance(6) == 0)
      *s = (struct live){.alive = true,
                         .cookie = ++m->next_cookie,
                         /* a few changing peers have most connections */
                         .peer = chance(3) ? chance(6) + chance(4) * 9
                                           : chance(PEERS)};
    if (s->alive && chance(2) == 0)
      s->bytes += chance(1000) * (s->peer % 7 + 1);
    if (s->alive && chance(9) == 0)
      s->retrans += chance(5);
  }
}

static void model_dump(struct model *m, struct pipe *p, bool fails) {
  pipe_dump_begin(p);
  m->connections = 0;
  unsigned stop = fails ? chance(SOCKETS) : SOCKETS;
  bool seen[SOCKETS] = {false};
  for (unsigned i = 0; i < stop; i++) {
    struct live *s = &m->socket[i];
    if (!s->alive || chance(40) == 0)
      continue;
    uint8_t info[INFO_SIZE] = {0};
    char peer[32];
    snprintf(peer, sizeof(peer), "10.0.0.%u", s->peer);
    info_put(info, FIELD_BYTES_SENT, s->bytes);
    info_put(info, FIELD_TOTAL_RETRANS, s->retrans);
    info_put(info, FIELD_BYTES_RETRANS, 1);
    info_put(info, FIELD_DATA_SEGS_OUT, s->bytes / 100);
    info_put(info, FIELD_SND_CWND, 1 + s->peer);
    for (unsigned times = chance(30) == 0 ? 2 : 1; times > 0; times--)
      pipe_socket(p,
                  (struct message_socket){.cookie = s->cookie,
                                          .local = "10.1.0.1",
                                          .remote = peer,
                                          .local_port = 443},
                  info, sizeof(info));
    if (s->known || m->complete_once)
      m->bytes += s->bytes - s->handed_out;
    s->handed_out = s->bytes;
    s->known = seen[i] = true;
    s->missed = 0;
    m->connections++;
  }
  pipe_dump_end(p, fails ? 2 : 0);
  for (unsigned i = 0; i < SOCKETS; i++) {
    struct live *s = &m->socket[i];
    if (!fails && s->known && !seen[i] && ++s->missed == 2) {
      s->known = false;
      s->missed = 0;
      s->handed_out = 0;
    }
  }
  m->complete_once |= !fails;
}

/* The last value of every series that was dispatched. */
struct checker {
  struct {
    char name[256];
    int64_t value;
    unsigned read; /* the last read that dispatched the series */
  } series[SERIES_MAX];
  size_t count;
};

static size_t checker_find(struct checker *l, const char *name) {
  size_t i = 0;
  while (i < l->count && strcmp(l->series[i].name, name) != 0)
    i++;
  if (i == l->count) {
    assert_true(l->count < SERIES_MAX);
    snprintf(l->series[l->count].name, sizeof(l->series[0].name), "%s", name);
    l->series[l->count++].value = -1;
  }
  return i;
}

/* Checks that no counter falls, and that the growth of the members' counters
 * and of `other`, and their gauges that add up, sum up to the total. */
static void checker_check(struct checker *l, unsigned read, bool first) {
  struct {
    const char *instance;
    double total, parts;
  } sum[] = {
      {"total_bytes-bytes_sent", 0, 0},   {"packets-retrans", 0, 0},
      {"total_connections-opened", 0, 0}, {"total_connections-closed", 0, 0},
      {"count-connections", 0, 0},        {"count-cwnd-sum", 0, 0}};
  for (size_t i = 0; i < fake_daemon.count; i++) {
    const struct fake_value *v = &fake_daemon.value[i];
    double growth = v->gauge;
    if (v->derive) {
      size_t i_series = checker_find(l, v->name);
      bool had = l->series[i_series].value >= 0;
      if (had && v->counter < l->series[i_series].value)
        fail_msg("%s fell from %lld to %lld", v->name,
                 (long long)l->series[i_series].value, (long long)v->counter);
      /* A member that has counters only may start at any value; any other
       * member goes on from its last value, or from 0. */
      char gauge[256];
      snprintf(gauge, sizeof(gauge), "tcpinfo-%.100s/count-connections",
               v->group);
      bool starts = !(had && l->series[i_series].read + 1 == read) &&
                    !fake_daemon_find(gauge);
      growth = (double)(v->counter - (had ? l->series[i_series].value : 0));
      if (starts)
        growth = 0;
      l->series[i_series].value = v->counter;
      l->series[i_series].read = read;
    }
    for (size_t k = 0; k < sizeof(sum) / sizeof(sum[0]); k++) {
      if (strcmp(sum[k].instance, v->instance) != 0)
        continue;
      if (strcmp(v->group, "web") == 0)
        sum[k].total += growth;
      else
        sum[k].parts += growth;
    }
  }
  for (size_t k = 0; !first && k < sizeof(sum) / sizeof(sum[0]); k++)
    if (sum[k].total != sum[k].parts)
      fail_msg("read %u: %s: total %g, members %g", read, sum[k].instance,
               sum[k].total, sum[k].parts);
}

static size_t series_count(const char *instance) {
  size_t n = 0;
  for (size_t i = 0; i < fake_daemon.count; i++)
    n += strcmp(fake_daemon.value[i].instance, instance) == 0;
  return n;
}

static void members_add_up_to_the_total_in_random_histories(void **state) {
  (void)state;
  enum { READS = 250 };
  static struct model m;
  static struct checker checker;
  static uint64_t bytes[READS];
  static unsigned connections[READS];
  static bool fails[READS];
  for (unsigned seed = 1; seed <= 4; seed++) {
    struct pipe *p = pipe_new();
    struct group_settings *g = pipe_group(p, "web");
    pipe_want(g, "connections", NULL);
    pipe_want(g, "bytes_sent", NULL);
    pipe_want(g, "retrans", NULL);
    pipe_want(g, "opened", NULL);
    pipe_want(g, "closed", NULL);
    pipe_want(g, "cwnd", "sum");
    pipe_want(g, "cwnd", "p50");
    pipe_want(g, "retrans_percent", NULL);
    g->by[g->by_count++] = DIMENSION_REMOTE_ADDRESS;
    g->max_members = seed == 4 ? 1 : MAX_MEMBERS;
    g->member_timeout = seed;
    srand(seed);
    memset(&m, 0, sizeof(m));
    memset(&checker, 0, sizeof(checker));
    for (unsigned read = 0; read < READS; read++) {
      fails[read] = chance(8) == 0;
      if (read % 60 != 59) /* sometimes all connections end */
        model_move(&m);
      else
        for (unsigned i = 0; i < SOCKETS; i++)
          m.socket[i].alive = false;
      model_dump(&m, p, fails[read]);
      bytes[read] = m.bytes;
      connections[read] = m.connections;
    }
    pipe_start(p);
    bool first = true;
    unsigned complete = 0;
    for (unsigned read = 0; read < READS; read++) {
      assert_int_equal(pipe_read(p), fails[read] ? DUMP_FAILED : DUMP_COMPLETE);
      if (fails[read])
        continue;
      gauge_is("tcpinfo-web/count-connections", connections[read]);
      counter_is("tcpinfo-web/total_bytes-bytes_sent", (int64_t)bytes[read]);
      checker_check(&checker, ++complete, first);
      first = false;
      size_t limit = g->max_members + g->max_members / 4 + 1;
      assert_true(series_count("packets-retrans") <= 2 + limit);
      assert_true(series_count("count-connections") <= 2 + g->max_members);
    }
    pipe_free(p);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_follow_from_the_messages),
      cmocka_unit_test(empty_group_has_zeros_and_old_kernel_leaves_out_series),
      cmocka_unit_test(sockets_are_counted_by_state),
      cmocka_unit_test(failed_dump_is_not_dispatched_and_made_up_for),
      cmocka_unit_test(memory_is_bounded_while_dumps_fail),
      cmocka_unit_test(one_failed_dump_loses_nothing_of_the_next),
      cmocka_unit_test(shares_of_time_include_the_failed_interval),
      cmocka_unit_test(malformed_messages_are_counted_and_left_out),
      cmocka_unit_test(members_add_up_to_the_total_in_random_histories),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
