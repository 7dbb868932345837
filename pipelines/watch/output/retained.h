/* Messages that the broker keeps for those who subscribe later: the newest of each topic. While the
 * broker is away, only the newest waits. A file lists the topics, so that those that are no longer
 * wanted are cleared from the broker, also after a restart.
 *
 * May be called from any thread. */
#pragma once

#include <glib.h>

typedef struct _Retained Retained;

/* @path: of the file of topics; its folder exists
 * Returns: (transfer full) */
Retained *retained_new(const char *path);

Retained *retained_ref(Retained *self);
void retained_unref(Retained **self);

/* Sets what a topic says. If it says so already, nothing is sent; nor if the topic is not wanted.
 * @topic: without newlines */
void retained_set(Retained *self, const char *topic, const char *text);

/* As above, with any bytes. */
void retained_set_bytes(Retained *self, const char *topic, GBytes *payload);

/* Sets which topics there are. Others are cleared from the broker. What wanted ones say there stays
 * until they are set.
 * @wanted: set of char * */
void retained_want(Retained *self, GHashTable *wanted);

/* Leaves a topic to somebody else: what it says at the broker stays, and nothing is sent any more.
 */
void retained_forget(Retained *self, const char *topic);

/* Takes the next message to send.
 * @topic, @payload: (out) (transfer full): an empty payload clears the topic
 * @serial: (out): for retained_confirm()
 * Returns: FALSE if all have been taken */
gboolean retained_take(Retained *self, char **topic, GBytes **payload, guint64 *serial);

/* Tells that the broker has a message. */
void retained_confirm(Retained *self, const char *topic, guint64 serial);

/* All messages are to be sent again, since the broker may have lost them. */
void retained_rewind(Retained *self);

/* Returns: whether the broker has all messages */
gboolean retained_is_settled(Retained *self);
