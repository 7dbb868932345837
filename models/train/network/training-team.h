/* The threads of training. */
#pragma once

#include "base/team.h"

/* Creates a team as vitgate__team_new() does.
 * Returns: (transfer full): the team, or NULL with VITGATE_ERROR_MEMORY */
Team *training_team_new(guint n_members, GError **error);
