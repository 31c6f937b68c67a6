/* See dimension.h. */
#include "config/dimension.h"

#include "kernel/name_lookup.h"
#include "util/text.h"

#include <stdio.h>

/* --- derived values ------------------------------------------------------- */

static void derive_network(void *value, struct network_bits bits) {
  struct address *a = value;
  *a = address_network(a, address_is_ipv4(a) ? (uint8_t)(96 + bits.ipv4)
                                             : bits.ipv6);
}

/* --- parts of names ------------------------------------------------------- */

/* An IPv6 address has '_' for ':', which names must not contain. */
static void format_address(const union socket_attr_value *value,
                           struct network_bits bits, struct name_lookup *names,
                           char *text) {
  (void)bits, (void)names;
  char address[ADDRESS_TEXT_MAX];
  snprintf(text, TEXT_CLEAN_MAX, "%s",
           address_format(&value->address, address));
  for (char *c = text; *c != '\0'; c++)
    if (*c == ':')
      *c = '_';
}

static void format_network(const union socket_attr_value *value,
                           struct network_bits bits, struct name_lookup *names,
                           char *text) {
  format_address(value, bits, names, text);
  size_t at = strlen(text);
  snprintf(text + at, TEXT_CLEAN_MAX - at, "_%u",
           address_is_ipv4(&value->address) ? bits.ipv4 : bits.ipv6);
}

static void format_port(const union socket_attr_value *value,
                        struct network_bits bits, struct name_lookup *names,
                        char *text) {
  (void)bits, (void)names;
  snprintf(text, TEXT_CLEAN_MAX, "%u", value->port);
}

static void format_interface(const union socket_attr_value *value,
                             struct network_bits bits,
                             struct name_lookup *names, char *text) {
  (void)bits;
  name_lookup_interface(names, value->u32, text);
}

static void format_user(const union socket_attr_value *value,
                        struct network_bits bits, struct name_lookup *names,
                        char *text) {
  (void)bits;
  name_lookup_user(names, value->u32, text);
}

static void format_cgroup(const union socket_attr_value *value,
                          struct network_bits bits, struct name_lookup *names,
                          char *text) {
  (void)bits;
  name_lookup_cgroup(names, value->u64, text);
}

static void format_congestion(const union socket_attr_value *value,
                              struct network_bits bits,
                              struct name_lookup *names, char *text) {
  (void)bits, (void)names;
  text_clean(value->text[0] != '\0' ? value->text : "none", text);
}

static void format_direction(const union socket_attr_value *value,
                             struct network_bits bits,
                             struct name_lookup *names, char *text) {
  (void)bits, (void)names;
  snprintf(text, TEXT_CLEAN_MAX, "%s", value->flag ? "inbound" : "outbound");
}

/* --- the table ------------------------------------------------------------ */

#define AS_IS NULL

#define ROW(name, attr, listeners, derive, format)                             \
  { name, attr, listeners, derive, format }

/* Columns: name, attribute, may a listening socket have it, derive, format. A
 * macro makes the rows, so that no column can be left out. */
const struct dimension_row dimension_table[DIMENSION_COUNT] = {
    [DIMENSION_REMOTE_ADDRESS] = ROW("remote-address", ATTR_REMOTE_ADDRESS,
                                     false, AS_IS, format_address),
    [DIMENSION_REMOTE_NETWORK] = ROW("remote-network", ATTR_REMOTE_ADDRESS,
                                     false, derive_network, format_network),
    [DIMENSION_REMOTE_PORT] =
        ROW("remote-port", ATTR_REMOTE_PORT, false, AS_IS, format_port),
    [DIMENSION_LOCAL_ADDRESS] =
        ROW("local-address", ATTR_LOCAL_ADDRESS, true, AS_IS, format_address),
    [DIMENSION_LOCAL_PORT] =
        ROW("local-port", ATTR_LOCAL_PORT, true, AS_IS, format_port),
    [DIMENSION_INTERFACE] =
        ROW("interface", ATTR_INTERFACE, true, AS_IS, format_interface),
    [DIMENSION_UID] = ROW("uid", ATTR_UID, true, AS_IS, format_user),
    [DIMENSION_CGROUP] = ROW("cgroup", ATTR_CGROUP, true, AS_IS, format_cgroup),
    [DIMENSION_CONGESTION] =
        ROW("congestion", ATTR_CONGESTION, true, AS_IS, format_congestion),
    [DIMENSION_DIRECTION] =
        ROW("direction", ATTR_DIRECTION, true, AS_IS, format_direction),
};
#undef ROW

const char *dimension_name(enum dimension d) { return dimension_table[d].name; }
