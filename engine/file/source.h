/* Weights to make a model of, as their authors published them. */
#pragma once

#include "file/config.h"
#include "file/describe.h"
#include "file/names.h"

typedef struct {
  Safetensors *file; /* under timm's names */
  Dialect dialect;
  gboolean no_class_position; /* the published positions leave out the class token */
  Config config;              /* of what stands beside them; empty for a file that vitgate wrote */
} Source;

/* The weights in a folder as it is downloaded from a hub.
 * Returns: (transfer full): their path, or @path where it is no folder; or NULL with
 * VITGATE_ERROR_NOT_FOUND */
char *vitgate__source_find(const char *path, GError **error);

/* Opens a model file, an index of shards, or weights under any names that names.h knows.
 * Returns: (transfer full): or NULL with VITGATE_ERROR_NOT_FOUND, _IO, _FORMAT, _UNSUPPORTED,
 * _TENSOR, _METADATA or _MEMORY */
Source *vitgate__source_open(const char *path, GError **error);

/* Returns: (transfer full): all files that were read, and those that were looked for */
Identity *vitgate__source_identify(const Source *source);

/* Checks that no file was written to or replaced, so that what was read belongs together.
 * Returns: FALSE with VITGATE_ERROR_IO */
gboolean vitgate__source_check_unchanged(const Source *source, GError **error);

/* Nulls *@source, which may be NULL. */
void vitgate__source_close(Source **source);

/* vitgate__describe() with what is known besides.
 * @heads: heads per block, for weights that do not tell; 0: not known */
Description *vitgate__source_describe(const Source *source, guint heads, GError **error);

static inline void vitgate__source_cleanup(Source *source)
{
  vitgate__source_close(&source);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Source, vitgate__source_cleanup)
