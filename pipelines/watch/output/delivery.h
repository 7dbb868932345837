/* What threads that deliver a spool to a broker have in common: whether they are connected, what is
 * reported about it, and how they are stopped. May be called from any thread. */
#pragma once

#include "output/spool.h"

typedef struct {
  char *name; /* of the broker, for messages */
  Spool *spool;
  GMutex lock;
  GCond changed;
  gboolean stopping, delivering, over, connected;
  char *error;
} Delivery;

typedef struct {
  gboolean connected;
  char *error; /* (nullable): why it is not connected */
} DeliveryStatus;

/* @name: (transfer full): of the broker, such as "MQTT broker localhost:1883" */
void delivery_init(Delivery *self, char *name, Spool *spool);
void delivery_clear(Delivery *self);

/* Reports that the broker is connected. */
void delivery_set_connected(Delivery *self);

/* Reports why the broker is not connected, but not the same reason again. */
void delivery_set_trouble(Delivery *self, const char *reason);

gboolean delivery_is_connected(Delivery *self);
gboolean delivery_is_stopping(Delivery *self);

/* Returns: whether a thread that was asked to stop ends now: it has nothing to deliver, or no time
 * for that is left
 * @more: something that is not in the spool has to be delivered
 * @parting: (inout): 0 at first */
gboolean delivery_should_end(Delivery *self, gboolean more, gint64 *parting);

/* Waits for so many seconds, or until delivery_stop(). */
void delivery_wait(Delivery *self, double seconds);

/* Called at the end of the thread. */
void delivery_end(Delivery *self);

/* Asks the thread to end, which may have to be woken up then.
 * @deliver: first deliver messages, for up to two seconds */
void delivery_stop(Delivery *self, gboolean deliver);

/* Waits some seconds for the end of the thread. */
void delivery_join(Delivery *self);

/* Returns: whether the thread has ended */
gboolean delivery_is_over(Delivery *self);

/* @status: (out): free it with delivery_status_clear() */
void delivery_get_status(Delivery *self, DeliveryStatus *status);
void delivery_status_clear(DeliveryStatus *status);
