/* Builds datagrams of sock_diag messages with libmnl's own put functions, as
 * the kernel would send them (and requests, as programs send them):
 *
 *     messages_begin(&m, sequence, port);
 *     messages_socket(&m, &(struct message_socket){
 *         .cookie = 7, .local = "10.0.0.1", .local_port = 443,
 *         .remote = "10.0.0.2", .remote_port = 50000});
 *     messages_info(&m, info, 104);
 *     messages_done(&m, 0);
 *
 * Then m.bytes holds m.size bytes. What does not fit aborts the test. */
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

/* What inet_diag_msg says, in host order. What is not set is zero, except that
 * the state is then ESTABLISHED. The family follows from `local`, else from
 * `remote`, else it is `family`, else IPv4. */
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

/* Requests for a dump: of both families' TCP sockets (legacy), and of one
 * family and protocol (0: a family without, such as AF_UNIX). */
void messages_request(struct messages *m);
void messages_request_v2(struct messages *m, uint8_t family, uint8_t protocol);

/* Any bytes behind the last message, also such as are none. */
void messages_raw(struct messages *m, const void *data, size_t size);

#endif
