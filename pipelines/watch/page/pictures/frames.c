#include "page/pictures/frames.h"

typedef struct {
  NewestFrame *newest;
  GHashTable *regions; /* name of a look → its region */
} Entry;

struct _Frames {
  GMutex lock;
  GHashTable *entries; /* name of a camera → Entry */
};

static void entry_free(gpointer data)
{
  Entry *entry = data;
  newest_frame_unref(entry->newest);
  g_hash_table_unref(entry->regions);
  g_free(entry);
}

static GHashTable *make_table(void)
{
  return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, entry_free);
}

Frames *frames_new(void)
{
  Frames *self = g_new0(Frames, 1);
  g_mutex_init(&self->lock);
  self->entries = make_table();
  return self;
}

static Entry *make_entry(Camera *camera)
{
  const CameraConfig *config = camera_get_config(camera);
  Entry *entry = g_new0(Entry, 1);
  entry->newest = newest_frame_ref(camera_get_newest_frame(camera));
  entry->regions = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  for (guint i = 0; i < config->looks->len; i++) {
    const LookConfig *look = config->looks->pdata[i];
    if (look->region)
      g_hash_table_insert(entry->regions, g_strdup(look->name), g_strdup(look->region));
  }
  newest_frame_set_wanted(entry->newest, TRUE);
  return entry;
}

void frames_update(Frames *self, const PageWatch *watch)
{
  const Config *config = watch->get_config(watch->user_data);
  GHashTable *entries = make_table();
  for (guint i = 0; i < config->cameras->len; i++) {
    const CameraConfig *of_camera = config->cameras->pdata[i];
    Camera *camera = watch->find_camera(of_camera->name, watch->user_data);
    if (camera)
      g_hash_table_insert(entries, g_strdup(of_camera->name), make_entry(camera));
  }
  g_mutex_lock(&self->lock);
  GHashTable *old = self->entries;
  self->entries = entries;
  g_mutex_unlock(&self->lock);
  g_hash_table_unref(old);
}

GstSample *frames_get(Frames *self, const char *camera)
{
  g_mutex_lock(&self->lock);
  const Entry *entry = g_hash_table_lookup(self->entries, camera);
  GstSample *sample = entry ? newest_frame_get(entry->newest) : NULL;
  g_mutex_unlock(&self->lock);
  return sample;
}

char *frames_get_region(Frames *self, const char *camera, const char *look)
{
  g_mutex_lock(&self->lock);
  const Entry *entry = g_hash_table_lookup(self->entries, camera);
  char *region = entry ? g_strdup(g_hash_table_lookup(entry->regions, look)) : NULL;
  g_mutex_unlock(&self->lock);
  return region;
}

void frames_free(Frames **frames)
{
  Frames *self = *frames;
  GHashTableIter iterator;
  gpointer entry;
  *frames = NULL;
  if (!self)
    return;
  g_hash_table_iter_init(&iterator, self->entries);
  while (g_hash_table_iter_next(&iterator, NULL, &entry))
    newest_frame_set_wanted(((Entry *)entry)->newest, FALSE);
  g_hash_table_unref(self->entries);
  g_mutex_clear(&self->lock);
  g_free(self);
}
