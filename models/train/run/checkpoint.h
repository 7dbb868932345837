/* The state of an unfinished run in one file, written so that it is always either the old or the
 * new one. */
#pragma once

#include <json-glib/json-glib.h>

#include "train/learn/optimizer.h"

/* @state: whatever else the run needs to go on
 * Returns: FALSE with VITGATE_ERROR_IO, and the old file untouched */
gboolean checkpoint_write(const char *path, const Optimizer *optimizer, JsonObject *state,
                          GError **error);

/* What checkpoint_write() was given, in two steps: first what network the file holds.
 * @state: (out) (transfer full)
 * Returns: (transfer full): the network's description; or NULL with VITGATE_ERROR_* */
Description *checkpoint_open(const char *path, Safetensors **file, JsonObject **state,
                             GError **error);

/* Fills the optimizer of that network, and the network itself.
 * Returns: FALSE with VITGATE_ERROR_TENSOR */
gboolean checkpoint_read(const Safetensors *file, Optimizer *optimizer, GError **error);
