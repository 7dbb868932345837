/* The file of a model in the cache. It gets its name once it is complete, has the right hash and is
 * on the disk. */
#pragma once

#include "config/model-source.h"
#include "model/download.h"

/* Returns: whether the file exists and has the right hash; FALSE without an error if it has to be
 * fetched, otherwise with an error of G_IO_ERROR that names it */
gboolean cached_file_check(const ModelSource *source, GCancellable *cancellable, GError **error);

/* Makes the file, unless another process does that meanwhile.
 * @url: one of the source
 * @lasting: (out): whether the error will not pass soon
 * Returns: FALSE with an error of G_IO_ERROR that names the URL or the file */
gboolean cached_file_fetch(const ModelSource *source, const char *url, DownloadFunc func,
                           gpointer user_data, gboolean *lasting, GCancellable *cancellable,
                           GError **error);
