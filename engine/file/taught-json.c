#include "file/taught-json.h"

#include <math.h>

#include "base/error.h"
#include "file/json.h"

/* Far above every distance, and far from overflow. */
#define MAX_DISTANCE 1e30

static gboolean read_unknown(const JsonFields *parent, UnknownScale *unknown)
{
  if (!json_object_has_member(parent->object, "unknown"))
    return TRUE;
  const JsonFields fields = vitgate__fields_inside(parent, "unknown");
  if (!fields.object)
    return vitgate__field_fail(parent, "unknown", "an object");
  unknown->present = TRUE;
  return vitgate__read_number(&fields, "median", MAX_DISTANCE, &unknown->median) &&
         vitgate__read_number(&fields, "limit", MAX_DISTANCE, &unknown->limit) &&
         (log(unknown->limit / unknown->median) > 0 ||
          vitgate__field_fail(&fields, "limit", "a number above median"));
}

static gboolean read_thresholds(const JsonFields *fields, Description *d)
{
  const char *field = "thresholds", *expected = "an array of numbers between 0 and 1";
  if (!json_object_has_member(fields->object, field))
    return TRUE;
  JsonArray *array = vitgate__json_get_array(fields->object, field);
  if (!array)
    return vitgate__field_fail(fields, field, expected);
  if (d->activation != VITGATE_ACTIVATION_SIGMOID)
    return vitgate__field_fail(fields, field, "none for a model with a softmax");
  if (json_array_get_length(array) != d->n_classes) {
    vitgate__set_error(fields->error, VITGATE_ERROR_METADATA,
                       "%s: the length of metadata field '%s' is %u, expected %u, one number for "
                       "each class",
                       fields->path, field, json_array_get_length(array), d->n_classes);
    return FALSE;
  }
  d->thresholds = g_new(double, d->n_classes);
  for (guint i = 0; i < d->n_classes; i++) {
    double *threshold = &d->thresholds[i];
    /* As a float, too, it must be between them. */
    if (!vitgate__json_get_number(json_array_get_element(array, i), threshold) ||
        !((float)*threshold > 0 && (float)*threshold < 1))
      return vitgate__field_fail(fields, field, expected);
  }
  return TRUE;
}

static gboolean read_teach(const JsonFields *parent, Description *d)
{
  if (!json_object_has_member(parent->object, "teach"))
    return TRUE;
  const JsonFields fields = vitgate__fields_inside(parent, "teach");
  if (!fields.object)
    return vitgate__field_fail(parent, "teach", "an object");
  d->teach = json_object_ref(fields.object);
  return vitgate__read_uint(&fields, "views", 1, DESCRIPTION_MAX_VIEWS, &d->n_views);
}

gboolean vitgate__taught_read(const JsonFields *fields, Description *d)
{
  return read_unknown(fields, &d->unknown) && read_thresholds(fields, d) && read_teach(fields, d);
}

void vitgate__taught_write(const Description *d, JsonObject *object)
{
  if (d->unknown.present) {
    JsonObject *unknown = json_object_new();
    json_object_set_double_member(unknown, "median", d->unknown.median);
    json_object_set_double_member(unknown, "limit", d->unknown.limit);
    json_object_set_object_member(object, "unknown", unknown);
  }
  if (d->thresholds) {
    JsonArray *thresholds = json_array_new();
    for (guint i = 0; i < d->n_classes; i++)
      json_array_add_double_element(thresholds, d->thresholds[i]);
    json_object_set_array_member(object, "thresholds", thresholds);
  }
  if (d->teach)
    json_object_set_object_member(object, "teach", json_object_ref(d->teach));
}
