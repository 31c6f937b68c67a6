/* See dimension.h. */
#include "config/dimension.h"

#include "kernel/name_lookup.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- derived values ------------------------------------------------------- */

static void derive_network(void *value, struct network_bits bits) {
  struct address *a = value;
  *a = address_network(a, address_is_ipv4(a) ? (uint8_t)(96 + bits.ipv4)
                                             : bits.ipv6);
}

/* --- names ---------------------------------------------------------------- */

static void identity_add(struct identity *identity, const void *bytes,
                         size_t size) {
  size_t room = sizeof(identity->bytes) - identity->size;
  if (size > room)
    size = room;
  memcpy(identity->bytes + identity->size, bytes, size);
  identity->size += size;
}

/* With the NUL, so that no text is the begin of another one. */
static void identity_add_text(struct identity *identity, const char *text) {
  identity_add(identity, text, strlen(text) + 1);
}

static void format_device(uint32_t index, struct name_lookup *names,
                          struct dimension_name *out,
                          struct identity *identity) {
  const char *name = name_lookup_interface(names, index);
  out->exists = name != NULL;
  if (name != NULL) {
    text_clean(name, out->text);
    identity_add_text(identity, name);
  } else {
    snprintf(out->text, sizeof(out->text), "%" PRIu32, index);
    identity_add(identity, &index, sizeof(index));
  }
}

/* An IPv6 address has '_' for ':', which names must not contain; a link-local
 * one is followed by '_' and its device. */
static void format_address(const struct dimension_value *value,
                           struct network_bits bits, struct name_lookup *names,
                           struct dimension_name *out,
                           struct identity *identity) {
  (void)bits;
  char address[ADDRESS_TEXT_MAX];
  identity_add(identity, &value->attr.address, sizeof(value->attr.address));
  address_format(&value->attr.address, address);
  for (char *c = address; *c != '\0'; c++)
    if (*c == ':')
      *c = '_';
  if (value->zone == 0) {
    snprintf(out->text, sizeof(out->text), "%s", address);
    return;
  }
  struct dimension_name device;
  format_device(value->zone, names, &device, identity);
  out->exists = device.exists;
  snprintf(out->text, sizeof(out->text), "%s_%.*s", address,
           TEXT_CLEAN_MAX - ADDRESS_TEXT_MAX - 1, device.text);
}

static void format_network(const struct dimension_value *value,
                           struct network_bits bits, struct name_lookup *names,
                           struct dimension_name *out,
                           struct identity *identity) {
  format_address(value, bits, names, out, identity);
  size_t at = strlen(out->text);
  snprintf(out->text + at, sizeof(out->text) - at, "_%u",
           address_is_ipv4(&value->attr.address) ? bits.ipv4 : bits.ipv6);
}

static void format_port(const struct dimension_value *value,
                        struct network_bits bits, struct name_lookup *names,
                        struct dimension_name *out, struct identity *identity) {
  (void)bits, (void)names;
  snprintf(out->text, sizeof(out->text), "%u", value->attr.port);
  identity_add(identity, &value->attr.port, sizeof(value->attr.port));
}

static void format_interface(const struct dimension_value *value,
                             struct network_bits bits,
                             struct name_lookup *names,
                             struct dimension_name *out,
                             struct identity *identity) {
  (void)bits;
  if (value->attr.u32 != 0) {
    format_device(value->attr.u32, names, out, identity);
    return;
  }
  snprintf(out->text, sizeof(out->text), "unbound");
  identity_add(identity, &value->attr.u32, sizeof(value->attr.u32));
}

static void format_user(const struct dimension_value *value,
                        struct network_bits bits, struct name_lookup *names,
                        struct dimension_name *out, struct identity *identity) {
  (void)bits;
  name_lookup_user(names, value->attr.u32, out->text);
  identity_add(identity, &value->attr.u32, sizeof(value->attr.u32));
}

static bool is_unit(const char *part, size_t length) {
  static const char *const suffix[] = {".service", ".scope"};
  for (size_t i = 0; i < sizeof(suffix) / sizeof(suffix[0]); i++) {
    size_t n = strlen(suffix[i]);
    if (length > n && memcmp(part + length - n, suffix[i], n) == 0)
      return true;
  }
  return false;
}

/* Returns where the name of a cgroup begins in its path: at the first part that
 * is a unit of systemd, because what is within a unit belongs to that unit
 * (libpod-ID.scope/container); if there is none, at the last part. */
static const char *cgroup_name_begin(const char *path) {
  const char *part = path;
  for (const char *end; (end = strchr(part, '/')) != NULL; part = end + 1)
    if (is_unit(part, (size_t)(end - part)))
      return part;
  return part;
}

static void format_cgroup(const struct dimension_value *value,
                          struct network_bits bits, struct name_lookup *names,
                          struct dimension_name *out,
                          struct identity *identity) {
  (void)bits;
  uint64_t id = value->attr.u64;
  bool gone = false;
  const char *path = id != 0 ? name_lookup_cgroup(names, id, &gone) : NULL;
  if (path != NULL) {
    text_clean(path[0] != '\0' ? cgroup_name_begin(path) : "root", out->text);
    identity_add_text(identity, path);
    return;
  }
  if (id == 0)
    snprintf(out->text, sizeof(out->text), "none");
  else
    snprintf(out->text, sizeof(out->text), "%" PRIu64, id);
  out->exists = !gone;
  identity_add(identity, &id, sizeof(id));
}

static void format_congestion(const struct dimension_value *value,
                              struct network_bits bits,
                              struct name_lookup *names,
                              struct dimension_name *out,
                              struct identity *identity) {
  (void)bits, (void)names;
  const char *name = value->attr.text;
  text_clean(name[0] != '\0' ? name : "none", out->text);
  identity_add(identity, name, sizeof(value->attr.text));
}

static void format_direction(const struct dimension_value *value,
                             struct network_bits bits,
                             struct name_lookup *names,
                             struct dimension_name *out,
                             struct identity *identity) {
  (void)bits, (void)names;
  snprintf(out->text, sizeof(out->text), "%s",
           value->attr.flag ? "inbound" : "outbound");
  identity_add(identity, &value->attr.flag, sizeof(value->attr.flag));
}

/* --- the table ------------------------------------------------------------ */

#define AS_IS NULL
#define ZONED true
#define PLAIN false

#define ROW(name, attr, listeners, zoned, derive, format)                      \
  { name, attr, listeners, zoned, derive, format }

/* Columns: name, attribute, may a listening socket have it, has it a zone,
 * derive, format. A macro makes the rows, so that no column can be left out. */
const struct dimension_row dimension_table[DIMENSION_COUNT] = {
    [DIMENSION_REMOTE_ADDRESS] = ROW("remote-address", ATTR_REMOTE_ADDRESS,
                                     false, ZONED, AS_IS, format_address),
    [DIMENSION_REMOTE_NETWORK] =
        ROW("remote-network", ATTR_REMOTE_ADDRESS, false, ZONED, derive_network,
            format_network),
    [DIMENSION_REMOTE_PORT] =
        ROW("remote-port", ATTR_REMOTE_PORT, false, PLAIN, AS_IS, format_port),
    [DIMENSION_LOCAL_ADDRESS] = ROW("local-address", ATTR_LOCAL_ADDRESS, true,
                                    ZONED, AS_IS, format_address),
    [DIMENSION_LOCAL_PORT] =
        ROW("local-port", ATTR_LOCAL_PORT, true, PLAIN, AS_IS, format_port),
    [DIMENSION_INTERFACE] =
        ROW("interface", ATTR_INTERFACE, true, PLAIN, AS_IS, format_interface),
    [DIMENSION_UID] = ROW("uid", ATTR_UID, true, PLAIN, AS_IS, format_user),
    [DIMENSION_CGROUP] =
        ROW("cgroup", ATTR_CGROUP, true, PLAIN, AS_IS, format_cgroup),
    [DIMENSION_CONGESTION] = ROW("congestion", ATTR_CONGESTION, true, PLAIN,
                                 AS_IS, format_congestion),
    [DIMENSION_DIRECTION] =
        ROW("direction", ATTR_DIRECTION, true, PLAIN, AS_IS, format_direction),
};
#undef ROW

const char *dimension_name(enum dimension d) { return dimension_table[d].name; }

size_t dimension_size(enum dimension d) {
  const struct dimension_row *row = &dimension_table[d];
  return socket_attr_table[row->attr].size +
         (row->zoned ? sizeof(uint32_t) : 0);
}

/* A link-local address means something only together with its link: RFC 4007,
 * section 6. */
static uint32_t zone_of(const struct socket_attrs *s, enum socket_attr attr) {
  struct address a;
  memcpy(&a, socket_attrs_at(s, attr), sizeof(a));
  return address_is_link_local(&a) ? s->interface : 0;
}

void dimension_write(enum dimension d, const struct socket_attrs *s,
                     struct network_bits bits, uint8_t *to) {
  const struct dimension_row *row = &dimension_table[d];
  socket_attrs_copy(s, row->attr, to);
  if (row->derive != NULL)
    row->derive(to, bits);
  if (!row->zoned)
    return;
  uint32_t zone = zone_of(s, row->attr);
  memcpy(to + socket_attr_table[row->attr].size, &zone, sizeof(zone));
}

struct dimension_value dimension_read(enum dimension d, const uint8_t *from) {
  const struct dimension_row *row = &dimension_table[d];
  size_t size = socket_attr_table[row->attr].size;
  struct dimension_value v;
  memset(&v, 0, sizeof(v));
  memcpy(&v.attr, from, size);
  if (row->zoned)
    memcpy(&v.zone, from + size, sizeof(v.zone));
  return v;
}

bool dimension_may_rename(enum dimension d, const struct dimension_value *v) {
  return v->zone != 0 ||
         (dimension_table[d].attr == ATTR_INTERFACE && v->attr.u32 != 0);
}

bool dimension_may_share(enum dimension d, const struct dimension_value *v) {
  return dimension_may_rename(d, v) || dimension_table[d].attr == ATTR_CGROUP;
}
