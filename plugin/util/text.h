/* Text from outside: cleaned for use in a name, or parsed as a number. */
#ifndef TCPINFO_UTIL_TEXT_H
#define TCPINFO_UTIL_TEXT_H

#include <stdbool.h>
#include <stdint.h>

enum { TEXT_CLEAN_MAX = 256 }; /* with the final NUL */

/* Copies `name`: letters, digits and `_ . @ -` stay, every other byte becomes
 * '_'. Cuts after TEXT_CLEAN_MAX - 1 bytes. `text` has room for TEXT_CLEAN_MAX
 * bytes. */
void text_clean(const char *name, char *text);

/* The character that a name's `c` is in Graphite, where '.' separates the parts
 * of a path: names that differ in nothing else are one there. */
static inline char text_in_graphite(char c) { return c == '.' ? '_' : c; }

/* True if two names are one in Graphite. */
bool text_equal_in_graphite(const char *a, const char *b);

/* Numbers. No function below accepts a sign or a space. On failure `out` is
 * left as it was. */

/* Parses the decimal digits that `text` begins with; leading zeros are allowed.
 * Returns the first character behind them; NULL if there is no digit or the
 * number is above `max`. */
const char *text_parse_digits(const char *text, uint64_t max, uint64_t *out);

/* Parses the whole text: decimal, without leading zeros. False if it is of
 * another form or above `max`. */
bool text_parse_decimal(const char *text, uint64_t max, uint64_t *out);

/* The same, or hexadecimal with "0x" or "0X" in front; the hexadecimal digits
 * may begin with zeros. */
bool text_parse_number(const char *text, uint64_t max, uint64_t *out);

#endif
