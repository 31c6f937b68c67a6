#include "support/fake_kernel.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct fake_kernel *fake_kernel_new(fake_answer_fn *const *answers,
                                    size_t count) {
  struct fake_kernel *k = calloc(1, sizeof(*k));
  if (k == NULL)
    abort();
  k->answers = answers;
  k->answer_count = count;
  return k;
}

/* Only one such thread runs at a time, so the fields of struct fake_kernel need
 * no lock. */
static void *serve(void *data) {
  struct fake_socket *s = data;
  struct fake_kernel *k = s->kernel;
  for (;;) {
    ssize_t n = recv(s->fd, k->request, sizeof(k->request), 0);
    if (n < (ssize_t)sizeof(struct nlmsghdr))
      return NULL;
    k->request_size = (size_t)n;
    size_t i = k->requests++;
    if (i < k->answer_count)
      k->answers[i](s, ((const struct nlmsghdr *)k->request)->nlmsg_seq);
  }
}

int fake_kernel_open(void *kernel) {
  struct fake_kernel *k = kernel;
  if (k->opened == FAKE_KERNEL_SOCKETS_MAX) {
    errno = EMFILE;
    return -1;
  }
  /* sock_diag has closed its end of the last socket, so the thread ends. */
  if (k->opened > 0)
    pthread_join(k->socket[k->opened - 1].thread, NULL);
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
    return -1;
  struct fake_socket *s = &k->socket[k->opened];
  s->kernel = k;
  s->fd = fds[0];
  /* Only the thread that dumps may receive signals. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int code = pthread_create(&s->thread, NULL, serve, s);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (code != 0)
    abort();
  k->opened++;
  return fds[1];
}

bool fake_socket_send(struct fake_socket *s, const struct messages *m) {
  return send(s->fd, m->bytes, m->size, MSG_NOSIGNAL) >= 0;
}

bool fake_socket_await_close(struct fake_socket *s, int timeout_ms) {
  struct pollfd p = {.fd = s->fd};
  return poll(&p, 1, timeout_ms) > 0;
}

void fake_kernel_stop(struct fake_kernel *k) {
  if (k->opened > 0) {
    shutdown(k->socket[k->opened - 1].fd, SHUT_RDWR);
    pthread_join(k->socket[k->opened - 1].thread, NULL);
  }
  for (size_t i = 0; i < k->opened; i++)
    close(k->socket[i].fd);
}

void fake_kernel_free(struct fake_kernel *k) { free(k); }
