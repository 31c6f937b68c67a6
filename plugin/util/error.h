/* The reason of a failure, in the caller's storage: one line, no newline, made
 * for a person. Core modules fill it; only tcpinfo.c writes it to a log. */
#ifndef TCPINFO_UTIL_ERROR_H
#define TCPINFO_UTIL_ERROR_H

struct error {
  char text[512];
};

/* Formats into `error` (cut where it is full) and returns -1, so that a
 * function may end in `return error_set(...)`. `error` may be NULL. */
__attribute__((format(printf, 2, 3))) int error_set(struct error *error,
                                                    const char *format, ...);

#endif
