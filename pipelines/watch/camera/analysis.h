/* The elements vitgate of a camera's pipeline, one after the other: for the whole frame, if it is
 * classified, and for each look. */
#pragma once

#include <gst/gst.h>

#include "camera/live-settings.h"
#include "config/config.h"

typedef struct _Analysis Analysis;

/* Returns: (transfer full): a launch line of the elements, for analysis_new() */
char *analysis_describe(const CameraConfig *config);

/* @pipeline: has the elements of analysis_describe(); must live as long
 * @config: of the same camera
 * Returns: (transfer full) */
Analysis *analysis_new(GstBin *pipeline, const CameraConfig *config);

/* Sets what can change while frames pass. Thresholds of labels are not the element's.
 * @look: (nullable): its name; NULL: the whole frame
 * @settings: the budget is the camera's; each element gets the same share */
void analysis_set_live(Analysis *self, const char *look, const LiveSettings *settings);

/* What an element loaded. */
typedef struct {
  char *look; /* (nullable): NULL: the whole frame */
  char *path; /* of the model */
  char *precision;
} LoadedModel;

/* Loads other models in the background, if they are others.
 * @config: with the same looks; must live as long */
void analysis_set_models(Analysis *self, const CameraConfig *config);

/* Adds the models that are loaded to @models (of LoadedModel). */
void analysis_list_models(Analysis *self, GArray *models);

/* For g_array_set_clear_func(). */
void loaded_model_clear(gpointer model);

/* Notes which files the default models come from, as they are known only after they were loaded. */
void analysis_note_models(Analysis *self);

/* Loads models again, in the background, if their files have changed since they were loaded.
 * Returns: whether any has changed */
gboolean analysis_check_models(Analysis *self);

/* Returns: whether @object is an element vitgate
 * @look: (out) (transfer full) (nullable): the name of its look; NULL: the whole frame */
gboolean analysis_is_source(GstObject *object, char **look);

void analysis_free(Analysis **self);
