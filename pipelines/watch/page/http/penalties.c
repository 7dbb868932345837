#include "page/http/penalties.h"

#define FREE_ATTEMPTS 3
#define MAX_WAIT      60                     /* seconds */
#define FORGET_TIME   (900 * G_USEC_PER_SEC) /* without an attempt */
#define MAX_CLIENTS   4096

struct _Penalties {
  GHashTable *all; /* of char * to Penalty */
};

typedef struct {
  guint n_wrong;
  gint64 last; /* monotonic time */
} Penalty;

Penalties *penalties_new(void)
{
  Penalties *self = g_new0(Penalties, 1);
  self->all = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  return self;
}

void penalties_free(Penalties **penalties)
{
  Penalties *self = *penalties;
  *penalties = NULL;
  if (!self)
    return;
  g_hash_table_unref(self->all);
  g_free(self);
}

/* Returns: (transfer full): the address, or the network of an IPv6 address, of which a client can
 * have as many addresses as it likes */
static char *name_client(GInetAddress *client)
{
  const guint8 *bytes = g_inet_address_to_bytes(client);
  const gsize size = g_inet_address_get_native_size(client);
  GString *name = g_string_new(NULL);
  for (gsize i = 0; i < (size > 8 ? 8 : size); i++)
    g_string_append_printf(name, "%02x", bytes[i]);
  return g_string_free(name, FALSE);
}

guint penalties_get_wait(Penalties *self, GInetAddress *client)
{
  g_autofree char *name = name_client(client);
  const Penalty *penalty = g_hash_table_lookup(self->all, name);
  if (!penalty || penalty->n_wrong < FREE_ATTEMPTS)
    return 0;
  const guint wait = MIN(1u << MIN(penalty->n_wrong - FREE_ATTEMPTS, 10), MAX_WAIT);
  const gint64 left = penalty->last + wait * G_USEC_PER_SEC - g_get_monotonic_time();
  return left > 0 ? (guint)((left + G_USEC_PER_SEC - 1) / G_USEC_PER_SEC) : 0;
}

static gboolean is_old(gpointer key, gpointer value, gpointer now)
{
  return *(gint64 *)now - ((Penalty *)value)->last > FORGET_TIME;
}

void penalties_note(Penalties *self, GInetAddress *client, gboolean right)
{
  gint64 now = g_get_monotonic_time();
  char *name = name_client(client);
  g_hash_table_foreach_remove(self->all, is_old, &now);
  Penalty *penalty = g_hash_table_lookup(self->all, name);
  if (right) {
    g_hash_table_remove(self->all, name);
    g_free(name);
    return;
  }
  if (penalty) {
    g_free(name);
  } else {
    if (g_hash_table_size(self->all) >= MAX_CLIENTS)
      g_hash_table_remove_all(self->all);
    penalty = g_new0(Penalty, 1);
    g_hash_table_insert(self->all, name, penalty);
  }
  penalty->n_wrong++;
  penalty->last = now;
}
