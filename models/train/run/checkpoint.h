/* The state of an unfinished run in one file. Writing is atomic: the file is always either the old
 * or the new one. */
#pragma once

#include <json-glib/json-glib.h>

#include "train/learn/optimizer.h"

/* Writes a checkpoint.
 * @state: everything else that the run needs in order to continue
 * Returns: FALSE with VITGATE_ERROR_IO; the old file is then unchanged */
gboolean checkpoint_write(const char *path, const Optimizer *optimizer, JsonObject *state,
                          GError **error);

/* Opens a checkpoint, the first of two steps: the description of the network and the state.
 * @file: (out) (transfer full)
 * @state: (out) (transfer full): as given to checkpoint_write()
 * Returns: (transfer full): the network's description, or NULL with VITGATE_ERROR_* */
Description *checkpoint_open(const char *path, Safetensors **file, JsonObject **state,
                             GError **error);

/* Reads a checkpoint, the second step: fills the network and its optimizer.
 * Returns: FALSE with VITGATE_ERROR_TENSOR */
gboolean checkpoint_read(const Safetensors *file, Optimizer *optimizer, GError **error);
