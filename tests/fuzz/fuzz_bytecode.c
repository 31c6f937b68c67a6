/* Compiles the expression in the bytes, after three bytes for features and for
 * the random sockets, to bytecode: the kernel's audit accepts it, and it passes
 * each socket that the selector matches. */
#include "fuzz_require.h"

#include "filter/expression.h"
#include "support/random_selector.h"

#include <string.h>
#include <sys/socket.h>

enum { SOCKETS = 64 };

/* Takes an end of the socket from the lists of the selector, so that it often
 * matches. */
static void take_from(const struct selector *s, struct socket_attrs *t) {
  for (size_t i = 0; s->child != NULL && i < s->count; i++)
    if (random() % 2 || s->op == SELECTOR_AND)
      take_from(s->child[i], t);
  if (s->count == 0)
    return;
  size_t i = (size_t)random() % s->count;
  if (s->op == SELECTOR_LOCAL_PORT)
    t->local_port = random() % 2 ? s->port[i].low : s->port[i].high;
  else if (s->op == SELECTOR_REMOTE_PORT)
    t->remote_port = random() % 2 ? s->port[i].low : s->port[i].high;
  else if (s->op == SELECTOR_LOCAL_ADDRESS)
    t->local = s->prefix[i].address;
  else if (s->op == SELECTOR_REMOTE_ADDRESS)
    t->remote = s->prefix[i].address;
  else if (s->op == SELECTOR_INTERFACE)
    t->interface = (uint32_t)s->value[i].value;
  else if (s->op == SELECTOR_CGROUP)
    t->cgroup = s->value[i].value;
  else if (s->op == SELECTOR_MARK)
    t->mark = (uint32_t)s->value[i].value;
}

/* The socket, and the mini socket that it becomes, whose close the plugin must
 * see. */
static void check(const struct selector *s, const struct bytecode *b,
                  const struct socket *socket) {
  struct socket mini = random_mini(socket);
  bool match = selector_match(s, &socket->attrs);
  require(!match || machine_passes(b, socket),
          "the bytecode rejects a socket that the selector matches");
  require((!match && !selector_match(s, &mini.attrs)) ||
              machine_passes(b, &mini),
          "the bytecode rejects a mini socket that the selector matches");
}

static void sockets_check(const struct selector *s, const struct bytecode *b) {
  for (int i = 0; i < SOCKETS; i++) {
    struct socket socket = random_socket();
    check(s, b, &socket);
    if (i % 2 == 0)
      take_from(s, &socket.attrs);
    bool ipv4 = address_is_ipv4(&socket.attrs.local);
    if (ipv4 != address_is_ipv4(&socket.attrs.remote))
      continue;
    if (!ipv4)
      socket.family = AF_INET6;
    check(s, b, &socket);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct error error;
  struct bytecode b;
  if (size < 3)
    return 0;
  srandom(data[1] | (unsigned)data[2] << 8);
  char *text = strndup((const char *)data + 3, size - 3);
  require(text != NULL, "out of memory");
  struct selector *s = expression_parse(text, &error);
  free(text);
  if (s == NULL)
    return 0;
  require(bytecode_compile(s, data[0] & BYTECODE_ALL, &b) == 0,
          "out of memory");
  if (b.size > 0)
    require(machine_audit(&b) <= BYTECODE_COST_MAX,
            "the filter costs too much");
  sockets_check(s, &b);
  bytecode_free(&b);
  selector_free(s);
  return 0;
}
