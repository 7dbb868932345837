/* Models that are known by their content: model=sha256:HEX or model=URL#sha256=HEX. They are
 * fetched once, and then loaded from a cache. */
#pragma once

#include "config/config-key.h"

/* The keys of [watch] about them. */
typedef struct {
  char *cache;   /* folder */
  char **urls;   /* (nullable): with "{sha256}" in each */
  char *ca_file; /* (nullable): NULL: the system's authorities */
  guint64 max_size;
  double retry_min, retry_max; /* seconds */
} FetchConfig;

extern const Key fetch_keys[];

/* Returns: the default of each key; free it with keys_clear() */
FetchConfig fetch_config_defaults(void);

/* Returns: FALSE with an error of key_fail() */
gboolean fetch_config_check(const FetchConfig *self, const KeySource *source, GError **error);

/* Where to fetch a model, and where it is then. */
typedef struct {
  char *sha256; /* 64 lower-case digits */
  char **urls;  /* in the order in which they are tried; may be empty */
  char *path;   /* of the fetched model */
  char *ca_file;
  guint64 max_size;
  double retry_min, retry_max;
} ModelSource;

/* @text: (nullable): value of a key "model"
 * Returns: whether it names a content, and not a path */
gboolean model_source_is(const char *text);

/* @text: such a value, of the key "model" of @group
 * Returns: (transfer full) (nullable): with hash and URL only; NULL with an error of key_fail() */
ModelSource *model_source_parse(const KeySource *source, const char *group, const char *text,
                                GError **error);

/* Sets the rest.
 * @fetch: without a cache, the source has no path: it is for other machines */
void model_source_locate(ModelSource *self, const FetchConfig *fetch);

ModelSource *model_source_copy(const ModelSource *self);
void model_source_free(ModelSource *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ModelSource, model_source_free)
