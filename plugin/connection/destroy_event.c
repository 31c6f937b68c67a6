#include "connection/destroy_event.h"

#include "tcp/tcp_info.h"

static bool is_zero(enum field_id id, const struct sample *s) {
  uint64_t value;
  return field_get(id, s->info, s->info_size, &value) && value == 0;
}

bool destroy_event_is_disconnected(const struct sample *s) {
  return s->attrs.remote_port == 0;
}

/* tcp_disconnect() leaves the peer's window, snd_wnd, which is 0 until a SYN of
 * the peer came. Without a disconnect a connection has failed if its own SYN
 * was not acknowledged and no more than a reset came: an accepted connection
 * received two segments, SYN and ACK. */
bool destroy_event_has_failed(const struct sample *s) {
  uint64_t segs_in;
  if (destroy_event_is_disconnected(s))
    return is_zero(FIELD_SND_WND, s);
  return is_zero(FIELD_BYTES_ACKED, s) &&
         field_get(FIELD_SEGS_IN, s->info, s->info_size, &segs_in) &&
         segs_in <= 1;
}

bool destroy_event_is_no_connection(const struct sample *s) {
  if (destroy_event_is_disconnected(s))
    return address_is_any(&s->attrs.remote);
  return destroy_event_has_failed(s) && is_zero(FIELD_SEGS_OUT, s);
}

bool destroy_event_last_ack(const struct sample *s, uint64_t *ms) {
  return field_get(FIELD_LAST_ACK_RECV, s->info, s->info_size, ms);
}
