/* The threads of one session. They run one function together, meet at barriers inside it, and
 * sleep between runs. */
#pragma once

#include <glib.h>

typedef struct _Team Team;

typedef void (*TeamFunction)(gpointer data, guint member);

/* @n_members: the number of threads, including the calling one
 * Returns: (transfer full): the team, or NULL if a thread cannot be started */
Team *vitgate__team_new(guint n_members);

/* Stops the threads, frees *@team and sets it to NULL. *@team may be NULL. */
void vitgate__team_free(Team **team);

guint vitgate__team_size(const Team *team);

/* Calls @function once for every member, with member 0 on the calling thread. Returns when all are
 * done. */
void vitgate__team_run(Team *team, TeamFunction function, gpointer data);

/* As vitgate__team_run(), but another run follows at once: the members stay awake for a moment to
 * wait for it. */
void vitgate__team_run_first(Team *team, TeamFunction function, gpointer data);

/* Waits until every member has called it.
 * @team: (nullable): NULL: returns at once */
void vitgate__team_barrier(Team *team);
