/* Weights as their authors published them, with the files beside them. */
#pragma once

#include "file/config.h"
#include "file/describe.h"
#include "file/names.h"

typedef struct {
  Safetensors *file; /* under timm's names */
  Dialect dialect;
  gboolean no_class_position; /* the published positions do not include the class token */
  Config config;              /* files beside the weights; empty for a file that vitgate wrote */
} Source;

/* Finds the weights in a folder as downloaded from a hub.
 * Returns: (transfer full): their path; @path if it is not a folder; or NULL with
 * VITGATE_ERROR_NOT_FOUND */
char *vitgate__source_find(const char *path, GError **error);

/* Opens a model file, an index of shards, weights under any of the names in names.h, or what
 * vitgate__source_find() finds in a folder.
 * Returns: (transfer full): or NULL with VITGATE_ERROR_NOT_FOUND, _IO, _FORMAT, _UNSUPPORTED,
 * _TENSOR, _METADATA or _MEMORY */
Source *vitgate__source_open(const char *path, GError **error);

/* Returns: (transfer full): all files that were read, and those that were looked for but absent */
Identity *vitgate__source_identify(const Source *source);

/* Checks that no file was written to or replaced since, so that their contents belong together.
 * Returns: FALSE with VITGATE_ERROR_IO */
gboolean vitgate__source_check_unchanged(const Source *source, GError **error);

/* Closes *@source and sets it to NULL. *@source may be NULL. */
void vitgate__source_close(Source **source);

/* Calls vitgate__describe() with what the other files say.
 * @heads: heads per block, for weights that do not say; 0: unknown */
Description *vitgate__source_describe(const Source *source, guint heads, GError **error);

static inline void vitgate__source_cleanup(Source *source)
{
  vitgate__source_close(&source);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Source, vitgate__source_cleanup)
