/* Times the steps of a pipeline from the start of the process to its first frame, for
 * tests/bench/start.
 * usage: start-runner ELEMENT     any element with its properties; for vitgate, also what the
 * engine does start-runner --open MODEL     the steps of opening a model file, one after the other
 * Prints a line for each step: wall-clock ms, CPU ms of all threads, name. $START_NS, if set, is
 * CLOCK_MONOTONIC before the process. */
#include <gst/gst.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "file/architecture.h"
#include "file/source.h"
#include "file/tensor-specs.h"
#include "file/weights.h"
#include "network/precision.h"
#include "network/vit-weights.h"

static gint64 wall, cpu;

static gint64 read_clock(clockid_t clock)
{
  struct timespec t;
  clock_gettime(clock, &t);
  return (gint64)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Prints the time since the last step. */
static void end_step(const char *name)
{
  const gint64 now = read_clock(CLOCK_MONOTONIC), used = read_clock(CLOCK_PROCESS_CPUTIME_ID);
  printf("%.3f %.3f %s\n", wall ? (double)(now - wall) / 1e6 : 0, (double)(used - cpu) / 1e6, name);
  wall = read_clock(CLOCK_MONOTONIC);
  cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static gboolean fail(const char *what)
{
  fprintf(stderr, "start-runner: %s\n", what);
  return FALSE;
}

/* What is part of the time of the first frame. */
static void print_stats(GstElement *element)
{
  static const char *const fields[][2] = { { "mean-time", "of it: in the element" },
                                           { "mean-engine-time", "of it: in the engine" } };
  GstStructure *stats = NULL;
  if (!g_object_class_find_property(G_OBJECT_GET_CLASS(element), "stats"))
    return;
  g_object_get(element, "stats", &stats, NULL);
  for (guint i = 0; stats && i < G_N_ELEMENTS(fields); i++) {
    guint64 ns = 0;
    if (gst_structure_get_uint64(stats, fields[i][0], &ns))
      printf("%.3f 0 %s\n", (double)ns / 1e6, fields[i][1]);
  }
  gst_clear_structure(&stats);
}

/* Runs until the sink has the first frame. */
static gboolean start(const char *text)
{
  g_autoptr(GError) error = NULL;
  gst_init(NULL, NULL);
  end_step("GStreamer: registry");
  GstElement *element = gst_parse_launch(text, &error);
  if (!element)
    return fail(error->message);
  gst_object_ref_sink(element);
  end_step("the element's plugin");
  GstElement *pipeline =
      gst_parse_launch("videotestsrc name=source num-buffers=1 ! capsfilter name=end "
                       "caps=video/x-raw,format=NV12,width=640,height=480 fakesink name=sink",
                       &error);
  GstElement *end = pipeline ? gst_bin_get_by_name(GST_BIN(pipeline), "end") : NULL;
  GstElement *sink = pipeline ? gst_bin_get_by_name(GST_BIN(pipeline), "sink") : NULL;
  if (!end || !sink)
    return fail("a plugin of GStreamer is missing: videotestsrc, capsfilter or fakesink");
  gst_bin_add(GST_BIN(pipeline), element);
  if (!gst_element_link_many(end, element, sink, NULL))
    return fail("the element does not take NV12");
  end_step("other plugins");
  if (gst_element_set_state(element, GST_STATE_PAUSED) == GST_STATE_CHANGE_FAILURE)
    return fail("the element does not start");
  end_step("element started: model");
  gst_element_set_state(pipeline, GST_STATE_PAUSED);
  if (gst_element_get_state(pipeline, NULL, NULL, 60 * GST_SECOND) != GST_STATE_CHANGE_SUCCESS)
    return fail("no frame arrives");
  end_step("caps, first frame");
  print_stats(element);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(end);
  gst_object_unref(sink);
  gst_object_unref(element);
  gst_object_unref(pipeline);
  return TRUE;
}

/* Reads every tensor as floats. */
static gboolean read_weights(const Source *source, const Description *d, GError **error)
{
  g_autoptr(GArray) specs = vitgate__description_tensors(d);
  for (guint i = 0; i < specs->len; i++) {
    const TensorSpec *spec = &g_array_index(specs, TensorSpec, i);
    const Tensor *tensor = vitgate__safetensors_find(source->file, spec->name);
    g_autofree float *values = g_new(float, vitgate__tensor_n_elements(tensor));
    if (!vitgate__weights_read(source->file, spec->name, values, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean open_model(const char *path)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Source) source = vitgate__source_open(path, &error);
  if (!source)
    return fail(error->message);
  end_step("open: header");
  Description *d = vitgate__source_describe(source, 0, &error);
  if (!d)
    return fail(error->message);
  end_step("open: description");
  if (!read_weights(source, d, &error))
    return fail(error->message);
  end_step("open: weights to floats");
  Vit *vit = vitgate__vit_load(d, source->file, vitgate__precision_choose(d), &error);
  if (!vit)
    return fail(error->message);
  end_step("open: the same, and packed");
  vitgate__vit_free(&vit);
  vitgate__description_free(&d);
  return TRUE;
}

int main(int argc, char **argv)
{
  wall = g_ascii_strtoll(g_getenv("START_NS") ? g_getenv("START_NS") : "0", NULL, 10);
  end_step("process, libraries");
  if (argc == 3 && g_str_equal(argv[1], "--open"))
    return open_model(argv[2]) ? 0 : 1;
  if (argc != 2) {
    fprintf(stderr, "usage: start-runner ELEMENT | --open MODEL\n");
    return 2;
  }
  return start(argv[1]) ? 0 : 1;
}
