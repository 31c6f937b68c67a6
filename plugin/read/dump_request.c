#include "read/dump_request.h"

#include <linux/inet_diag.h>
#include <stdlib.h>

/* Pushes down only conditions on attributes that never change. If a filter in
 * the kernel hid a socket while its mark or device is another, the socket would
 * later seem to be new, and its past would count again. */
enum { FEATURES = BYTECODE_CGROUP };

/* Compiles the groups' selectors, joined by `or`, which are borrowed for that.
 */
static int filter_compile(struct dump_request *r, unsigned features) {
  const struct settings *settings = r->settings;
  struct selector any = {.op = SELECTOR_OR, .count = settings->group_count};
  any.child = calloc(settings->group_count + 1, sizeof(struct selector *));
  if (any.child == NULL)
    return -1;
  for (size_t i = 0; i < settings->group_count; i++)
    any.child[i] = settings->group[i].selector;
  bytecode_free(&r->bytecode);
  int status = bytecode_compile(&any, features, &r->bytecode);
  free(any.child);
  if (status != 0)
    r->bytecode = (struct bytecode){0};
  r->ask.code = r->bytecode.code;
  r->ask.code_size = r->bytecode.size;
  return status;
}

/* VEGASINFO asks for the data of any congestion control algorithm (linux:
 * net/ipv4/tcp_bbr.c, bbr_get_info(); net/ipv4/tcp_dctcp.c, dctcp_get_info()).
 */
static uint8_t extensions_of(unsigned asks) {
  static const struct {
    unsigned ask;
    int attribute;
  } row[] = {{ASK_INFO, INET_DIAG_INFO},
             {ASK_SKMEM, INET_DIAG_SKMEMINFO},
             {ASK_ALGORITHM_INFO, INET_DIAG_VEGASINFO},
             {ASK_CONGESTION, INET_DIAG_CONG}};
  unsigned extensions = 0;
  for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
    if (asks & row[i].ask)
      extensions |= 1u << (row[i].attribute - 1);
  return (uint8_t)extensions;
}

int dump_request_init(struct dump_request *r, const struct settings *settings,
                      struct group *const *group, unsigned timeout_ms) {
  *r = (struct dump_request){.settings = settings};
  r->ask.states = TCP_STATES_TRAFFIC;
  unsigned asks = 0;
  for (size_t i = 0; i < settings->group_count; i++) {
    r->attributes |= group_attrs(group[i]);
    asks |= group_asks(group[i]);
  }
  if (asks & ASK_ALL_STATES)
    r->ask.states |= TCP_STATES_REST;
  if (asks & ASK_LISTENERS)
    r->ask.states |= 1u << TCP_STATE_LISTEN;
  if (r->attributes & ATTR_BIT(ATTR_CONGESTION))
    asks |= ASK_CONGESTION;
  r->ask.extensions = extensions_of(asks);
  r->ask.timeout_ms = timeout_ms;
  r->listeners = (struct sock_diag_request){.states = 1u << TCP_STATE_LISTEN,
                                            .timeout_ms = timeout_ms};
  return filter_compile(r, FEATURES);
}

void dump_request_free(struct dump_request *r) { bytecode_free(&r->bytecode); }

bool dump_request_coarsen(struct dump_request *r) {
  if (r->bytecode.size == 0)
    return false;
  if (r->bytecode.features != 0)
    return filter_compile(r, 0) == 0;
  bytecode_free(&r->bytecode);
  r->bytecode = (struct bytecode){0};
  r->ask.code = NULL;
  r->ask.code_size = 0;
  return true;
}

/* Without memory there is no filter, which is correct, only slower. */
void dump_request_restore(struct dump_request *r) {
  filter_compile(r, FEATURES);
}
