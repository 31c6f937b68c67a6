#include "support/any_kernel.h"

#include "support/bytecode_machine.h"
#include "support/fixed_world.h"
#include "support/info.h"
#include "support/messages.h"
#include "tcp/sample.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  INFO_MAX = 280,
  DATAGRAM = 28000, /* bytes of messages in one answer */
  RAW_MAX = 512,
  ALL = ANY_KERNEL_SOCKETS + ANY_KERNEL_CROWD,
};

/* The parts of a message beside inet_diag_msg and tcp_info. */
enum part {
  PART_INFO = 1,
  PART_HELD = 2,
  PART_SHUTDOWN = 4,
  PART_MEMORY = 8,
  PART_MARK = 16,
  PART_CGROUP = 32,
  PART_CONGESTION = 64,
  PART_ALGORITHM = 128,
};

struct any_socket {
  bool present;
  uint64_t cookie;
  uint8_t state, parts, timer, ends; /* ends: addresses and ports */
  uint16_t info_size;
  uint32_t owner; /* uid, device, mark, cgroup, algorithm follow from it */
  _Alignas(8) uint8_t info[INFO_MAX];
};

/* What the plugin may know of bytes_sent of one cookie. */
struct record {
  bool known; /* shown by the last complete dump, or since; no event came */
  bool sure;  /* the next growth must be counted */
  uint8_t ends;
  unsigned dump;          /* that last showed it */
  uint8_t info[INFO_MAX]; /* each field as last shown */
};

struct request {
  uint32_t sequence, states;
  struct bytecode filter;
};

static struct any_kernel {
  struct any_socket socket[ANY_KERNEL_SOCKETS];
  unsigned crowd;
  uint64_t crowd_bytes;
  uint16_t ports; /* listening: bit i is port 440 + i */
  uint8_t raw[RAW_MAX];
  size_t raw_size;
  struct {
    uint16_t at;
    uint8_t bits;
  } spoil[4];
  size_t spoil_count;

  enum any_answer answer;
  unsigned stop, skip, repeat, refusals;
  int code;
  bool to_listeners; /* the answer is that to the request for listeners */

  int fd, events; /* the kernel's ends of the sockets; -1: none */
  bool refuses;   /* the next subscriptions */

  struct request request;
  bool answering;
  size_t next; /* socket to be sent; beyond ALL: the end was sent */

  unsigned dump, completes;
  struct record record[ALL + 1];
  struct any_kernel_bounds bounds;
} k;

static struct messages messages;

/* --- Bounds --------------------------------------------------------------- */

/* A cookie from the bytes is below ANY_KERNEL_SOCKETS, that of a crowd is
 * ANY_KERNEL_CROWD_COOKIE or more. */
static struct record *record_of(uint64_t cookie) {
  return &k.record[cookie < ANY_KERNEL_CROWD_COOKIE
                       ? cookie
                       : cookie - ANY_KERNEL_CROWD_COOKIE + ANY_KERNEL_SOCKETS];
}

/* Stores the counters that the message has. Returns true if one of 64 bits
 * fell: the program has then connected the socket again. */
static bool record_update(struct record *r, const struct any_socket *s) {
  bool fell = false;
  for (int id = 0; id < FIELD_COUNT && (s->parts & PART_INFO) != 0; id++) {
    const struct field *f = &field_table[id];
    uint64_t before = 0, now;
    if (f->block != BLOCK_INFO || f->nature != FIELD_COUNTER ||
        !field_get((enum field_id)id, s->info, s->info_size, &now))
      continue;
    field_get((enum field_id)id, r->info, INFO_MAX, &before);
    fell |= f->width == 8 && now < before;
    memcpy(r->info + f->offset, s->info + f->offset, f->width);
  }
  return fell;
}

static void bounds_message(const struct any_socket *s, bool event) {
  struct record *r = record_of(s->cookie);
  uint64_t sent = 0, last = 0;
  bool has = (s->parts & PART_INFO) != 0 &&
             field_get(FIELD_BYTES_SENT, s->info, s->info_size, &sent);
  bool traffic = (TCP_STATES_TRAFFIC >> s->state & 1) != 0;
  bool goes_on = r->known && r->ends == s->ends;
  if (!event && r->dump == k.dump)
    return; /* a repeat */
  if (!goes_on)
    memset(r->info, 0, sizeof(r->info));
  field_get(FIELD_BYTES_SENT, r->info, INFO_MAX, &last);
  bool fell = record_update(r, s);
  uint64_t growth = sent > last ? sent - last : 0;
  bool baseline = !event && !r->known && k.completes == 0;
  if (has && !baseline)
    k.bounds.most += fell ? sent : growth;
  if (has && goes_on && !event && r->sure && r->dump + 1 == k.dump && traffic)
    k.bounds.least += growth;
  r->known = !event;
  r->sure = has && traffic && k.completes > 0;
  r->ends = s->ends;
  if (!event)
    r->dump = k.dump;
}

void any_kernel_read(bool complete) {
  k.answering = false;
  k.raw_size = k.spoil_count = 0;
  if (!complete)
    return;
  k.completes++;
  for (size_t i = 0; i <= ALL; i++)
    if (k.record[i].dump != k.dump)
      k.record[i].known = false;
}

struct any_kernel_bounds any_kernel_bounds(void) {
  return k.bounds;
}

/* --- Messages ------------------------------------------------------------- */

static void addresses_of(const struct any_socket *s, char local[48],
                         char remote[48], struct message_socket *m) {
  bool ipv6 = s->ends & 1;
  unsigned peer = s->ends >> 1 & 7;
  if (s->cookie >= ANY_KERNEL_CROWD_COOKIE) {
    unsigned i = (unsigned)(s->cookie - ANY_KERNEL_CROWD_COOKIE);
    snprintf(remote, 48, "10.1.%u.%u", i / 16, i);
    ipv6 = false;
  } else if (peer == 7) {
    snprintf(remote, 48, ipv6 ? "::1" : "127.0.0.1");
  } else {
    snprintf(remote, 48, ipv6 ? "2001:db8::%u" : "10.0.0.%u", peer);
  }
  snprintf(local, 48, ipv6 ? "2001:db8::100" : "10.0.0.100");
  m->local = local;
  m->remote = s->state == TCP_STATE_LISTEN ? NULL : remote;
  m->local_port = (uint16_t)(440 + (s->ends >> 4 & 3));
  m->remote_port =
      s->state == TCP_STATE_LISTEN ? 0 : (uint16_t)(s->ends >> 6 ? 50000 : 443);
}

static void attributes_put(const struct any_socket *s) {
  static const char *const algorithm[] = {"cubic", "bbr", "reno", "dctcp"};
  uint32_t memory[9], mark = s->owner % 3 * 16;
  uint64_t cgroup = s->owner % 5;
  uint8_t shutdown = 0;
  const char *name = algorithm[s->owner % 4];
  for (uint32_t i = 0; i < 9; i++)
    memory[i] = s->owner + i;
  if (s->parts & PART_SHUTDOWN)
    messages_attribute(&messages, INET_DIAG_SHUTDOWN, &shutdown, 1);
  if (s->parts & PART_MEMORY)
    messages_attribute(&messages, INET_DIAG_SKMEMINFO, memory, sizeof(memory));
  if (s->parts & PART_MARK)
    messages_attribute(&messages, INET_DIAG_MARK, &mark, sizeof(mark));
  if (s->parts & PART_CGROUP)
    messages_attribute(&messages, INET_DIAG_CGROUP_ID, &cgroup, sizeof(cgroup));
  if (s->parts & PART_CONGESTION)
    messages_attribute(&messages, INET_DIAG_CONG, name, strlen(name) + 1);
  if (s->parts & PART_ALGORITHM)
    messages_attribute(&messages,
                       s->owner % 2 ? INET_DIAG_BBRINFO : INET_DIAG_DCTCPINFO,
                       memory, 20);
}

static void socket_put(const struct any_socket *s) {
  char local[48], remote[48];
  struct message_socket m = {.cookie = s->cookie,
                             .state = s->state,
                             .timer = s->timer,
                             .interface = s->owner % 4,
                             .recv_queue = s->owner,
                             .send_queue = s->owner / 2,
                             .uid = s->owner % 3,
                             .inode = (s->parts & PART_HELD) != 0};
  addresses_of(s, local, remote, &m);
  messages_socket(&messages, &m);
  attributes_put(s);
  if (s->parts & PART_INFO)
    messages_info(&messages, s->info, s->info_size);
}

/* Returns socket `i` of a dump; false if there is none. */
static bool socket_at(size_t i, struct any_socket *out) {
  if (i < ANY_KERNEL_SOCKETS) {
    *out = k.socket[i];
    return out->present && (k.skip >> i & 1) == 0;
  }
  i -= ANY_KERNEL_SOCKETS;
  *out = (struct any_socket){.cookie = ANY_KERNEL_CROWD_COOKIE + i,
                             .state = TCP_STATE_ESTABLISHED,
                             .parts = PART_INFO | PART_HELD | PART_CGROUP |
                                      PART_SHUTDOWN,
                             .ends = 16,
                             .info_size = INFO_MAX,
                             .owner = (uint32_t)i};
  info_put(out->info, FIELD_BYTES_SENT, k.crowd_bytes * (i % 3 + 1));
  info_put(out->info, FIELD_DATA_SEGS_OUT, k.crowd_bytes / 100 * (i % 3 + 1));
  info_put(out->info, FIELD_TOTAL_RETRANS, k.crowd_bytes / 5000 * (i % 3));
  info_put(out->info, FIELD_RTT, 1000 * (i % 50 + 1));
  return i < k.crowd;
}

/* --- Answers -------------------------------------------------------------- */

static struct socket socket_for_filter(void) {
  struct socket s = {.family = 0};
  const struct nlmsghdr *nlh = messages.last;
  const struct inet_diag_msg *d = mnl_nlmsg_get_payload(nlh);
  const struct nlattr *a;
  s.family = d->idiag_family;
  s.attrs.local = address_from_inet(d->idiag_family, d->id.idiag_src);
  s.attrs.remote = address_from_inet(d->idiag_family, d->id.idiag_dst);
  s.attrs.local_port = __builtin_bswap16(d->id.idiag_sport);
  s.attrs.remote_port = __builtin_bswap16(d->id.idiag_dport);
  s.attrs.interface = d->id.idiag_if;
  mnl_attr_for_each(a, nlh, sizeof(*d)) {
    if (mnl_attr_get_type(a) == INET_DIAG_CGROUP_ID)
      memcpy(&s.attrs.cgroup, mnl_attr_get_payload(a), 8);
    if (mnl_attr_get_type(a) == INET_DIAG_MARK)
      memcpy(&s.attrs.mark, mnl_attr_get_payload(a), 4);
  }
  return s;
}

static void socket_send(size_t i) {
  struct any_socket s;
  size_t size = messages.size;
  if (!socket_at(i, &s) || (k.request.states >> s.state & 1) == 0)
    return;
  socket_put(&s);
  struct socket f = socket_for_filter();
  if (!machine_passes(&k.request.filter, &f)) {
    messages.size = size;
    return;
  }
  bounds_message(&s, false);
}

static void end_send(void) {
  static const int refusal[] = {EINVAL, EPERM, EACCES};
  messages_raw(&messages, k.raw, k.raw_size);
  switch (k.answer) {
  case ANSWER_COMPLETE:
    messages_done(&messages, 0);
    return;
  case ANSWER_DONE_ERROR:
    messages_done(&messages, k.code);
    return;
  case ANSWER_ERROR:
    messages_error(&messages, k.code);
    return;
  case ANSWER_REFUSAL:
    messages_error(&messages, refusal[k.code % 3]);
    return;
  case ANSWER_CUT:
  case ANSWER_SILENT:
  case ANSWER_COUNT:
    return;
  }
}

static void listeners_send(void) {
  for (unsigned i = 0; i < 16; i++)
    if (k.ports >> i & 1)
      messages_socket(&messages, &(struct message_socket){
                                     .cookie = 5000 + i,
                                     .state = TCP_STATE_LISTEN,
                                     .local_port = (uint16_t)(440 + i)});
  messages_done(&messages, 0);
}

static void datagram_send(void) {
  for (size_t i = 0; i < k.spoil_count && messages.size > 0; i++)
    messages.bytes[k.spoil[i].at % messages.size] ^= k.spoil[i].bits;
  if (messages.size > 0)
    send(k.fd, messages.bytes, messages.size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Sends one datagram of the answer. */
static void answer_go_on(void) {
  size_t stop =
      k.answer == ANSWER_ERROR || k.answer == ANSWER_CUT ? k.stop : ALL;
  if (k.answer == ANSWER_REFUSAL)
    stop = 0;
  messages_begin(&messages, k.request.sequence, 0);
  bool listeners = k.request.states == 1u << TCP_STATE_LISTEN;
  if (listeners && !k.to_listeners) {
    listeners_send();
    k.next = ALL + 1;
  } else if (k.answer == ANSWER_SILENT) {
    k.next = ALL + 1;
  }
  while (k.next < stop && messages.size < DATAGRAM) {
    socket_send(k.next);
    if (k.repeat == k.next)
      socket_send(k.next);
    k.next++;
  }
  if (k.next == stop) {
    end_send();
    k.next = ALL + 1;
  }
  datagram_send();
  k.answering = k.next <= ALL;
}

static void request_read(void) {
  static _Alignas(8) uint8_t bytes[131072];
  ssize_t n = recv(k.fd, bytes, sizeof(bytes), MSG_DONTWAIT);
  if (n < (ssize_t)(sizeof(struct nlmsghdr) + sizeof(struct inet_diag_req)))
    return;
  const struct nlmsghdr *nlh = (const void *)bytes;
  const struct inet_diag_req *r = mnl_nlmsg_get_payload(nlh);
  const struct nlattr *a;
  k.request =
      (struct request){.sequence = nlh->nlmsg_seq, .states = r->idiag_states};
  mnl_attr_for_each(a, nlh, sizeof(*r)) {
    k.request.filter.code = mnl_attr_get_payload(a);
    k.request.filter.size = mnl_attr_get_payload_len(a);
  }
  k.answering = true;
  k.next = 0;
  if (k.answer == ANSWER_REFUSAL && k.refusals-- == 0)
    k.answer = ANSWER_COMPLETE;
  if (k.answer != ANSWER_REFUSAL && r->idiag_states != 1u << TCP_STATE_LISTEN)
    k.dump++;
}

/* While the plugin waits, the kernel answers. */
static void on_waiting(void *data) {
  (void)data;
  if (k.fd < 0)
    return;
  if (!k.answering)
    request_read();
  if (k.answering)
    answer_go_on();
}

static int socket_pair(int *kernel) {
  int fd[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0)
    abort();
  if (*kernel >= 0)
    close(*kernel);
  *kernel = fd[0];
  return fd[1];
}

int any_kernel_open(void *data) {
  (void)data;
  k.answering = false;
  return socket_pair(&k.fd);
}

int any_kernel_open_events(void *data) {
  (void)data;
  if (!k.refuses)
    return socket_pair(&k.events);
  errno = EPERM;
  return -1;
}

void any_kernel_begin(void) {
  memset(&k, 0, sizeof(k));
  k.fd = k.events = -1;
  k.repeat = ALL;
  k.bounds.valid = true;
  fixed_world.waiting = on_waiting;
}

void any_kernel_end(void) {
  fixed_world.waiting = NULL;
  if (k.fd >= 0)
    close(k.fd);
  if (k.events >= 0)
    close(k.events);
}

/* --- What the bytes do ---------------------------------------------------- */

static struct any_socket *socket_chosen(struct input *in) {
  return &k.socket[input_byte(in) % ANY_KERNEL_SOCKETS];
}

void any_kernel_set(struct input *in) {
  static const uint16_t sizes[] = {280, 248, 232, 192, 104, 240, 208, 0};
  struct any_socket *s = socket_chosen(in);
  uint8_t which = input_byte(in);
  s->present = true;
  s->cookie = which % 16;
  s->state = (uint8_t)(1 + which / 16 % (TCP_STATE_COUNT - 1));
  s->parts = input_byte(in);
  s->ends = input_byte(in);
  uint8_t more = input_byte(in);
  s->timer = more % 6;
  s->info_size = sizes[more / 8 % 8];
  s->owner = input_byte(in);
}

/* A counter of 64 bits stays below 2^44, so that no sum overflows. */
static void field_set(struct any_socket *s, enum field_id id, uint64_t value) {
  const struct field *f = &field_table[id];
  if (f->width == 8)
    value &= (UINT64_C(1) << 44) - 1;
  if (f->bits != 0)
    value &= (1u << f->bits) - 1;
  if (f->block == BLOCK_INFO && f->offset + f->width <= INFO_MAX) {
    if (f->width == 1 && f->bits != 0)
      s->info[f->offset] &= (uint8_t) ~(((1u << f->bits) - 1) << f->shift);
    else
      memset(s->info + f->offset, 0, f->width);
    info_put(s->info, id, value);
  }
}

void any_kernel_grow(struct input *in) {
  struct any_socket *s = socket_chosen(in);
  uint64_t amount = input_take(in, 2);
  for (int id = 0; id < FIELD_COUNT; id++) {
    uint64_t value;
    if (field_table[id].nature == FIELD_COUNTER &&
        field_table[id].block == BLOCK_INFO &&
        field_get((enum field_id)id, s->info, INFO_MAX, &value))
      field_set(s, (enum field_id)id, value + amount * (1 + id % 5) / 3);
  }
}

void any_kernel_field(struct input *in) {
  struct any_socket *s = socket_chosen(in);
  enum field_id id = (enum field_id)(input_byte(in) % FIELD_COUNT);
  field_set(s, id, input_take(in, field_table[id].width));
}

void any_kernel_remove(struct input *in) { socket_chosen(in)->present = false; }

/* Returns whether the plugin can read the event: false without a subscription,
 * or if the buffer is full. */
static bool event_send(void) {
  return k.events >= 0 && send(k.events, messages.bytes, messages.size,
                               MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

/* The kinds of events: the last counters; all cleared by tcp_disconnect(); of
 * another connection of the same cookie; and one whose socket stays in the
 * dumps. */
void any_kernel_close(struct input *in) {
  enum { PLAIN, DISCONNECTED, OTHER, STAYS, KINDS };
  struct any_socket *s = socket_chosen(in), event = *s;
  unsigned kind = input_byte(in) % KINDS;
  event.state = TCP_STATE_CLOSE;
  event.parts = PART_INFO;
  event.owner = 0;
  if (event.info_size == 0)
    event.info_size = INFO_MAX;
  if (kind == DISCONNECTED)
    memset(event.info, 0, sizeof(event.info));
  if (kind == OTHER)
    event.ends ^= 16;
  messages_begin(&messages, 0, 0);
  messages.type = SOCK_DIAG_BY_FAMILY;
  socket_put(&event);
  if (kind == DISCONNECTED) {
    struct inet_diag_msg *d = mnl_nlmsg_get_payload(messages.last);
    memset(d->id.idiag_src, 0, sizeof(d->id.idiag_src));
    d->id.idiag_dport = 0;
  }
  if (event_send())
    bounds_message(&event, true);
  s->present = kind == STAYS;
}

void any_kernel_crowd(struct input *in) {
  k.crowd = input_byte(in);
  k.crowd_bytes += input_take(in, 2);
}

void any_kernel_listen(struct input *in) {
  k.ports = (uint16_t)input_take(in, 2);
}

/* The raw bytes stand behind a message's header, so that they are taken for a
 * socket; the header is theirs, too, if the first of them is odd. */
static void raw_put(struct messages *m, const uint8_t *bytes, size_t size) {
  struct nlmsghdr h = {.nlmsg_len = (uint32_t)(sizeof(h) + size),
                       .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                       .nlmsg_seq = k.request.sequence + 1};
  static const uint8_t zeroes[4];
  if (size == 0 || bytes[0] % 2 == 0)
    messages_raw(m, &h, sizeof(h));
  messages_raw(m, bytes, size);
  messages_raw(m, zeroes, (4 - size % 4) % 4);
}

void any_kernel_message(struct input *in) {
  size_t size;
  const uint8_t *bytes = input_bytes(in, input_byte(in), &size);
  messages_begin(&messages, 0, 0);
  raw_put(&messages, bytes, size);
  if (messages.size <= RAW_MAX - k.raw_size) {
    memcpy(k.raw + k.raw_size, messages.bytes, messages.size);
    k.raw_size += messages.size;
  }
  k.bounds.valid = false;
}

void any_kernel_event(struct input *in) {
  size_t size;
  const uint8_t *bytes = input_bytes(in, input_byte(in), &size);
  messages_begin(&messages, 0, 0);
  raw_put(&messages, bytes, size);
  event_send();
  k.bounds.valid = false;
}

void any_kernel_spoil(struct input *in) {
  if (k.spoil_count == sizeof(k.spoil) / sizeof(k.spoil[0]))
    return;
  k.spoil[k.spoil_count].at = (uint16_t)input_take(in, 2);
  k.spoil[k.spoil_count++].bits = input_byte(in);
  k.bounds.valid = false;
}

void any_kernel_subscription(struct input *in) {
  uint8_t what = input_byte(in);
  k.refuses = what & 1;
  if ((what & 2) != 0 && k.events >= 0) {
    close(k.events);
    k.events = -1;
  }
}

void any_kernel_complete(void) {
  k.answer = ANSWER_COMPLETE;
  k.skip = 0;
  k.repeat = ALL;
  k.to_listeners = false;
}

void any_kernel_answer(struct input *in) {
  static const int codes[] = {EBUSY, ENOENT, EINVAL, EPERM};
  uint8_t how = input_byte(in);
  any_kernel_complete();
  if (how % 2 != 0) /* most dumps are complete */
    k.answer = (enum any_answer)(how / 2 % ANSWER_COUNT);
  k.to_listeners = how / 16 % 4 == 3;
  k.code = codes[how / 64];
  k.stop = input_byte(in) % ALL;
  k.refusals = k.stop % 4;
  if (how / 16 % 4 == 1)
    k.skip = (unsigned)input_take(in, 2);
  if (how / 16 % 4 == 2)
    k.repeat = input_byte(in) % ANY_KERNEL_SOCKETS;
}
