#include "train/run/provenance.h"

#include "model.h"

JsonObject *provenance_record(const Run *run, const char *command)
{
  const RunOptions *o = run->options;
  /* of the model that the student started from */
  g_autoptr(JsonObject) before = g_steal_pointer(&run->student.description->provenance);
  JsonObject *p = run->student.description->provenance = json_object_new();
  g_autofree char *made_by = g_strdup_printf("vitgate %s " VITGATE_VERSION, command);
  const Description *teacher = o->teacher ? vitgate__model_get_description(run->model) : NULL;
  g_free(run->student.description->name);
  run->student.description->name = g_strdup(o->name);
  run_options_record(o, p);
  json_object_set_string_member(p, "made_by", made_by);
  if (teacher)
    json_object_set_string_member(p, "teacher_name", teacher->name);
  if (teacher && teacher->provenance)
    json_object_set_object_member(p, "of_teacher", json_object_ref(teacher->provenance));
  if (o->from && before)
    json_object_set_object_member(p, "of_from", json_object_ref(before));
  json_object_set_int_member(p, "photographs", run->collection->items->len);
  json_object_set_int_member(p, "held_out", run->collection->n_held_out);
  json_object_set_int_member(p, "steps", (gint64)(o->train ? run->steps : 0));
  return p;
}
