#include "train/network/training-team.h"

#include "base/error.h"

Team *training_team_new(guint n_members, GError **error)
{
  Team *team = vitgate__team_new(n_members);
  if (!team)
    vitgate__set_error(error, VITGATE_ERROR_MEMORY, "cannot start %u threads", n_members);
  return team;
}
