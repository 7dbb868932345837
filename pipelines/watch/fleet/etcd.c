#include "fleet/etcd.h"

#include <string.h>

#include "base/members.h"

#define PAGE 500 /* keys that are read at once */

static JsonBuilder *begin(void)
{
  JsonBuilder *builder = json_builder_new();
  json_builder_begin_object(builder);
  return builder;
}

static gint64 get_revision(JsonObject *answer)
{
  JsonObject *header = member_get_object(answer, "header");
  return header ? etcd_json_get_number(header, "revision") : 0;
}

/* Returns: whether the answer was good */
static gboolean ask_only(Etcd *self, const char *path, JsonBuilder *request, GError **error)
{
  JsonObject *answer = etcd_http_ask(self, path, request, error);
  if (answer)
    json_object_unref(answer);
  return answer != NULL;
}

/* ---- Reading ------------------------------------------------------------------------------- */

/* Returns: (transfer none) (nullable): the last item */
static const EtcdItem *add_items(GPtrArray *items, JsonObject *answer)
{
  JsonArray *array = etcd_json_get_array(answer, "kvs");
  for (guint i = 0; array && i < json_array_get_length(array); i++) {
    JsonObject *object = etcd_json_get_element(array, i);
    EtcdItem *item = object ? etcd_json_get_item(object, FALSE) : NULL;
    if (item)
      g_ptr_array_add(items, item);
  }
  return items->len ? items->pdata[items->len - 1] : NULL;
}

gboolean etcd_get(Etcd *self, const char *key, EtcdItem **item, gint64 *revision, GError **error)
{
  g_autoptr(JsonBuilder) request = begin();
  g_autoptr(GPtrArray) items = g_ptr_array_new();
  etcd_json_add_text(request, "key", key);
  JsonObject *answer = etcd_http_ask(self, "/v3/kv/range", request, error);
  *item = NULL;
  if (!answer)
    return FALSE;
  if (add_items(items, answer))
    *item = items->pdata[0];
  if (revision)
    *revision = get_revision(answer);
  json_object_unref(answer);
  return TRUE;
}

gint64 etcd_get_revision(Etcd *self, const char *key, GError **error)
{
  g_autoptr(JsonBuilder) request = begin();
  etcd_json_add_text(request, "key", key);
  json_builder_set_member_name(request, "count_only");
  json_builder_add_boolean_value(request, TRUE);
  JsonObject *answer = etcd_http_ask_same(self, "/v3/kv/range", request, error);
  if (!answer)
    return 0;
  const gint64 revision = get_revision(answer);
  json_object_unref(answer);
  if (!revision)
    g_set_error(error, ETCD_ERROR, ETCD_ERROR_ANSWER, "expected a revision of etcd");
  return revision;
}

/* @first: (nullable): the first key of the page
 * @revision: (inout): 0: the newest one */
static JsonObject *ask_page(Etcd *self, const char *prefix, const char *first, gint64 *revision,
                            GError **error)
{
  g_autoptr(JsonBuilder) request = begin();
  etcd_json_add_range(request, prefix, first);
  etcd_json_add_number(request, "limit", PAGE);
  etcd_json_add_number(request, "revision", *revision);
  JsonObject *answer = etcd_http_ask(self, "/v3/kv/range", request, error);
  if (answer && !*revision)
    *revision = get_revision(answer);
  return answer;
}

GPtrArray *etcd_get_prefix(Etcd *self, const char *prefix, gint64 *revision, GError **error)
{
  g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func((GDestroyNotify)etcd_item_free);
  g_autofree char *first = NULL;
  gint64 at = 0;
  gboolean more = TRUE;
  while (more) {
    JsonObject *answer = ask_page(self, prefix, first, &at, error);
    if (!answer)
      return NULL;
    const EtcdItem *last = add_items(items, answer);
    g_free(first);
    first = last ? g_strconcat(last->key, "\001", NULL) : NULL; /* no name has such a character */
    more = last && json_object_get_boolean_member_with_default(answer, "more", FALSE);
    json_object_unref(answer);
  }
  if (revision)
    *revision = at;
  return g_steal_pointer(&items);
}

/* ---- Changing ------------------------------------------------------------------------------ */

static void add_put(JsonBuilder *request, const char *key, const char *value, gint64 lease)
{
  etcd_json_add_text(request, "key", key);
  etcd_json_add_text(request, "value", value);
  if (lease)
    etcd_json_add_number(request, "lease", lease);
}

gboolean etcd_put(Etcd *self, const char *key, const char *value, gint64 lease, GError **error)
{
  g_autoptr(JsonBuilder) request = begin();
  add_put(request, key, value, lease);
  return ask_only(self, "/v3/kv/put", request, error);
}

gboolean etcd_delete(Etcd *self, const char *key, gboolean *existed, GError **error)
{
  g_autoptr(JsonBuilder) request = begin();
  etcd_json_add_text(request, "key", key);
  JsonObject *answer = etcd_http_ask(self, "/v3/kv/deleterange", request, error);
  if (!answer)
    return FALSE;
  if (existed)
    *existed = etcd_json_get_number(answer, "deleted") > 0;
  json_object_unref(answer);
  return TRUE;
}

/* @target: "CREATE" or "MOD" */
static void add_condition(JsonBuilder *request, const char *key, const char *target,
                          const char *member, gint64 revision)
{
  json_builder_begin_object(request);
  etcd_json_add_text(request, "key", key);
  member_add_string(request, "target", target);
  member_add_string(request, "result", "EQUAL");
  etcd_json_add_number(request, member, revision);
  json_builder_end_object(request);
}

static void begin_array(JsonBuilder *request, const char *member)
{
  json_builder_set_member_name(request, member);
  json_builder_begin_array(request);
}

/* Begins what a transaction does, a single operation. */
static void begin_operation(JsonBuilder *request, const char *operation)
{
  begin_array(request, "success");
  json_builder_begin_object(request);
  json_builder_set_member_name(request, operation);
  json_builder_begin_object(request);
}

/* @revision: (out): of the change; 0 if the conditions are not true */
static gboolean finish_transaction(Etcd *self, JsonBuilder *request, gint64 *revision,
                                   GError **error)
{
  json_builder_end_object(request);
  json_builder_end_object(request);
  json_builder_end_array(request);
  JsonObject *answer = etcd_http_ask(self, "/v3/kv/txn", request, error);
  if (!answer)
    return FALSE;
  *revision = json_object_get_boolean_member_with_default(answer, "succeeded", FALSE)
                  ? get_revision(answer)
                  : 0;
  json_object_unref(answer);
  return TRUE;
}

gboolean etcd_create(Etcd *self, const char *key, const char *value, gint64 lease,
                     const char *guard, gint64 guard_revision, gint64 *revision, GError **error)
{
  g_autoptr(JsonBuilder) request = begin();
  begin_array(request, "compare");
  add_condition(request, key, "CREATE", "create_revision", 0);
  if (guard)
    add_condition(request, guard, "MOD", "mod_revision", guard_revision);
  json_builder_end_array(request);
  begin_operation(request, "request_put");
  add_put(request, key, value, lease);
  return finish_transaction(self, request, revision, error);
}

gboolean etcd_delete_if(Etcd *self, const char *key, gint64 mod_revision, gboolean *deleted,
                        GError **error)
{
  g_autoptr(JsonBuilder) request = begin();
  gint64 revision;
  begin_array(request, "compare");
  add_condition(request, key, "MOD", "mod_revision", mod_revision);
  json_builder_end_array(request);
  begin_operation(request, "request_delete_range");
  etcd_json_add_text(request, "key", key);
  if (!finish_transaction(self, request, &revision, error))
    return FALSE;
  if (deleted)
    *deleted = revision != 0;
  return TRUE;
}

/* ---- Leases -------------------------------------------------------------------------------- */

gboolean etcd_grant(Etcd *self, guint ttl, gint64 *lease, GError **error)
{
  g_autoptr(JsonBuilder) request = begin();
  etcd_json_add_number(request, "TTL", ttl);
  JsonObject *answer = etcd_http_ask(self, "/v3/lease/grant", request, error);
  if (!answer)
    return FALSE;
  *lease = etcd_json_get_number(answer, "ID");
  json_object_unref(answer);
  if (!*lease)
    g_set_error(error, ETCD_ERROR, ETCD_ERROR_ANSWER, "expected the ID of a lease of etcd");
  return *lease != 0;
}

static JsonObject *ask_lease(Etcd *self, const char *path, gint64 lease, GError **error)
{
  g_autoptr(JsonBuilder) request = begin();
  etcd_json_add_number(request, "ID", lease);
  return etcd_http_ask(self, path, request, error);
}

gboolean etcd_keep_alive(Etcd *self, gint64 lease, gint64 *ttl, GError **error)
{
  JsonObject *answer = ask_lease(self, "/v3/lease/keepalive", lease, error);
  if (!answer)
    return FALSE;
  JsonObject *result = member_get_object(answer, "result");
  *ttl = result ? MAX(etcd_json_get_number(result, "TTL"), 0) : 0;
  if (!result)
    g_set_error(error, ETCD_ERROR, ETCD_ERROR_ANSWER, "expected the result of a keep-alive");
  json_object_unref(answer);
  return result != NULL;
}

gboolean etcd_time_to_live(Etcd *self, gint64 lease, gint64 *ttl, GError **error)
{
  JsonObject *answer = ask_lease(self, "/v3/lease/timetolive", lease, error);
  if (!answer)
    return FALSE;
  *ttl = MAX(etcd_json_get_number(answer, "TTL"), 0);
  json_object_unref(answer);
  return TRUE;
}

gboolean etcd_revoke(Etcd *self, gint64 lease, GError **error)
{
  g_autoptr(GError) wrong = NULL;
  JsonObject *answer = ask_lease(self, "/v3/lease/revoke", lease, &wrong);
  if (answer)
    json_object_unref(answer);
  if (!wrong || g_error_matches(wrong, ETCD_ERROR, ETCD_ERROR_LEASE))
    return TRUE;
  g_propagate_error(error, g_steal_pointer(&wrong));
  return FALSE;
}

/* ---- Endpoints ----------------------------------------------------------------------------- */

gboolean etcd_check_endpoint(Etcd *self, guint index, GError **error)
{
  JsonObject *answer = etcd_http_get(self, index, "/health", error);
  if (!answer)
    return FALSE;
  const char *health = member_get_string(answer, "health");
  const gboolean good = g_strcmp0(health, "true") == 0;
  if (!good)
    g_set_error(error, ETCD_ERROR, ETCD_ERROR_UNAVAILABLE, "is not healthy");
  json_object_unref(answer);
  return good;
}
