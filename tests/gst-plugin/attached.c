/* attached.c: attaches results as vitgate does, with values chosen by the test. */
#include "attached.h"

#include "fixture.h"

GstHarness *attached_harness(const char *name)
{
  return fixture_harness(fixture_make(name));
}

GstStructure *attached_result(GstBuffer *frame)
{
  GstCustomMeta *meta = gst_buffer_add_custom_meta(frame, "VitgateMeta");

  fail_unless(meta, "VitgateMeta is not registered: was an element of the plugin made?");
  return gst_custom_meta_get_structure(meta);
}

static void append(GValue *array, GType type, const AttachedClass *class)
{
  GValue value = G_VALUE_INIT;

  g_value_init(&value, type);
  if (type == G_TYPE_STRING)
    g_value_set_string(&value, class->label);
  else if (type == G_TYPE_UINT)
    g_value_set_uint(&value, class->index);
  else
    g_value_set_double(&value, class->score);
  gst_value_array_append_and_take_value(array, &value);
}

static void set_array(GstStructure *s, const char *field, GType type, const AttachedClass *classes,
                      guint n)
{
  GValue array = G_VALUE_INIT;

  gst_value_array_init(&array, n);
  for (guint i = 0; i < n; i++)
    append(&array, type, &classes[i]);
  gst_structure_take_value(s, field, &array);
}

void attached_classes(GstStructure *s, const AttachedClass *classes, guint n)
{
  /* A structure accepts invalid UTF-8 only inside arrays. */
  if (n > 0 && g_utf8_validate(classes->label, -1, NULL))
    gst_structure_set(s, "label", G_TYPE_STRING, classes->label, "index", G_TYPE_UINT,
                      classes->index, "score", G_TYPE_DOUBLE, classes->score, NULL);
  gst_structure_set(s, "n-results", G_TYPE_UINT, n, NULL);
  set_array(s, "labels", G_TYPE_STRING, classes, n);
  set_array(s, "indices", G_TYPE_UINT, classes, n);
  set_array(s, "scores", G_TYPE_DOUBLE, classes, n);
}

void attached_raw(GstStructure *s, const AttachedClass *classes, guint n)
{
  gst_structure_set(s, "raw-label", G_TYPE_STRING, classes->label, "raw-index", G_TYPE_UINT,
                    classes->index, "raw-score", G_TYPE_DOUBLE, classes->score, NULL);
  set_array(s, "raw-labels", G_TYPE_STRING, classes, n);
  set_array(s, "raw-indices", G_TYPE_UINT, classes, n);
  set_array(s, "raw-scores", G_TYPE_DOUBLE, classes, n);
}

void attached_label(GstStructure *s, const char *label)
{
  const AttachedClass class = { label, 1, 0.5 };

  attached_classes(s, &class, 1);
}

GstBuffer *attached_frame(const char *label)
{
  GstBuffer *frame = gst_buffer_new_allocate(NULL, 4, NULL);

  gst_buffer_memset(frame, 0, 0, 4);
  if (label)
    attached_label(attached_result(frame), label);
  return frame;
}

GstStructure *attached_region(guint x, guint y, guint width, guint height, gint id,
                              const char *label)
{
  GstStructure *s =
      gst_structure_new("region", "x", G_TYPE_UINT, x, "y", G_TYPE_UINT, y, "width", G_TYPE_UINT,
                        width, "height", G_TYPE_UINT, height, "id", G_TYPE_INT, id, NULL);

  if (label)
    attached_label(s, label);
  return s;
}

void attached_regions(GstStructure *s, GstStructure *region, ...)
{
  GValue array = G_VALUE_INIT;
  va_list regions;

  gst_value_array_init(&array, 0);
  va_start(regions, region);
  for (; region; region = va_arg(regions, GstStructure *)) {
    GValue value = G_VALUE_INIT;

    g_value_init(&value, GST_TYPE_STRUCTURE);
    g_value_take_boxed(&value, region);
    gst_value_array_append_and_take_value(&array, &value);
  }
  va_end(regions);
  gst_structure_take_value(s, "regions", &array);
}
