/* held-results.c: holds what an overlay writes for half a second, so that its numbers can be read.
 */
#include "overlay/held-results.h"

#include "common/results.h"
#include "common/structure.h"

typedef struct {
  GstStructure *shown;
  GstClockTime time;
  guint64 round; /* last frame that showed it */
} Held;

static void held_free(gpointer data)
{
  Held *held = data;

  gst_structure_free(held->shown);
  g_free(held);
}

void gst_vitgate_held_results_init(GstVitgateHeldResults *held)
{
  held->results = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, held_free);
  held->round = 0;
}

void gst_vitgate_held_results_clear(GstVitgateHeldResults *held)
{
  g_clear_pointer(&held->results, g_hash_table_unref);
}

void gst_vitgate_held_results_forget(GstVitgateHeldResults *held)
{
  g_hash_table_remove_all(held->results);
}

static gboolean is_gone(gpointer key, gpointer value, gpointer round)
{
  return ((const Held *)value)->round != *(const guint64 *)round;
}

void gst_vitgate_held_results_next_frame(GstVitgateHeldResults *held)
{
  g_hash_table_foreach_remove(held->results, is_gone, &held->round);
  held->round++;
}

/* Gets the compute ratio of a result: its own, or the mean of its regions. */
static gboolean compute_ratio(const GstStructure *s, double *ratio)
{
  const GstStructure *region;
  guint i = 0, n = 0;
  double sum = 0, one;

  if (gst_structure_get_double(s, "compute-ratio", ratio))
    return TRUE;
  while ((region = gst_vitgate_results_next_region(s, &i))) {
    if (gst_structure_get_double(region, "compute-ratio", &one)) {
      sum += one;
      n++;
    }
  }
  *ratio = n ? sum / n : 0;
  return n > 0;
}

/* Returns: (transfer full): @s without its regions. */
static GstStructure *copy_without_regions(const GstStructure *s)
{
  GstStructure *copy = gst_structure_new_empty(gst_structure_get_name(s));
  double ratio;

  for (gint i = 0; i < gst_structure_n_fields(s); i++) {
    const char *field = gst_structure_nth_field_name(s, (guint)i);

    if (!g_str_equal(field, "regions"))
      gst_structure_set_value(copy, field, gst_structure_get_value(s, field));
  }
  if (compute_ratio(s, &ratio))
    structure_set_double(copy, "compute-ratio", ratio);
  return copy;
}

static gboolean has_same(const GstStructure *a, const GstStructure *b, const char *field)
{
  return g_strcmp0(gst_structure_get_string(a, field), gst_structure_get_string(b, field)) == 0;
}

/* Whether only numbers may differ. */
static gboolean is_same(const GstStructure *a, const GstStructure *b)
{
  guint n_a = 0, n_b = 0;

  gst_structure_get_uint(a, "n-results", &n_a);
  gst_structure_get_uint(b, "n-results", &n_b);
  return n_a == n_b && has_same(a, b, "label") && has_same(a, b, "look");
}

static gboolean is_current(const Held *held, const GstStructure *s, GstClockTime time)
{
  return GST_CLOCK_TIME_IS_VALID(time) && GST_CLOCK_TIME_IS_VALID(held->time) &&
         (GstClockTime)ABS(GST_CLOCK_DIFF(held->time, time)) < GST_VITGATE_HOLD &&
         is_same(held->shown, s);
}

const GstStructure *gst_vitgate_held_results_get(GstVitgateHeldResults *self, const char *key,
                                                 const GstStructure *s, GstClockTime time)
{
  Held *held = g_hash_table_lookup(self->results, key);

  if (!held) {
    held = g_new0(Held, 1);
    g_hash_table_insert(self->results, g_strdup(key), held);
  }
  if (!held->shown || !is_current(held, s, time)) {
    g_clear_pointer(&held->shown, gst_structure_free);
    held->shown = copy_without_regions(s);
    held->time = time;
  }
  held->round = self->round;
  return held->shown;
}
