/* json-fixture.h: a vitgatejson element, and its lines read back. */
#pragma once

#include <gst/check/gstharness.h>
#include <json-glib/json-glib.h>

/* The harness that a test uses, from json_setup() to json_teardown(), for frames of 64x48. */
extern GstHarness *json_harness;

void json_setup(void);
void json_teardown(void);

/* Pushes @frame (transfer full).
 * Returns: (transfer full): the output, which must be one object in one line. */
JsonNode *json_convert(GstBuffer *frame);

/* Returns: (transfer full): the text of that line. */
char *json_convert_to_text(GstBuffer *frame);

/* Returns: the member at @path, which consists of names and array positions, such as
 * "results/0/label"; NULL if there is none. */
JsonNode *json_find(JsonNode *node, const char *path);

/* Each returns the member at @path. They fail the test if there is none of that type. */
JsonNode *json_get(JsonNode *root, const char *path);
const char *json_get_string(JsonNode *root, const char *path);
gint64 json_get_int(JsonNode *root, const char *path);
double json_get_double(JsonNode *root, const char *path);
guint json_get_length(JsonNode *root, const char *path);
