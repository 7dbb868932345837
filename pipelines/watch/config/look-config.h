/* What the network sees of a camera, and what is reported of it: the whole frame, or a look. */
#pragma once

#include "config/model-source.h"

typedef struct {
  char *name; /* (nullable): NULL: the whole frame, without the next four */
  char *camera;
  char *region;          /* (nullable): as the element's property */
  double interval;       /* minimum time between inferences, seconds; 0: as the camera */
  gboolean when_changed; /* only if the region has changed */

  char *model, *model_labels; /* NULL: the element's default */
  ModelSource *source;        /* (nullable): of a model that is fetched; @model is in the cache */
  guint precision;            /* index of config_precisions */
  guint fit;                  /* index of config_fits */
  guint top_k;
  double compute, min_compute; /* negative: the element's default */
  guint temporal;              /* index of config_temporals */
  guint refresh_interval;
  double change_threshold, reuse_threshold; /* negative: the element's default */
  double max_age;
  double unknown_threshold; /* negative: the element's default */

  char **labels; /* (nullable): labels of interest */
  double threshold, keep_threshold;
  double appear_after, vanish_after; /* seconds */
  gboolean state;                    /* report the state */
  char **states;                     /* (nullable): the labels that are states; NULL: all */
  double state_lead;
  double keep_state; /* seconds without the camera */
} LookConfig;

extern const char *const config_precisions[], *const config_fits[], *const config_temporals[];
extern const LookConfig look_defaults;

/* The keys of a LookConfig. */
extern const Key look_keys[];

/* Returns: the maximum number of classes in a line. A state needs the probabilities of all classes
 * that count. */
guint look_top_k(const LookConfig *look);

/* Sets the values that depend on others, and checks them. */
gboolean look_complete(const KeySource *source, const char *group, LookConfig *look,
                       GError **error);

/* Returns: (transfer full): with the default of each key */
LookConfig *look_config_new(const char *name);

void look_config_free(LookConfig *self);

/* Reads and checks the keys of @group, after those of [defaults] that looks have too. The camera
 * may not exist. */
gboolean look_config_read(LookConfig *self, const KeySource *source, const char *group,
                          GError **error);

/* Sets where the model is fetched and cached, if it is. */
void look_locate_model(LookConfig *self, const FetchConfig *fetch);

/* Returns: (transfer full): all values as text, which can be compared */
char *look_config_fingerprint(const LookConfig *self);

/* Removes what can change while a camera plays from a copy that shares the values of its original.
 */
void look_forget_model(LookConfig *copy);
