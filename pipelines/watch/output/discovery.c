#include "output/discovery.h"

#include <string.h>

#include "base/members.h"
#include "output/topics.h"

/* A camera's device. */
typedef struct {
  const MqttConfig *mqtt;
  const CameraConfig *camera;
  char *id; /* unique */
  GHashTable *messages;
} Device;

/* ---- Names --------------------------------------------------------------------------------- */

/* Topics of Home Assistant take letters, digits, - and _.
 * Returns: (transfer full): a name that no other text has */
static char *make_id(const char *text)
{
  GString *id = g_string_new(NULL);
  for (; *text; text++)
    if (g_ascii_isalnum(*text))
      g_string_append_c(id, *text);
    else
      g_string_append_printf(id, "_%02x", (guchar)*text);
  return g_string_free(id, FALSE);
}

/* Returns: (transfer full): the text as a string of a template, with its quotes */
static char *quote(const char *text)
{
  GString *quoted = g_string_new("\"");
  for (; *text; text++) {
    if (strchr("\"\\", *text))
      g_string_append_c(quoted, '\\');
    g_string_append_c(quoted, *text);
  }
  g_string_append_c(quoted, '"');
  return g_string_free(quoted, FALSE);
}

/* ---- Messages ------------------------------------------------------------------------------ */

static void add_availability(const Device *device, JsonBuilder *builder)
{
  g_autofree char *camera = topic_of_camera(device->mqtt, device->camera->name, "status");
  g_autofree char *watch = g_strconcat(device->mqtt->topic, "/status", NULL);
  const char *const topics[] = { watch, camera };
  json_builder_set_member_name(builder, "availability");
  json_builder_begin_array(builder);
  for (guint i = 0; i < G_N_ELEMENTS(topics); i++) {
    json_builder_begin_object(builder);
    member_add_string(builder, "topic", topics[i]);
    json_builder_end_object(builder);
  }
  json_builder_end_array(builder);
  member_add_string(builder, "availability_mode", "all");
}

static void add_device(const Device *device, JsonBuilder *builder)
{
  json_builder_set_member_name(builder, "device");
  json_builder_begin_object(builder);
  json_builder_set_member_name(builder, "identifiers");
  json_builder_begin_array(builder);
  json_builder_add_string_value(builder, device->id);
  json_builder_end_array(builder);
  member_add_string(builder, "name", device->camera->name);
  member_add_string(builder, "manufacturer", "vitgate");
  member_add_string(builder, "model", "Camera of vitgate-watch");
  member_add_string(builder, "sw_version", VITGATE_VERSION);
  json_builder_end_object(builder);
  json_builder_set_member_name(builder, "origin");
  json_builder_begin_object(builder);
  member_add_string(builder, "name", "vitgate-watch");
  member_add_string(builder, "sw_version", VITGATE_VERSION);
  json_builder_end_object(builder);
}

/* Starts the message of an entity.
 * @name: for people
 * @topic: (nullable): that it reads
 * @template: (nullable): what it finds there
 * Returns: (transfer full) */
static JsonBuilder *begin(const Device *device, const char *object, const char *name,
                          const char *topic, const char *template)
{
  JsonBuilder *builder = json_builder_new();
  g_autofree char *id = g_strdup_printf("%s-%s", device->id, object);
  json_builder_begin_object(builder);
  member_add_string(builder, "unique_id", id);
  member_add_string(builder, "name", name);
  if (topic)
    member_add_string(builder, "state_topic", topic);
  if (template)
    member_add_string(builder, "value_template", template);
  return builder;
}

/* Ends the message.
 * @builder: (transfer full)
 * @component: Home Assistant's name of the kind of entity */
static void end(const Device *device, const char *component, const char *object,
                JsonBuilder *builder)
{
  add_availability(device, builder);
  add_device(device, builder);
  json_builder_end_object(builder);
  char *topic = g_strdup_printf("%s/%s/%s/%s/config", device->mqtt->discovery_prefix, component,
                                device->id, object);
  g_hash_table_replace(device->messages, topic, member_to_line(builder));
  g_object_unref(builder);
}

/* Returns: (transfer full): "gate Score" for the look "gate", "Score" for the whole frame */
static char *name_of(const LookConfig *look, const char *what)
{
  return look->name ? g_strdup_printf("%s %s", look->name, what) : g_strdup(what);
}

/* Returns: (transfer full): such as "score" or "score-gate" */
static char *object_of(const LookConfig *look, const char *what)
{
  g_autofree char *id = look->name ? make_id(look->name) : NULL;
  return id ? g_strdup_printf("%s-%s", what, id) : g_strdup(what);
}

/* ---- Entities ------------------------------------------------------------------------------ */

/* Home Assistant's states have up to 255 characters; "None" is an unknown one. */
static void add_text(const Device *device, const LookConfig *look, const char *what,
                     const char *title, const char *topic)
{
  g_autofree char *object = object_of(look, what), *name = name_of(look, title);
  g_autofree char *template = g_strdup_printf("{{ (value_json.%s or 'None')[:255] }}", what);
  end(device, "sensor", object, begin(device, object, name, topic, template));
}

static void add_score(const Device *device, const LookConfig *look, const char *topic)
{
  g_autofree char *object = object_of(look, "score"), *name = name_of(look, "score");
  JsonBuilder *builder =
      begin(device, object, name, topic,
            "{{ 'None' if value_json.score is none else (value_json.score * 100) | round(1) }}");
  member_add_string(builder, "unit_of_measurement", "%");
  member_add_string(builder, "state_class", "measurement");
  end(device, "sensor", object, builder);
}

static void add_interest(const Device *device, const LookConfig *look, const char *label,
                         const char *topic)
{
  g_autofree char *quoted = quote(label), *id = make_id(label);
  g_autofree char *what = g_strconcat("label-", id, NULL);
  g_autofree char *object = object_of(look, what), *name = name_of(look, label);
  g_autofree char *template =
      g_strdup_printf("{{ 'ON' if %s in value_json.present else 'OFF' }}", quoted);
  end(device, "binary_sensor", object, begin(device, object, name, topic, template));
}

static void add_look(const Device *device, const LookConfig *look)
{
  g_autofree char *topic = topic_of_state(device->mqtt, device->camera->name, look->name);
  add_text(device, look, "label", "label", topic);
  add_score(device, look, topic);
  if (look->state)
    add_text(device, look, "state", "state", topic);
  for (guint i = 0; look->labels && look->labels[i]; i++)
    add_interest(device, look, look->labels[i], topic);
}

static void add_events(const Device *device)
{
  static const char *const types[] = { "appeared", "vanished", "state", "connected",
                                       "lost",     "waiting",  "ended" };
  g_autofree char *topic = topic_of_camera(device->mqtt, device->camera->name, "event");
  JsonBuilder *builder = begin(device, "event", "event", topic,
                               "{{ dict(value_json, event_type=value_json.event) | tojson }}");
  json_builder_set_member_name(builder, "event_types");
  json_builder_begin_array(builder);
  for (guint i = 0; i < G_N_ELEMENTS(types); i++)
    json_builder_add_string_value(builder, types[i]);
  json_builder_end_array(builder);
  end(device, "event", "event", builder);
}

static void add_picture(const Device *device)
{
  g_autofree char *topic = topic_of_camera(device->mqtt, device->camera->name, "image");
  JsonBuilder *builder = begin(device, "image", "last event", NULL, NULL);
  member_add_string(builder, "topic", topic);
  end(device, "camera", "image", builder);
}

gboolean discovery_has_pictures(const Config *config)
{
  return config->page && config->page->snapshots > 0;
}

void discovery_add(const Config *config, GHashTable *messages)
{
  for (guint i = 0; i < config->cameras->len; i++) {
    const CameraConfig *camera = config->cameras->pdata[i];
    g_autofree char *root = make_id(config->mqtt.topic), *own = make_id(camera->name);
    g_autofree char *id = g_strdup_printf("%s-%s", root, own);
    const Device device = { &config->mqtt, camera, id, messages };
    if (camera->whole_frame)
      add_look(&device, &camera->whole);
    for (guint k = 0; k < camera->looks->len; k++)
      add_look(&device, camera->looks->pdata[k]);
    add_events(&device);
    if (discovery_has_pictures(config))
      add_picture(&device);
  }
}
