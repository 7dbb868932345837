/* Sums over the ranks of a run that a thread makes while the ranks compute. Only ranks.c and
 * ranks-sum.c know MPI; ranks.c opens and closes this.
 *
 * All ranks start the same sums in the same order. Sums are made in the order of the ranks, so they
 * do not depend on the MPI library or on when they were started, and all ranks get the same bits.
 */
#pragma once

#include <glib.h>

/* What was done for one part of a gradient since the start. */
typedef struct {
  guint64 calls, bytes; /* bytes: of the values */
  double seconds;       /* from its turn to its sum, with waiting for other ranks */
} RanksSumPart;

/* Called by ranks_start() and ranks_end(), with at least 2 ranks. */
void ranks_sum_open(guint n_ranks, guint own);
void ranks_sum_close(void);

/* Starts to replace values[n] by their sums over all ranks, after the sums started before. Any
 * thread may call this, but only one at a time. The values must not be used until ranks_sum_wait()
 * returns.
 * @value_bytes: of a float or a double
 * @part: number for ranks_sum_get_part(), from 0 on */
void ranks_sum_start(gpointer values, gsize n, gsize value_bytes, guint part);

/* Waits until all sums are made. Must be called on the thread that called ranks_start(). */
void ranks_sum_wait(void);

/* Replaces values[n] by their sums over all ranks, in the order of the ranks. Sums that were
 * started before are made first. It is not counted below. Must be called on the thread that called
 * ranks_start(). */
void ranks_sum_now(double *values, gsize n);

/* Returns: whether sums are made while the ranks compute. Otherwise, ranks_sum_wait() makes them:
 * MPI has no MPI_THREAD_MULTIPLE, or VITGATE_MPI_OVERLAP is 0. */
gboolean ranks_sum_overlaps(void);

guint ranks_sum_count_parts(void);
RanksSumPart ranks_sum_get_part(guint part);

/* Returns: seconds that ranks_sum_wait() took since the start */
double ranks_sum_get_waiting(void);
