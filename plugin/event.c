#include "event.h"

#include "field.h"

static bool is_zero(enum field_id id, const struct sample *s) {
  uint64_t value;
  return field_get(id, s->info, s->info_size, &value) && value == 0;
}

bool event_is_blank(const struct sample *s) {
  return s->subject.remote_port == 0;
}

/* Of a blank one the peer's window remains (tcp_disconnect() leaves snd_wnd).
 * Else its own SYN was not acknowledged, and no more than a reset came: an
 * accepted connection had two segments, SYN and ACK. */
bool event_has_failed(const struct sample *s) {
  uint64_t segs_in;
  if (event_is_blank(s))
    return is_zero(FIELD_SND_WND, s);
  return is_zero(FIELD_BYTES_ACKED, s) &&
         field_get(FIELD_SEGS_IN, s->info, s->info_size, &segs_in) &&
         segs_in <= 1;
}

bool event_is_void(const struct sample *s) {
  if (event_is_blank(s))
    return address_is_any(&s->subject.remote);
  return event_has_failed(s) && is_zero(FIELD_SEGS_OUT, s);
}

bool event_last_ack(const struct sample *s, uint64_t *ms) {
  return field_get(FIELD_LAST_ACK_RECV, s->info, s->info_size, ms);
}
