/* fixture.h: a vitgate element between two test pads, frames to push and results to read.
 *
 * Environment, set by meson: VITGATE_TEST_MODEL is the path of a small random model used in all
 * tests. VITGATE_TEST_GATED_MODEL is the path of a model of tests/models/gated_model.py, with a
 * dial from 0.2 to 0.9 and a default of 0.6. VITGATE_TEST_SIGMOID_MODEL is the path of a model
 * whose classes have probabilities of their own. VITGATE_TEST_TOKEN_MODEL is the path of a model
 * with token gates that are open for red patches. VITGATE_TEST_TAUGHT_MODEL and
 * VITGATE_TEST_TAUGHT_CHANNELS are the paths of models of tests/models/taught_model.py: the gated
 * model, taught with its pure colours, and one with thresholds for red, green and blue.
 * VITGATE_TEST_TAUGHT_CENTRES is that of the same, taught with the centres of pictures.
 * GST_PLUGIN_PATH_1_0 is the folder of the plugin just built. */
#pragma once

#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <vitgate.h>

/* Returns: the path of the test model; fails the test if there is none. */
const char *fixture_model(void);

/* Returns: the path in the environment's @variable; fails the test if there is no such file. */
const char *fixture_path(const char *variable);

/* Returns: the engine's own function @name, for a test program that replaces it. */
gpointer fixture_engine(const char *name);

/* Returns: a new element @name of the plugin, with a bus of its own. */
GstElement *fixture_make(const char *name);

/* Returns: a vitgate element with the test model and a bus of its own. Each result stands alone:
 * there is no average, no hysteresis and no threshold, and frames take nothing over from the
 * ones before. */
GstElement *fixture_element(void);

/* Plays @element (transfer full) in a harness. */
GstHarness *fixture_harness(GstElement *element);

/* Plays a new fixture_element() in a harness, for frames of @format, @width x @height. */
GstHarness *fixture_harness_for(GstVideoFormat format, guint width, guint height);

/* Announces frames of @format, @width x @height at 25 frames/s; @info: (out) (nullable). */
void fixture_set_caps(GstHarness *harness, GstVideoFormat format, guint width, guint height,
                      GstVideoInfo *info);

/* Returns: a frame of @info, without padding, with a different picture for each @seed. */
GstBuffer *fixture_frame(const GstVideoInfo *info, guint seed);

/* Returns: a frame whose bytes are all @level, shown at @time. */
GstBuffer *fixture_grey(const GstVideoInfo *info, guint8 level, GstClockTime time);

/* Flushes @harness. Times start at 0 again. */
void fixture_flush(GstHarness *harness);

/* Pushes @frame (transfer full) and pulls the output; fails the test if there is none.
 * Returns: (transfer full): the output. */
GstBuffer *fixture_process(GstHarness *harness, GstBuffer *frame);

/* Returns: the structure of the VitgateMeta of @frame, or NULL. */
const GstStructure *fixture_result(GstBuffer *frame);

/* Fields of a result. They fail the test if a field is missing or has another type. */
guint fixture_uint(const GstStructure *s, const char *field);
guint64 fixture_uint64(const GstStructure *s, const char *field);
double fixture_double(const GstStructure *s, const char *field);
const char *fixture_string(const GstStructure *s, const char *field);
double fixture_score(const GstStructure *s, guint i);
guint fixture_index(const GstStructure *s, guint i);
const char *fixture_label(const GstStructure *s, guint i);

/* Pushes @frame (transfer full).
 * Returns: (transfer full): the result on the output. */
GstStructure *fixture_analyse(GstHarness *harness, GstBuffer *frame);

/* Pushes frame @seed.
 * Returns: (transfer full): the result on the output. */
GstStructure *fixture_classify(GstHarness *harness, const GstVideoInfo *info, guint seed);

/* Returns: (transfer full): the "stats" of @element. */
GstStructure *fixture_stats(GstElement *element);

/* Does not wait.
 * Returns: (transfer full): the next message of @types on the element's bus, or NULL. */
GstMessage *fixture_message(GstElement *element, GstMessageType types);

/* Drops the messages on @element's bus, since they hold references to the element. */
void fixture_forget_messages(GstElement *element);

/* Frees @harness and its element. */
void fixture_free(GstHarness *harness);

/* Writes @size bytes to a new file in a folder that is removed when the test program ends.
 * Returns: (transfer full): its path. */
char *fixture_file(const char *name, gconstpointer data, gsize size);
