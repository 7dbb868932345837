/* The models that are fetched. Each is fetched once, however many cameras of this machine want it,
 * checked by its hash, and kept in a cache. What fails is tried again for ever, as long as somebody
 * wants it. Any thread may call these functions. */
#pragma once

#include "config/model-source.h"

typedef struct {
  char *reason;       /* (nullable): what it is waiting for; NULL: the model is there */
  guint64 got, total; /* bytes of a download that runs; 0: unknown */
  guint attempts;     /* that have failed */
  double retry_after; /* wait before the next attempt, seconds; 0: one is running */
} ModelProgress;

/* One camera's wish for a model. */
typedef struct _ModelWant ModelWant;

/* Starts to check or to fetch the model, unless another camera has.
 * @source: is copied
 * Returns: (transfer full) */
ModelWant *model_want_new(const ModelSource *source);

/* @progress: (out): if the model is not there; free it with model_progress_clear()
 * Returns: whether the model is in the cache, and has the right hash */
gboolean model_want_is_there(ModelWant *self, ModelProgress *progress);

/* Returns: (transfer full): the reason, with the bytes of a download */
char *model_progress_text(const ModelProgress *progress);

void model_progress_clear(ModelProgress *progress);

/* The last one that is freed ends the download. */
void model_want_free(ModelWant *self);
