/* JSON as etcd's gateway has it: keys and values in base64, 64-bit numbers as text, and members
 * that are 0, FALSE or empty left out. */
#pragma once

#include <json-glib/json-glib.h>

typedef struct {
  char *key, *value; /* the value of a key that is deleted is NULL */
  gsize length;      /* of the value, without the NUL that ends it */
  gint64 create_revision, mod_revision;
  gint64 lease; /* 0: none */
} EtcdItem;

void etcd_item_free(EtcdItem *item);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EtcdItem, etcd_item_free)

void etcd_json_add_text(JsonBuilder *builder, const char *member, const char *text);
void etcd_json_add_number(JsonBuilder *builder, const char *member, gint64 number);

/* Adds the members "key" and "range_end" for all keys that start with @prefix.
 * @first: (nullable): the first key, if it is not the first one of the prefix */
void etcd_json_add_range(JsonBuilder *builder, const char *prefix, const char *first);

/* Returns: 0 if there is no such member, or it is no number */
gint64 etcd_json_get_number(JsonObject *object, const char *member);

/* Returns: (nullable): NULL if there is no such member, or it is no array */
JsonArray *etcd_json_get_array(JsonObject *object, const char *member);

/* Returns: (nullable): element @i if it is an object */
JsonObject *etcd_json_get_element(JsonArray *array, guint i);

/* @deleted: only the key and its mod revision count
 * Returns: (transfer full) (nullable): NULL if @object has no valid key */
EtcdItem *etcd_json_get_item(JsonObject *object, gboolean deleted);
