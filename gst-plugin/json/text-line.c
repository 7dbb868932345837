/* text-line.c: writes a frame's labels as a line of text for people. */
#include "json/text-line.h"

#include "base/clean-text.h"

static void write_time(GString *line, const GstVitgateFrameTimes *times)
{
  GstClockTime time =
      GST_CLOCK_TIME_IS_VALID(times->stream_time) ? times->stream_time : times->running_time;

  if (GST_CLOCK_TIME_IS_VALID(time))
    g_string_append_printf(line, "%" G_GUINT64_FORMAT ":%02u:%02u.%03u", time / (3600 * GST_SECOND),
                           (guint)(time / (60 * GST_SECOND) % 60), (guint)(time / GST_SECOND % 60),
                           (guint)(time / GST_MSECOND % 1000));
  else
    g_string_append(line, "-:--:--.---");
}

static void write_class(GString *line, const char *label, double score)
{
  g_autofree char *clean = vitgate__clean_text(label);

  g_string_append_printf(line, "  %3.0f %%  %s", 100 * score, clean);
}

/* Writes all classes of @s, each of which has a probability of its own. */
static void write_all_classes(GString *line, const GstStructure *s)
{
  const GValue *labels = gst_vitgate_results_get_array(s, "labels"),
               *scores = gst_vitgate_results_get_array(s, "scores");
  guint n = labels && scores
                ? MIN(gst_value_array_get_size(labels), gst_value_array_get_size(scores))
                : 0;

  for (guint i = 0; i < n; i++) {
    const GValue *label = gst_value_array_get_value(labels, i),
                 *score = gst_value_array_get_value(scores, i);

    if (G_VALUE_HOLDS_STRING(label) && g_value_get_string(label) && G_VALUE_HOLDS_DOUBLE(score))
      write_class(line, g_value_get_string(label), g_value_get_double(score));
  }
}

static void write_look(GString *line, const GstStructure *result)
{
  const char *look = gst_structure_get_string(result, "look");
  g_autofree char *clean = look ? vitgate__clean_text(look) : NULL;

  if (clean)
    g_string_append_printf(line, "  %s", clean);
}

/* @s: a result or one of its regions */
static void write_classes(GString *line, const GstStructure *s)
{
  const char *label = gst_structure_get_string(s, "label");
  double score = 0;

  if (!label)
    g_string_append(line, "         unsure");
  else if (gst_structure_has_field(s, "activation"))
    write_all_classes(line, s);
  else if (gst_structure_get_double(s, "score", &score))
    write_class(line, label, score);
}

static void write_place(GString *line, const GstStructure *region)
{
  const char *type = gst_structure_get_string(region, "type");
  g_autofree char *clean = vitgate__clean_text(type ? type : "region");
  guint x = 0, y = 0, width = 0, height = 0;
  gint id = -1;

  gst_structure_get(region, "x", G_TYPE_UINT, &x, "y", G_TYPE_UINT, &y, "width", G_TYPE_UINT,
                    &width, "height", G_TYPE_UINT, &height, NULL);
  gst_structure_get_int(region, "id", &id);
  g_string_append_printf(line, "  (%s", clean);
  if (id >= 0)
    g_string_append_printf(line, " %d", id);
  g_string_append_printf(line, ", %ux%u at %u,%u)", width, height, x, y);
}

/* Writes the lines of one result. */
static void write_result(GString *text, const GstVitgateJsonFrame *frame, const GstStructure *s)
{
  const GstStructure *region;
  guint i = 0;

  if (!gst_vitgate_results_get_array(s, "regions")) {
    write_time(text, &frame->times);
    write_look(text, s);
    write_classes(text, s);
    g_string_append_c(text, '\n');
  }
  while ((region = gst_vitgate_results_next_region(s, &i))) {
    write_time(text, &frame->times);
    write_look(text, s);
    write_classes(text, region);
    write_place(text, region);
    g_string_append_c(text, '\n');
  }
}

char *gst_vitgate_text_line(const GstVitgateJsonFrame *frame, GstBuffer *buffer, gsize *length)
{
  GString *text = g_string_new(NULL);
  const GstStructure *s;
  gpointer state = NULL;

  while ((s = gst_vitgate_results_next(buffer, &state)))
    write_result(text, frame, s);
  if (!text->len) {
    write_time(text, &frame->times);
    g_string_append(text, "         no result\n");
  }
  *length = text->len;
  return g_string_free(text, FALSE);
}
