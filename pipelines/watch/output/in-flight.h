/* The messages of a spool that were sent and not yet confirmed. Confirmations may arrive in any
 * order; the spool needs them in its own. Used by one thread. */
#pragma once

#include "output/spool.h"

typedef struct {
  GQueue sent;
} InFlight;

void in_flight_init(InFlight *self);

/* Forgets all messages. */
void in_flight_clear(InFlight *self);

guint in_flight_count(const InFlight *self);

/* Adds a message.
 * @id: by which it will be confirmed
 * @number: of the spool, one more than that of the message before */
void in_flight_add(InFlight *self, guint64 id, guint64 number);

/* Marks the first unconfirmed message with @id, and acknowledges to the spool all messages before
 * the first one that is unconfirmed then. */
void in_flight_confirm(InFlight *self, guint64 id, Spool *spool);
