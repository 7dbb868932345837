#include "base/ranks-sum.h"

#include <string.h>

#ifdef HAVE_MPI
#include <mpi.h>
#endif

#define MAX_BYTES (256 << 20) /* of one call of MPI, whose counts are ints */
#define INTERVAL  50          /* microseconds between looks at MPI while the ranks compute */
#define UNCOUNTED G_MAXUINT   /* part of a sum that is not counted */

typedef struct {
  guint8 *values;
  gsize n, value_bytes;
  guint part;
} Sum;

/* Jobs wait in the order in which they were started. */
static struct {
  guint n_ranks, own;
  gboolean overlaps;
  GThread *thread;
  GMutex mutex;
  GCond changed;
  GQueue sums; /* (element-type Sum): also the one that is being made */
  gboolean ends;
  gint waits;      /* atomic: the ranks have nothing else to do */
  guint8 *values;  /* [n_ranks][a rank's part] of the sum that is being made */
  gsize allocated; /* bytes */
  GArray *parts;   /* (element-type RanksSumPart) */
  double waiting;  /* seconds */
} state;

gboolean ranks_sum_overlaps(void)
{
  return state.overlaps;
}

guint ranks_sum_count_parts(void)
{
  return state.parts ? state.parts->len : 0;
}

RanksSumPart ranks_sum_get_part(guint part)
{
  return g_array_index(state.parts, RanksSumPart, part);
}

double ranks_sum_get_waiting(void)
{
  return state.waiting;
}

#ifdef HAVE_MPI
static MPI_Comm group; /* so that these calls never meet those of other threads */

static double seconds_since(gint64 start)
{
  return (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
}

/* Lets MPI work until a request is done. MPI moves data only in its own calls. A wait of MPI would
 * take the processor from the threads that compute. */
static void finish(MPI_Request *request)
{
  int done = 0;
  while (MPI_Test(request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && !done)
    if (g_atomic_int_get(&state.waits))
      g_thread_yield();
    else
      g_usleep(INTERVAL);
}

static void add(guint8 *sums, const guint8 *values, gsize n, gsize value_bytes)
{
  if (value_bytes == sizeof(double)) {
    double *to = (double *)(gpointer)sums;
    const double *from = (const double *)(gconstpointer)values;
    for (gsize i = 0; i < n; i++)
      to[i] += from[i];
  } else {
    float *to = (float *)(gpointer)sums;
    const float *from = (const float *)(gconstpointer)values;
    for (gsize i = 0; i < n; i++)
      to[i] += from[i];
  }
}

/* Each rank gets a part of all ranks' values, adds them up, and sends the sums to all. That moves
 * as few bytes as any other method, and fixes the order of the sums. */
static void sum_some(guint8 *values, gsize n, gsize size)
{
  const guint n_ranks = state.n_ranks, own = state.own;
  g_autofree int *counts = g_new(int, n_ranks), *offsets = g_new(int, n_ranks);
  g_autofree int *own_counts = g_new(int, n_ranks), *own_offsets = g_new(int, n_ranks);
  for (guint r = 0; r < n_ranks; r++) {
    const gsize first = n * r / n_ranks, end = n * (r + 1) / n_ranks;
    offsets[r] = (int)(first * size);
    counts[r] = (int)((end - first) * size);
  }
  for (guint r = 0; r < n_ranks; r++) {
    own_counts[r] = counts[own];
    own_offsets[r] = (int)r * counts[own];
  }
  MPI_Request request;
  const gsize bytes = (gsize)counts[own];
  MPI_Ialltoallv(values, counts, offsets, MPI_BYTE, state.values, own_counts, own_offsets, MPI_BYTE,
                 group, &request);
  finish(&request);
  for (guint r = 1; r < n_ranks; r++)
    add(state.values, state.values + r * bytes, bytes / size, size);
  memcpy(values + offsets[own], state.values, bytes);
  MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values, counts, offsets, MPI_BYTE, group,
                  &request);
  finish(&request);
}

static void make(const Sum *sum)
{
  const gsize max = MAX_BYTES / sum->value_bytes;
  const gsize bytes = (MIN(sum->n, max) + state.n_ranks) * sum->value_bytes;
  const gint64 start = g_get_monotonic_time();
  if (bytes > state.allocated) {
    g_free(state.values);
    state.values = g_malloc(bytes);
    state.allocated = bytes;
  }
  for (gsize first = 0; first < sum->n; first += max)
    sum_some(sum->values + first * sum->value_bytes, MIN(max, sum->n - first), sum->value_bytes);
  if (sum->part == UNCOUNTED)
    return;
  if (sum->part >= state.parts->len)
    g_array_set_size(state.parts, sum->part + 1);
  RanksSumPart *part = &g_array_index(state.parts, RanksSumPart, sum->part);
  part->calls++;
  part->bytes += sum->n * sum->value_bytes;
  part->seconds += seconds_since(start);
}

/* Makes sums until there are none, or until the end. */
static void make_all(gboolean until_end)
{
  g_mutex_lock(&state.mutex);
  for (;;) {
    Sum *sum = g_queue_peek_head(&state.sums);
    if (!sum && (!until_end || state.ends))
      break;
    if (!sum) {
      g_cond_wait(&state.changed, &state.mutex);
      continue;
    }
    g_mutex_unlock(&state.mutex);
    make(sum);
    g_mutex_lock(&state.mutex);
    g_free(g_queue_pop_head(&state.sums));
    g_cond_broadcast(&state.changed);
  }
  g_mutex_unlock(&state.mutex);
}

static gpointer run_thread(gpointer data)
{
  make_all(TRUE);
  return NULL;
}

void ranks_sum_open(guint n_ranks, guint own)
{
  int provided = MPI_THREAD_SINGLE;
  MPI_Query_thread(&provided);
  MPI_Comm_dup(MPI_COMM_WORLD, &group);
  state.n_ranks = n_ranks;
  state.own = own;
  state.overlaps =
      provided == MPI_THREAD_MULTIPLE && g_strcmp0(g_getenv("VITGATE_MPI_OVERLAP"), "0");
  state.parts = g_array_new(FALSE, TRUE, sizeof(RanksSumPart));
}

void ranks_sum_close(void)
{
  if (!state.parts)
    return;
  g_mutex_lock(&state.mutex);
  state.ends = TRUE;
  g_cond_broadcast(&state.changed);
  g_mutex_unlock(&state.mutex);
  if (state.thread)
    g_thread_join(g_steal_pointer(&state.thread));
  MPI_Comm_free(&group);
  g_clear_pointer(&state.parts, g_array_unref);
  g_clear_pointer(&state.values, g_free);
}

void ranks_sum_start(gpointer values, gsize n, gsize value_bytes, guint part)
{
  const Sum sum = { values, n, value_bytes, part };
  g_mutex_lock(&state.mutex);
  if (state.overlaps && !state.thread)
    state.thread = g_thread_new("sums", run_thread, NULL);
  g_queue_push_tail(&state.sums, g_memdup2(&sum, sizeof sum));
  g_cond_broadcast(&state.changed);
  g_mutex_unlock(&state.mutex);
}

static void wait_for_sums(void)
{
  g_atomic_int_set(&state.waits, 1);
  if (state.overlaps) {
    g_mutex_lock(&state.mutex);
    while (g_queue_peek_head(&state.sums))
      g_cond_wait(&state.changed, &state.mutex);
    g_mutex_unlock(&state.mutex);
  } else {
    make_all(FALSE);
  }
  g_atomic_int_set(&state.waits, 0);
}

void ranks_sum_wait(void)
{
  const gint64 start = g_get_monotonic_time();
  wait_for_sums();
  state.waiting += seconds_since(start);
}

void ranks_sum_now(double *values, gsize n)
{
  if (state.n_ranks < 2)
    return;
  ranks_sum_start(values, n, sizeof *values, UNCOUNTED);
  wait_for_sums();
}
#else
void ranks_sum_open(guint n_ranks, guint own)
{
}

void ranks_sum_close(void)
{
}

void ranks_sum_start(gpointer values, gsize n, gsize value_bytes, guint part)
{
}

void ranks_sum_wait(void)
{
}

void ranks_sum_now(double *values, gsize n)
{
}
#endif
