/* See condition.h. Accepts what ss(8) accepts, except for what can be meant in
 * two ways or in none: octal numbers, half addresses without a length, IPv6
 * without brackets, and signs before numbers. */
#include "filter/condition.h"

#include "kernel/id_lookup.h"
#include "util/text.h"

#include <ctype.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 64 }; /* the longest address with a length, and to spare */

#define OPTION "Filter" /* in which all conditions of the language stand */

#define PORT_COMPARED "a port: 0 to 65535 or a TCP service's name"
#define PORT_EXPECTED PORT_COMPARED ", or *"

static struct selector *refuse(struct condition_problem *problem, size_t at,
                               const char *expected) {
  *problem = (struct condition_problem){.expected = expected, .at = at};
  return NULL;
}

/* Owns `s`. */
static struct selector *related(enum relation relation, struct selector *s) {
  return relation == RELATION_NE ? selector_wrap(SELECTOR_NOT, s) : s;
}

/* --- hosts and ports ------------------------------------------------------ */

enum family { FAMILY_ANY, FAMILY_IPV4, FAMILY_IPV6 };

/* [FAMILY:]ADDRESS[:PORT] */
struct host {
  enum family family;
  bool has_address, has_port;
  struct prefix address;
  uint16_t port;
  const char *service; /* its port is not known yet; NULL: `port` is it */
};

/* Returns the number of characters of `text` that name the family. */
static size_t family_parse(const char *text, enum family *out) {
  if (strncmp(text, "inet:", 5) == 0) {
    *out = FAMILY_IPV4;
    return 5;
  }
  if (strncmp(text, "inet6:", 6) == 0) {
    *out = FAMILY_IPV6;
    return 6;
  }
  *out = FAMILY_ANY;
  return 0;
}

static bool port_parse(const char *text, struct host *out) {
  uint64_t number = 0;
  if (strcmp(text, "*") == 0)
    return true;
  if (!text_parse_number(text, UINT16_MAX, &number)) {
    if (text[strspn(text, "0123456789-")] == '\0')
      return false;
    enum id_lookup found = id_lookup_service(text, &number);
    if (found == ID_ABSENT)
      return false;
    if (found == ID_FAILED)
      out->service = text;
  }
  out->has_port = true;
  out->port = (uint16_t)number;
  return true;
}

/* "255.255.0.0" -> 16; -1: not a netmask. */
static int netmask_bits(const char *text) {
  struct prefix mask;
  if (strchr(text, '.') == NULL || strpbrk(text, ":/") != NULL ||
      !prefix_parse(text, &mask))
    return -1;
  const uint8_t *b = mask.address.bytes + 12;
  uint32_t bits =
      (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
  uint32_t rest = ~bits;
  if ((rest & (rest + 1)) != 0)
    return -1;
  int count = 0;
  for (; bits != 0; bits <<= 1)
    count++;
  return count;
}

/* ADDRESS or ADDRESS/LENGTH, the latter also as 10/8 or 10.0.0.0/255.0.0.0. */
static bool network_parse(const char *text, struct prefix *out) {
  const char *slash = strchr(text, '/');
  if (slash == NULL || strchr(text, ':') != NULL)
    return prefix_parse(text, out);

  char whole[2 * TEXT_MAX];
  int length = (int)(slash - text), dots = 0, bits = netmask_bits(slash + 1);
  for (int i = 0; i < length; i++)
    dots += text[i] == '.';
  int at = snprintf(whole, sizeof(whole), "%.*s", length, text);
  for (; dots < 3; dots++)
    at += snprintf(whole + at, sizeof(whole) - (size_t)at, ".0");
  if (bits >= 0)
    snprintf(whole + at, sizeof(whole) - (size_t)at, "/%d", bits);
  else
    snprintf(whole + at, sizeof(whole) - (size_t)at, "%s", slash);
  return prefix_parse(whole, out);
}

/* Returns NULL, or in words what was expected. */
static const char *address_parse(const char *text, struct host *out) {
  static const char *const every[] = {"*", "any", "all", "default"};
  for (size_t i = 0; i < sizeof(every) / sizeof(every[0]); i++)
    if (strcmp(text, every[i]) == 0)
      return NULL;
  bool ipv6 = strchr(text, ':') != NULL;
  if (network_parse(text, &out->address)) {
    if (out->family == FAMILY_IPV4 && ipv6)
      return "an IPv4 address behind inet:";
    if (out->family == FAMILY_IPV6 && !ipv6)
      return "an IPv6 address behind inet6:";
    out->has_address = true;
    return NULL;
  }
  if (text[strspn(text, "0123456789abcdefABCDEFxX.:/%")] != '\0')
    return "an address (host names are not looked up)";
  if (text[0] != '\0' && text[strspn(text, "0123456789.")] == '\0')
    return "a whole address, one with a length, or \":\" before a port";
  return "an address, or one with \"/\" and a length";
}

/* The end of the address in `text`: ":PORT" or nothing follows. */
static const char *address_end(const char *text) {
  const char *from = strchr(text, text[0] == '[' ? ']' : '/');
  if (from == NULL)
    from = text;
  return from + strcspn(from, ":");
}

/* The address without brackets, which stand around it or around all of it but
 * its length. False: too long, or other brackets. */
static bool address_bare(const char *text, const char *end,
                         char out[TEXT_MAX]) {
  const char *close = text[0] == '[' ? strchr(text, ']') : NULL;
  if (close != NULL && close + 1 < end && close[1] != '/')
    return false;
  size_t n = 0;
  for (const char *p = text + (close != NULL); p < end && n < TEXT_MAX; p++) {
    if (p == close)
      continue;
    if (*p == '[' || *p == ']')
      return false;
    out[n++] = *p;
  }
  if (n == TEXT_MAX)
    return false;
  out[n] = '\0';
  return true;
}

/* Returns NULL, or in words what was expected at `*at`. */
static const char *host_parse(const char *text, struct host *out, size_t *at) {
  char address[TEXT_MAX];
  *out = (struct host){.family = FAMILY_ANY};
  *at = family_parse(text, &out->family);
  const char *from = text + *at, *end = address_end(from);
  if (*end == ':' && strchr(end + 1, ':') != NULL)
    return "an IPv6 address in brackets";
  if (end > from || *end == '\0') {
    const char *expected = "an address, or one with \"/\" and a length";
    if (address_bare(from, end, address))
      expected = address_parse(address, out);
    if (expected != NULL)
      return expected;
  }
  if (*end == '\0')
    return NULL;
  *at = (size_t)(end + 1 - text);
  return port_parse(end + 1, out) ? NULL : PORT_EXPECTED;
}

/* --- hosts and ports as selectors ----------------------------------------- */

static struct selector *prefix_leaf(bool local, const struct prefix *prefix) {
  struct selector *s =
      selector_new(local ? SELECTOR_LOCAL_ADDRESS : SELECTOR_REMOTE_ADDRESS);
  if (s != NULL && selector_add_prefix(s, *prefix) != 0) {
    selector_free(s);
    return NULL;
  }
  return s;
}

/* The ports from that of a host plus `low` to that plus `high`; they are cut at
 * 0 and at 65535. */
struct port_offsets {
  int low, high;
};

/* `low` above `high`: a condition without a port. */
static struct selector *port_leaf(bool local, const struct host *h,
                                  struct port_offsets o) {
  enum selector_op op = local ? SELECTOR_LOCAL_PORT : SELECTOR_REMOTE_PORT;
  if (h->service != NULL)
    return selector_new_name(
        op, &(struct selector_name){.kind = SELECTOR_NAME_SERVICE,
                                    .option = OPTION,
                                    .text = (char *)h->service,
                                    .target = (char *)h->service,
                                    .low = o.low,
                                    .high = o.high});
  int low = h->port + o.low, high = h->port + o.high;
  struct selector *s = selector_new(op);
  struct port_range range = {(uint16_t)(low > 0 ? low : 0),
                             (uint16_t)(high < UINT16_MAX ? high : UINT16_MAX)};
  bool any = low <= UINT16_MAX && high >= 0;
  if (s != NULL && any && selector_add_port(s, range) != 0) {
    selector_free(s);
    return NULL;
  }
  return s;
}

/* The conditions that `h` stands for. */
static struct selector *host_selector(const struct host *h, bool local,
                                      struct port_offsets o) {
  static const struct prefix every[] = {
      [FAMILY_IPV4] = {{{[10] = 0xff, [11] = 0xff}}, 96},
      [FAMILY_IPV6] = {{{0}}, 0},
  };
  bool by_address = h->has_address || h->family != FAMILY_ANY;
  const struct prefix *prefix =
      h->has_address ? &h->address : &every[h->family];
  if (!h->has_port)
    return by_address ? prefix_leaf(local, prefix) : selector_new(SELECTOR_AND);
  if (!by_address)
    return port_leaf(local, h, o);

  struct selector *both = selector_new(SELECTOR_AND);
  if (both == NULL ||
      selector_add_child(both, prefix_leaf(local, prefix)) != 0 ||
      selector_add_child(both, port_leaf(local, h, o)) != 0) {
    selector_free(both);
    return NULL;
  }
  return both;
}

struct selector *condition_host(enum selector_op op, enum relation relation,
                                const char *text,
                                struct condition_problem *problem) {
  struct host h;
  size_t at;
  *problem = (struct condition_problem){.expected = NULL};
  const char *expected = host_parse(text, &h, &at);
  if (expected != NULL)
    return refuse(problem, at, expected);
  return related(relation, host_selector(&h, op == SELECTOR_LOCAL_ADDRESS,
                                         (struct port_offsets){0, 0}));
}

struct selector *condition_port(enum selector_op op, enum relation relation,
                                const char *text,
                                struct condition_problem *problem) {
  struct host h = {.family = FAMILY_ANY};
  size_t at = family_parse(text, &h.family);
  at += text[at] == ':';
  bool compared = relation != RELATION_EQ && relation != RELATION_NE;
  *problem = (struct condition_problem){.expected = NULL};
  if (!port_parse(text + at, &h) || (compared && !h.has_port))
    return refuse(problem, at, compared ? PORT_COMPARED : PORT_EXPECTED);

  struct port_offsets o = {0, 0};
  if (relation == RELATION_GE || relation == RELATION_GT)
    o.high = UINT16_MAX;
  if (relation == RELATION_LE || relation == RELATION_LT)
    o.low = -UINT16_MAX;
  o.low += relation == RELATION_GT;
  o.high -= relation == RELATION_LT;
  return related(relation, host_selector(&h, op == SELECTOR_LOCAL_PORT, o));
}

/* --- names that are followed ---------------------------------------------- */

static struct selector *name_leaf(enum selector_op op, enum relation relation,
                                  enum selector_name_kind kind,
                                  const char *text, const char *target) {
  return related(
      relation,
      selector_new_name(op, &(struct selector_name){.kind = kind,
                                                    .option = OPTION,
                                                    .text = (char *)text,
                                                    .target = (char *)target}));
}

struct selector *condition_autobound(enum selector_op op,
                                     enum relation relation, const char *text,
                                     struct condition_problem *problem) {
  (void)text;
  *problem = (struct condition_problem){.expected = NULL};
  return name_leaf(op, relation, SELECTOR_NAME_LOCAL_PORTS, "", "");
}

/* As the kernel (linux: net/core/dev.c, dev_valid_name()). */
static bool is_device_name(const char *text) {
  size_t length = strlen(text);
  if (length == 0 || length >= IF_NAMESIZE || strcmp(text, ".") == 0 ||
      strcmp(text, "..") == 0 || strpbrk(text, "/:") != NULL)
    return false;
  for (size_t i = 0; i < length; i++)
    if (isspace((unsigned char)text[i]))
      return false;
  return true;
}

/* True for a path, relative or not, that can be one of a cgroup: it does not
 * lead above its begin. */
static bool is_cgroup_path(const char *text) {
  int depth = 0;
  for (const char *part = text; *part != '\0' && depth >= 0;) {
    size_t length = strcspn(part, "/");
    if (length > NAME_MAX)
      return false;
    if (length == 2 && memcmp(part, "..", 2) == 0)
      depth--;
    else if (length > 0 && !(length == 1 && part[0] == '.'))
      depth++;
    part += length + (part[length] == '/');
  }
  return text[0] != '\0' && strlen(text) < PATH_MAX && depth >= 0;
}

/* --- the others ----------------------------------------------------------- */

static struct selector *value_leaf(enum selector_op op, enum relation relation,
                                   uint64_t value, uint64_t mask) {
  struct selector *s = selector_new(op);
  struct selector_value v = {.value = value, .mask = mask};
  if (s != NULL && selector_add_value(s, v) != 0) {
    selector_free(s);
    return NULL;
  }
  return related(relation, s);
}

struct selector *condition_device(enum selector_op op, enum relation relation,
                                  const char *text,
                                  struct condition_problem *problem) {
  uint64_t index;
  *problem = (struct condition_problem){.expected = NULL};
  if (text_parse_number(text, UINT32_MAX, &index))
    return value_leaf(op, relation, index, UINT64_MAX);
  if (!is_device_name(text) || text[strspn(text, "0123456789")] == '\0')
    return refuse(problem, 0,
                  "the name of a network device, at most 15 characters, or "
                  "the index of one");
  return name_leaf(op, relation, SELECTOR_NAME_DEVICE, text, text);
}

struct selector *condition_mark(enum selector_op op, enum relation relation,
                                const char *text,
                                struct condition_problem *problem) {
  char value[TEXT_MAX];
  uint64_t mark = 0, mask = UINT32_MAX;
  const char *slash = strchr(text, '/');
  size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
  *problem = (struct condition_problem){.expected = NULL};
  snprintf(value, sizeof(value), "%.*s", (int)(length % INT_MAX), text);
  if (length >= sizeof(value) || !text_parse_number(value, UINT32_MAX, &mark))
    return refuse(problem, 0, "a mark, such as 0x10 or 0x1/0xff");
  if (slash != NULL && !text_parse_number(slash + 1, UINT32_MAX, &mask))
    return refuse(problem, length + 1, "a mask of 32 bits, such as 0xff");
  return value_leaf(op, relation, mark, mask);
}

struct selector *condition_cgroup(enum selector_op op, enum relation relation,
                                  const char *text,
                                  struct condition_problem *problem) {
  *problem = (struct condition_problem){.expected = NULL};
  if (!is_cgroup_path(text))
    return refuse(problem, 0,
                  "the path of a control group, not above the topmost");
  char *folder = id_lookup_path(text);
  if (folder == NULL)
    return NULL;
  struct selector *s =
      name_leaf(op, relation, SELECTOR_NAME_CGROUP, text, folder);
  free(folder);
  return s;
}
