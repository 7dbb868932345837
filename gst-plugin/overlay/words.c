/* words.c: what an overlay writes of a result. */
#include "overlay/words.h"

#include <math.h>

#include "common/results.h"

guint gst_vitgate_words_percent(double ratio)
{
  return isfinite(ratio) ? (guint)(CLAMP(ratio, 0, 1) * 100 + 0.5) : 0;
}

/* The label is isolated (U+2068, U+2069), so that its writing direction does not affect the
 * rest. */
static char *label_line(double score, const char *label)
{
  return g_strdup_printf("%u %%  \u2068%s\u2069", gst_vitgate_words_percent(score), label);
}

char *gst_vitgate_words_result(const GstStructure *s, guint i)
{
  const GValue *labels = gst_vitgate_results_get_array(s, "labels"),
               *scores = gst_vitgate_results_get_array(s, "scores"), *label, *score;
  g_autofree char *line = NULL;

  if (!labels || !scores || i >= gst_value_array_get_size(labels) ||
      i >= gst_value_array_get_size(scores))
    return NULL;
  label = gst_value_array_get_value(labels, i);
  score = gst_value_array_get_value(scores, i);
  if (!G_VALUE_HOLDS_STRING(label) || !g_value_get_string(label) || !G_VALUE_HOLDS_DOUBLE(score))
    return NULL;
  line = label_line(g_value_get_double(score), g_value_get_string(label));
  /* A figure space is as wide as a digit. */
  return gst_vitgate_words_percent(g_value_get_double(score)) < 10
             ? g_strconcat("\u2007", line, NULL)
             : g_steal_pointer(&line);
}

/* "fresh", "1 frame old", "12 frames old, late" */
static char *age_words(const GstStructure *s, guint64 age)
{
  const char *state = gst_structure_get_string(s, "state");

  if (age == 0)
    return g_strdup("fresh");
  return g_strdup_printf("%" G_GUINT64_FORMAT " %s old%s%s", age, age == 1 ? "frame" : "frames",
                         state ? ", " : "", state ? state : "");
}

char *gst_vitgate_words_rate(double rate)
{
  return g_strdup_printf("%.1f frames/s", rate);
}

gboolean gst_vitgate_words_is_unsure(const GstStructure *s)
{
  guint n;

  return gst_structure_get_uint(s, "n-results", &n) && n == 0 &&
         !gst_structure_has_field(s, "activation");
}

char *gst_vitgate_words_status(const GstStructure *s, gboolean state, double rate)
{
  g_autofree char *age_text = NULL, *rate_text = NULL;
  guint64 age;

  if (state && gst_structure_get_uint64(s, "age", &age))
    age_text = age_words(s, age);
  if (rate > 0)
    rate_text = gst_vitgate_words_rate(rate);
  if (!age_text || !rate_text)
    return g_strdup(age_text ? age_text : rate_text);
  return g_strdup_printf("%s · %s", age_text, rate_text);
}

char *gst_vitgate_words_region(const GstStructure *s, gboolean state)
{
  const char *label = gst_structure_get_string(s, "label"),
             *type = gst_structure_get_string(s, "type");
  g_autofree char *words = NULL, *age_text = NULL;
  char number[16] = "";
  double score;
  guint64 age;
  gint id;

  if (label && gst_structure_get_double(s, "score", &score))
    words = label_line(score, label);
  else if (type)
    words = g_strdup_printf("\u2068%s\u2069%s", type,
                            gst_vitgate_words_is_unsure(s) ? ", " GST_VITGATE_UNSURE : "");
  else if (gst_vitgate_words_is_unsure(s))
    words = g_strdup(GST_VITGATE_UNSURE);
  else
    return NULL;
  if (gst_structure_get_int(s, "id", &id) && id >= 0)
    g_snprintf(number, sizeof number, "#%d  ", id);
  if (state && gst_structure_get_uint64(s, "age", &age) && age > 0)
    age_text = age_words(s, age);
  return g_strconcat(number, words, age_text ? " · " : "", age_text, NULL);
}

char *gst_vitgate_words_look(const GstStructure *s, gboolean state)
{
  g_autofree char *line = gst_vitgate_words_region(s, state);

  return g_strdup_printf("\u2068%s\u2069%s%s", gst_structure_get_string(s, "look"),
                         line ? "  " : "", line ? line : "");
}
