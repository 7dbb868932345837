#include "output/delivery.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/console.h"

#define PARTING_TIME (2 * G_USEC_PER_SEC)
#define JOIN_TIME    (5 * G_USEC_PER_SEC)

void delivery_init(Delivery *self, char *name, Spool *spool, double retry_min, double retry_max)
{
  *self = (Delivery){ .name = name,
                      .spool = spool_ref(spool),
                      .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
  spool_rewind(spool);
  backoff_init(&self->backoff, retry_min, retry_max);
  g_mutex_init(&self->lock);
  g_cond_init(&self->changed);
}

void delivery_set_connected(Delivery *self)
{
  g_mutex_lock(&self->lock);
  self->connected = TRUE;
  g_clear_pointer(&self->error, g_free);
  g_mutex_unlock(&self->lock);
  SpoolStatus status;
  spool_get_status(self->spool, &status);
  console_print("%s: connected; messages waiting: %" G_GUINT64_FORMAT, self->name, status.queued);
}

void delivery_set_trouble(Delivery *self, const char *reason)
{
  g_mutex_lock(&self->lock);
  gboolean news = self->connected || g_strcmp0(self->error, reason) != 0;
  self->connected = FALSE;
  g_free(self->error);
  self->error = g_strdup(reason);
  g_mutex_unlock(&self->lock);
  if (news)
    console_print("%s: %s; messages wait on disk", self->name, reason);
}

static gboolean get(Delivery *self, const gboolean *flag)
{
  g_mutex_lock(&self->lock);
  gboolean set = *flag;
  g_mutex_unlock(&self->lock);
  return set;
}

gboolean delivery_is_connected(Delivery *self)
{
  return get(self, &self->connected);
}

gboolean delivery_is_stopping(Delivery *self)
{
  return get(self, &self->stopping);
}

gboolean delivery_should_end(Delivery *self, gboolean more, gint64 *parting)
{
  if (!delivery_is_stopping(self))
    return FALSE;
  SpoolStatus status;
  const gint64 now = g_get_monotonic_time();
  *parting = *parting ? *parting : now + PARTING_TIME;
  spool_get_status(self->spool, &status);
  return !get(self, &self->delivering) || now > *parting || (status.queued == 0 && !more);
}

/* ---- The thread ---------------------------------------------------------------------------- */

/* Waits for so many seconds, or until delivery_stop(). */
static void wait_to_retry(Delivery *self, double seconds)
{
  const gint64 end = g_get_monotonic_time() + (gint64)(seconds * G_USEC_PER_SEC);
  g_mutex_lock(&self->lock);
  while (!self->stopping && g_cond_wait_until(&self->changed, &self->lock, end))
    ;
  g_mutex_unlock(&self->lock);
}

static gpointer run(gpointer data)
{
  Delivery *self = data;
  /* A program that ends early still makes one attempt to deliver its messages. */
  do {
    self->attempt(self->user_data);
    wait_to_retry(self, backoff_step(&self->backoff, g_random_double()));
  } while (!delivery_is_stopping(self));
  g_mutex_lock(&self->lock);
  self->over = TRUE;
  g_cond_broadcast(&self->changed);
  g_mutex_unlock(&self->lock);
  return NULL;
}

void delivery_start(Delivery *self, const char *thread, void (*attempt)(gpointer user_data),
                    gpointer user_data)
{
  self->attempt = attempt;
  self->user_data = user_data;
  self->thread = g_thread_new(thread, run, self);
}

void delivery_wake(Delivery *self)
{
  const uint64_t one = 1;
  if (write(self->wake, &one, sizeof one) < 0)
    g_debug("eventfd: %s", g_strerror(errno));
}

void delivery_woken(Delivery *self)
{
  uint64_t count;
  if (read(self->wake, &count, sizeof count) < 0)
    g_debug("eventfd: %s", g_strerror(errno));
}

void delivery_stop(Delivery *self, gboolean deliver)
{
  g_mutex_lock(&self->lock);
  self->stopping = TRUE;
  self->delivering = deliver;
  g_cond_broadcast(&self->changed);
  g_mutex_unlock(&self->lock);
  delivery_wake(self);
  const gint64 end = g_get_monotonic_time() + JOIN_TIME;
  g_mutex_lock(&self->lock);
  while (!self->over && g_cond_wait_until(&self->changed, &self->lock, end))
    ;
  g_mutex_unlock(&self->lock);
}

gboolean delivery_clear(Delivery *self)
{
  if (!get(self, &self->over)) {
    console_print("%s: the attempt to connect cannot be stopped", self->name);
    return FALSE;
  }
  g_thread_join(self->thread);
  close(self->wake);
  spool_unref(&self->spool);
  g_mutex_clear(&self->lock);
  g_cond_clear(&self->changed);
  g_free(self->name);
  g_free(self->error);
  return TRUE;
}

/* ---- Status -------------------------------------------------------------------------------- */

void delivery_get_status(Delivery *self, DeliveryStatus *status)
{
  g_mutex_lock(&self->lock);
  *status = (DeliveryStatus){ .connected = self->connected, .error = g_strdup(self->error) };
  g_mutex_unlock(&self->lock);
}

void delivery_status_clear(DeliveryStatus *status)
{
  g_clear_pointer(&status->error, g_free);
}
