/* The registry of a group's member names: whom each name belongs to, and the
 * counters that were last dispatched under it.
 *
 * Two promises to back ends, which keep a name's values for years, rest on it:
 * no counter of a name ever falls, and the difference of two values of a name
 * holds only what one member did. So a name belongs to the member that had it
 * first, and that member's counters go on where they ended, however long it was
 * away. Nothing is ever forgotten. In return the number of names is limited: if
 * the registry is full, no new name comes into being.
 *
 * Names are compared as the back ends' files and paths show them: Graphite
 * writes '_' for '.'. */
#ifndef TCPINFO_GROUP_NAME_REGISTRY_H
#define TCPINFO_GROUP_NAME_REGISTRY_H

#include "util/hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NAME_REGISTRY_MOST = 65536 }; /* names of a group */

struct name_registry;

/* `numbers`: counters of a name; `most`: names. NULL: out of memory. */
struct name_registry *name_registry_new(size_t numbers, size_t most);
void name_registry_free(struct name_registry *l); /* NULL is legal */

/* The secret of the registry's owners: see member_key_name(). Borrowed. */
const struct hash_key *name_registry_secret(const struct name_registry *l);

enum name_claim {
  NAME_FREE,    /* nobody had it yet, or the owner had it and gave it back */
  NAME_IN_USE,  /* the owner has it now */
  NAME_FOREIGN, /* it belongs to another owner */
  NAME_REFUSED, /* nobody had it, and the registry is full */
};

/* Returns what the owner would get; changes nothing. NAME_IN_USE: stores the
 * holder. */
enum name_claim name_registry_ask(const struct name_registry *l,
                                  const char *name, uint64_t owner,
                                  void **holder);

/* `holder`, not NULL, takes a name that name_registry_ask() called free.
 * Returns the counters with which the name was given back, zeroes if it is new;
 * borrowed until the next call of this function. NULL: out of memory, nothing
 * is taken.
 */
const uint64_t *name_registry_take(struct name_registry *l, const char *name,
                                   uint64_t owner, void *holder);

/* The holder gives the name back with the counters that were dispatched last.
 */
void name_registry_give_back(struct name_registry *l, const char *name,
                             const uint64_t *counters);

/* True if more than half of the names that there may be are in the registry. */
bool name_registry_is_scarce(const struct name_registry *l);

/* True if no new name can come into being. */
bool name_registry_is_full(const struct name_registry *l);

#endif
