#include "page/pictures/shared-pictures.h"

#include "base/console.h"
#include "page/pictures/jpeg.h"

#define TICK     20 /* ms: how late a picture may be */
#define QUALITY  75
#define INTERVAL (G_USEC_PER_SEC / PICTURES_PER_SECOND)
/* Between pictures that nobody takes. */
#define MAX_INTERVAL G_USEC_PER_SEC
/* A client that is gone is noticed only when something is sent to it. */
#define REPEAT      (5 * G_USEC_PER_SEC)
#define MAX_REFUSED (30 * G_USEC_PER_SEC)

typedef struct {
  PictureFunc func;
  gpointer user_data;
} Waiter;

/* All who look at a camera in one width. */
typedef struct {
  SharedPictures *owner;
  char *camera;
  guint width;
  GPtrArray *viewers; /* of Viewer */
  GArray *waiters;    /* of Waiter */
  gboolean busy;      /* encoding, or handing out: it must not be freed */
  gboolean reported;  /* that frames cannot be encoded */

  NewestFrame *source; /* (nullable): of the last picture */
  guint64 count;       /* of its frames, then */
  GBytes *jpeg;        /* (nullable): the last picture */

  gint64 due;      /* monotonic time of the next picture, µs */
  gint64 interval; /* between pictures, µs */
  gint64 sent;     /* when the last picture was handed out */
} Channel;

struct _Viewer {
  Channel *channel;
  ViewerFunc func;
  gpointer user_data;
  gboolean fresh;       /* has got nothing yet */
  gboolean over;        /* unwatched while pictures are handed out */
  gint64 refused_since; /* monotonic time, µs; 0: it took the last one */
};

struct _SharedPictures {
  FindFrameFunc find;
  gpointer user_data;
  GPtrArray *channels; /* of Channel */
  guint n_viewers;
  guint timer;
  guint64 encoded;
  guint n_encoding;
  gboolean freed; /* frees itself once nothing is encoded */
};

SharedPictures *shared_pictures_new(FindFrameFunc find, gpointer user_data)
{
  SharedPictures *self = g_new0(SharedPictures, 1);
  self->find = find;
  self->user_data = user_data;
  self->channels = g_ptr_array_new();
  return self;
}

guint shared_pictures_round_width(guint64 width)
{
  static const guint steps[] = { 160, 240, 320, 480, 640, 960, 1280, 1920 };
  for (guint i = 0; i < G_N_ELEMENTS(steps); i++)
    if (width && width <= steps[i])
      return steps[i];
  return 0;
}

guint64 shared_pictures_get_encoded(const SharedPictures *self)
{
  return self->encoded;
}

/* ---- Channels ------------------------------------------------------------------------------ */

static Channel *get_channel(SharedPictures *self, const char *camera, guint width)
{
  for (guint i = 0; i < self->channels->len; i++) {
    Channel *channel = self->channels->pdata[i];
    if (channel->width == width && !g_strcmp0(channel->camera, camera))
      return channel;
  }
  Channel *channel = g_new0(Channel, 1);
  channel->owner = self;
  channel->camera = g_strdup(camera);
  channel->width = width;
  channel->viewers = g_ptr_array_new();
  channel->waiters = g_array_new(FALSE, FALSE, sizeof(Waiter));
  channel->interval = INTERVAL;
  g_ptr_array_add(self->channels, channel);
  return channel;
}

static void free_channel(Channel *channel)
{
  g_clear_pointer(&channel->source, newest_frame_unref);
  g_clear_pointer(&channel->jpeg, g_bytes_unref);
  g_ptr_array_unref(channel->viewers);
  g_array_unref(channel->waiters);
  g_free(channel->camera);
  g_free(channel);
}

static void free_if_unused(Channel *channel)
{
  if (channel->busy || channel->viewers->len || channel->waiters->len)
    return;
  g_ptr_array_remove(channel->owner->channels, channel);
  free_channel(channel);
}

/* Returns: whether the last picture shows the newest frame */
static gboolean is_current(const Channel *channel, NewestFrame *newest)
{
  return channel->jpeg && channel->source == newest &&
         channel->count == newest_frame_get_count(newest);
}

/* ---- Handing out --------------------------------------------------------------------------- */

/* Returns: whether the viewer took it */
static gboolean hand_out(Viewer *viewer, GBytes *jpeg, gint64 now)
{
  if (viewer->func(jpeg, viewer->user_data)) {
    viewer->refused_since = 0;
    viewer->fresh = FALSE;
    return TRUE;
  }
  if (!viewer->refused_since)
    viewer->refused_since = now;
  else if (!viewer->over && now - viewer->refused_since > MAX_REFUSED)
    viewer->func(NULL, viewer->user_data);
  return FALSE;
}

static void remove_viewers(Channel *channel)
{
  for (guint i = channel->viewers->len; i-- > 0;) {
    Viewer *viewer = channel->viewers->pdata[i];
    if (viewer->over) {
      g_ptr_array_remove_index(channel->viewers, i);
      g_free(viewer);
    }
  }
}

/* @jpeg: (nullable): NULL: there will be no others
 * @fresh_only: only to viewers that have got nothing yet
 * Returns: whether any viewer took it */
static gboolean hand_out_to_all(Channel *channel, GBytes *jpeg, gboolean fresh_only)
{
  const gint64 now = g_get_monotonic_time();
  gboolean taken = FALSE;
  gboolean was_busy = channel->busy;
  channel->busy = TRUE;
  for (guint i = 0; i < channel->viewers->len; i++) {
    Viewer *viewer = channel->viewers->pdata[i];
    if (!viewer->over && (viewer->fresh || !fresh_only))
      taken |= hand_out(viewer, jpeg, now);
  }
  channel->busy = was_busy;
  remove_viewers(channel);
  if (!fresh_only)
    channel->sent = now;
  return taken;
}

static void answer_waiters(Channel *channel, GBytes *jpeg, const GError *error)
{
  g_autoptr(GArray) waiters = g_steal_pointer(&channel->waiters);
  channel->waiters = g_array_new(FALSE, FALSE, sizeof(Waiter));
  for (guint i = 0; i < waiters->len; i++) {
    const Waiter *waiter = &g_array_index(waiters, Waiter, i);
    waiter->func(jpeg, error, waiter->user_data);
  }
}

/* ---- Encoding ------------------------------------------------------------------------------ */

static void report(Channel *channel, const GError *error)
{
  if (error && !channel->reported)
    console_print("camera %s: %s", channel->camera, error->message);
  channel->reported = error != NULL;
}

static void free_self(SharedPictures *self)
{
  for (guint i = 0; i < self->channels->len; i++)
    free_channel(self->channels->pdata[i]);
  g_ptr_array_unref(self->channels);
  g_free(self);
}

static void on_encoded(GObject *source, GAsyncResult *result, gpointer user_data)
{
  Channel *channel = user_data;
  SharedPictures *self = channel->owner;
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) jpeg = jpeg_encode_finish(result, &error);
  self->n_encoding--;
  if (self->freed) {
    if (!self->n_encoding)
      free_self(self);
    return;
  }
  self->encoded += jpeg != NULL;
  report(channel, error);
  g_clear_pointer(&channel->jpeg, g_bytes_unref);
  if (jpeg) {
    channel->jpeg = g_bytes_ref(jpeg);
    channel->interval =
        hand_out_to_all(channel, jpeg, FALSE) ? INTERVAL : MIN(2 * channel->interval, MAX_INTERVAL);
  }
  answer_waiters(channel, jpeg, error);
  channel->busy = FALSE;
  free_if_unused(channel);
}

/* @newest: of the channel's camera
 * Returns: FALSE if there is no frame */
static gboolean encode(Channel *channel, NewestFrame *newest)
{
  const guint64 count = newest_frame_get_count(newest);
  g_autoptr(GstSample) sample = newest_frame_get(newest);
  if (!sample)
    return FALSE;
  if (channel->source != newest) {
    g_clear_pointer(&channel->source, newest_frame_unref);
    channel->source = newest_frame_ref(newest);
  }
  channel->count = count;
  channel->busy = TRUE;
  channel->owner->n_encoding++;
  jpeg_encode(sample, NULL, channel->width, QUALITY, on_encoded, channel);
  return TRUE;
}

static void serve_channel(Channel *channel, gint64 now)
{
  NewestFrame *newest = channel->owner->find(channel->camera, channel->owner->user_data);
  if (channel->busy || !channel->viewers->len)
    return;
  if (!newest) {
    hand_out_to_all(channel, NULL, FALSE);
    free_if_unused(channel);
    return;
  }
  const gboolean current = is_current(channel, newest);
  if (channel->jpeg && (current || now - channel->sent > REPEAT))
    hand_out_to_all(channel, channel->jpeg, now - channel->sent <= REPEAT);
  if (!current && now >= channel->due && channel->viewers->len && encode(channel, newest))
    /* A picture may come early by the time that the last one was late. */
    channel->due = MAX(channel->due, now - channel->interval) + channel->interval;
  free_if_unused(channel);
}

static gboolean on_tick(gpointer user_data)
{
  SharedPictures *self = user_data;
  const gint64 now = g_get_monotonic_time();
  for (guint i = self->channels->len; i-- > 0;)
    if (i < self->channels->len)
      serve_channel(self->channels->pdata[i], now);
  if (self->n_viewers)
    return G_SOURCE_CONTINUE;
  self->timer = 0;
  return G_SOURCE_REMOVE;
}

/* ---- Who looks ----------------------------------------------------------------------------- */

void shared_pictures_get(SharedPictures *self, const char *camera, guint width, PictureFunc func,
                         gpointer user_data)
{
  NewestFrame *newest = self->find(camera, self->user_data);
  Channel *channel = get_channel(self, camera, width);
  if (newest && !channel->busy && is_current(channel, newest)) {
    func(channel->jpeg, NULL, user_data);
  } else if (newest && (channel->busy || encode(channel, newest))) {
    const Waiter waiter = { func, user_data };
    g_array_append_val(channel->waiters, waiter);
  } else {
    g_autoptr(GError) error =
        g_error_new(G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "camera %s has no picture now", camera);
    func(NULL, error, user_data);
  }
  free_if_unused(channel);
}

Viewer *shared_pictures_watch(SharedPictures *self, const char *camera, guint width,
                              ViewerFunc func, gpointer user_data)
{
  Viewer *viewer = g_new0(Viewer, 1);
  viewer->channel = get_channel(self, camera, width);
  viewer->func = func;
  viewer->user_data = user_data;
  viewer->fresh = TRUE;
  g_ptr_array_add(viewer->channel->viewers, viewer);
  viewer->channel->interval = INTERVAL;
  viewer->channel->due = MIN(viewer->channel->due, g_get_monotonic_time() + INTERVAL);
  self->n_viewers++;
  if (!self->timer)
    self->timer = g_timeout_add(TICK, on_tick, self);
  return viewer;
}

void shared_pictures_unwatch(SharedPictures *self, Viewer *viewer)
{
  Channel *channel = viewer->channel;
  self->n_viewers--;
  viewer->over = TRUE;
  if (channel->busy)
    return;
  remove_viewers(channel);
  free_if_unused(channel);
}

void shared_pictures_free(SharedPictures **pictures)
{
  SharedPictures *self = *pictures;
  *pictures = NULL;
  if (!self)
    return;
  g_autoptr(GError) error = g_error_new(G_IO_ERROR, G_IO_ERROR_CLOSED, "the program ends");
  for (guint i = 0; i < self->channels->len; i++)
    answer_waiters(self->channels->pdata[i], NULL, error);
  if (self->timer)
    g_source_remove(self->timer);
  self->freed = TRUE;
  if (!self->n_encoding)
    free_self(self);
}
