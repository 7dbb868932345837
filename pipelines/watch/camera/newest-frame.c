#include "camera/newest-frame.h"

struct _NewestFrame {
  gatomicrefcount references;
  gint wanted; /* atomic */
  GMutex lock;
  GstPad *pad;       /* (nullable): where frames come from */
  GstBuffer *buffer; /* (nullable) */
  GstCaps *caps;     /* of the buffer */
  guint64 count;
};

NewestFrame *newest_frame_new(void)
{
  NewestFrame *self = g_new0(NewestFrame, 1);
  g_atomic_ref_count_init(&self->references);
  g_mutex_init(&self->lock);
  return self;
}

NewestFrame *newest_frame_ref(NewestFrame *self)
{
  g_atomic_ref_count_inc(&self->references);
  return self;
}

void newest_frame_unref(NewestFrame *self)
{
  if (!g_atomic_ref_count_dec(&self->references))
    return;
  newest_frame_stop(self);
  g_mutex_clear(&self->lock);
  g_free(self);
}

static GstPadProbeReturn on_frame(GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  NewestFrame *self = user_data;
  if (!g_atomic_int_get(&self->wanted))
    return GST_PAD_PROBE_OK;
  GstBuffer *buffer = gst_buffer_ref(GST_PAD_PROBE_INFO_BUFFER(info));
  GstCaps *caps = gst_pad_get_current_caps(pad);
  g_mutex_lock(&self->lock);
  if (self->pad == pad && g_atomic_int_get(&self->wanted)) {
    GstBuffer *old_buffer = self->buffer;
    GstCaps *old_caps = self->caps;
    self->buffer = buffer;
    self->caps = caps;
    self->count++;
    buffer = old_buffer;
    caps = old_caps;
  }
  g_mutex_unlock(&self->lock);
  gst_clear_buffer(&buffer);
  gst_clear_caps(&caps);
  return GST_PAD_PROBE_OK;
}

static void drop(NewestFrame *self)
{
  g_mutex_lock(&self->lock);
  GstBuffer *buffer = g_steal_pointer(&self->buffer);
  GstCaps *caps = g_steal_pointer(&self->caps);
  self->count++;
  g_mutex_unlock(&self->lock);
  gst_clear_buffer(&buffer);
  gst_clear_caps(&caps);
}

static void set_pad(NewestFrame *self, GstPad *pad)
{
  g_mutex_lock(&self->lock);
  GstPad *old_pad = self->pad;
  self->pad = pad ? gst_object_ref(pad) : NULL;
  g_mutex_unlock(&self->lock);
  gst_clear_object(&old_pad);
  drop(self);
}

void newest_frame_watch(NewestFrame *self, GstPad *pad)
{
  set_pad(self, pad);
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_frame, newest_frame_ref(self),
                    (GDestroyNotify)newest_frame_unref);
}

void newest_frame_set_wanted(NewestFrame *self, gboolean wanted)
{
  g_atomic_int_set(&self->wanted, wanted);
  if (!wanted)
    drop(self);
}

void newest_frame_stop(NewestFrame *self)
{
  set_pad(self, NULL);
}

GstSample *newest_frame_get(NewestFrame *self)
{
  GstSample *sample = NULL;
  g_mutex_lock(&self->lock);
  if (self->buffer)
    sample = gst_sample_new(self->buffer, self->caps, NULL, NULL);
  g_mutex_unlock(&self->lock);
  return sample;
}

guint64 newest_frame_get_count(NewestFrame *self)
{
  g_mutex_lock(&self->lock);
  guint64 count = self->count;
  g_mutex_unlock(&self->lock);
  return count;
}
