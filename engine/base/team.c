#include "base/team.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

/* How long a member waits awake. Within a frame the members are only a few microseconds apart,
 * which is too short to sleep. If it takes longer, another process has taken a core, and the member
 * sleeps. With fewer cores than members it sleeps at once: it would only keep another member from
 * running. */
#define SPINS 4000

struct _Team {
  guint n_members;
  pthread_t *threads; /* [n_members - 1] */
  guint n_threads;    /* started so far */
  guint n_spins;

  pthread_mutex_t lock;
  pthread_cond_t changed; /* when runs, phase or stop changes */
  atomic_uint runs;
  gboolean stop;
  gboolean more; /* another run follows at once */
  TeamFunction function;
  gpointer data;

  atomic_uint arrived;
  atomic_uint phase; /* number of completed barriers */
};

typedef struct {
  Team *team;
  guint member;
} Start;

static inline void relax(void)
{
#ifdef __x86_64__
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* Waits awake for @value to change from @before.
 * Returns: FALSE if it does not change within the team's number of tries */
static gboolean changes(const Team *team, atomic_uint *value, guint before)
{
  for (guint i = 0; i < team->n_spins; i++) {
    if (atomic_load(value) != before)
      return TRUE;
    relax();
  }
  return FALSE;
}

void vitgate__team_barrier(Team *team)
{
  if (!team || team->n_members == 1)
    return;
  guint phase = atomic_load(&team->phase);
  if (atomic_fetch_add(&team->arrived, 1) + 1 == team->n_members) {
    atomic_store(&team->arrived, 0);
    pthread_mutex_lock(&team->lock);
    atomic_store(&team->phase, phase + 1);
    pthread_cond_broadcast(&team->changed);
    pthread_mutex_unlock(&team->lock);
    return;
  }
  if (changes(team, &team->phase, phase))
    return;
  pthread_mutex_lock(&team->lock);
  while (atomic_load(&team->phase) == phase)
    pthread_cond_wait(&team->changed, &team->lock);
  pthread_mutex_unlock(&team->lock);
}

static void *work(void *data)
{
  Start start = *(Start *)data;
  Team *team = start.team;
  g_free(data);
  guint runs = 0;
  for (;;) {
    pthread_mutex_lock(&team->lock);
    while (atomic_load(&team->runs) == runs && !team->stop)
      pthread_cond_wait(&team->changed, &team->lock);
    runs = atomic_load(&team->runs);
    const gboolean stop = team->stop, more = team->more;
    pthread_mutex_unlock(&team->lock);
    if (stop)
      return NULL;
    team->function(team->data, start.member);
    vitgate__team_barrier(team);
    if (more)
      changes(team, &team->runs, runs);
  }
}

/* Starts the threads with all signals blocked: the application's own threads handle its signals. */
static gboolean start_threads(Team *team)
{
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (; team->n_threads < team->n_members - 1; team->n_threads++) {
    Start *start = g_new(Start, 1);
    *start = (Start){ team, team->n_threads + 1 };
    if (pthread_create(&team->threads[team->n_threads], NULL, work, start)) {
      g_free(start);
      break;
    }
#ifdef __linux__
    pthread_setname_np(team->threads[team->n_threads], "vitgate");
#endif
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return team->n_threads == team->n_members - 1;
}

Team *vitgate__team_new(guint n_members)
{
  Team *team = g_new0(Team, 1);
  team->n_members = n_members;
  team->n_spins = n_members <= g_get_num_processors() ? SPINS : 0;
  team->threads = g_new0(pthread_t, n_members);
  pthread_mutex_init(&team->lock, NULL);
  pthread_cond_init(&team->changed, NULL);
  if (!start_threads(team))
    vitgate__team_free(&team);
  return team;
}

void vitgate__team_free(Team **team)
{
  Team *t = g_steal_pointer(team);
  if (!t)
    return;
  pthread_mutex_lock(&t->lock);
  t->stop = TRUE;
  pthread_cond_broadcast(&t->changed);
  pthread_mutex_unlock(&t->lock);
  for (guint i = 0; i < t->n_threads; i++)
    pthread_join(t->threads[i], NULL);
  pthread_cond_destroy(&t->changed);
  pthread_mutex_destroy(&t->lock);
  g_free(t->threads);
  g_free(t);
}

guint vitgate__team_size(const Team *team)
{
  return team->n_members;
}

static void run(Team *team, TeamFunction function, gpointer data, gboolean more)
{
  if (team->n_members > 1) {
    pthread_mutex_lock(&team->lock);
    team->function = function;
    team->data = data;
    team->more = more;
    atomic_fetch_add(&team->runs, 1);
    pthread_cond_broadcast(&team->changed);
    pthread_mutex_unlock(&team->lock);
  }
  function(data, 0);
  vitgate__team_barrier(team);
}

void vitgate__team_run(Team *team, TeamFunction function, gpointer data)
{
  run(team, function, data, FALSE);
}

void vitgate__team_run_first(Team *team, TeamFunction function, gpointer data)
{
  run(team, function, data, TRUE);
}
