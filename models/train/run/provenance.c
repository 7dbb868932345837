#include "train/run/provenance.h"

#include "model.h"

static void set_base_name(JsonObject *object, const char *member, const char *path)
{
  if (!path)
    return;
  g_autofree char *name = g_path_get_basename(path);
  json_object_set_string_member(object, member, name);
}

static JsonArray *base_names(const char *const *paths)
{
  JsonArray *array = json_array_new();
  for (; *paths; paths++) {
    g_autofree char *name = g_path_get_basename(*paths);
    json_array_add_string_element(array, name);
  }
  return array;
}

JsonObject *provenance_record(const Run *run, const char *command)
{
  const CompressOptions *o = run->options;
  /* that of the model which the student began as */
  g_autoptr(JsonObject) before = g_steal_pointer(&run->student.description->provenance);
  JsonObject *p = run->student.description->provenance = json_object_new();
  g_autofree char *made_by = g_strdup_printf("vitgate %s " VITGATE_VERSION, command);
  const Description *teacher = o->teacher ? vitgate__model_get_description(run->model) : NULL;
  g_free(run->student.description->name);
  run->student.description->name = g_strdup(o->name);
  set_base_name(p, "teacher", o->teacher);
  if (teacher)
    json_object_set_string_member(p, "teacher_name", teacher->name);
  set_base_name(p, "from", o->from);
  if (o->from && before)
    json_object_set_object_member(p, "of_from", json_object_ref(before));
  if (o->variant)
    json_object_set_string_member(p, "variant", o->variant);
  if (teacher && teacher->provenance)
    json_object_set_object_member(p, "of_teacher", json_object_ref(teacher->provenance));
  json_object_set_string_member(p, "made_by", made_by);
  json_object_set_array_member(p, "data", base_names(o->data));
  json_object_set_int_member(p, "photographs", run->collection->items->len);
  json_object_set_int_member(p, "held_out", run->collection->n_held_out);
  json_object_set_int_member(p, "seed", (gint64)o->seed);
  json_object_set_int_member(p, "steps", (gint64)(o->train ? run->steps : 0));
  if (o->train) {
    json_object_set_int_member(p, "batch", o->batch);
    json_object_set_double_member(p, "learning_rate", o->rate);
    json_object_set_double_member(p, "labels", o->labels);
  }
  return p;
}
