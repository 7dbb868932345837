/* The configuration files beside published weights: config.json of Hugging Face or timm, which
 * describes the network and its classes, and preprocessor_config.json, which describes the
 * pre-processing. */
#pragma once

#include "file/infer.h"

typedef struct {
  char *path, *pixels_path;      /* NULL: nothing was looked for */
  FileStamp stamp, pixels_stamp; /* of these files when they were read */
  JsonNode *network;             /* (nullable) config.json */
  JsonNode *pixels;              /* (nullable) preprocessor_config.json */
} Config;

/* Reads the configuration files in the folder of @weights. Both are optional.
 * @config: (out caller-allocates): to be cleared with vitgate__config_clear()
 * Returns: FALSE with VITGATE_ERROR_IO or _METADATA */
gboolean vitgate__config_read(Config *config, const char *weights, GError **error);

/* Adds the files that were read or are absent to @identity. */
void vitgate__config_identify(const Config *config, Identity *identity);

void vitgate__config_clear(Config *config);

/* Checks how the network pools its tokens.
 * @class_token: (out): whether config.json says that the head reads the class token
 * Returns: FALSE with VITGATE_ERROR_UNSUPPORTED */
gboolean vitgate__config_pools(const Config *config, gboolean *class_token, GError **error);

/* Adds what the shapes of the tensors do not show.
 * Returns: FALSE with VITGATE_ERROR_METADATA or _UNSUPPORTED */
gboolean vitgate__config_hint(const Config *config, Hints *hints, GError **error);

/* Checks a description of the weights against the configuration files and adds their
 * pre-processing and labels to it.
 * Returns: FALSE with VITGATE_ERROR_METADATA, _UNSUPPORTED or _LABELS */
gboolean vitgate__config_apply(const Config *config, Description *description, GError **error);
