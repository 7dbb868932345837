/* The models of a camera: those that are wanted, those that are fetched, and those in use. While
 * new ones are not there or cannot be used, the camera keeps what it has. */
#pragma once

#include "config/config.h"
#include "model/model-store.h"

typedef struct _CameraModels CameraModels;

typedef struct {
  gboolean changed;       /* other models are in use now */
  gboolean waits;         /* for the cache */
  char *reason;           /* (nullable): why the wanted models are not in use */
  gboolean is_new;        /* that reason was another one before */
  ModelProgress progress; /* while it waits */
} CameraModelsNews;

/* @owner: owns @config; a reference is taken
 * Returns: (transfer full) */
CameraModels *camera_models_new(Config *owner, const CameraConfig *config);

/* Sets the models that are wanted. Call it from one thread.
 * @config: of the same camera, which may differ in models only */
void camera_models_want(CameraModels *self, Config *owner, const CameraConfig *config);

/* Returns: (transfer none): with the wanted models; valid until the next camera_models_want() */
const CameraConfig *camera_models_get_wanted(CameraModels *self);

/* Returns: (transfer full) (nullable): why the wanted models are not in use; NULL: they are */
char *camera_models_get_reason(CameraModels *self);

/* The other functions are for the camera's thread. */

/* Puts the wanted models in use if they are there and can be used; otherwise those in use stay.
 * Configurations before live until camera_models_forget().
 * @news: (out): free it with camera_models_news_clear() */
void camera_models_update(CameraModels *self, CameraModelsNews *news);
void camera_models_news_clear(CameraModelsNews *news);

/* Returns: (transfer none) (nullable): with the models in use; NULL: none yet */
const CameraConfig *camera_models_get(CameraModels *self);

/* Call it before an attempt to connect, after camera_models_update(). */
void camera_models_note(CameraModels *self);

/* @check: look at the files too
 * Returns: whether other models are wanted since camera_models_update(), or the files have changed
 * since camera_models_note() */
gboolean camera_models_are_new(CameraModels *self, gboolean check);

/* Frees configurations that are not in use any more. */
void camera_models_forget(CameraModels *self);

void camera_models_free(CameraModels **self);
