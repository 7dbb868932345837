/* The processes ("ranks") of one run under mpirun. Only ranks.c and ranks-sum.c, which sums, know
 * MPI. Without mpirun, or in a
 * build without MPI, there is one rank, and every function is a no-op that costs nothing.
 *
 * All ranks call the functions below together and in the same order, on the thread that called
 * ranks_start(). */
#pragma once

#include <glib.h>

/* Joins the other ranks if mpirun or srun started this process. Must be called before any other
 * function, and before there are other threads. Standard output of all ranks but the first is
 * dropped.
 * Returns: FALSE with COMMAND_ERROR_USAGE if there should be several ranks, but they cannot find
 * each other */
gboolean ranks_start(GError **error);

/* Leaves the other ranks. A rank that failed alone ends all of them, with its message; if all
 * failed, only the first rank prints its message.
 * @message: (nullable): why this rank failed; NULL: it did not
 * Does not return if the rank ends the others. */
void ranks_end(const char *message);

/* Prints a message that names this rank, and ends all ranks at once. With one rank, prints the
 * message and ends the process. */
G_NORETURN void ranks_abort(const char *format, ...) G_GNUC_PRINTF(1, 2);

guint ranks_count(void);
guint ranks_own(void);

/* Returns: whether this rank writes files and prints */
static inline gboolean ranks_is_first(void)
{
  return ranks_own() == 0;
}

/* Returns: the number of the first of @n items that rank @rank works on. Ranks divide items into
 * slices as equal as possible; rank ranks_count() has the number @n. */
guint ranks_slice(guint n, guint rank);

/* Gathers what each rank has in its slice of @items items into the array of all ranks.
 * @array: (inout): [items][item_bytes]; the rank's own slice is filled on entry */
void ranks_gather(gpointer array, guint items, gsize item_bytes);

/* Gathers one item of each rank.
 * @all: (out caller-allocates): [ranks_count()][bytes] */
void ranks_gather_items(gpointer all, gconstpointer own, gsize bytes);

/* Gathers the texts of all ranks.
 * Returns: (transfer full): [ranks_count() + 1], NULL-terminated */
char **ranks_gather_texts(const char *own);

/* Gathers the lines of all ranks, in the order of the ranks.
 * @own: lines, separated by newlines
 * Returns: (transfer full): NULL-terminated, without empty lines */
char **ranks_gather_lines(const char *own);

/* Waits until all ranks have called this, without using the processor meanwhile. */
void ranks_meet(void);

/* Replaces the data of all ranks by that of the first. */
void ranks_broadcast(gpointer data, gsize bytes);

/* Returns: whether @value is TRUE on any rank */
gboolean ranks_any(gboolean value);

/* Makes the failure of one rank that of all.
 * @fine: whether this rank succeeded; if not, @error is set
 * Returns: whether all ranks did. If not, @error is set on all of them: the error of the first rank
 * that failed, with its number. */
gboolean ranks_all_fine(gboolean fine, GError **error);

/* Checks that a text, such as a list of options, is the same on all ranks.
 * @what: as in "rank 1 has other %s than rank 0"
 * Returns: FALSE with COMMAND_ERROR_DATA on all ranks if not */
gboolean ranks_check_same(const char *what, const char *text, GError **error);

/* The same for any data. */
gboolean ranks_check_same_data(const char *what, gconstpointer data, gsize bytes, GError **error);
