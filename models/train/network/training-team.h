/* The threads of training. */
#pragma once

#include "base/team.h"

/* Returns: (transfer full): as vitgate__team_new(); or NULL with VITGATE_ERROR_MEMORY */
Team *training_team_new(guint n_members, GError **error);
