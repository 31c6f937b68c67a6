/* The dimensions of `By`, one row each.
 *
 * A new dimension needs a value of enum dimension, a row of the table, and its
 * lines in the manual page and the sample configuration. The attribute in its
 * row says where the value lies, which messages tell it and if it may change.
 * A connection whose value is unknown is counted in the member `other`, by
 * whatever dimension (see group_enter()).
 *
 * Knows no group: keys and names of members are made in group/member_key.c. */
#ifndef TCPINFO_CONFIG_DIMENSION_H
#define TCPINFO_CONFIG_DIMENSION_H

#include "tcp/socket_attrs.h"

struct name_lookup;

enum dimension {
  DIMENSION_REMOTE_ADDRESS,
  DIMENSION_REMOTE_NETWORK,
  DIMENSION_REMOTE_PORT,
  DIMENSION_LOCAL_ADDRESS,
  DIMENSION_LOCAL_PORT,
  DIMENSION_INTERFACE,
  DIMENSION_UID,
  DIMENSION_CGROUP,
  DIMENSION_CONGESTION,
  DIMENSION_DIRECTION,
  DIMENSION_COUNT,
};

/* Prefix lengths of remote-network, bits: 0 to 32 and 0 to 128. */
struct network_bits {
  uint8_t ipv4, ipv6;
};

/* Turns the attribute's value into the dimension's, which has the same size, in
 * place. `value` has no alignment. */
typedef void dimension_derive_fn(void *value, struct network_bits bits);

/* Writes the value's part of a member's name: letters, digits and `_ . @ -`.
 * `text` has room for TEXT_CLEAN_MAX characters. May open files, through
 * `names`: not to be called within a dump. */
typedef void dimension_format_fn(const union socket_attr_value *value,
                                 struct network_bits bits,
                                 struct name_lookup *names, char *text);

struct dimension_row {
  const char *name;            /* as written in the configuration */
  enum socket_attr attr;       /* the attribute that the value is made from */
  bool listeners;              /* a listening socket has a value, too */
  dimension_derive_fn *derive; /* NULL: the attribute's value as it is */
  dimension_format_fn *format;
};

extern const struct dimension_row dimension_table[DIMENSION_COUNT];

/* As written in the configuration: "remote-address" ... */
const char *dimension_name(enum dimension d);

/* Bytes of a value. */
static inline size_t dimension_size(enum dimension d) {
  return socket_attr_table[dimension_table[d].attr].size;
}

#endif
