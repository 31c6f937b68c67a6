/* Plays the kernel's end of diag's socket, in a thread of its own per socket:
 * each request is answered by the next function of a script. */
#ifndef TEST_FAKE_KERNEL_H
#define TEST_FAKE_KERNEL_H

#include "support/messages.h"

#include <pthread.h>
#include <stdbool.h>

enum { FAKE_KERNEL_SOCKETS_MAX = 8, FAKE_KERNEL_REQUEST_MAX = 131072 };

struct fake_kernel;

/* One end of a socket. */
struct fake_socket {
  struct fake_kernel *kernel;
  int fd;
  pthread_t thread;
};

/* Answers the request `sequence`; runs in the socket's thread. The right port
 * number of an answer is 0. */
typedef void fake_answer_fn(struct fake_socket *s, uint32_t sequence);

struct fake_kernel {
  fake_answer_fn *const *answers; /* one a request; none: no answer */
  size_t answer_count;
  struct fake_socket socket[FAKE_KERNEL_SOCKETS_MAX];
  size_t opened; /* the last one of `socket` is in use */
  /* Good after fake_kernel_stop(). */
  size_t requests;
  uint8_t request[FAKE_KERNEL_REQUEST_MAX]; /* the last one */
  size_t request_size;
};

struct fake_kernel *fake_kernel_new(fake_answer_fn *const *answers,
                                    size_t count);

/* A sock_diag_open_fn; `kernel` is a struct fake_kernel. */
int fake_kernel_open(void *kernel);

/* Sends a datagram. False: the other end is closed. */
bool fake_socket_send(struct fake_socket *s, const struct messages *m);

/* Waits until the other end is closed, or for so long. True: it is closed. */
bool fake_socket_await_close(struct fake_socket *s, int timeout_ms);

/* Waits for the last thread, which must not be in the middle of an answer that
 * never ends, and closes the sockets. */
void fake_kernel_stop(struct fake_kernel *k);
void fake_kernel_free(struct fake_kernel *k); /* after the stop */

#endif
