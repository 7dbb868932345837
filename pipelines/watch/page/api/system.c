#include "page/api/system.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/console.h"
#include "base/members.h"
#include "base/times.h"
#include "camera/status-json.h"

/* Those that make a difference to the engine. */
static const char *const features[] = {
  "avx2",        "fma",      "f16c",     "avx512f",  "avx512bw", "avx512_bf16",
  "avx512_vnni", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16", "asimd",
  "asimddp",     "i8mm",     "bf16",     "sve",      NULL,
};

/* Adds those of the first processor. */
static void add_cpu_features(JsonBuilder *builder)
{
  g_autofree char *text = NULL;
  g_file_get_contents("/proc/cpuinfo", &text, NULL, NULL);
  const char *start = text ? strstr(text, "\nflags") : NULL;
  if (text && !start)
    start = strstr(text, "\nFeatures");
  g_autofree char *line = start ? g_strndup(start + 1, strcspn(start + 1, "\n")) : g_strdup("");
  g_auto(GStrv) words = g_strsplit_set(line, " \t:", -1);
  json_builder_set_member_name(builder, "cpu_features");
  json_builder_begin_array(builder);
  for (guint i = 0; features[i]; i++)
    if (g_strv_contains((const char *const *)words, features[i]))
      json_builder_add_string_value(builder, features[i]);
  json_builder_end_array(builder);
}

/* ---- Models -------------------------------------------------------------------------------- */

typedef struct {
  char *path, *precision;
  guint n_classes;
  GPtrArray *cameras; /* of const char *: names */
} Model;

static void clear_model(gpointer data)
{
  Model *model = data;
  g_free(model->path);
  g_free(model->precision);
  g_ptr_array_unref(model->cameras);
}

static Model *find_model(GArray *models, const LoadedModel *loaded)
{
  for (guint i = 0; i < models->len; i++) {
    Model *model = &g_array_index(models, Model, i);
    if (!g_strcmp0(model->path, loaded->path) && !g_strcmp0(model->precision, loaded->precision))
      return model;
  }
  const Model model = { g_strdup(loaded->path), g_strdup(loaded->precision), 0, g_ptr_array_new() };
  g_array_append_val(models, model);
  return &g_array_index(models, Model, models->len - 1);
}

/* Returns: the number of classes of a look's model; 0 if unknown */
static guint count_classes(const CameraStatus *camera, const char *look)
{
  for (guint i = 0; look && i < camera->looks->len; i++) {
    const LookStatus *at = &g_array_index(camera->looks, LookStatus, i);
    if (!strcmp(at->name, look))
      return at->n_classes;
  }
  return look ? 0 : camera->whole.n_classes;
}

static void gather_models(const PageWatch *watch, const StatusCamera *entry, GArray *models)
{
  Camera *camera = watch->find_camera(entry->name, watch->user_data);
  g_autoptr(GArray) loaded = camera ? live_table_list_models(camera_get_live(camera)) : NULL;
  for (guint i = 0; loaded && i < loaded->len; i++) {
    const LoadedModel *at = &g_array_index(loaded, LoadedModel, i);
    Model *model = find_model(models, at);
    if (!g_ptr_array_find(model->cameras, entry->name, NULL))
      g_ptr_array_add(model->cameras, (gpointer)entry->name);
    model->n_classes = MAX(model->n_classes, count_classes(&entry->camera, at->look));
  }
}

static void add_model(JsonBuilder *builder, const Model *model)
{
  struct stat file;
  json_builder_begin_object(builder);
  member_add_string(builder, "path", model->path);
  member_add_string(builder, "precision", model->precision);
  json_builder_set_member_name(builder, "bytes");
  if (stat(model->path, &file) == 0)
    json_builder_add_int_value(builder, file.st_size);
  else
    json_builder_add_null_value(builder);
  json_builder_set_member_name(builder, "classes");
  if (model->n_classes)
    json_builder_add_int_value(builder, model->n_classes);
  else
    json_builder_add_null_value(builder);
  json_builder_set_member_name(builder, "cameras");
  json_builder_begin_array(builder);
  for (guint i = 0; i < model->cameras->len; i++)
    json_builder_add_string_value(builder, model->cameras->pdata[i]);
  json_builder_end_array(builder);
  json_builder_end_object(builder);
}

static void add_models(JsonBuilder *builder, const PageWatch *watch, const Status *status)
{
  g_autoptr(GArray) models = g_array_new(FALSE, FALSE, sizeof(Model));
  g_array_set_clear_func(models, clear_model);
  for (guint i = 0; i < status->cameras->len; i++)
    gather_models(watch, &g_array_index(status->cameras, StatusCamera, i), models);
  json_builder_set_member_name(builder, "models");
  json_builder_begin_array(builder);
  for (guint i = 0; i < models->len; i++)
    add_model(builder, &g_array_index(models, Model, i));
  json_builder_end_array(builder);
}

/* ---- Disk and messages --------------------------------------------------------------------- */

static void add_disk(JsonBuilder *builder, Page *page)
{
  const char *folder = page_get_folder(page);
  g_autofree char *parent = g_path_get_dirname(folder);
  struct statvfs room;
  json_builder_set_member_name(builder, "disk");
  json_builder_begin_object(builder);
  member_add_string(builder, "folder", folder);
  json_builder_set_member_name(builder, "free_bytes");
  if (statvfs(folder, &room) == 0 || statvfs(parent, &room) == 0)
    json_builder_add_int_value(builder, (gint64)room.f_bavail * (gint64)room.f_frsize);
  else
    json_builder_add_null_value(builder);
  member_add_count(builder, "snapshots_bytes", page_get_snapshots_size(page));
  member_add_count(builder, "snapshots_limit_bytes", page_get_config(page)->snapshots);
  json_builder_end_object(builder);
}

static void add_messages(JsonBuilder *builder)
{
  g_auto(GStrv) messages = console_get_messages();
  json_builder_set_member_name(builder, "messages");
  json_builder_begin_array(builder);
  for (guint i = 0; messages[i]; i++)
    json_builder_add_string_value(builder, messages[i]);
  json_builder_end_array(builder);
}

static void get_system(HttpRequest *request, gpointer user_data)
{
  const PageWatch *watch = page_get_watch(user_data);
  g_autoptr(JsonBuilder) builder = json_builder_new();
  Status status;
  watch->get_status(&status, watch->user_data);
  g_autofree char *since = time_to_utc(status.since);
  json_builder_begin_object(builder);
  member_add_string(builder, "version", VITGATE_VERSION);
  member_add_string(builder, "since", since);
  add_cpu_features(builder);
  add_models(builder, watch, &status);
  member_add_count(builder, "memory_bytes", status.memory);
  add_disk(builder, user_data);
  status_add_outputs(builder, &status.outputs);
  if (!status.outputs.has_log)
    member_add_string(builder, "log", NULL);
  if (!status.outputs.has_mqtt)
    member_add_string(builder, "mqtt", NULL);
  status_add_fleet(builder, &status);
  add_messages(builder);
  json_builder_end_object(builder);
  status_clear(&status);
  http_answer_json(request, SOUP_STATUS_OK, builder);
}

void system_api_add(Page *page)
{
  http_server_add(page_get_server(page), "GET", "/api/v1/system", get_system, page);
}
