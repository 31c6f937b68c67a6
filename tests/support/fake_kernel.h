/* Plays the kernel for sock_diag: a thread per socket answers each request with
 * the next function of a script. */
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

/* Answers the request `sequence`; runs in the socket's thread. A correct answer
 * has the port number 0. */
typedef void fake_answer_fn(struct fake_socket *s, uint32_t sequence);

struct fake_kernel {
  fake_answer_fn *const *answers; /* one per request; after them, no answer */
  size_t answer_count;
  struct fake_socket socket[FAKE_KERNEL_SOCKETS_MAX];
  size_t opened; /* of `socket`; the last one is in use */
  /* Valid after fake_kernel_stop(). */
  size_t requests;
  uint8_t request[FAKE_KERNEL_REQUEST_MAX]; /* the last one */
  size_t request_size;
};

struct fake_kernel *fake_kernel_new(fake_answer_fn *const *answers,
                                    size_t count);

/* A sock_diag_open_fn; `kernel` points to a struct fake_kernel. */
int fake_kernel_open(void *kernel);

/* Sends a datagram. Returns false if the other end is closed. */
bool fake_socket_send(struct fake_socket *s, const struct messages *m);

/* Waits until the other end is closed, but at most `timeout_ms`. Returns true
 * if it is closed. */
bool fake_socket_await_close(struct fake_socket *s, int timeout_ms);

/* Waits for the last thread and closes the sockets. The thread must not be
 * inside an answer function that never returns. */
void fake_kernel_stop(struct fake_kernel *k);
void fake_kernel_free(struct fake_kernel *k); /* after the stop */

#endif
