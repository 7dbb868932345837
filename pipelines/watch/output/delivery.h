/* What threads that deliver a spool to a broker have in common: how they try again, whether they
 * are connected, what is reported about it, and how they are stopped. May be called from any
 * thread. */
#pragma once

#include "base/backoff.h"
#include "output/spool.h"

typedef struct {
  char *name; /* of the broker, for messages */
  Spool *spool;
  Backoff backoff; /* used by the thread only */
  int wake;        /* an eventfd: there is something to do */
  GThread *thread;
  void (*attempt)(gpointer user_data);
  gpointer user_data;

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
void delivery_init(Delivery *self, char *name, Spool *spool, double retry_min, double retry_max);

/* Starts the thread.
 * @attempt: called again and again, with waits, until delivery_stop(): connects, delivers while
 * connected, and returns when the connection is over or delivery_should_end() says so */
void delivery_start(Delivery *self, const char *thread, void (*attempt)(gpointer user_data),
                    gpointer user_data);

/* Wakes the thread up. */
void delivery_wake(Delivery *self);

/* Called by the thread once it can read from the eventfd. */
void delivery_woken(Delivery *self);

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

/* Asks the thread to end, and waits some seconds for that.
 * @deliver: first deliver messages, for up to two seconds */
void delivery_stop(Delivery *self, gboolean deliver);

/* Frees what it has. Call delivery_stop() first.
 * Returns: FALSE, and frees nothing, if the thread hangs, as it is reported then: resolving a host
 * name, or connecting, can take minutes */
gboolean delivery_clear(Delivery *self);

/* @status: (out): free it with delivery_status_clear() */
void delivery_get_status(Delivery *self, DeliveryStatus *status);
void delivery_status_clear(DeliveryStatus *status);
