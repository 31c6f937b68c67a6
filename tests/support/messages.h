/* Builds datagrams of sock_diag messages with libmnl's functions, as the kernel
 * sends them, and requests as programs send them:
 *
 *     messages_begin(&m, sequence, port);
 *     messages_socket(&m, &(struct message_socket){
 *         .cookie = 7, .local = "10.0.0.1", .local_port = 443,
 *         .remote = "10.0.0.2", .remote_port = 50000});
 *     messages_info(&m, info, 104);
 *     messages_done(&m, 0);
 *
 * Then m.bytes holds m.size bytes. A message that does not fit aborts the test.
 */
#ifndef TEST_MESSAGES_H
#define TEST_MESSAGES_H

#include <stddef.h>
#include <stdint.h>

struct nlmsghdr;

enum { MESSAGES_SIZE_MAX = 131072 };

struct messages {
  _Alignas(8) uint8_t bytes[MESSAGES_SIZE_MAX];
  size_t size;
  uint32_t sequence, port; /* of the messages that follow */
  uint16_t type;           /* of sockets that follow; legacy at first */
  struct nlmsghdr *last;   /* NULL before the first */
};

/* The content of struct inet_diag_msg, in host byte order. State 0 stands for
 * ESTABLISHED. The family follows from `local`; if that is NULL, from `remote`;
 * if both are NULL, it is `family`, and 0 stands for AF_INET. */
struct message_socket {
  uint64_t cookie;
  uint8_t family, state, timer, retransmits;
  const char *local, *remote; /* addresses as text; NULL: unspecified */
  uint16_t local_port, remote_port;
  uint32_t interface;
  uint32_t recv_queue, send_queue; /* idiag_rqueue, idiag_wqueue */
  uint32_t uid, inode;
};

/* Empties `m`. */
void messages_begin(struct messages *m, uint32_t sequence, uint32_t port);

void messages_socket(struct messages *m, const struct message_socket *s);

/* Adds an attribute (INET_DIAG_x) to the last message. */
void messages_attribute(struct messages *m, uint16_t type, const void *data,
                        size_t size);
void messages_info(struct messages *m, const void *info, size_t size);

/* NLMSG_DONE and NLMSG_ERROR; `code` is 0 or a positive errno. */
void messages_done(struct messages *m, int code);
void messages_error(struct messages *m, int code);

/* Requests for a dump: of the TCP sockets of both families (legacy), and of one
 * family and protocol (0 for a family without protocols, such as AF_UNIX). */
void messages_request(struct messages *m);
void messages_request_v2(struct messages *m, uint8_t family, uint8_t protocol);

/* Appends any bytes after the last message; they need not form a message. */
void messages_raw(struct messages *m, const void *data, size_t size);

#endif
