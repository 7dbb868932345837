#include "model/model-store.h"

#include <string.h>

#include "base/backoff.h"
#include "base/console.h"
#include "base/secrets.h"
#include "model/cached-file.h"

/* A model that somebody wants, with a thread that fetches it. */
typedef struct {
  ModelSource *source; /* of the newest wish, with the URLs of all */
  guint n_wants;
  GThread *thread;
  GCancellable *cancellable;
  GCond changed;
  Backoff backoff;

  gboolean there;
  gboolean renewed; /* @source has changed since the attempt began */
  char *error;      /* (nullable): of the last attempt */
  char *doing;      /* (nullable): what the attempt that runs does */
  guint64 got, total;
  guint attempts;
  double retry_after;
} Job;

struct _ModelWant {
  Job *job;
};

static GMutex lock;
static GHashTable *jobs; /* Job by path */

/* ---- The thread ---------------------------------------------------------------------------- */

static void on_progress(guint64 got, guint64 total, gpointer user_data)
{
  Job *job = user_data;
  g_mutex_lock(&lock);
  job->got = got;
  job->total = total;
  g_mutex_unlock(&lock);
}

/* @doing: (transfer full) */
static void set_doing(Job *job, char *doing)
{
  g_mutex_lock(&lock);
  g_free(job->doing);
  job->doing = doing;
  job->got = job->total = 0;
  g_mutex_unlock(&lock);
}

/* Tries one URL after the other.
 * @lasting: (out): whether no URL's error will pass soon
 * Returns: FALSE with all errors in one */
static gboolean fetch(Job *job, const ModelSource *source, gboolean *lasting, GError **error)
{
  g_autoptr(GString) all = g_string_new(NULL);
  *lasting = TRUE;
  for (char **url = source->urls; *url; url++) {
    g_autoptr(GError) reason = NULL;
    g_autofree char *shown = secrets_hide_url(*url);
    gboolean lasts;
    set_doing(job, g_strdup_printf("fetching %s", shown));
    if (cached_file_fetch(source, *url, on_progress, job, &lasts, job->cancellable, &reason)) {
      console_print("model %s: fetched from %s", source->path, shown);
      return TRUE;
    }
    *lasting = *lasting && lasts;
    g_string_append_printf(all, "%s%s", all->len ? "; " : "", reason->message);
  }
  if (!all->len)
    g_string_printf(all, "%s does not exist, and [watch] model-urls does not say where to fetch it",
                    source->path);
  g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_FAILED, all->str);
  return FALSE;
}

static gboolean try_once(Job *job, const ModelSource *source, gboolean *lasting, GError **error)
{
  g_autoptr(GError) unreadable = NULL;
  set_doing(job, g_strdup_printf("checking %s", source->path));
  if (cached_file_check(source, job->cancellable, &unreadable))
    return TRUE;
  if (!unreadable)
    return fetch(job, source, lasting, error);
  *lasting = FALSE;
  g_propagate_error(error, g_steal_pointer(&unreadable));
  return FALSE;
}

/* Call with the lock held; it is released during the attempt. */
static void attempt(Job *job)
{
  g_autoptr(ModelSource) source = model_source_copy(job->source);
  g_autoptr(GError) error = NULL;
  gboolean lasting = FALSE;
  job->renewed = FALSE;
  job->retry_after = 0;
  g_mutex_unlock(&lock);
  const gboolean good = try_once(job, source, &lasting, &error);
  g_mutex_lock(&lock);
  job->there = good;
  job->attempts = good ? 0 : job->attempts + 1;
  g_clear_pointer(&job->doing, g_free);
  g_free(job->error);
  job->error = good ? NULL : g_strdup(error->message);
  if (good)
    backoff_init(&job->backoff, source->retry_min, source->retry_max);
  else if (lasting)
    backoff_slow_down(&job->backoff);
}

static void wait_to_retry(Job *job)
{
  job->retry_after = backoff_step(&job->backoff, g_random_double());
  const gint64 end = g_get_monotonic_time() + (gint64)(job->retry_after * G_USEC_PER_SEC);
  while (job->n_wants && !job->renewed && g_cond_wait_until(&job->changed, &lock, end))
    ;
}

static gpointer run(gpointer data)
{
  Job *job = data;
  g_mutex_lock(&lock);
  while (job->n_wants) {
    if (!job->there)
      attempt(job);
    if (job->there)
      g_cond_wait(&job->changed, &lock);
    else
      wait_to_retry(job);
  }
  g_mutex_unlock(&lock);
  return NULL;
}

/* ---- Jobs ---------------------------------------------------------------------------------- */

static gboolean is_same(const ModelSource *a, const ModelSource *b)
{
  return g_strv_equal((const char *const *)a->urls, (const char *const *)b->urls) &&
         !g_strcmp0(a->ca_file, b->ca_file) && a->max_size == b->max_size &&
         a->retry_min == b->retry_min && a->retry_max == b->retry_max;
}

/* A camera's wrong URL must not be the only one for another camera. Call with the lock held. */
static void renew(Job *job, const ModelSource *source)
{
  g_autoptr(GStrvBuilder) urls = g_strv_builder_new();
  ModelSource *joined = model_source_copy(source);
  g_strv_builder_addv(urls, (const char **)source->urls);
  for (char **url = job->source->urls; *url; url++)
    if (!g_strv_contains((const char *const *)source->urls, *url))
      g_strv_builder_add(urls, *url);
  g_strfreev(joined->urls);
  joined->urls = g_strv_builder_end(urls);
  if (!is_same(joined, job->source)) {
    backoff_init(&job->backoff, joined->retry_min, joined->retry_max);
    job->renewed = TRUE;
    g_cond_broadcast(&job->changed);
  }
  model_source_free(job->source);
  job->source = joined;
}

static Job *job_new(const ModelSource *source)
{
  Job *job = g_new0(Job, 1);
  job->source = model_source_copy(source);
  job->cancellable = g_cancellable_new();
  job->n_wants = 1;
  g_cond_init(&job->changed);
  backoff_init(&job->backoff, source->retry_min, source->retry_max);
  job->thread = g_thread_new("model", run, job);
  return job;
}

static void job_free(Job *job)
{
  g_cancellable_cancel(job->cancellable);
  g_thread_join(job->thread);
  g_object_unref(job->cancellable);
  g_cond_clear(&job->changed);
  model_source_free(job->source);
  g_free(job->error);
  g_free(job->doing);
  g_free(job);
}

/* ---- Wishes -------------------------------------------------------------------------------- */

ModelWant *model_want_new(const ModelSource *source)
{
  ModelWant *self = g_new0(ModelWant, 1);
  g_mutex_lock(&lock);
  if (!jobs)
    jobs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  self->job = g_hash_table_lookup(jobs, source->path);
  if (self->job) {
    self->job->n_wants++;
    renew(self->job, source);
  } else {
    self->job = job_new(source);
    g_hash_table_insert(jobs, g_strdup(source->path), self->job);
  }
  g_mutex_unlock(&lock);
  return self;
}

/* Call with the lock held. */
static char *describe(const Job *job)
{
  if (job->error)
    return g_strdup(job->error);
  return g_strdup(job->doing ? job->doing : "it is being checked");
}

gboolean model_want_is_there(ModelWant *self, ModelProgress *progress)
{
  Job *job = self->job;
  g_mutex_lock(&lock);
  if (job->there && !g_file_test(job->source->path, G_FILE_TEST_EXISTS)) {
    job->there = FALSE;
    g_cond_broadcast(&job->changed);
  }
  const gboolean there = job->there;
  if (!there)
    *progress =
        (ModelProgress){ describe(job), job->got, job->total, job->attempts, job->retry_after };
  g_mutex_unlock(&lock);
  return there;
}

char *model_progress_text(const ModelProgress *progress)
{
  if (!progress->total)
    return g_strdup(progress->reason);
  g_autofree char *got = g_format_size(progress->got), *total = g_format_size(progress->total);
  return g_strdup_printf("%s (%s of %s)", progress->reason, got, total);
}

void model_progress_clear(ModelProgress *progress)
{
  g_clear_pointer(&progress->reason, g_free);
}

void model_want_free(ModelWant *self)
{
  Job *job = self->job;
  g_free(self);
  g_mutex_lock(&lock);
  const gboolean last = --job->n_wants == 0;
  if (last) {
    g_hash_table_remove(jobs, job->source->path);
    g_cond_broadcast(&job->changed);
  }
  g_mutex_unlock(&lock);
  if (last)
    job_free(job);
}
