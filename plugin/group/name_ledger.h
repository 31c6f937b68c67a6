/* The ledger of a group's member names: whom each name belongs to, and the
 * counters that were last dispatched under it.
 *
 * Two promises to back ends, which keep a name's values for years, rest on it:
 * no counter of a name ever falls, and the difference of two values of a name
 * holds only what one member did. So a name belongs to the member that had it
 * first, and that member's counters go on where they ended, however long it was
 * away. Nothing is ever forgotten. In return the number of names is limited: if
 * the ledger is full, no new name comes into being.
 *
 * Names are compared as the back ends' files and paths show them: Graphite
 * writes '_' for '.'. */
#ifndef TCPINFO_GROUP_NAME_LEDGER_H
#define TCPINFO_GROUP_NAME_LEDGER_H

#include "util/hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NAME_LEDGER_MOST = 65536 }; /* names of a group */

struct name_ledger;

/* `numbers`: counters of a name; `most`: names. NULL: out of memory. */
struct name_ledger *name_ledger_new(size_t numbers, size_t most);
void name_ledger_free(struct name_ledger *l); /* NULL is legal */

/* The secret of the ledger's owners: see member_key_name(). Borrowed. */
const struct hash_key *name_ledger_secret(const struct name_ledger *l);

enum name_claim {
  NAME_FREE,    /* nobody had it yet, or the owner had it and gave it back */
  NAME_IN_USE,  /* the owner has it now */
  NAME_FOREIGN, /* it belongs to another owner */
  NAME_REFUSED, /* nobody had it, and the ledger is full */
};

/* Returns what the owner would get; changes nothing. NAME_IN_USE: stores the
 * holder. */
enum name_claim name_ledger_ask(const struct name_ledger *l, const char *name,
                                uint64_t owner, void **holder);

/* `holder`, not NULL, takes a name that name_ledger_ask() called free. Returns
 * the counters with which the name was given back, zeroes if it is new;
 * borrowed until the next call of this function. NULL: out of memory, nothing
 * is taken.
 */
const uint64_t *name_ledger_take(struct name_ledger *l, const char *name,
                                 uint64_t owner, void *holder);

/* The holder gives the name back with the counters that were dispatched last.
 */
void name_ledger_give_back(struct name_ledger *l, const char *name,
                           const uint64_t *counters);

/* True if more than half of the names that there may be are in the ledger. */
bool name_ledger_is_scarce(const struct name_ledger *l);

/* True if no new name can come into being. */
bool name_ledger_is_full(const struct name_ledger *l);

#endif
