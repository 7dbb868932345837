/* region-memory.c: keeps the results of tracked regions from frame to frame. */
#include "classify/region-memory.h"

#include <string.h>

GstVitgateRegionResult *gst_vitgate_region_result_new(const VitgateResult *result, guint n_modules)
{
  const gsize probabilities = result->n_classes * sizeof *result->probabilities;
  const gsize smoothing = gst_vitgate_smoothing_size(result->n_classes);
  GstVitgateRegionResult *copy =
      g_rc_box_alloc(sizeof(GstVitgateRegionResult) + probabilities + smoothing + n_modules);

  memcpy(copy->memory, result->probabilities, probabilities);
  gst_vitgate_smoothing_init(&copy->smoothing, result->n_classes, copy->memory + probabilities);
  memcpy(copy->memory + probabilities + smoothing, result->modules, n_modules);
  copy->result = *result;
  copy->result.probabilities = (const float *)copy->memory;
  copy->result.logits = NULL;
  copy->result.modules = copy->memory + probabilities + smoothing;
  return copy;
}

GstVitgateRegionResult *gst_vitgate_region_result_ref(GstVitgateRegionResult *result)
{
  return g_rc_box_acquire(result);
}

void gst_vitgate_region_result_unref(gpointer result)
{
  if (result)
    g_rc_box_release(result);
}

/* Identifies an object. The type is part of the key because each detector's tracker counts on its
 * own. */
typedef struct {
  guint64 id;
  GQuark type;
} Key;

typedef struct {
  Key key;
  guint64 seen;                   /* number of the last frame with it */
  GstVitgateRegionResult *result; /* NULL: none yet */
} Entry;

static guint hash(gconstpointer pointer)
{
  const Key *key = pointer;

  return g_int64_hash(&key->id) ^ (guint)key->type * 2654435761u;
}

static gboolean equal(gconstpointer a, gconstpointer b)
{
  const Key *left = a, *right = b;

  return left->id == right->id && left->type == right->type;
}

static void entry_free(gpointer pointer)
{
  Entry *entry = pointer;

  gst_vitgate_region_result_unref(entry->result);
  g_free(entry);
}

void gst_vitgate_region_memory_init(GstVitgateRegionMemory *memory)
{
  memory->known = g_hash_table_new_full(hash, equal, NULL, entry_free);
  memory->frame = 0;
}

void gst_vitgate_region_memory_clear(GstVitgateRegionMemory *memory)
{
  g_clear_pointer(&memory->known, g_hash_table_unref);
}

void gst_vitgate_region_memory_forget(GstVitgateRegionMemory *memory)
{
  g_hash_table_remove_all(memory->known);
}

static gboolean is_gone(gpointer key, gpointer value, gpointer oldest)
{
  return ((Entry *)value)->seen < *(guint64 *)oldest;
}

void gst_vitgate_region_memory_next_frame(GstVitgateRegionMemory *memory)
{
  const gboolean full = g_hash_table_size(memory->known) >= GST_VITGATE_REGION_MEMORY_SIZE;
  const guint64 away = full ? 0 : GST_VITGATE_REGION_MEMORY_FRAMES;
  guint64 oldest = memory->frame > away ? memory->frame - away : 0;

  g_hash_table_foreach_remove(memory->known, is_gone, &oldest);
  memory->frame++;
}

GstVitgateRegionResult *gst_vitgate_region_memory_recall(GstVitgateRegionMemory *memory,
                                                         GstVitgateRegion *region)
{
  const Key key = { region->id, region->type };
  Entry *entry;

  if (!region->tracked)
    return NULL;
  entry = g_hash_table_lookup(memory->known, &key);
  if (!entry) {
    entry = g_new0(Entry, 1);
    entry->key = key;
    g_hash_table_insert(memory->known, &entry->key, entry);
  } else if (entry->seen == memory->frame) {
    region->tracked = FALSE;
    return NULL;
  }
  entry->seen = memory->frame;
  return entry->result ? gst_vitgate_region_result_ref(entry->result) : NULL;
}

void gst_vitgate_region_memory_keep(GstVitgateRegionMemory *memory, const GstVitgateRegion *region,
                                    GstVitgateRegionResult *result)
{
  const Key key = { region->id, region->type };
  Entry *entry = region->tracked ? g_hash_table_lookup(memory->known, &key) : NULL;

  if (!entry)
    return;
  gst_vitgate_region_result_unref(entry->result);
  entry->result = gst_vitgate_region_result_ref(result);
}
