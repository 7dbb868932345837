#include "output/in-flight.h"

typedef struct {
  guint64 id, number;
  gboolean confirmed;
} Sent;

void in_flight_init(InFlight *self)
{
  g_queue_init(&self->sent);
}

void in_flight_clear(InFlight *self)
{
  g_queue_clear_full(&self->sent, g_free);
}

guint in_flight_count(const InFlight *self)
{
  return self->sent.length;
}

void in_flight_add(InFlight *self, guint64 id, guint64 number)
{
  Sent *sent = g_new(Sent, 1);
  *sent = (Sent){ .id = id, .number = number };
  g_queue_push_tail(&self->sent, sent);
}

void in_flight_confirm(InFlight *self, guint64 id, Spool *spool)
{
  for (GList *link = self->sent.head; link; link = link->next) {
    Sent *sent = link->data;
    if (sent->id == id && !sent->confirmed) {
      sent->confirmed = TRUE;
      break;
    }
  }
  Sent *first;
  while ((first = g_queue_peek_head(&self->sent)) && first->confirmed) {
    spool_acknowledge(spool, first->number);
    g_free(g_queue_pop_head(&self->sent));
  }
}
