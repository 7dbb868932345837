#include "model.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "file/architecture.h"
#include "file/source.h"
#include "file/weights.h"
#include "network/address-space.h"
#include "network/precision.h"

struct _VitgateModel {
  atomic_uint references;
  Identity *identity;
  Description *description;
  Vit *vit;
  VitgateModelInfo info;
  VitgateBlockInfo *blocks;
  char **numbers;    /* class indices, if the file has no labels */
  float *thresholds; /* (nullable) [n_classes] */
};

static void free_model(VitgateModel *model)
{
  vitgate__vit_free(&model->vit);
  vitgate__description_free(&model->description);
  vitgate__identity_free(&model->identity);
  g_strfreev(model->numbers);
  g_free(model->thresholds);
  g_free(model->blocks);
  g_free(model);
}

static void describe_blocks(VitgateModel *model)
{
  const Description *d = model->description;
  guint tokens = vitgate__description_n_tokens(d);
  model->blocks = g_new0(VitgateBlockInfo, d->depth + 1);
  for (guint i = 0; i < d->depth; i++) {
    guint heads = d->blocks[i].heads, neurons = d->blocks[i].neurons;
    guint after = vitgate__description_tokens_after(d, i);
    model->blocks[i] = (VitgateBlockInfo){
      .heads = heads,
      .neurons = neurons,
      .attention_gate = d->blocks[i].attention_gate,
      .mlp_gate = d->blocks[i].mlp_gate,
      .attention_token_gate = d->blocks[i].attention_tokens.present,
      .mlp_token_gate = d->blocks[i].mlp_tokens.present,
      .attention_parameters = vitgate__attention_parameters(d, heads),
      .mlp_parameters = vitgate__mlp_parameters(d, neurons),
      .attention_gmacs = vitgate__attention_gmacs(d, heads, tokens, after),
      .mlp_gmacs = vitgate__mlp_gmacs(d, neurons, after),
    };
  }
}

static double model_ratio(const Description *d)
{
  return vitgate__description_gmacs(d) / d->dense_gmacs;
}

static void describe(VitgateModel *model)
{
  const Description *d = model->description;
  describe_blocks(model);
  if (!d->labels) {
    model->numbers = g_new0(char *, d->n_classes + 1);
    for (guint i = 0; i < d->n_classes; i++)
      model->numbers[i] = g_strdup_printf("%u", i);
  }
  if (d->thresholds) {
    model->thresholds = g_new(float, d->n_classes);
    for (guint i = 0; i < d->n_classes; i++)
      model->thresholds[i] = (float)d->thresholds[i];
  }
  model->info = (VitgateModelInfo){
    .name = d->name,
    .family = d->family->name,
    .image_size = d->image_size,
    .patch_size = d->patch_size,
    .n_tokens = vitgate__description_n_tokens(d),
    .dim = d->dim,
    .head_dim = d->head_dim,
    .depth = d->depth,
    .patch_depth = vitgate__description_tail(d),
    .blocks = model->blocks,
    .n_classes = d->n_classes,
    .labels = (const char *const *)(d->labels ? d->labels : model->numbers),
    .label_ids = (const char *const *)d->label_ids,
    .has_labels = d->labels != NULL,
    .n_parameters = vitgate__description_parameters(d),
    .gmacs = vitgate__description_gmacs(d),
    .dense_gmacs = d->dense_gmacs,
    .default_compute = d->n_calibration ? d->default_compute : model_ratio(d),
    .min_compute = d->n_calibration ? d->calibration[0].compute : model_ratio(d),
    .max_compute = d->n_calibration ? d->calibration[d->n_calibration - 1].compute : model_ratio(d),
    .precision = model->vit->precision,
    .resize = d->preprocessing.resize,
    .bicubic = d->preprocessing.bicubic,
    .activation = d->activation,
    .fit = MAX(d->preprocessing.fit, VITGATE_FIT_CROP),
    .has_fit = d->preprocessing.fit != VITGATE_FIT_MODEL,
    .n_features = vitgate__description_head_inputs(d),
    .has_unknown = d->unknown.present,
    .thresholds = model->thresholds,
  };
  memcpy(model->info.mean, d->preprocessing.mean, sizeof model->info.mean);
  memcpy(model->info.std, d->preprocessing.std, sizeof model->info.std);
}

static VitgatePrecision precision_of(const Description *d, VitgatePrecision asked)
{
  return asked == VITGATE_PRECISION_AUTO ? vitgate__precision_choose(d) : asked;
}

static gboolean check_size(const Description *d, const char *path, GError **error)
{
  if (vitgate__addressable(d, G_MAXSIZE))
    return TRUE;
  vitgate__set_error(
      error, VITGATE_ERROR_MEMORY,
      "%s: a network of %u tokens of width %u is larger than this machine can address", path,
      vitgate__description_n_tokens(d), d->dim);
  return FALSE;
}

static VitgateModel *load(const char *path, VitgatePrecision precision, GError **error)
{
  g_autoptr(Source) source = vitgate__source_open(path, error);
  if (!source)
    return NULL;
  VitgateModel *model = g_new0(VitgateModel, 1);
  atomic_init(&model->references, 1);
  model->description = vitgate__source_describe(source, 0, error);
  if (model->description) {
    precision = precision_of(model->description, precision);
    if (check_size(model->description, path, error) &&
        vitgate__weights_check_views(model->description, source->file, error) &&
        vitgate__precision_check_tokens(precision, model->description, path, error))
      model->vit = vitgate__vit_load(model->description, source->file, precision, error);
  }
  if (!model->vit || !vitgate__source_check_unchanged(source, error)) {
    free_model(model);
    return NULL;
  }
  model->identity = vitgate__source_identify(source);
  describe(model);
  return model;
}

/* ---- One copy of each model ---- */

/* A file that a thread is loading. Other threads that open it wait instead of loading it again. */
typedef struct {
  FileStamp stamp;
  VitgatePrecision precision; /* as requested, so it may be AUTO */
} Load;

/* Guards the two lists. It is not held while a file is read, so other models can be opened, used
 * and closed in the meantime. It is a pthread lock because ThreadSanitizer does not know GLib's
 * locks. */
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t load_ended = PTHREAD_COND_INITIALIZER;
static GSList *registry; /* (element-type VitgateModel): all open models of this process */
static GSList *loads;    /* (element-type Load) */

/* Returns: FALSE if the last reference is gone and the model is about to be freed */
static gboolean try_ref(VitgateModel *model)
{
  guint references = atomic_load(&model->references);
  while (references &&
         !atomic_compare_exchange_weak(&model->references, &references, references + 1))
    ;
  return references > 0;
}

/* The caller holds the lock.
 * Returns: (transfer full) (nullable): the open model of the file at @path */
static VitgateModel *find_model(const char *path, FileStamp stamp, VitgatePrecision precision)
{
  for (GSList *item = registry; item; item = item->next) {
    VitgateModel *known = item->data;
    if (known->vit->precision == precision_of(known->description, precision) &&
        vitgate__identity_matches(known->identity, path, stamp) && try_ref(known))
      return known;
  }
  return NULL;
}

/* The caller holds the lock. */
static gboolean is_loading(FileStamp stamp, VitgatePrecision precision)
{
  for (GSList *item = loads; item; item = item->next) {
    const Load *other = item->data;
    if (other->precision == precision && vitgate__stamp_equal(other->stamp, stamp))
      return TRUE;
  }
  return FALSE;
}

/* Loads a file. The caller has added @own to the loads. */
static VitgateModel *load_registered(const char *path, Load *own, GError **error)
{
  VitgateModel *model = load(path, own->precision, error), *twin = NULL;
  pthread_mutex_lock(&registry_lock);
  loads = g_slist_remove(loads, own);
  /* A load of "auto" and one of the precision that it stands for may yield the same model. */
  if (model && !(twin = find_model(path, own->stamp, model->vit->precision)))
    registry = g_slist_prepend(registry, model);
  pthread_cond_broadcast(&load_ended);
  pthread_mutex_unlock(&registry_lock);
  if (!twin)
    return model;
  free_model(model);
  return twin;
}

VitgateModel *vitgate_model_open(const char *path, GError **error)
{
  return vitgate_model_open_with(path, VITGATE_PRECISION_AUTO, error);
}

VitgateModel *vitgate_model_open_with(const char *path, VitgatePrecision precision, GError **error)
{
  if (!vitgate__precision_check(precision, error))
    return NULL;
  g_autofree char *file = vitgate__source_find(path, error);
  if (!file)
    return NULL;
  Load own = { vitgate__stamp_of_path(file), precision };
  VitgateModel *model;
  pthread_mutex_lock(&registry_lock);
  /* If a load fails, one of the threads that waited for it tries again and gets its own error. */
  while (!(model = find_model(file, own.stamp, precision)) && is_loading(own.stamp, precision))
    pthread_cond_wait(&load_ended, &registry_lock);
  if (!model)
    loads = g_slist_prepend(loads, &own);
  pthread_mutex_unlock(&registry_lock);
  return model ? model : load_registered(file, &own, error);
}

VitgateModel *vitgate_model_ref(VitgateModel *model)
{
  atomic_fetch_add(&model->references, 1);
  return model;
}

void vitgate_model_unref(VitgateModel **model)
{
  VitgateModel *m = g_steal_pointer(model);
  if (!m || atomic_fetch_sub(&m->references, 1) > 1)
    return;
  pthread_mutex_lock(&registry_lock);
  registry = g_slist_remove(registry, m);
  pthread_mutex_unlock(&registry_lock);
  free_model(m);
}

const VitgateModelInfo *vitgate_model_get_info(const VitgateModel *model)
{
  return &model->info;
}

double vitgate_model_get_precision_agreement(const VitgateModel *model, VitgatePrecision precision)
{
  const double *agreement = model->description->agreement;
  return (guint)precision < VITGATE_N_PRECISIONS ? agreement[precision] : 0;
}

const Vit *vitgate__model_get_vit(const VitgateModel *model)
{
  return model->vit;
}

const Description *vitgate__model_get_description(const VitgateModel *model)
{
  return model->description;
}
