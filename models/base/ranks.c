#include "base/ranks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/command-error.h"
#include "base/ranks-sum.h"

#ifdef HAVE_MPI
#include <mpi.h>
#endif

#define MAX_BYTES   (256 << 20) /* of one call of MPI, whose counts are ints */
#define END_SECONDS 3           /* how long a rank that failed waits for others to fail too */
#define INTERVAL    20000       /* microseconds between looks at them */

static guint n_ranks = 1, own_rank = 0;

guint ranks_count(void)
{
  return n_ranks;
}

guint ranks_own(void)
{
  return own_rank;
}

guint ranks_slice(guint n, guint rank)
{
  return (guint)((guint64)n * rank / n_ranks);
}

/* Returns: the number in an environment variable; 0 if there is none */
static guint number_of(const char *variable)
{
  const char *text = g_getenv(variable);
  return text ? (guint)g_ascii_strtoull(text, NULL, 10) : 0;
}

/* Returns: the number of processes that were started together, as far as the environment says */
static guint started_together(void)
{
  return MAX(MAX(number_of("OMPI_COMM_WORLD_SIZE"), number_of("PMI_SIZE")),
             number_of("SLURM_STEP_NUM_TASKS"));
}

/* ---- MPI ---- */

#ifdef HAVE_MPI
static MPI_Comm ending; /* so that the end never meets another call that ranks still wait in */

/* MPI would end the process with a page of its own. Only the first of them says so. */
static gboolean fail_to_connect(GError **error)
{
  if (number_of("SLURM_PROCID"))
    command_note_silence();
  return command_fail(error,
                      "%u processes were started together, but nothing connects them; start them "
                      "with mpirun or with srun --mpi=pmix",
                      started_together());
}

gboolean ranks_start(GError **error)
{
  const gboolean connected =
      g_getenv("OMPI_COMM_WORLD_SIZE") || g_getenv("PMI_RANK") || g_getenv("PMIX_RANK");
  /* Initialising MPI takes a second where nothing started several processes. */
  if (!connected)
    return started_together() < 2 || fail_to_connect(error);
  int provided, count, rank;
  if (MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &provided) != MPI_SUCCESS ||
      provided < MPI_THREAD_FUNNELED)
    return command_fail(error, "MPI cannot be used with threads (MPI_THREAD_FUNNELED)");
  MPI_Comm_size(MPI_COMM_WORLD, &count);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  n_ranks = (guint)count;
  own_rank = (guint)rank;
  MPI_Comm_dup(MPI_COMM_WORLD, &ending);
  if (n_ranks < started_together()) {
    const guint n = started_together();
    MPI_Finalize();
    return command_fail(error,
                        "%u processes were started together, but MPI sees %u; start them with "
                        "mpirun or with srun --mpi=pmix",
                        n, n_ranks);
  }
  if (n_ranks > 1)
    ranks_sum_open(n_ranks, own_rank);
  if (own_rank)
    command_note_silence();
  return !own_rank || freopen("/dev/null", "w", stdout) ||
         command_fail(error, "/dev/null cannot be opened");
}

/* Waits for all ranks. MPI's own wait would use the processor all the time.
 * @end: when to give up
 * Returns: whether all ranks came */
static gboolean wait_for_all(MPI_Comm group, gint64 end)
{
  MPI_Request request;
  int done = 0;
  MPI_Ibarrier(group, &request);
  while (!done && g_get_monotonic_time() < end) {
    MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    if (!done)
      g_usleep(INTERVAL);
  }
  return done;
}

void ranks_meet(void)
{
  if (n_ranks > 1)
    wait_for_all(MPI_COMM_WORLD, G_MAXINT64);
}

static void print_own(const char *message)
{
  char host[256] = "?";
  gethostname(host, sizeof host - 1);
  g_printerr("%s: rank %u of %u (%s): %s\n", g_get_prgname(), own_rank, n_ranks, host, message);
}

void ranks_end(const char *message)
{
  int initialised = 0, finalised = 0;
  MPI_Initialized(&initialised);
  MPI_Finalized(&finalised);
  if (!initialised || finalised) {
    if (message)
      command_note("%s", message);
    return;
  }
  const gint64 now = g_get_monotonic_time();
  if (!wait_for_all(ending, message ? now + END_SECONDS * G_USEC_PER_SEC : G_MAXINT64)) {
    print_own(message);
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
  /* A rank that succeeded says nothing, so one that failed at the end must speak for itself. */
  guint8 *failed = g_new0(guint8, n_ranks);
  const guint8 own = message != NULL;
  ranks_gather_items(failed, &own, 1);
  if (message && own_rank == 0)
    command_note("%s", message);
  else if (message && !failed[0])
    print_own(message);
  g_free(failed);
  ranks_sum_close();
  MPI_Finalize();
}

void ranks_abort(const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *message = g_strdup_vprintf(format, args);
  va_end(args);
  if (n_ranks == 1) {
    command_note("%s", message);
    exit(1);
  }
  print_own(message);
  MPI_Abort(MPI_COMM_WORLD, 1);
  exit(1);
}

/* @counts: (array length=n_ranks): in items, as the offsets */
static void gather(gpointer all, const int *counts, const int *offsets, gsize item_bytes)
{
  MPI_Datatype item; /* so that there may be more than 2 GB */
  MPI_Type_contiguous((int)item_bytes, MPI_BYTE, &item);
  MPI_Type_commit(&item);
  MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all, counts, offsets, item, MPI_COMM_WORLD);
  MPI_Type_free(&item);
}

static void broadcast(gpointer data, int bytes)
{
  MPI_Bcast(data, bytes, MPI_BYTE, 0, MPI_COMM_WORLD);
}

#else
gboolean ranks_start(GError **error)
{
  const guint n = started_together();
  return n < 2 || command_fail(error,
                               "%u processes were started together, but this build has no MPI; "
                               "start vitgate alone, or build it with -Dmpi=enabled",
                               n);
}

void ranks_end(const char *message)
{
  if (message)
    command_note("%s", message);
}

void ranks_abort(const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *message = g_strdup_vprintf(format, args);
  va_end(args);
  command_note("%s", message);
  exit(1);
}

static void gather(gpointer all, const int *counts, const int *offsets, gsize item_bytes)
{
}

void ranks_meet(void)
{
}

static void broadcast(gpointer data, int bytes)
{
}
#endif

/* ---- Gathering ---- */

void ranks_gather(gpointer array, guint items, gsize item_bytes)
{
  if (n_ranks == 1)
    return;
  g_autofree int *counts = g_new(int, n_ranks), *offsets = g_new(int, n_ranks);
  for (guint r = 0; r < n_ranks; r++) {
    offsets[r] = (int)ranks_slice(items, r);
    counts[r] = (int)ranks_slice(items, r + 1) - offsets[r];
  }
  gather(array, counts, offsets, item_bytes);
}

void ranks_gather_items(gpointer all, gconstpointer own, gsize bytes)
{
  memcpy((guint8 *)all + own_rank * bytes, own, bytes);
  ranks_gather(all, n_ranks, bytes);
}

char **ranks_gather_texts(const char *own)
{
  char **texts = g_new0(char *, n_ranks + 1);
  g_autofree int *lengths = g_new0(int, n_ranks), *offsets = g_new0(int, n_ranks);
  lengths[own_rank] = (int)strlen(own);
  const int length = lengths[own_rank];
  ranks_gather_items(lengths, &length, sizeof length);
  int all = 0;
  for (guint r = 0; r < n_ranks; all += lengths[r], r++)
    offsets[r] = all;
  g_autofree char *text = g_malloc((gsize)all + 1);
  memcpy(text + offsets[own_rank], own, (gsize)length);
  if (n_ranks > 1 && all)
    gather(text, lengths, offsets, 1);
  for (guint r = 0; r < n_ranks; r++)
    texts[r] = g_strndup(text + offsets[r], (gsize)lengths[r]);
  return texts;
}

char **ranks_gather_lines(const char *own)
{
  g_auto(GStrv) all = ranks_gather_texts(own);
  g_autoptr(GStrvBuilder) lines = g_strv_builder_new();
  for (guint r = 0; r < n_ranks; r++) {
    g_auto(GStrv) some = g_strsplit(all[r], "\n", -1);
    for (char **line = some; *line; line++)
      if (**line)
        g_strv_builder_add(lines, *line);
  }
  return g_strv_builder_end(lines);
}

void ranks_broadcast(gpointer data, gsize bytes)
{
  for (gsize first = 0; n_ranks > 1 && first < bytes; first += MAX_BYTES)
    broadcast((guint8 *)data + first, (int)MIN(MAX_BYTES, bytes - first));
}

/* ---- Agreement ---- */

gboolean ranks_any(gboolean value)
{
  if (n_ranks == 1)
    return value;
  g_autofree guint8 *all = g_new0(guint8, n_ranks);
  const guint8 own = value != FALSE;
  ranks_gather_items(all, &own, 1);
  return memchr(all, 1, n_ranks) != NULL;
}

gboolean ranks_all_fine(gboolean fine, GError **error)
{
  if (n_ranks == 1)
    return fine;
  g_auto(GStrv) texts = ranks_gather_texts(fine || !error ? "" : (*error)->message);
  g_autofree guint8 *failed = g_new0(guint8, n_ranks);
  const guint8 own = !fine;
  ranks_gather_items(failed, &own, 1);
  const guint8 *first = memchr(failed, 1, n_ranks);
  if (!first || !fine) /* every rank that failed has its own error already */
    return fine && !first;
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "rank %u of %u: %s",
              (guint)(first - failed), n_ranks, texts[first - failed]);
  return FALSE;
}

gboolean ranks_check_same_data(const char *what, gconstpointer data, gsize bytes, GError **error)
{
  if (n_ranks == 1)
    return TRUE;
  g_autofree char *own = g_compute_checksum_for_data(G_CHECKSUM_SHA256, data, bytes);
  g_auto(GStrv) all = ranks_gather_texts(own);
  for (guint r = 1; r < n_ranks; r++)
    if (strcmp(all[r], all[0])) {
      g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                  "rank %u of %u has other %s than rank 0, expected the same on all", r, n_ranks,
                  what);
      return FALSE;
    }
  return TRUE;
}

gboolean ranks_check_same(const char *what, const char *text, GError **error)
{
  return ranks_check_same_data(what, text, strlen(text), error);
}
