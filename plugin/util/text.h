/* Text that comes from outside, made fit for a name. */
#ifndef TCPINFO_UTIL_TEXT_H
#define TCPINFO_UTIL_TEXT_H

enum { TEXT_CLEAN_MAX = 256 }; /* with the final NUL */

/* A copy in which letters, digits and `_ . @ -` stay and every other character
 * becomes '_'. `text` has room for TEXT_CLEAN_MAX characters. */
void text_clean(const char *name, char *text);

#endif
