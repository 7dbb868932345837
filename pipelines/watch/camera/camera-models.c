#include "camera/camera-models.h"

#include <string.h>

#include "camera/label-check.h"
#include "camera/model-stamp.h"

/* A configuration of the camera, with its owner. */
typedef struct {
  Config *owner;
  const CameraConfig *config;
} Version;

struct _CameraModels {
  GMutex lock;
  Version wanted;
  guint serial; /* of @wanted */
  char *reason; /* (nullable): why it is not in use */

  /* Of the camera's thread: */
  GPtrArray *wants;   /* of ModelWant: models of version @wants_of that are fetched */
  guint wants_of;     /* serial; 0: none */
  guint done;         /* serial of the version that was put in use or refused; 0: none */
  Version in_use;     /* without an owner: none yet */
  GPtrArray *retired; /* of Config: of versions that may still be in use by a pipeline */
  char *stamp;        /* (nullable): of the files in use, at the last attempt to connect */
};

static Version version_new(Config *owner, const CameraConfig *config)
{
  return (Version){ config_ref(owner), config };
}

static void version_clear(Version *version)
{
  g_clear_pointer(&version->owner, config_unref);
}

CameraModels *camera_models_new(Config *owner, const CameraConfig *config)
{
  CameraModels *self = g_new0(CameraModels, 1);
  g_mutex_init(&self->lock);
  self->wanted = version_new(owner, config);
  self->serial = 1;
  self->wants = g_ptr_array_new_with_free_func((GDestroyNotify)model_want_free);
  self->retired = g_ptr_array_new_with_free_func((GDestroyNotify)config_unref);
  return self;
}

void camera_models_want(CameraModels *self, Config *owner, const CameraConfig *config)
{
  g_mutex_lock(&self->lock);
  Version old = self->wanted;
  self->wanted = version_new(owner, config);
  self->serial++;
  g_mutex_unlock(&self->lock);
  version_clear(&old);
}

const CameraConfig *camera_models_get_wanted(CameraModels *self)
{
  g_mutex_lock(&self->lock);
  const CameraConfig *config = self->wanted.config;
  g_mutex_unlock(&self->lock);
  return config;
}

static void add_want(GPtrArray *wants, const LookConfig *look)
{
  if (look->source)
    g_ptr_array_add(wants, model_want_new(look->source));
}

/* New wishes come before the old ones go, so that a download that both need continues. */
static void set_wants(CameraModels *self, const CameraConfig *config)
{
  GPtrArray *old = self->wants;
  self->wants = g_ptr_array_new_with_free_func((GDestroyNotify)model_want_free);
  if (config->whole_frame)
    add_want(self->wants, &config->whole);
  for (guint i = 0; i < config->looks->len; i++)
    add_want(self->wants, config->looks->pdata[i]);
  g_ptr_array_unref(old);
}

static gboolean are_there(CameraModels *self, ModelProgress *progress)
{
  for (guint i = 0; i < self->wants->len; i++)
    if (!model_want_is_there(self->wants->pdata[i], progress))
      return FALSE;
  return TRUE;
}

/* @version: (transfer full) */
static void put_in_use(CameraModels *self, Version *version)
{
  if (self->in_use.owner)
    g_ptr_array_add(self->retired, g_steal_pointer(&self->in_use.owner));
  self->in_use = *version;
  version->owner = NULL;
}

/* A model that is there is checked once while the camera has another one, and each time it connects
 * otherwise. */
static void update(CameraModels *self, Version *version, guint serial, CameraModelsNews *news)
{
  g_autoptr(GError) error = NULL;
  if (self->wants_of != serial)
    set_wants(self, version->config);
  self->wants_of = serial;
  news->waits = !are_there(self, &news->progress);
  if (news->waits) {
    news->reason = g_strdup(news->progress.reason);
  } else if (self->done == serial) {
    news->reason = camera_models_get_reason(self); /* as before */
  } else if (!label_check_late(version->owner, version->config, &error)) {
    news->reason = g_strdup(error->message);
    self->done = self->in_use.owner ? serial : 0;
  } else {
    put_in_use(self, version);
    self->done = serial;
    news->changed = TRUE;
  }
}

void camera_models_update(CameraModels *self, CameraModelsNews *news)
{
  *news = (CameraModelsNews){ 0 };
  g_mutex_lock(&self->lock);
  const guint serial = self->serial;
  Version version = version_new(self->wanted.owner, self->wanted.config);
  g_mutex_unlock(&self->lock);
  update(self, &version, serial, news);
  version_clear(&version);
  g_mutex_lock(&self->lock);
  news->is_new = g_strcmp0(self->reason, news->reason) != 0;
  g_free(self->reason);
  self->reason = g_strdup(news->reason);
  g_mutex_unlock(&self->lock);
}

void camera_models_news_clear(CameraModelsNews *news)
{
  g_clear_pointer(&news->reason, g_free);
  model_progress_clear(&news->progress);
}

char *camera_models_get_reason(CameraModels *self)
{
  g_mutex_lock(&self->lock);
  char *reason = g_strdup(self->reason);
  g_mutex_unlock(&self->lock);
  return reason;
}

const CameraConfig *camera_models_get(CameraModels *self)
{
  return self->in_use.owner ? self->in_use.config : NULL;
}

static void add_stamp(GString *stamps, const LookConfig *look)
{
  g_autofree char *stamp = look->model ? model_stamp_new(look->model, look->model_labels) : NULL;
  if (stamp)
    g_string_append(stamps, stamp);
}

/* Returns: (transfer full): the stamps of all models in use that the key file names */
static char *make_stamp(CameraModels *self)
{
  const CameraConfig *config = camera_models_get(self);
  GString *stamps = g_string_new(NULL);
  if (config && config->whole_frame)
    add_stamp(stamps, &config->whole);
  for (guint i = 0; config && i < config->looks->len; i++)
    add_stamp(stamps, config->looks->pdata[i]);
  return g_string_free(stamps, FALSE);
}

void camera_models_note(CameraModels *self)
{
  g_free(self->stamp);
  self->stamp = make_stamp(self);
}

gboolean camera_models_are_new(CameraModels *self, gboolean check)
{
  g_mutex_lock(&self->lock);
  const gboolean others = self->serial != self->wants_of;
  g_mutex_unlock(&self->lock);
  if (others)
    return TRUE;
  g_autofree char *now = check ? make_stamp(self) : NULL;
  return now && strcmp(now, self->stamp) != 0;
}

void camera_models_forget(CameraModels *self)
{
  g_ptr_array_set_size(self->retired, 0);
}

void camera_models_free(CameraModels **models)
{
  CameraModels *self = *models;
  *models = NULL;
  g_ptr_array_unref(self->wants);
  g_ptr_array_unref(self->retired);
  version_clear(&self->in_use);
  version_clear(&self->wanted);
  g_free(self->reason);
  g_free(self->stamp);
  g_mutex_clear(&self->lock);
  g_free(self);
}
