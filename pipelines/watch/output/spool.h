/* The queue of messages on their way to a broker, on disk: what was taken in is delivered in order
 * and at least once, across ends of the program however violent.
 *
 * The folder holds segments, NUMBER.spool, each named after its first message, one line a message:
 * topic, tab, payload. The file "acked" holds the number of the first message that is not yet
 * delivered. A segment that is delivered wholly is deleted. Beyond the limit the oldest segment is
 * dropped and its messages are counted. What a full disk does not take waits in memory, is
 * delivered from there, or written once there is room; what finds no room there either is dropped.
 *
 * Reading goes ahead of delivery: spool_read() gives each message once, until spool_rewind(), after
 * which those not acknowledged come again.
 *
 * May be called from any thread. */
#pragma once

#include <gio/gio.h>

typedef struct {
  guint64 queued;  /* messages not yet delivered */
  guint64 bytes;   /* on disk */
  guint64 dropped; /* since the spool was opened: beyond the limit, or damaged on disk */
} SpoolStatus;

typedef struct _Spool Spool;

/* Makes the folder where there is none; one that another process uses is refused.
 * @limit: bytes on disk
 * Returns: (transfer full): or NULL with an error of G_IO_ERROR that names the folder */
Spool *spool_open(const char *folder, guint64 limit, GError **error);

Spool *spool_ref(Spool *self);

/* The last one closes it: what waits in memory is written where there is room. */
void spool_unref(Spool **self);

void spool_set_limit(Spool *self, guint64 limit);

/* @topic: without tabs and newlines
 * @payload: @length bytes without newlines */
void spool_append(Spool *self, const char *topic, const char *payload, gsize length);

/* @number: (out): names the message to spool_acknowledge()
 * @topic, @payload: (out) (transfer full)
 * Returns: FALSE where there is none that was not read yet */
gboolean spool_read(Spool *self, guint64 *number, char **topic, char **payload);

/* The message and all before it are delivered. */
void spool_acknowledge(Spool *self, guint64 number);

void spool_rewind(Spool *self);

/* Tries again what waits in memory, and brings to the disk what was written. */
void spool_sync(Spool *self);

void spool_get_status(Spool *self, SpoolStatus *status);
