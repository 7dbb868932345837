/* vitgate bench --parts: where the time of an inference goes. */
#pragma once

#include "vitgate.h"

typedef struct {
  const char *path; /* of the model */
  VitgateModel *model;
  const GPtrArray *frames; /* (element-type GdkPixbuf) */
  double seconds;
  gboolean as_json;
} PartsBenchOptions;

/* Classifies frames one by one on one thread, measures every second inference by parts, and prints
 * a table or JSON.
 * Returns: FALSE with VITGATE_ERROR_* or COMMAND_ERROR_* */
gboolean parts_bench(const PartsBenchOptions *options, GError **error);
