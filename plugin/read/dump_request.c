#include "read/dump_request.h"

#include <linux/inet_diag.h>
#include <stdlib.h>

/* Pushes down only conditions on attributes that never change. If a filter in
 * the kernel hid a socket while its mark or device is another, the socket would
 * later seem to be new, and its past would count again. */
enum { FEATURES = BYTECODE_CGROUP };

/* Compiles the groups' selectors, joined by `or`, which are borrowed for that.
 */
static int selectors_compile(const struct settings *settings, unsigned features,
                             struct bytecode *out) {
  struct selector any = {.op = SELECTOR_OR, .count = settings->group_count};
  any.child = calloc(settings->group_count + 1, sizeof(struct selector *));
  if (any.child == NULL)
    return -1;
  for (size_t i = 0; i < settings->group_count; i++)
    any.child[i] = settings->group[i].selector;
  int status = bytecode_compile(&any, features, out);
  free(any.child);
  return status;
}

/* Makes the filter with this detail. Without memory there is none. */
static int filter_make(struct dump_request *r,
                       enum dump_request_detail detail) {
  unsigned features = detail == DUMP_REQUEST_WHOLE ? FEATURES : 0;
  int status = 0;
  r->detail = detail;
  bytecode_free(&r->bytecode);
  if (detail != DUMP_REQUEST_NONE)
    status = selectors_compile(r->settings, features, &r->bytecode);
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
  return filter_make(r, DUMP_REQUEST_WHOLE);
}

void dump_request_free(struct dump_request *r) { bytecode_free(&r->bytecode); }

bool dump_request_coarsen(struct dump_request *r) {
  if (r->bytecode.size == 0)
    return false;
  return filter_make(r, r->bytecode.features != 0 ? DUMP_REQUEST_COARSE
                                                  : DUMP_REQUEST_NONE) == 0;
}

/* Without memory there is no filter, which is correct, only slower. */
void dump_request_restore(struct dump_request *r) {
  filter_make(r, DUMP_REQUEST_WHOLE);
}

void dump_request_renew(struct dump_request *r) { filter_make(r, r->detail); }
