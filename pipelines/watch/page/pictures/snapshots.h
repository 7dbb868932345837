/* Keeps a picture of each event in a folder, up to a number of bytes: the oldest make room for new
 * ones.
 *
 * A file is complete or not there, however the program ends. What is kept is read from the names of
 * the files: a number that grows with each, the event's id and a hash of the camera's name. So
 * neither an index nor the clock is needed to know which is the oldest. While the disk does not
 * accept pictures, events have none; that is reported once. */
#pragma once

#include <gio/gio.h>
#include <gst/gst.h>

typedef struct {
  guint count;
  guint64 bytes, limit;
  guint64 dropped; /* events without a picture, because too many came at once or the disk failed */
} SnapshotsStatus;

/* A picture that is kept. */
typedef struct {
  char *id;    /* of the event */
  gint64 time; /* of the event, microseconds since 1970 */
  char *path;
} Snapshot;

typedef struct _Snapshots Snapshots;

/* @folder: is created if necessary
 * @limit: maximum bytes; 0: no pictures, and those that are there stay
 * Returns: (transfer full): also if the folder cannot be used, which is reported then */
Snapshots *snapshots_new(const char *folder, guint64 limit);

/* Encodes and keeps a picture for an event, in a thread of its own. May be called from any thread;
 * returns at once.
 * @id: as of event_id_new()
 * @comment: written into the file
 * Returns: FALSE if there are too many that wait, since each holds a buffer of a decoder */
gboolean snapshots_take(Snapshots *self, const char *id, const char *camera, GstSample *frame,
                        const char *comment);

/* Returns: whether there is a picture for the event, or will be unless the disk fails. May be
 * called from any thread */
gboolean snapshots_has(Snapshots *self, const char *id);

/* Reads a picture. If it is still being made, waits for it. */
void snapshots_load(Snapshots *self, const char *id, GAsyncReadyCallback callback,
                    gpointer user_data);

/* Returns: (transfer full) (nullable): NULL with an error of G_IO_ERROR: NOT_FOUND, if there is
 * none */
GBytes *snapshots_load_finish(GAsyncResult *result, GError **error);

/* Lists the pictures of a camera that are not older than @since (microseconds since 1970). May be
 * called from any thread. Any of them may be gone when it is opened.
 * Returns: (transfer full): of Snapshot, newest first */
GPtrArray *snapshots_list(Snapshots *self, const char *camera, gint64 since);

/* Called with each picture that is kept, by the thread that makes them. */
typedef void (*SnapshotsFunc)(const char *camera, GBytes *jpeg, gpointer user_data);

/* Call it before the first picture is taken. */
void snapshots_set_func(Snapshots *self, SnapshotsFunc func, gpointer user_data);

void snapshots_get_status(Snapshots *self, SnapshotsStatus *status);

/* Keeps the pictures that still wait, and frees it. */
void snapshots_free(Snapshots **self);
