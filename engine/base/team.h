/* The threads of one session. They run one function together, meet at barriers inside it, and
 * sleep between runs. */
#pragma once

#include <glib.h>

typedef struct _Team Team;

typedef void (*TeamFunction)(gpointer data, guint member);

/* @n_members: the calling thread included
 * Returns: (transfer full): or NULL where a thread cannot be started */
Team *vitgate__team_new(guint n_members);

void vitgate__team_free(Team **team);

guint vitgate__team_size(const Team *team);

/* Calls @function once on every member, member 0 on the calling thread, and returns when all are
 * done. */
void vitgate__team_run(Team *team, TeamFunction function, gpointer data);

/* The same where another run follows at once: for a moment the members stay awake for it. */
void vitgate__team_run_first(Team *team, TeamFunction function, gpointer data);

/* Returns when every member has called it.
 * @team: (nullable): there is nobody to wait for */
void vitgate__team_barrier(Team *team);
