#include "support/lives.h"
#include "support/info.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

const enum field_id life_field[LIFE_COUNTERS] = {
    [LIFE_SENT] = FIELD_BYTES_SENT,
    [LIFE_RECEIVED] = FIELD_BYTES_RECEIVED,
    [LIFE_RETRANS] = FIELD_TOTAL_RETRANS,
    [LIFE_SEGS_OUT] = FIELD_DATA_SEGS_OUT,
    [LIFE_RTO] = FIELD_TOTAL_RTO,
    [LIFE_BUSY] = FIELD_BUSY_TIME,
};

/* Sebastiano Vigna's splitmix64. */
uint32_t dice_next(struct dice *d) {
  uint64_t z = d->state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (uint32_t)(z >> 32);
}

uint32_t dice_below(struct dice *d, uint32_t n) {
  return (uint32_t)((uint64_t)dice_next(d) * n >> 32);
}

bool dice_one_in(struct dice *d, uint32_t n) { return dice_below(d, n) == 0; }

void lives_pass(struct lives *w, uint64_t ms) {
  w->now_ms += ms;
  for (int slot = 0; slot < LIVES_SLOTS; slot++)
    if (w->slot[slot] >= 0 && w->life[w->slot[slot]].busy)
      w->life[w->slot[slot]].now[LIFE_BUSY] += 1000 * ms;
}

/* --- The kernel's messages ------------------------------------------------ */

uint64_t lives_cgroup(unsigned number) {
  return ((uint64_t)1 << 60) + number; /* larger than any inode number */
}

static void put(uint8_t *info, size_t size, enum field_id id, uint64_t value) {
  if (field_present(id, size))
    info_put(info, id, value);
}

/* Fills struct tcp_info. A disconnect clears all fields except chrono_stat, the
 * window, and the times of the last data sent and the last ACK (linux:
 * tcp_disconnect()). */
static void info_fill(const struct lives *w, const struct life *l,
                      bool disconnected, uint8_t *info) {
  memset(info, 0, LIVES_INFO_MAX);
  for (int c = 0; c < LIFE_COUNTERS; c++)
    if (!disconnected || field_table[life_field[c]].lasting)
      put(info, w->info_size, life_field[c], l->now[c]);
  put(info, w->info_size, FIELD_LAST_DATA_SENT, w->now_ms - l->sent_ms);
  put(info, w->info_size, FIELD_LAST_DATA_RECV,
      w->now_ms - (disconnected ? 0 : l->received_ms));
  put(info, w->info_size, FIELD_LAST_ACK_RECV, w->now_ms - l->ack_ms);
  put(info, w->info_size, FIELD_SND_WND, l->established ? 65536 : 0);
  if (disconnected)
    return;
  put(info, w->info_size, FIELD_SEGS_OUT, 2 + l->now[LIFE_SEGS_OUT]);
  if (!l->established) {
    put(info, w->info_size, FIELD_SEGS_IN, l->cookie % 2); /* 1: a reset */
    return;
  }
  put(info, w->info_size, FIELD_SEGS_IN, 2 + l->now[LIFE_SEGS_OUT] / 2);
  put(info, w->info_size, FIELD_BYTES_ACKED, l->now[LIFE_SENT] + !l->passive);
}

static uint8_t state_of(const struct life *l) {
  switch (l->stage) {
  case LIFE_SETUP:
    return TCP_STATE_SYN_RECV;
  case LIFE_FIN_WAIT2:
    return TCP_STATE_FIN_WAIT2;
  case LIFE_TIME_WAIT:
    return TCP_STATE_TIME_WAIT;
  default:
    return l->state;
  }
}

bool life_is_full(const struct life *l) {
  return l->stage == LIFE_CONNECT || l->stage == LIFE_OPEN;
}

bool life_sample(const struct lives *w, const struct life *l,
                 struct sample *out, uint8_t *info) {
  if (l->stage == LIFE_HIDDEN || l->stage == LIFE_GONE)
    return false;
  *out = (struct sample){.cookie = l->cookie,
                         .attrs = l->attrs,
                         .state = state_of(l),
                         .full = life_is_full(l),
                         .held = life_is_full(l) && !l->orphan};
  if (!out->held)
    out->attrs.uid = 0;
  if (!out->full)
    return true;
  out->attrs.cgroup = lives_cgroup(l->cgroup);
  info_fill(w, l, false, info);
  out->info = info;
  out->info_size = w->info_size;
  return true;
}

static struct address no_address(const struct address *like) {
  struct address any = {{0}};
  if (address_is_ipv4(like))
    memset(&any.bytes[10], 0xff, 2);
  return any;
}

static void event(struct lives *w, int number, enum event_kind kind,
                  struct dice *d) {
  struct life *l = &w->life[number];
  uint64_t slack = dice_below(d, 20);
  struct life_event e = {.life = number, .kind = kind, .late = w->late};
  e.after_ms = w->now_ms - slack;
  e.sample = (struct sample){.cookie = l->cookie,
                             .attrs = l->attrs,
                             .state = TCP_STATE_CLOSE,
                             .full = true};
  e.sample.attrs.uid = 0;
  info_fill(w, l, kind == EVENT_DISCONNECTED, e.info);
  if (kind == EVENT_DISCONNECTED) {
    e.sample.attrs.local = no_address(&l->attrs.local);
    e.sample.attrs.remote_port = 0;
  }
  e.sample.info_size = w->info_size;
  l->event_due = l->busy = false;
  w->event(&e, w->data);
}

void lives_other_event(struct lives *w, struct dice *d) {
  struct life_event e = {
      .life = -1, .kind = EVENT_OTHER, .late = w->late, .after_ms = w->now_ms};
  struct socket_attrs *t = &e.sample.attrs;
  e.sample.cookie = ++w->next_cookie;
  e.sample.state = TCP_STATE_CLOSE;
  e.sample.full = true;
  e.sample.info_size = w->info_size;
  if (dice_one_in(d, 2))
    memset(&t->local.bytes[10], 0xff, 2);
  t->remote = no_address(&t->local);
  t->local_port = dice_one_in(d, 2) ? LIVES_PORT : 0;
  w->event(&e, w->data);
}

/* --- Steps of a connection ------------------------------------------------ */

static struct life *life_at(struct lives *w, int slot) {
  return w->slot[slot] >= 0 ? &w->life[w->slot[slot]] : NULL;
}

static void set_addresses(struct lives *w, struct life *l, struct dice *d) {
  static const uint8_t net6[] = {0x20, 0x01, 0x0d, 0xb8};
  static const uint8_t net4[] = {0xff, 0xff, 10, 0, 0};
  struct socket_attrs *t = &l->attrs;
  unsigned peer = dice_below(d, LIVES_PEERS);
  memset(t, 0, sizeof(*t));
  if (peer % 3 == 0) {
    memcpy(t->local.bytes, net6, sizeof(net6));
    t->remote = t->local;
  } else {
    memcpy(&t->local.bytes[10], net4, sizeof(net4));
    t->remote = t->local;
  }
  t->local.bytes[15] = 200;
  t->remote.bytes[15] = (uint8_t)(peer + 1);
  t->local_port = (uint16_t)(1024 + w->count * 8 + (int)dice_below(d, 8));
  t->remote_port = dice_one_in(d, 2) ? LIVES_PORT : LIVES_OTHER_PORT;
  t->uid = 1000;
}

/* Makes a new connection on the socket with that cookie. Returns NULL if there
 * were too many. */
static struct life *life_new(struct lives *w, int slot, uint64_t cookie,
                             struct dice *d) {
  if (w->count == LIVES_MAX)
    return NULL;
  int before = w->slot[slot];
  w->slot[slot] = w->count;
  struct life *l = &w->life[w->count++];
  *l = (struct life){.cookie = cookie,
                     .cgroup = 1 + dice_below(d, LIVES_CGROUPS - 1),
                     .before = before,
                     .event_due = true,
                     .opened_ms = w->now_ms,
                     .sent_ms = w->now_ms,
                     .received_ms = w->now_ms};
  set_addresses(w, l, d);
  return l;
}

static void enter_established(struct lives *w, struct life *l) {
  l->stage = LIFE_OPEN;
  l->state = TCP_STATE_ESTABLISHED;
  l->established = true;
  l->sent_ms = l->received_ms = l->ack_ms = w->now_ms;
}

/* Sets each counter to a value shortly before it wraps. */
static void set_old_counters(struct life *l, struct dice *d) {
  for (int c = 0; c < LIFE_COUNTERS; c++) {
    uint64_t range = (uint64_t)1 << 8 * (field_table[life_field[c]].width % 8);
    l->now[c] = range > 1 ? range - dice_below(d, 400) : dice_next(d);
  }
  l->now[LIFE_BUSY] = dice_below(d, 1000) * UINT64_C(1000);
}

void life_open(struct lives *w, int slot, struct dice *d) {
  if (w->slot[slot] >= 0)
    return;
  struct life *l = life_new(w, slot, ++w->next_cookie, d);
  if (l == NULL)
    return;
  l->before = -1;
  switch (dice_below(d, 5)) {
  case 0:
    l->stage = LIFE_SETUP;
    l->passive = l->orphan = true;
    l->event_due = false; /* the full socket does not exist yet */
    return;
  case 1:
    l->stage = LIFE_CONNECT;
    l->state = TCP_STATE_SYN_SENT;
    return;
  case 2:
    l->passive = l->orphan = true; /* not accepted yet */
    break;
  default:
    break;
  }
  enter_established(w, l);
  if (w->old && dice_one_in(d, 2))
    set_old_counters(l, d);
}

void life_establish(struct lives *w, int slot, struct dice *d) {
  struct life *l = life_at(w, slot);
  (void)d;
  if (l == NULL || (l->stage != LIFE_CONNECT && l->stage != LIFE_SETUP))
    return;
  l->event_due = true;
  enter_established(w, l);
}

static void life_end(struct lives *w, int slot) {
  w->life[w->slot[slot]].stage = LIFE_GONE;
  w->slot[slot] = -1;
}

/* Lets a connect fail: a blocking connect() disconnects the socket, a
 * non-blocking one does not. A failed SYN_RECV has no event. */
void life_fail(struct lives *w, int slot, struct dice *d) {
  struct life *l = life_at(w, slot);
  if (l == NULL || (l->stage != LIFE_CONNECT && l->stage != LIFE_SETUP))
    return;
  if (l->stage == LIFE_CONNECT)
    event(w, w->slot[slot],
          dice_one_in(d, 2) ? EVENT_DISCONNECTED : EVENT_WITH_COUNTERS, d);
  life_end(w, slot);
}

void life_traffic(struct lives *w, int slot, struct dice *d) {
  struct life *l = life_at(w, slot);
  if (l == NULL || !life_is_full(l))
    return;
  if (l->stage == LIFE_CONNECT) {
    l->now[LIFE_RETRANS]++; /* the SYN is retransmitted */
    l->now[LIFE_RTO]++;
    return;
  }
  bool sends = dice_one_in(d, 2), receives = !sends || dice_one_in(d, 2);
  if (sends) {
    l->now[LIFE_SENT] += dice_below(d, 100000);
    l->now[LIFE_SEGS_OUT] += dice_below(d, 300);
    l->busy = dice_one_in(d, 2);
    l->sent_ms = w->now_ms;
    if (dice_one_in(d, 3)) {
      uint32_t retrans = dice_below(d, 300);
      l->now[LIFE_RETRANS] += retrans;
      l->now[LIFE_RTO] += dice_below(d, retrans + 1);
    }
  }
  if (receives) {
    l->now[LIFE_RECEIVED] += dice_below(d, 100000);
    l->received_ms = w->now_ms;
  }
  l->ack_ms = w->now_ms;
}

void life_change(struct lives *w, int slot, struct dice *d) {
  struct life *l = life_at(w, slot);
  if (l == NULL || !life_is_full(l))
    return;
  if (l->orphan && l->state != TCP_STATE_ESTABLISHED)
    return;
  l->orphan = false; /* a process accepted the connection */
  l->cgroup = 1 + dice_below(d, LIVES_CGROUPS - 1);
  l->attrs.uid = 1000 + dice_below(d, 2);
}

void life_half_close(struct lives *w, int slot, struct dice *d) {
  static const uint8_t states[] = {TCP_STATE_FIN_WAIT1, TCP_STATE_FIN_WAIT2,
                                   TCP_STATE_CLOSE_WAIT, TCP_STATE_LAST_ACK,
                                   TCP_STATE_CLOSING};
  struct life *l = life_at(w, slot);
  if (l == NULL || l->stage != LIFE_OPEN || l->state != TCP_STATE_ESTABLISHED)
    return;
  l->state = states[dice_below(d, sizeof(states))];
  l->orphan = l->state == TCP_STATE_LAST_ACK || dice_one_in(d, 2);
  l->ack_ms = w->now_ms;
}

void life_close(struct lives *w, int slot, struct dice *d) {
  struct life *l = life_at(w, slot);
  if (l == NULL || l->stage != LIFE_OPEN)
    return;
  int number = w->slot[slot];
  uint32_t way = dice_below(d, 8);
  if (way == 0) { /* SO_LINGER 0 */
    event(w, number, EVENT_DISCONNECTED, d);
    life_end(w, slot);
    return;
  }
  if (way == 1) { /* reset by the peer */
    event(w, number, EVENT_WITH_COUNTERS, d);
    life_end(w, slot);
    return;
  }
  life_traffic(w, slot, d);
  l->ack_ms = w->now_ms; /* the ACK of the FIN */
  l->state = TCP_STATE_CLOSE;
  l->mini_ms = w->now_ms;
  if (way <= 3) { /* the file descriptor stays open */
    l->stage = dice_one_in(d, 2) ? LIFE_HIDDEN : LIFE_TIME_WAIT;
    if (l->stage == LIFE_HIDDEN)
      l->mini_ms = 0;
    return;
  }
  event(w, number, EVENT_WITH_COUNTERS, d);
  if (way == 4)
    l->stage = LIFE_FIN_WAIT2;
  else if (way == 5)
    l->stage = LIFE_TIME_WAIT;
  else
    life_end(w, slot);
}

void life_release(struct lives *w, int slot, struct dice *d) {
  struct life *l = life_at(w, slot);
  if (l == NULL || life_is_full(l) || !l->event_due)
    return;
  event(w, w->slot[slot], EVENT_WITH_COUNTERS, d);
  if (l->stage == LIFE_HIDDEN)
    life_end(w, slot);
}

/* A mini socket's state lasts 60 s (linux: TCP_TIMEWAIT_LEN). */
void lives_expire(struct lives *w) {
  for (int slot = 0; slot < LIVES_SLOTS; slot++) {
    const struct life *l = life_at(w, slot);
    if (l != NULL && l->mini_ms != 0 && w->now_ms - l->mini_ms > 60000)
      life_expire(w, slot, NULL);
  }
}

void life_expire(struct lives *w, int slot, struct dice *d) {
  (void)d;
  struct life *l = life_at(w, slot);
  if (l == NULL)
    return;
  if (l->stage == LIFE_FIN_WAIT2) {
    l->stage = LIFE_TIME_WAIT;
    l->mini_ms = w->now_ms;
  } else if (l->stage == LIFE_TIME_WAIT && l->event_due) {
    l->stage = LIFE_HIDDEN;
    l->mini_ms = 0;
  } else if (l->stage == LIFE_TIME_WAIT) {
    life_end(w, slot);
  }
}

/* The application calls connect() with AF_UNSPEC and then with another address.
 */
void life_reconnect(struct lives *w, int slot, struct dice *d) {
  struct life *old = life_at(w, slot);
  if (old == NULL || old->stage != LIFE_OPEN || old->orphan)
    return;
  struct life *l = life_new(w, slot, old->cookie, d);
  if (l == NULL)
    return;
  old->stage = LIFE_GONE;
  old->event_due = old->busy = false;
  l->cgroup = old->cgroup;
  l->attrs.uid = old->attrs.uid;
  for (int c = 0; c < LIFE_COUNTERS; c++)
    if (field_table[life_field[c]].lasting)
      l->now[c] = old->now[c];
  l->stage = LIFE_CONNECT;
  l->state = TCP_STATE_SYN_SENT;
  if (dice_one_in(d, 2))
    enter_established(w, l);
}

void life_print(const struct life *l) {
  static const char *const stage[] = {
      "SYN_RECV",       "SYN_SENT", "open", "mini FIN_WAIT2",
      "mini TIME_WAIT", "hidden",   "gone"};
  printf("cookie %llu %s", (unsigned long long)l->cookie, stage[l->stage]);
  if (life_is_full(l))
    printf(" state %u%s", l->state, l->orphan ? " orphan" : "");
  printf(" port %u to %u-%u cgroup %u sent %llu retrans %llu\n",
         l->attrs.local_port, l->attrs.remote.bytes[15], l->attrs.remote_port,
         l->cgroup, (unsigned long long)l->now[LIFE_SENT],
         (unsigned long long)l->now[LIFE_RETRANS]);
}
