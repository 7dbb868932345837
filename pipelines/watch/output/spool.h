/* A queue on disk for messages to a broker. Messages are delivered in order and at least once, even
 * if the program is killed and restarted.
 *
 * The folder holds segments, NUMBER.spool, each named after its first message. Each line is a
 * message: topic, tab, payload. The file "acked" holds the number of the first message not yet
 * delivered. A segment is deleted when all its messages are delivered. Beyond the limit, the oldest
 * segment is dropped and its messages are counted. While the disk is full, messages wait in memory;
 * they are delivered from there, or written once there is room. If the memory is full as well, they
 * are dropped.
 *
 * Reading runs ahead of delivery. spool_read() returns each message once; after spool_rewind() it
 * returns those not yet acknowledged again.
 *
 * May be called from any thread. */
#pragma once

#include <gio/gio.h>

typedef struct {
  guint64 queued;  /* messages not yet delivered */
  guint64 bytes;   /* on disk */
  guint64 dropped; /* since the spool was opened: over the limit, or damaged on disk */
} SpoolStatus;

typedef struct _Spool Spool;

/* Opens a spool, and creates the folder if necessary. Fails if another process uses it.
 * @limit: maximum bytes on disk
 * Returns: (transfer full) (nullable): NULL with an error of G_IO_ERROR that names the folder */
Spool *spool_open(const char *folder, guint64 limit, GError **error);

Spool *spool_ref(Spool *self);

/* The last call closes the spool, and writes waiting messages to disk if there is room. */
void spool_unref(Spool **self);

void spool_set_limit(Spool *self, guint64 limit);

/* Appends a message.
 * @topic: without tabs and newlines
 * @payload: @length bytes without newlines */
void spool_append(Spool *self, const char *topic, const char *payload, gsize length);

/* Reads the next message.
 * @number: (out): for spool_acknowledge()
 * @topic, @payload: (out) (transfer full)
 * Returns: FALSE if all messages have been read */
gboolean spool_read(Spool *self, guint64 *number, char **topic, char **payload);

/* Marks message @number and all before it as delivered. */
void spool_acknowledge(Spool *self, guint64 number);

void spool_rewind(Spool *self);

/* Tries to write waiting messages again, and syncs to disk. */
void spool_sync(Spool *self);

void spool_get_status(Spool *self, SpoolStatus *status);
