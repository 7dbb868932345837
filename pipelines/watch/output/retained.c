#include "output/retained.h"

#include <string.h>

#include "base/console.h"

/* What one topic says. */
typedef struct {
  char *topic;
  GBytes *payload; /* empty: it is to be cleared; NULL: whatever an earlier run has set */
  guint64 serial;  /* of this payload */
  gboolean wanted, waiting, taken;
} Message;

struct _Retained {
  gatomicrefcount references;
  GMutex lock;
  char *path;
  GHashTable *messages; /* of Message, by topic */
  GQueue waiting;       /* of Message: to be sent, in this order */
  guint64 serial;
  gboolean failing; /* already reported */
};

static void free_message(gpointer data)
{
  Message *message = data;
  g_free(message->topic);
  g_clear_pointer(&message->payload, g_bytes_unref);
  g_free(message);
}

/* ---- The file ------------------------------------------------------------------------------ */

/* Without the file, topics of removed cameras stay at the broker. */
static void write_file(Retained *self)
{
  g_autoptr(GError) error = NULL;
  GString *text = g_string_new(NULL);
  GHashTableIter iter;
  gpointer topic;
  g_hash_table_iter_init(&iter, self->messages);
  while (g_hash_table_iter_next(&iter, &topic, NULL))
    g_string_append_printf(text, "%s\n", (char *)topic);
  const gboolean written = g_file_set_contents(self->path, text->str, (gssize)text->len, &error);
  g_string_free(text, TRUE);
  if (!written && !self->failing)
    console_print("the list of retained topics: %s", error->message);
  self->failing = !written;
}

/* ---- Messages ------------------------------------------------------------------------------ */

static void queue(Retained *self, Message *message)
{
  if (!message->waiting)
    g_queue_push_tail(&self->waiting, message);
  message->waiting = TRUE;
  message->taken = FALSE;
}

/* Adds a topic that says whatever it says. */
static Message *add(Retained *self, const char *topic)
{
  Message *message = g_new0(Message, 1);
  message->topic = g_strdup(topic);
  g_hash_table_insert(self->messages, message->topic, message);
  return message;
}

/* Call with the lock held. @payload: (transfer full) */
static void set(Retained *self, Message *message, GBytes *payload)
{
  if (message->payload && g_bytes_equal(message->payload, payload)) {
    g_bytes_unref(payload);
    return;
  }
  g_clear_pointer(&message->payload, g_bytes_unref);
  message->payload = payload;
  message->serial = ++self->serial;
  queue(self, message);
}

void retained_set_bytes(Retained *self, const char *topic, GBytes *payload)
{
  g_mutex_lock(&self->lock);
  Message *message = g_hash_table_lookup(self->messages, topic);
  if (message && message->wanted)
    set(self, message, g_bytes_ref(payload));
  g_mutex_unlock(&self->lock);
}

void retained_set(Retained *self, const char *topic, const char *text)
{
  g_autoptr(GBytes) payload = g_bytes_new(text, strlen(text));
  retained_set_bytes(self, topic, payload);
}

void retained_want(Retained *self, GHashTable *wanted)
{
  GHashTableIter iter;
  gpointer topic, value;
  g_mutex_lock(&self->lock);
  g_hash_table_iter_init(&iter, wanted);
  while (g_hash_table_iter_next(&iter, &topic, NULL))
    if (!g_hash_table_contains(self->messages, topic))
      add(self, topic);
  g_hash_table_iter_init(&iter, self->messages);
  while (g_hash_table_iter_next(&iter, &topic, &value)) {
    Message *message = value;
    message->wanted = g_hash_table_contains(wanted, topic);
    if (!message->wanted)
      set(self, message, g_bytes_new(NULL, 0));
    else if (message->payload && g_bytes_get_size(message->payload) == 0)
      g_clear_pointer(&message->payload, g_bytes_unref); /* wanted again before it was cleared */
  }
  write_file(self);
  g_mutex_unlock(&self->lock);
}

void retained_forget(Retained *self, const char *topic)
{
  g_mutex_lock(&self->lock);
  Message *message = g_hash_table_lookup(self->messages, topic);
  if (message) {
    g_queue_remove(&self->waiting, message);
    g_hash_table_remove(self->messages, topic);
    write_file(self);
  }
  g_mutex_unlock(&self->lock);
}

gboolean retained_take(Retained *self, char **topic, GBytes **payload, guint64 *serial)
{
  g_mutex_lock(&self->lock);
  Message *message = g_queue_pop_head(&self->waiting);
  while (message && !message->payload) {
    message->waiting = FALSE;
    message = g_queue_pop_head(&self->waiting);
  }
  if (message) {
    message->waiting = FALSE;
    message->taken = TRUE;
    *topic = g_strdup(message->topic);
    *payload = g_bytes_ref(message->payload);
    *serial = message->serial;
  }
  g_mutex_unlock(&self->lock);
  return message != NULL;
}

void retained_confirm(Retained *self, const char *topic, guint64 serial)
{
  g_mutex_lock(&self->lock);
  Message *message = g_hash_table_lookup(self->messages, topic);
  if (message && message->serial == serial) {
    message->taken = FALSE;
    if (message->payload && g_bytes_get_size(message->payload) == 0) {
      g_queue_remove(&self->waiting, message);
      g_hash_table_remove(self->messages, topic);
      write_file(self);
    }
  }
  g_mutex_unlock(&self->lock);
}

void retained_rewind(Retained *self)
{
  GHashTableIter iter;
  gpointer message;
  g_mutex_lock(&self->lock);
  g_hash_table_iter_init(&iter, self->messages);
  while (g_hash_table_iter_next(&iter, NULL, &message))
    if (((Message *)message)->payload)
      queue(self, message);
  g_mutex_unlock(&self->lock);
}

gboolean retained_is_settled(Retained *self)
{
  GHashTableIter iter;
  gpointer message;
  g_mutex_lock(&self->lock);
  gboolean settled = self->waiting.length == 0;
  g_hash_table_iter_init(&iter, self->messages);
  while (settled && g_hash_table_iter_next(&iter, NULL, &message))
    settled = !((Message *)message)->taken;
  g_mutex_unlock(&self->lock);
  return settled;
}

/* ---- Start and end ------------------------------------------------------------------------- */

static void read_file(Retained *self)
{
  g_autofree char *text = NULL;
  if (!g_file_get_contents(self->path, &text, NULL, NULL))
    return;
  g_auto(GStrv) topics = g_strsplit(text, "\n", -1);
  for (guint i = 0; topics[i]; i++)
    if (*topics[i] && g_utf8_validate(topics[i], -1, NULL) &&
        !g_hash_table_contains(self->messages, topics[i]))
      add(self, topics[i]);
}

Retained *retained_new(const char *path)
{
  Retained *self = g_new0(Retained, 1);
  g_atomic_ref_count_init(&self->references);
  g_mutex_init(&self->lock);
  self->path = g_strdup(path);
  self->messages = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_message);
  g_queue_init(&self->waiting);
  read_file(self);
  return self;
}

Retained *retained_ref(Retained *self)
{
  g_atomic_ref_count_inc(&self->references);
  return self;
}

void retained_unref(Retained **retained)
{
  Retained *self = g_steal_pointer(retained);
  if (!self || !g_atomic_ref_count_dec(&self->references))
    return;
  g_queue_clear(&self->waiting);
  g_hash_table_unref(self->messages);
  g_mutex_clear(&self->lock);
  g_free(self->path);
  g_free(self);
}
