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
#include "util/text.h"

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

/* A value of a dimension. */
struct dimension_value {
  union socket_attr_value
      attr;      /* the attribute's, or what is derived from it */
  uint32_t zone; /* of a link-local address: the index of its device; else 0 */
};

/* Turns the attribute's value into the dimension's, which has the same size, in
 * place. `value` has no alignment. */
typedef void dimension_derive_fn(void *value, struct network_bits bits);

/* What a user means by the values of a member, as bytes: the values themselves,
 * but for a number that may change the name behind it, the path of a cgroup or
 * the name of a device. Equal if and only if the same is meant. Zeroes: empty.
 */
struct identity {
  uint8_t bytes[8192]; /* a path has 4096 at most; all else needs little */
  size_t size;
};

/* The name of a value. */
struct dimension_name {
  char text[TEXT_CLEAN_MAX]; /* letters, digits and `_ . @ -` */
  /* False: the number stands for something that is gone, so that the value has
   * no name of its own. */
  bool exists;
};

/* Writes the value's name to `out`, and adds what the value means to
 * `identity`. May open files, through `names`: not to be called within a dump.
 */
typedef void dimension_format_fn(const struct dimension_value *value,
                                 struct network_bits bits,
                                 struct name_lookup *names,
                                 struct dimension_name *out,
                                 struct identity *identity);

struct dimension_row {
  const char *name;            /* as written in the configuration */
  enum socket_attr attr;       /* the attribute that the value is made from */
  bool listeners;              /* a listening socket has a value, too */
  bool zoned;                  /* an address: a link-local one has a zone */
  dimension_derive_fn *derive; /* NULL: the attribute's value as it is */
  dimension_format_fn *format;
};

extern const struct dimension_row dimension_table[DIMENSION_COUNT];

/* As written in the configuration: "remote-address" ... */
const char *dimension_name(enum dimension d);

/* Bytes of a value in a key: that of the attribute, then the zone if the row
 * has one. */
size_t dimension_size(enum dimension d);

/* Writes dimension_size() bytes: the value of a socket with these attributes.
 */
void dimension_write(enum dimension d, const struct socket_attrs *s,
                     struct network_bits bits, uint8_t *to);

/* Reads what dimension_write() wrote. */
struct dimension_value dimension_read(enum dimension d, const uint8_t *from);

/* True if the value's name may change while a connection with this value lives:
 * devices can be renamed. */
bool dimension_may_rename(enum dimension d, const struct dimension_value *v);

/* True if another value may have the same identity: a cgroup of the same path,
 * a device of the same name, that came after this one. */
bool dimension_may_share(enum dimension d, const struct dimension_value *v);

#endif
