#include "page/http/sessions.h"

#include <sys/random.h>

#define DAYS         ((gint64)24 * 3600 * G_USEC_PER_SEC)
#define IDLE_TIME    (7 * DAYS)
#define MAX_TIME     (60 * DAYS)
#define MAX_SESSIONS 64

/* Tokens are found by their SHA-256, so that the time of a search tells nothing about them. */
struct _Sessions {
  GHashTable *all; /* of char * to Session */
};

typedef struct {
  gint64 since, used; /* monotonic times */
} Session;

Sessions *sessions_new(void)
{
  Sessions *self = g_new0(Sessions, 1);
  self->all = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  return self;
}

void sessions_free(Sessions **sessions)
{
  Sessions *self = *sessions;
  *sessions = NULL;
  if (!self)
    return;
  g_hash_table_unref(self->all);
  g_free(self);
}

static char *hash(const char *token)
{
  return g_compute_checksum_for_string(G_CHECKSUM_SHA256, token, -1);
}

static void remove_old(Sessions *self)
{
  const gint64 now = g_get_monotonic_time();
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init(&iter, self->all);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    const Session *session = value;
    if (now - session->used > IDLE_TIME || now - session->since > MAX_TIME)
      g_hash_table_iter_remove(&iter);
  }
}

/* Removes the session that was unused for longest. */
static void remove_oldest(Sessions *self)
{
  const char *oldest = NULL;
  gint64 oldest_use = G_MAXINT64;
  GHashTableIter iter;
  gpointer key, value;
  g_hash_table_iter_init(&iter, self->all);
  while (g_hash_table_iter_next(&iter, &key, &value)) {
    const Session *session = value;
    if (session->used < oldest_use) {
      oldest = key;
      oldest_use = session->used;
    }
  }
  g_hash_table_remove(self->all, oldest);
}

char *sessions_open(Sessions *self)
{
  guint8 bits[32];
  GString *token = g_string_new(NULL);
  Session *session = g_new(Session, 1);
  /* It cannot fail for so few bytes, once the system has started. */
  while (getrandom(bits, sizeof bits, 0) != sizeof bits)
    ;
  for (guint i = 0; i < sizeof bits; i++)
    g_string_append_printf(token, "%02x", bits[i]);
  remove_old(self);
  if (g_hash_table_size(self->all) >= MAX_SESSIONS)
    remove_oldest(self);
  session->since = session->used = g_get_monotonic_time();
  g_hash_table_insert(self->all, hash(token->str), session);
  return g_string_free(token, FALSE);
}

gboolean sessions_check(Sessions *self, const char *token)
{
  if (!token)
    return FALSE;
  remove_old(self);
  g_autofree char *key = hash(token);
  Session *session = g_hash_table_lookup(self->all, key);
  if (session)
    session->used = g_get_monotonic_time();
  return session != NULL;
}

void sessions_close(Sessions *self, const char *token)
{
  if (!token)
    return;
  g_autofree char *key = hash(token);
  g_hash_table_remove(self->all, key);
}

void sessions_close_all(Sessions *self)
{
  g_hash_table_remove_all(self->all);
}
