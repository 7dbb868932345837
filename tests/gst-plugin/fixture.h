/* fixture.h: a vitgate element between two test pads, frames to push and results to read.
 *
 * Environment, set by meson: VITGATE_TEST_MODEL is the path of a small random model that takes
 * part in all tests, VITGATE_TEST_GATED_MODEL that of tests/models/gated_model.py, with a dial from
 * 0.2 to 0.9 and 0.6 by default; GST_PLUGIN_PATH leads to the plugin just built. */
#pragma once

#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <vitgate.h>

/* Path of the test model; fails the test where there is none. */
const char *fixture_model(void);

/* Path of the file that the environment's @variable names; fails the test where there is none. */
const char *fixture_path(const char *variable);

/* The engine's own function @name, for a test program that has put one in its place. */
gpointer fixture_engine(const char *name);

/* A new element @name of the plugin, with a bus of its own. */
GstElement *fixture_make(const char *name);

/* A vitgate element with the test model and a bus of its own. */
GstElement *fixture_element(void);

/* Plays @element (transfer full) in a harness. */
GstHarness *fixture_harness(GstElement *element);

/* The same, for a new fixture_element() that takes frames of @format, @width x @height. */
GstHarness *fixture_harness_for(GstVideoFormat format, guint width, guint height);

/* Announces frames of @format, @width x @height at 25 frames/s; @info: (out) (nullable). */
void fixture_set_caps(GstHarness *harness, GstVideoFormat format, guint width, guint height,
                      GstVideoInfo *info);

/* A frame with a picture of its own for every @seed, tightly packed as @info says. */
GstBuffer *fixture_frame(const GstVideoInfo *info, guint seed);

/* A frame all of whose bytes are @level, shown at @time. */
GstBuffer *fixture_grey(const GstVideoInfo *info, guint8 level, GstClockTime time);

/* Flushes @harness; times begin anew. */
void fixture_flush(GstHarness *harness);

/* Pushes @frame (transfer full), pulls what comes out and checks that all went well. */
GstBuffer *fixture_process(GstHarness *harness, GstBuffer *frame);

/* The structure of the VitgateMeta of @frame; NULL: it has none. */
const GstStructure *fixture_result(GstBuffer *frame);

/* Fields of a result; the test fails where a field is missing or of another type. */
guint fixture_uint(const GstStructure *s, const char *field);
guint64 fixture_uint64(const GstStructure *s, const char *field);
double fixture_double(const GstStructure *s, const char *field);
const char *fixture_string(const GstStructure *s, const char *field);
double fixture_score(const GstStructure *s, guint i);
guint fixture_index(const GstStructure *s, guint i);
const char *fixture_label(const GstStructure *s, guint i);

/* Pushes @frame (transfer full) and returns the result on what comes out (transfer full). */
GstStructure *fixture_analyse(GstHarness *harness, GstBuffer *frame);

/* Pushes frame @seed and returns the result on what comes out (transfer full). */
GstStructure *fixture_classify(GstHarness *harness, const GstVideoInfo *info, guint seed);

/* The "stats" of @element (transfer full). */
GstStructure *fixture_stats(GstElement *element);

/* The next message of @types on the element's bus, NULL: there is none. Does not wait. */
GstMessage *fixture_message(GstElement *element, GstMessageType types);

/* Drops what is on @element's bus: messages hold references to the element. */
void fixture_forget_messages(GstElement *element);

/* Frees @harness and its element. */
void fixture_free(GstHarness *harness);

/* Writes @size bytes into a new file of a folder that is gone when the test program ends.
 * Returns: (transfer full): its path. */
char *fixture_file(const char *name, gconstpointer data, gsize size);
