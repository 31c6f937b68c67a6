#include "support/history.h"
#include "support/messages.h"

#include <linux/inet_diag.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

enum {
  INTERVAL_MS = 10000,
  START_MS = 100000000, /* the host has been up for a while */
  LISTENER = 1000000,   /* cookie of the listener */
  QUIET_DUMPS = 36,     /* dumps without sockets until none is remembered */
};

#define NOTE(h, ...)                                                           \
  do {                                                                         \
    if ((h)->verbose)                                                          \
      printf(__VA_ARGS__);                                                     \
  } while (0)

/* --- Checks after a dump -------------------------------------------------- */

static bool group_has(size_t g, const struct life *l) {
  return g != GROUP_PORT || l->attrs.remote_port == LIVES_PORT;
}

static void within(struct history *h, const char *group, const char *name,
                   uint64_t value, struct tally t) {
  if (value < t.low || value > t.high)
    complain(&h->complaint,
             "after dump %u: group %s: %s is %llu, not %llu to %llu",
             h->complete, group, name, (unsigned long long)value,
             (unsigned long long)t.low, (unsigned long long)t.high);
}

static struct tally value_tally(const struct history *h, size_t g, int v) {
  struct tally sum = {0, 0};
  bool absent =
      v < LIFE_COUNTERS && !field_present(life_field[v], h->lives.info_size);
  for (int i = 0; i < h->lives.count && !absent; i++) {
    const struct model_life *x = &h->model.life[i];
    const struct tally *t =
        v < LIFE_COUNTERS ? &x->counter[v] : &x->end[v - LIFE_COUNTERS];
    if (!group_has(g, &h->lives.life[i]))
      continue;
    sum.low += g == GROUP_PORT && x->port_unknown ? 0 : t->low;
    sum.high += t->high;
  }
  return sum;
}

static void group_check(struct history *h, size_t g) {
  const char *name = groups_name(g);
  for (int v = h->scenario->info_size > 0 ? 0 : LIFE_COUNTERS; v < VALUES;
       v++) {
    struct tally t = value_tally(h, g, v);
    /* The busy time belongs to the socket, which may move between groups. */
    if (v == LIFE_BUSY && g == GROUP_PORT)
      continue;
    if (v == LIFE_BUSY)
      t = (struct tally){t.low / 1000 - (t.low >= 1000), t.high / 1000 + 1};
    within(h, name, value_name(v), h->groups.series[g].total[v], t);
  }
}

static void cgroups_check(struct history *h) {
  if (h->model.cgroup_uncertain ||
      !field_present(FIELD_BYTES_SENT, h->lives.info_size))
    return;
  for (unsigned c = 0; c < LIVES_CGROUPS; c++) {
    struct tally t = {0, 0};
    char name[24];
    for (int i = 0; i < h->lives.count; i++) {
      t.low += h->model.life[i].sent_in[c].low;
      t.high += h->model.life[i].sent_in[c].high;
    }
    snprintf(name, sizeof(name), "%llu", (unsigned long long)lives_cgroup(c));
    if (c == 0)
      strcpy(name, "none");
    within(h, name, "bytes_sent",
           groups_member(&h->groups, GROUP_CGROUP, name, LIFE_SENT), t);
  }
}

static void sums_check(struct history *h) {
  const struct connections_sums *s = connections_sums(h->connections);
  uint64_t dumped = h->model.dumped + h->listens;
  within(h, "-", "dumped", s->dumped, (struct tally){dumped, dumped});
  within(h, "-", "matched", s->matched, h->model.connections);
  if (h->scenario->info_size > 0)
    within(h, "-", "sums' retrans", s->retrans,
           value_tally(h, GROUP_ALL, LIFE_RETRANS));
  within(h, "-", "unclear", s->unclear,
         (struct tally){h->sums.unclear, h->model.uncertain_events});
  if (s->retrans < h->sums.retrans)
    complain(&h->complaint, "sums' retrans fell");
  h->sums = *s;
}

static void history_check(struct history *h) {
  groups_read(&h->groups);
  for (size_t g = 0; g < h->groups.count; g++)
    group_check(h, g);
  within(h, "all", "connections", h->groups.series[GROUP_ALL].connections,
         h->model.connections);
  if (h->scenario->info_size > 0)
    cgroups_check(h);
  sums_check(h);
}

/* After the end of all connections: each that existed or opened has closed. */
static void end_check(struct history *h) {
  for (size_t g = 0; g < h->groups.count; g++) {
    const uint64_t *end = &h->groups.series[g].total[LIFE_COUNTERS];
    struct tally closed = {end[LIFE_OPENED], end[LIFE_OPENED]};
    for (int i = 0; i < h->lives.count; i++) {
      if (!group_has(g, &h->lives.life[i]))
        continue;
      closed.low += model_was_before(&h->model.life[i], true);
      closed.high += model_was_before(&h->model.life[i], false);
    }
    within(h, groups_name(g), "members in the end",
           group_members(h->groups.group[g]), (struct tally){0, 0});
    within(h, groups_name(g), "closed in the end", end[LIFE_CLOSED], closed);
  }
  size_t tracked = connections_tracked(h->connections);
  within(h, "-", "tracked in the end", tracked, (struct tally){0, 0});
}

/* --- Steps ---------------------------------------------------------------- */

static void on_event(const struct life_event *e, void *data) {
  struct history *h = data;
  bool lost = h->scenario->loses && dice_one_in(&h->luck, 6);
  if (!h->model.followed || lost) {
    NOTE(h, "      the event of %d is not received\n", e->life);
    return;
  }
  assert_true(h->events < EVENTS_MAX);
  struct life_event *p = &h->pending[h->events++];
  *p = *e;
  p->late |= dice_one_in(&h->luck, 12);
  NOTE(h, "      event of %d%s%s\n", e->life,
       e->kind == EVENT_DISCONNECTED ? ", disconnected" : "",
       p->late ? ", late" : "");
}

/* Replaces the sample by one decoded from the bytes of a kernel message. */
static void encode_and_decode(struct sample *s) {
  static struct messages m;
  static struct decoder decoder;
  char local[ADDRESS_TEXT_MAX], remote[ADDRESS_TEXT_MAX];
  bool ipv4 = address_is_ipv4(&s->attrs.local);
  messages_begin(&m, 1, 1);
  messages_socket(&m, &(struct message_socket){
                          .cookie = s->cookie,
                          .state = s->state,
                          .local = address_format(&s->attrs.local, local),
                          .remote = address_format(&s->attrs.remote, remote),
                          .family = ipv4 ? AF_INET : AF_INET6,
                          .local_port = s->attrs.local_port,
                          .remote_port = s->attrs.remote_port,
                          .uid = s->attrs.uid,
                          .inode = s->held});
  uint8_t shutdown = 0;
  if (s->full && s->state != TCP_STATE_CLOSE)
    messages_attribute(&m, INET_DIAG_SHUTDOWN, &shutdown, 1);
  if (s->attrs.cgroup != 0)
    messages_attribute(&m, INET_DIAG_CGROUP_ID, &s->attrs.cgroup,
                       sizeof(s->attrs.cgroup));
  if (s->info != NULL)
    messages_info(&m, s->info, s->info_size);
  assert_int_equal(decode(&decoder, (const struct nlmsghdr *)m.bytes, s), 0);
}

static void events_shuffle(struct history *h) {
  for (size_t n = h->events; n > 1; n--) {
    size_t k = dice_below(&h->luck, (uint32_t)n);
    struct life_event e = h->pending[k];
    h->pending[k] = h->pending[n - 1];
    h->pending[n - 1] = e;
  }
}

/* Hands the events over in random order, as events of several CPUs are. */
static void events_take(struct history *h) {
  size_t kept = 0;
  events_shuffle(h);
  for (size_t i = 0; i < h->events; i++) {
    struct life_event *e = &h->pending[i];
    if (e->late) {
      h->pending[kept++] = *e;
      continue;
    }
    struct sample s = e->sample;
    s.info = e->info;
    if (h->scenario->real_bytes)
      encode_and_decode(&s);
    NOTE(h, "      handed over: the event of %d\n", e->life);
    connections_destroyed(h->connections, &s, e->after_ms);
    model_event(&h->model, e);
  }
  h->events = kept;
}

static void socket_enter(struct history *h, int number) {
  const struct life *l = &h->lives.life[number];
  _Alignas(8) uint8_t info[LIVES_INFO_MAX];
  struct sample s;
  if (!life_sample(&h->lives, l, &s, info) ||
      (h->scenario->states >> s.state & 1) == 0)
    return;
  if (h->scenario->info_size == 0) {
    s.info = NULL;
    s.info_size = 0;
  }
  NOTE(h, "      shows %d: state %u%s\n", number, s.state,
       s.full ? "" : ", mini");
  model_socket(&h->model, number, &s);
  if (h->scenario->real_bytes)
    encode_and_decode(&s);
  if (connections_socket(h->connections, &s) != 0)
    complain(&h->complaint, "out of memory");
}

/* Adds the listener to a dump, or, if `gone`, its event. */
static void listener_enter(struct history *h, bool gone) {
  static const uint8_t info[LIVES_INFO_MAX];
  struct sample s = {.cookie = LISTENER,
                     .attrs = {.local_port = LIVES_PORT},
                     .state = gone ? TCP_STATE_CLOSE : TCP_STATE_LISTEN,
                     .full = true,
                     .held = !gone,
                     .info = h->scenario->info_size > 0 ? info : NULL,
                     .info_size = h->scenario->info_size};
  if (gone)
    connections_destroyed(h->connections, &s, h->lives.now_ms);
  else if (h->listens)
    connections_socket(h->connections, &s);
}

static const struct {
  const char *name;
  void (*run)(struct lives *w, int slot, struct dice *d);
} slot_step_table[STEP_OTHER] = {
    [STEP_OPEN] = {"open", life_open},
    [STEP_ESTABLISH] = {"establish", life_establish},
    [STEP_FAIL] = {"fail", life_fail},
    [STEP_TRAFFIC] = {"traffic", life_traffic},
    [STEP_CHANGE] = {"change", life_change},
    [STEP_HALF_CLOSE] = {"half close", life_half_close},
    [STEP_CLOSE] = {"close", life_close},
    [STEP_RELEASE] = {"release", life_release},
    [STEP_EXPIRE] = {"expire", life_expire},
    [STEP_RECONNECT] = {"reconnect", life_reconnect},
};

static void slot_step(struct history *h, enum step_kind kind, int slot,
                      struct dice *d) {
  int number = h->lives.slot[slot];
  struct life before = number >= 0 ? h->lives.life[number] : (struct life){0};
  slot_step_table[kind].run(&h->lives, slot, d);
  if (number < 0 || kind == STEP_RECONNECT)
    number = h->lives.slot[slot];
  if (!h->verbose || number < 0 ||
      memcmp(&before, &h->lives.life[number], sizeof(before)) == 0)
    return;
  printf("    %s %d: ", slot_step_table[kind].name, number);
  life_print(&h->lives.life[number]);
}

/* Starts or ends the subscription. Events that are not handed over yet are
 * lost. */
static void follow(struct history *h, bool follows) {
  NOTE(h, "    events are %sreceived from now on\n", follows ? "" : "not ");
  h->events = 0;
  h->model.followed = follows;
  connections_receive_events(h->connections, follows);
}

/* Walks over the first `stop` sockets. The walk may leave sockets out or repeat
 * them; at `closing`, some connections close. */
static void walk(struct history *h, struct dice *d, uint32_t stop,
                 uint32_t closing) {
  bool missing = dice_one_in(d, 4), repeating = dice_one_in(d, 4);
  uint32_t first = dice_below(d, LIVES_SLOTS);
  for (uint32_t i = 0; i < stop; i++) {
    int slot = (int)((first + i) % LIVES_SLOTS);
    int number = h->lives.slot[slot];
    lives_pass(&h->lives, 2);
    for (int k = 0; i == closing && k < LIVES_SLOTS; k += 2)
      slot_step(h, STEP_CLOSE, k, d);
    if (number < 0 ||
        (missing && dice_one_in(d, 4) && model_may_miss(&h->model, number)))
      continue;
    socket_enter(h, number);
    if (repeating && dice_one_in(d, 3)) {
      life_traffic(&h->lives, slot, d);
      socket_enter(h, number);
    }
  }
}

/* Makes one dump. Events of connections that close during the dump arrive after
 * it. */
static void dump(struct history *h, struct dice *d, bool fails) {
  uint32_t stop = fails ? dice_below(d, LIVES_SLOTS) : LIVES_SLOTS;
  uint32_t closing = dice_below(d, 4 * LIVES_SLOTS);
  NOTE(h, "    dump%s\n", fails ? ", fails" : "");
  for (size_t g = 0; g < h->groups.count; g++)
    group_begin(h->groups.group[g]);
  connections_begin(h->connections, h->lives.now_ms);
  model_begin(&h->model);
  h->lives.late = true;
  listener_enter(h, false);
  walk(h, d, stop, closing);
  h->lives.late = false;
  for (size_t i = 0; i < h->events; i++)
    h->pending[i].late = false;
  model_end(&h->model, !fails);
  if (fails) {
    connections_failed(h->connections);
    return;
  }
  h->complete++;
  h->lives.old = false;
  connections_complete(h->connections, h->lives.now_ms);
  history_check(h);
}

/* Reads in the plugin's order: first the events, then the sockets. */
static void dump_step(struct history *h, struct dice *d) {
  if (h->lives.now_ms < h->next_dump_ms)
    lives_pass(&h->lives, h->next_dump_ms - h->lives.now_ms);
  h->next_dump_ms = h->lives.now_ms + INTERVAL_MS;
  lives_expire(&h->lives);
  events_take(h);
  if (dice_one_in(d, 12))
    follow(h, !h->model.followed);
  dump(h, d, dice_one_in(d, 6));
}

static void step_run(struct history *h, const struct step *s) {
  struct dice d = {s->seed};
  h->luck = (struct dice){~s->seed};
  lives_pass(&h->lives, dice_below(&d, 2000));
  switch (s->kind) {
  case STEP_OTHER:
    lives_other_event(&h->lives, &d);
    return;
  case STEP_TAKE:
    events_take(h);
    return;
  case STEP_DUMP:
    dump_step(h, &d);
    return;
  default:
    slot_step(h, s->kind, s->slot, &d);
  }
}

/* --- Every connection that begins ends exactly once ----------------------- */

static size_t alive_find(const struct history *h, uint64_t cookie) {
  size_t i = 0;
  while (i < h->alive_count && h->alive[i] != cookie)
    i++;
  return i;
}

static void on_begun(uint64_t cookie, void *data) {
  struct history *h = data;
  if (alive_find(h, cookie) < h->alive_count)
    complain(&h->complaint, "cookie %llu begins twice",
             (unsigned long long)cookie);
  assert_true(h->alive_count < LIVES_MAX);
  h->alive[h->alive_count++] = cookie;
}

static bool reason_has_event(enum connection_end_reason reason) {
  switch (reason) {
  case CONNECTION_END_CLOSED:
  case CONNECTION_END_FAILED:
  case CONNECTION_END_DISCARDED:
    return true;
  case CONNECTION_END_VANISHED:
  case CONNECTION_END_REPLACED:
  case CONNECTION_END_RESTARTED:
    return false;
  case CONNECTION_END_REASON_COUNT:
    break;
  }
  fail_msg("reason %d", reason);
  return false;
}

/* The last counters never exceed those of the socket with that cookie. */
static void counters_check(struct history *h,
                           const struct connection_end *end) {
  uint64_t most = 0;
  for (int i = 0; i < h->lives.count; i++)
    if (h->lives.life[i].cookie == end->cookie &&
        h->lives.life[i].now[LIFE_SENT] > most)
      most = h->lives.life[i].now[LIFE_SENT];
  if (end->counter[FIELD_BYTES_SENT] > most)
    complain(&h->complaint, "cookie %llu ends with %llu bytes sent of %llu",
             (unsigned long long)end->cookie,
             (unsigned long long)end->counter[FIELD_BYTES_SENT],
             (unsigned long long)most);
}

static void on_ended(const struct connection_end *end, void *data) {
  struct history *h = data;
  size_t i = alive_find(h, end->cookie);
  if (i == h->alive_count) {
    complain(&h->complaint, "cookie %llu ends, but has not begun",
             (unsigned long long)end->cookie);
    return;
  }
  h->alive[i] = h->alive[--h->alive_count];
  if (reason_has_event(end->reason) != (end->event != NULL))
    complain(&h->complaint, "cookie %llu ends by reason %d%s",
             (unsigned long long)end->cookie, end->reason,
             end->event != NULL ? " with an event" : " without an event");
  if (end->seen ? end->first_seen_ms < START_MS ||
                      end->first_seen_ms > h->lives.now_ms
                : end->first_seen_ms != 0)
    complain(&h->complaint, "cookie %llu was first seen at %llu ms",
             (unsigned long long)end->cookie,
             (unsigned long long)end->first_seen_ms);
  counters_check(h, end);
}

/* Closes every connection and waits until no socket is left. */
static void drain(struct history *h) {
  struct dice d = {1};
  h->luck = d;
  for (int slot = 0; slot < LIVES_SLOTS; slot++) {
    slot_step(h, STEP_FAIL, slot, &d);
    slot_step(h, STEP_CLOSE, slot, &d);
    for (int i = 0; i < 3; i++) {
      slot_step(h, STEP_RELEASE, slot, &d);
      slot_step(h, STEP_EXPIRE, slot, &d);
    }
    assert_int_equal(h->lives.slot[slot], -1);
  }
}

static void history_end(struct history *h) {
  struct dice d = {1};
  if (h->listens)
    listener_enter(h, true);
  h->listens = false;
  drain(h);
  events_take(h);
  for (int quiet = 0; quiet < QUIET_DUMPS; quiet++) {
    if (quiet >= 2 && connections_tracked(h->connections) == 0)
      break;
    lives_pass(&h->lives, INTERVAL_MS);
    dump(h, &d, false);
    events_take(h);
  }
  if (h->complaint.text[0] == '\0')
    end_check(h);
  if (h->alive_count > 0)
    complain(&h->complaint, "%zu connections that began never ended",
             h->alive_count);
}

static uint64_t present(void *data) {
  const struct history *h = data;
  return h->lives.now_ms;
}

static void history_begin(struct history *h, const struct scenario *p) {
  bool info = p->info_size > 0;
  memset(h, 0, offsetof(struct history, pending)); /* the rest is large */
  h->scenario = p;
  h->groups.complaint = &h->complaint;
  h->next_dump_ms = h->lives.now_ms = START_MS;
  h->lives.info_size = info ? p->info_size : LIVES_INFO_MAX;
  h->lives.old = true;
  h->lives.event = on_event;
  h->lives.data = h;
  for (int i = 0; i < LIVES_SLOTS; i++)
    h->lives.slot[i] = -1;
  h->model.lives = &h->lives;
  h->model.followed = p->followed;
  h->listens = p->states >> TCP_STATE_LISTEN & 1;
  groups_new(&h->groups, info);
  const struct connection_hooks hooks = {on_begun, on_ended, h};
  const struct connections_options options = {
      .group = h->groups.group,
      .group_count = h->groups.count,
      .states = p->states,
      .attributes = groups_attrs(&h->groups),
      .info = info,
      .interval_ms = INTERVAL_MS,
      .now = present,
      .now_data = h,
      .listeners = &h->listeners,
      .hooks = p->hooks ? &hooks : NULL,
  };
  h->connections = connections_new(&options);
  assert_non_null(h->connections);
  connections_receive_events(h->connections, p->followed);
}

bool history_run(struct history *h, const struct scenario *p, bool verbose) {
  history_begin(h, p);
  h->verbose = verbose;
  for (size_t i = 0; i < p->count && h->complaint.text[0] == '\0'; i++)
    step_run(h, &p->step[i]);
  if (h->complaint.text[0] == '\0')
    history_end(h);
  connections_free(h->connections);
  groups_free(&h->groups);
  return h->complaint.text[0] == '\0';
}
