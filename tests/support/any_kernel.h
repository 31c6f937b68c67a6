/* Plays a kernel whose sockets may be in any state: the bytes of a fuzzer set
 * them, and their counters may fall, wrap or begin anew. It answers the dumps
 * of the plugin, sends close events, and computes between which bounds the
 * growth of bytes_sent over all connections must be, whatever happened:
 *
 *   - at most what each message adds to the message before it about the same
 *     connection, or everything that it has if the plugin may have forgotten
 *     the connection since, or nothing if it is the first message and no dump
 *     was complete before;
 *   - at least what a message adds to one in the dump before it, if both show
 *     the connection with traffic, and a complete dump came before both.
 *
 * There is one kernel at a time, and it needs fixed_world.h: it answers while
 * the plugin waits. Dumps obey the filter of the request. */
#ifndef TEST_ANY_KERNEL_H
#define TEST_ANY_KERNEL_H

#include "support/input.h"

#include <stdbool.h>

enum {
  ANY_KERNEL_SOCKETS = 16, /* each of which the bytes can set */
  ANY_KERNEL_CROWD = 256,  /* at most so many more, all alike */
  ANY_KERNEL_CROWD_COOKIE = 1000,
};

/* How the kernel answers the requests of one read. */
enum any_answer {
  ANSWER_COMPLETE,
  ANSWER_DONE_ERROR, /* all sockets, then NLMSG_DONE with an errno */
  ANSWER_ERROR,      /* some sockets, then NLMSG_ERROR with an errno */
  ANSWER_REFUSAL,    /* NLMSG_ERROR, EINVAL or EPERM, at once */
  ANSWER_CUT,        /* some sockets, and no end */
  ANSWER_SILENT,     /* nothing */
  ANSWER_COUNT,
};

void any_kernel_begin(void);
void any_kernel_end(void);

/* These are sock_diag_open_fn. The subscription fails if the bytes say so. */
int any_kernel_open(void *data);
int any_kernel_open_events(void *data);

/* Each takes what it needs from the bytes. */
void any_kernel_set(struct input *in);     /* a socket */
void any_kernel_grow(struct input *in);    /* the counters of a socket grow */
void any_kernel_field(struct input *in);   /* a field of tcp_info */
void any_kernel_remove(struct input *in);  /* a socket leaves the dumps */
void any_kernel_close(struct input *in);   /* its close event */
void any_kernel_crowd(struct input *in);   /* the number of further sockets */
void any_kernel_listen(struct input *in);  /* listening ports */
void any_kernel_message(struct input *in); /* raw bytes for the next dump */
void any_kernel_event(struct input *in);   /* raw bytes as a close event */
void any_kernel_spoil(struct input *in);   /* flips bits of the next dump */
void any_kernel_subscription(struct input *in); /* ends, or fails from now on */
void any_kernel_answer(struct input *in);       /* how the next read ends */
void any_kernel_complete(void);                 /* the next read is complete */

/* The plugin has read; `complete`: the dump was complete. */
void any_kernel_read(bool complete);

struct any_kernel_bounds {
  bool valid; /* false if the bytes have written messages by themselves */
  uint64_t least, most;
};
struct any_kernel_bounds any_kernel_bounds(void);

#endif
