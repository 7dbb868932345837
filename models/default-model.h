/* The model that is used where none is named. */
#pragma once

#include <glib.h>

/* Returns: (transfer full): the shipped model in the folder that $VITGATE_MODEL_DIR
 * names, else in the installed data folder; NULL with COMMAND_ERROR_USAGE where there is none */
char *default_model_find(GError **error);
