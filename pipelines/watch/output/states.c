#include "output/states.h"

#include <math.h>

#include "base/members.h"
#include "base/times.h"

/* What was sent last. */
typedef struct {
  char *key; /* all but the score */
  double score;
  gint64 time; /* monotonic */
} Last;

struct _States {
  GMutex lock;
  GHashTable *lasts; /* of Last, by topic */
};

static void free_last(gpointer data)
{
  g_free(((Last *)data)->key);
  g_free(data);
}

/* Returns: (transfer full): text that differs if a message is to be sent at once */
static char *make_key(const LookState *state)
{
  g_autofree char *present = state->present ? g_strjoinv("\n", state->present) : g_strdup("");
  return g_strdup_printf("%s\t%s\t%s", state->label ? state->label : "",
                         state->state ? state->state : "", present);
}

static char *write_message(const LookState *state)
{
  g_autoptr(JsonBuilder) builder = json_builder_new();
  g_autofree char *time = time_to_utc(g_get_real_time());
  json_builder_begin_object(builder);
  member_add_string(builder, "label", state->label);
  if (state->label)
    member_add_double(builder, "score", state->score);
  else
    member_add_string(builder, "score", NULL);
  member_add_string(builder, "state", state->state);
  json_builder_set_member_name(builder, "present");
  json_builder_begin_array(builder);
  for (guint i = 0; state->present && state->present[i]; i++)
    json_builder_add_string_value(builder, state->present[i]);
  json_builder_end_array(builder);
  member_add_string(builder, "wall_clock", time);
  json_builder_end_object(builder);
  return member_to_line(builder);
}

/* Returns: whether the message is to be sent */
static gboolean replace(States *self, const char *topic, const LookState *state)
{
  g_autofree char *key = make_key(state);
  const gint64 now = g_get_monotonic_time();
  Last *last = g_hash_table_lookup(self->lasts, topic);
  const gboolean same = last && g_str_equal(last->key, key);
  if (same && (fabs(last->score - state->score) < 0.005 ||
               now - last->time < STATES_INTERVAL * G_USEC_PER_SEC))
    return FALSE;
  if (!last) {
    last = g_new0(Last, 1);
    g_hash_table_insert(self->lasts, g_strdup(topic), last);
  }
  g_free(last->key);
  *last = (Last){ g_steal_pointer(&key), state->score, now };
  return TRUE;
}

char *states_see(States *self, const char *topic, const LookState *state)
{
  g_mutex_lock(&self->lock);
  const gboolean news = replace(self, topic, state);
  g_mutex_unlock(&self->lock);
  return news ? write_message(state) : NULL;
}

void states_forget(States *self)
{
  g_mutex_lock(&self->lock);
  g_hash_table_remove_all(self->lasts);
  g_mutex_unlock(&self->lock);
}

States *states_new(void)
{
  States *self = g_new0(States, 1);
  g_mutex_init(&self->lock);
  self->lasts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_last);
  return self;
}

void states_free(States **states)
{
  States *self = g_steal_pointer(states);
  if (!self)
    return;
  g_hash_table_unref(self->lasts);
  g_mutex_clear(&self->lock);
  g_free(self);
}
