#include "file/json-fields.h"

#include "base/error.h"
#include "file/json.h"

#define MAX_SHOWN 60 /* characters of a value in an error */

gboolean vitgate__field_refuse(const JsonFields *fields, VitgateError code, const char *field,
                               const char *expected)
{
  JsonNode *node = json_object_get_member(fields->object, field);
  g_autofree char *found = node ? json_to_string(node, FALSE) : g_strdup("absent");
  if (g_utf8_strlen(found, -1) > MAX_SHOWN)
    *g_utf8_offset_to_pointer(found, MAX_SHOWN) = '\0';
  vitgate__set_error(fields->error, code, "%s: %s '%s' is %s, expected %s", fields->path,
                     fields->what, field, found, expected);
  return FALSE;
}

gboolean vitgate__field_fail(const JsonFields *fields, const char *field, const char *expected)
{
  return vitgate__field_refuse(fields, VITGATE_ERROR_METADATA, field, expected);
}

gboolean vitgate__fields_has(const JsonFields *fields, const char *field)
{
  JsonNode *node = json_object_get_member(fields->object, field);
  return node && !JSON_NODE_HOLDS_NULL(node);
}

gboolean vitgate__field_check_count(const JsonFields *fields, const char *field, guint value)
{
  guint64 found;
  if (!vitgate__fields_has(fields, field) ||
      (vitgate__json_get_count(json_object_get_member(fields->object, field), &found) &&
       found == value))
    return TRUE;
  g_autofree char *expected = g_strdup_printf("%u, as in the weights", value);
  return vitgate__field_refuse(fields, VITGATE_ERROR_METADATA, field, expected);
}

gboolean vitgate__field_check_word(const JsonFields *fields, const char *field,
                                   const char *const *words)
{
  if (!vitgate__fields_has(fields, field))
    return TRUE;
  const char *found = vitgate__json_get_string(fields->object, field);
  if (found && g_strv_contains(words, found))
    return TRUE;
  g_autofree char *expected = g_strjoinv(" or ", (char **)words);
  return vitgate__field_refuse(fields, VITGATE_ERROR_UNSUPPORTED, field, expected);
}

gboolean vitgate__field_read_flag(const JsonFields *fields, const char *field, gboolean *flag)
{
  return !vitgate__fields_has(fields, field) || vitgate__read_bool(fields, field, flag);
}

JsonFields vitgate__fields_inside(const JsonFields *fields, const char *field)
{
  JsonFields inside = *fields;
  inside.object = vitgate__json_get_object(fields->object, field);
  return inside;
}

gboolean vitgate__read_uint(const JsonFields *fields, const char *field, guint min, guint max,
                            guint *value)
{
  guint64 count;
  if (vitgate__json_get_count(json_object_get_member(fields->object, field), &count) &&
      count >= min && count <= max) {
    *value = (guint)count;
    return TRUE;
  }
  g_autofree char *expected = g_strdup_printf("a whole number from %u to %u", min, max);
  return vitgate__field_fail(fields, field, expected);
}

gboolean vitgate__read_number(const JsonFields *fields, const char *field, double max,
                              double *value)
{
  if (vitgate__json_get_number(json_object_get_member(fields->object, field), value) &&
      *value > 0 && *value <= max)
    return TRUE;
  g_autofree char *expected = g_strdup_printf("a number above 0 and at most %g", max);
  return vitgate__field_fail(fields, field, expected);
}

gboolean vitgate__read_bool(const JsonFields *fields, const char *field, gboolean *value)
{
  return vitgate__json_get_boolean(json_object_get_member(fields->object, field), value) ||
         vitgate__field_fail(fields, field, "true or false");
}

gboolean vitgate__read_rgb(const JsonFields *fields, const char *field, double min, double max,
                           float rgb[3])
{
  if (vitgate__json_get_rgb(fields->object, field, min, max, rgb))
    return TRUE;
  g_autofree char *expected =
      g_strdup_printf("three numbers from %g to %g: red, green and blue", min, max);
  return vitgate__field_fail(fields, field, expected);
}

gboolean vitgate__read_word(const JsonFields *fields, const char *field, const char *const *words,
                            guint *index)
{
  const char *found = vitgate__json_get_string(fields->object, field);
  for (*index = 0; words[*index]; ++*index)
    if (!g_strcmp0(found, words[*index]))
      return TRUE;
  g_autofree char *list = g_strjoinv(" or ", (char **)words);
  return vitgate__field_refuse(fields, found ? VITGATE_ERROR_UNSUPPORTED : VITGATE_ERROR_METADATA,
                               field, list);
}
