#include "fleet/trouble.h"

#include <string.h>

void trouble_init(Trouble *self)
{
  *self = (Trouble){ 0 };
  g_mutex_init(&self->lock);
}

void trouble_clear(Trouble *self)
{
  g_free(self->error);
  g_free(self->problem);
  g_mutex_clear(&self->lock);
}

static char *begin(Trouble *self, TroubleSource source, const GError *error)
{
  const gboolean known = self->told & (1u << error->code);
  self->sources |= 1u << source;
  self->told |= 1u << error->code;
  self->errors++;
  g_free(self->error);
  self->error = g_strdup(error->message);
  return known ? NULL
               : g_strdup_printf("etcd cannot be used; trying again for ever: %s", error->message);
}

static char *end(Trouble *self, TroubleSource source)
{
  self->sources &= ~(1u << source);
  if (self->sources || !self->told)
    return NULL;
  self->told = 0;
  g_clear_pointer(&self->error, g_free);
  return g_strdup("etcd can be used again");
}

char *trouble_set(Trouble *self, TroubleSource source, const GError *error)
{
  g_mutex_lock(&self->lock);
  char *text = error ? begin(self, source, error) : end(self, source);
  g_mutex_unlock(&self->lock);
  return text;
}

char *trouble_set_problem(Trouble *self, const char *problem)
{
  char *text = NULL;
  g_mutex_lock(&self->lock);
  if (g_strcmp0(self->problem, problem)) {
    text = g_strdup(problem ? problem : "this node is registered now");
    g_free(self->problem);
    self->problem = g_strdup(problem);
  }
  g_mutex_unlock(&self->lock);
  return text;
}

char *trouble_get(Trouble *self, guint64 *errors)
{
  g_mutex_lock(&self->lock);
  *errors = self->errors;
  char *text = g_strdup(self->error ? self->error : self->problem);
  g_mutex_unlock(&self->lock);
  return text;
}
