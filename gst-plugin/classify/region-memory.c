/* region-memory.c: keeps the results of tracked regions from frame to frame. */
#include "classify/region-memory.h"

#include <string.h>

GstVitgateRegionResult *gst_vitgate_region_result_new(const VitgateResult *result, guint n_modules)
{
  const gsize probabilities = result->n_classes * sizeof *result->probabilities;
  const gsize smoothing = gst_vitgate_smoothing_size(result->n_classes);
  GstVitgateRegionResult *copy =
      g_rc_box_alloc0(sizeof(GstVitgateRegionResult) + probabilities + smoothing + n_modules);

  memcpy(copy->memory, result->probabilities, probabilities);
  gst_vitgate_smoothing_init(&copy->smoothing, result->n_classes, copy->memory + probabilities);
  memcpy(copy->memory + probabilities + smoothing, result->modules, n_modules);
  copy->result = *result;
  copy->result.probabilities = (const float *)copy->memory;
  copy->result.logits = copy->result.features = NULL;
  copy->result.modules = copy->memory + probabilities + smoothing;
  if (result->decision) {
    copy->decision = *result->decision;
    copy->decision.marks = NULL;
    copy->result.decision = &copy->decision;
  }
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
  GstVitgateRegionTrack track;    /* its stream may be NULL */
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
  vitgate_stream_free(&entry->track.stream);
  g_free(entry);
}

void gst_vitgate_region_memory_init(GstVitgateRegionMemory *memory)
{
  memory->known = g_hash_table_new_full(hash, equal, NULL, entry_free);
  memory->frame = 0;
  memory->n_streams = 0;
}

void gst_vitgate_region_memory_clear(GstVitgateRegionMemory *memory)
{
  g_clear_pointer(&memory->known, g_hash_table_unref);
}

void gst_vitgate_region_memory_forget(GstVitgateRegionMemory *memory)
{
  g_hash_table_remove_all(memory->known);
  memory->n_streams = 0;
}

typedef struct {
  guint64 oldest;       /* number of a frame */
  guint n_streams_lost; /* (inout) */
} Forgetting;

static gboolean is_gone(gpointer key, gpointer value, gpointer data)
{
  const Entry *entry = value;
  Forgetting *forgetting = data;
  const gboolean gone = entry->seen < forgetting->oldest;

  forgetting->n_streams_lost += gone && entry->track.stream;
  return gone;
}

void gst_vitgate_region_memory_next_frame(GstVitgateRegionMemory *memory)
{
  const gboolean full = g_hash_table_size(memory->known) >= GST_VITGATE_REGION_MEMORY_SIZE;
  const guint64 away = full ? 0 : GST_VITGATE_REGION_MEMORY_FRAMES;
  Forgetting forgetting = { memory->frame > away ? memory->frame - away : 0, 0 };

  g_hash_table_foreach_remove(memory->known, is_gone, &forgetting);
  memory->n_streams -= forgetting.n_streams_lost;
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

/* Returns: the entry with a stream that has been missing for longest; NULL if all are in this frame
 */
static Entry *find_missing(const GstVitgateRegionMemory *memory)
{
  GHashTableIter iter;
  gpointer value;
  Entry *missing = NULL;

  g_hash_table_iter_init(&iter, memory->known);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    Entry *entry = value;

    if (entry->track.stream && entry->seen < (missing ? missing->seen : memory->frame))
      missing = entry;
  }
  return missing;
}

/* Returns: (transfer full) (nullable): a stream without a past */
static VitgateStream *take_stream(GstVitgateRegionMemory *memory, VitgateModel *model)
{
  VitgateStream *stream;

  if (memory->n_streams < GST_VITGATE_REGION_STREAMS) {
    stream = vitgate_stream_new(model, NULL, NULL);
    memory->n_streams += stream != NULL;
  } else {
    Entry *missing = find_missing(memory);

    stream = missing ? g_steal_pointer(&missing->track.stream) : NULL;
    if (stream)
      vitgate_stream_forget(stream);
  }
  return stream;
}

GstVitgateRegionTrack *gst_vitgate_region_memory_follow(GstVitgateRegionMemory *memory,
                                                        const GstVitgateRegion *region,
                                                        VitgateModel *model)
{
  const Key key = { region->id, region->type };
  Entry *entry = region->tracked ? g_hash_table_lookup(memory->known, &key) : NULL;

  if (entry && !entry->track.stream) {
    entry->track.stream = take_stream(memory, model);
    entry->track.view = (VitgateRectangle){ 0 };
  }
  return entry && entry->track.stream ? &entry->track : NULL;
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
