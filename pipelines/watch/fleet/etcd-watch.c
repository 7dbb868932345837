#include "fleet/etcd-watch.h"

#include <string.h>

#include "base/members.h"

#define MAX_LINE (64 << 20) /* bytes */

struct _EtcdWatch {
  Etcd *etcd;
  GInputStream *stream;
  const char *endpoint;
  GString *text;   /* was read, but is not yet a complete line */
  gsize searched;  /* bytes of @text without a newline */
  gint64 revision; /* the next one that is wanted */
};

EtcdWatch *etcd_watch_new(Etcd *etcd, const char *prefix, gint64 revision, GError **error)
{
  g_autoptr(JsonBuilder) request = json_builder_new();
  const char *endpoint;
  json_builder_begin_object(request);
  json_builder_set_member_name(request, "create_request");
  json_builder_begin_object(request);
  etcd_json_add_range(request, prefix, NULL);
  etcd_json_add_number(request, "start_revision", revision);
  json_builder_end_object(request);
  GInputStream *stream = etcd_http_stream(etcd, "/v3/watch", request, &endpoint, error);
  if (!stream)
    return NULL;
  EtcdWatch *self = g_new0(EtcdWatch, 1);
  self->etcd = etcd;
  self->stream = stream;
  self->endpoint = endpoint;
  self->revision = revision;
  self->text = g_string_new(NULL);
  return self;
}

/* ---- Lines --------------------------------------------------------------------------------- */

static gboolean fail(EtcdWatch *self, GError **error, EtcdError code, const char *reason)
{
  g_set_error(error, ETCD_ERROR, code, "%s: %s", self->endpoint, reason);
  return FALSE;
}

static gboolean read_more(EtcdWatch *self, GError **error)
{
  char part[8192];
  if (self->text->len > MAX_LINE)
    return fail(self, error, ETCD_ERROR_ANSWER, "a change is too long");
  gssize length =
      etcd_http_read(self->etcd, self->stream, self->endpoint, part, sizeof part, error);
  if (!length)
    fail(self, error, ETCD_ERROR_UNAVAILABLE, "ended the watch");
  if (length <= 0)
    return FALSE;
  g_string_append_len(self->text, part, length);
  return TRUE;
}

/* Returns: (transfer full) */
static char *read_line(EtcdWatch *self, GError **error)
{
  char *newline;
  while (!(newline =
               memchr(self->text->str + self->searched, '\n', self->text->len - self->searched))) {
    self->searched = self->text->len;
    if (!read_more(self, error))
      return NULL;
  }
  gsize length = (gsize)(newline - self->text->str);
  char *line = g_strndup(self->text->str, length);
  g_string_erase(self->text, 0, (gssize)length + 1);
  self->searched = 0;
  return line;
}

/* ---- Changes ------------------------------------------------------------------------------- */

static void add_change(GPtrArray *items, JsonObject *event)
{
  JsonObject *kv = member_get_object(event, "kv");
  EtcdItem *item =
      kv ? etcd_json_get_item(kv, g_strcmp0(member_get_string(event, "type"), "DELETE") == 0)
         : NULL;
  if (item)
    g_ptr_array_add(items, item);
}

static GPtrArray *read_changes(EtcdWatch *self, JsonObject *result)
{
  GPtrArray *items = g_ptr_array_new_with_free_func((GDestroyNotify)etcd_item_free);
  JsonArray *events = etcd_json_get_array(result, "events");
  for (guint i = 0; events && i < json_array_get_length(events); i++) {
    JsonObject *event = etcd_json_get_element(events, i);
    if (event)
      add_change(items, event);
  }
  for (guint i = 0; i < items->len; i++)
    self->revision = MAX(self->revision, ((EtcdItem *)items->pdata[i])->mod_revision + 1);
  return items;
}

/* What etcd says when it ends a watch. */
static gboolean check_result(EtcdWatch *self, JsonObject *result, GError **error)
{
  if (!json_object_get_boolean_member_with_default(result, "canceled", FALSE))
    return TRUE;
  const char *reason = member_get_string(result, "cancel_reason");
  if (etcd_json_get_number(result, "compact_revision"))
    return fail(self, error, ETCD_ERROR_COMPACTED, "the revision has been compacted");
  if (reason && strstr(reason, "permission denied"))
    return fail(self, error, ETCD_ERROR_CREDENTIALS, reason);
  return fail(self, error, ETCD_ERROR_UNAVAILABLE, reason ? reason : "ended the watch");
}

static GPtrArray *read_object(EtcdWatch *self, JsonObject *object, GError **error)
{
  JsonObject *result = member_get_object(object, "result");
  JsonObject *wrong = member_get_object(object, "error");
  if (result)
    return check_result(self, result, error) ? read_changes(self, result) : NULL;
  if (wrong)
    etcd_http_fail(error, self->endpoint, etcd_json_get_number(wrong, "grpc_code"),
                   member_get_string(wrong, "message"));
  else
    fail(self, error, ETCD_ERROR_ANSWER, "expected changes of a watch");
  return NULL;
}

GPtrArray *etcd_watch_next(EtcdWatch *self, gint64 *revision, GError **error)
{
  g_autofree char *line = read_line(self, error);
  g_autoptr(JsonParser) parser = json_parser_new();
  GPtrArray *items = NULL;
  if (line) {
    JsonNode *root =
        json_parser_load_from_data(parser, line, -1, NULL) ? json_parser_get_root(parser) : NULL;
    if (root && JSON_NODE_HOLDS_OBJECT(root))
      items = read_object(self, json_node_get_object(root), error);
    else
      fail(self, error, ETCD_ERROR_ANSWER, "expected a line of JSON");
  }
  if (revision)
    *revision = self->revision;
  return items;
}

void etcd_watch_free(EtcdWatch **watch)
{
  EtcdWatch *self = *watch;
  *watch = NULL;
  if (!self)
    return;
  etcd_http_close(self->etcd, self->stream);
  g_string_free(self->text, TRUE);
  g_free(self);
}
