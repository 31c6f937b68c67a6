/* The reason of a failure, for a person: one line without a newline, in the
 * caller's memory. Only the files in collectd/ write it to a log. */
#ifndef TCPINFO_UTIL_ERROR_H
#define TCPINFO_UTIL_ERROR_H

struct error {
  char text[512];
};

/* Formats into `error`, cut to its size, and returns -1, so that a function can
 * end in `return error_set(...)`. `error` may be NULL. */
__attribute__((format(printf, 2, 3))) int error_set(struct error *error,
                                                    const char *format, ...);

#endif
