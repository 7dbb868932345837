/* stats.c: an element's statistics: frames, times and GMACs. */
#include "classify/stats.h"

#include <string.h>

#include "classify/times.h"
#include "common/structure.h"

G_STATIC_ASSERT(GST_VITGATE_STATS_WINDOW <= GST_VITGATE_MAX_TIMES);

void gst_vitgate_stats_reset(GstVitgateStats *stats)
{
  g_free(stats->model);
  g_free(stats->model_name);
  memset(stats, 0, sizeof *stats);
}

void gst_vitgate_stats_copy(GstVitgateStats *to, const GstVitgateStats *from)
{
  *to = *from;
  to->model = g_strdup(from->model);
  to->model_name = g_strdup(from->model_name);
}

void gst_vitgate_stats_set_model(GstVitgateStats *stats, const GstVitgateClassifier *classifier)
{
  g_free(stats->model);
  g_free(stats->model_name);
  stats->model = g_strdup(classifier->path);
  stats->model_name = g_strdup(classifier->info->name);
  stats->precision = vitgate_precision_name(classifier->info->precision);
}

void gst_vitgate_stats_add_frame(GstVitgateStats *stats)
{
  stats->frames++;
}

static guint in_window(const GstVitgateStats *stats)
{
  return MIN(stats->inferred, GST_VITGATE_STATS_WINDOW);
}

static GstClockTime worst_processing(const GstVitgateStats *stats)
{
  GstClockTime worst = 0;

  for (guint i = 0; i < in_window(stats); i++)
    worst = MAX(worst, stats->processing[i]);
  return worst;
}

/* The latency goes down only after a full window, since redistributing it disturbs playback. */
static gboolean update_latency(GstVitgateStats *stats)
{
  const GstClockTime worst = worst_processing(stats), margin = stats->latency / 4;
  const gboolean longer = worst > stats->latency + margin;
  const gboolean shorter =
      stats->inferred >= GST_VITGATE_STATS_WINDOW && worst < stats->latency - margin;

  if (!longer && !shorter)
    return FALSE;
  stats->latency = worst;
  return TRUE;
}

void gst_vitgate_stats_add_pass(GstVitgateStats *stats, VitgatePass pass, double compute_ratio)
{
  stats->looked++;
  stats->mean_compute +=
      (compute_ratio - stats->mean_compute) / (double)MIN(stats->looked, GST_VITGATE_STATS_WINDOW);
  if (pass < GST_VITGATE_N_PASSES)
    stats->passes[pass]++;
}

gboolean gst_vitgate_stats_add_inference(GstVitgateStats *stats, GstClockTime processing,
                                         GstClockTime engine, double gmacs)
{
  const guint i = stats->inferred % GST_VITGATE_STATS_WINDOW;

  stats->processing[i] = processing;
  stats->engine[i] = engine;
  stats->spent[i] = gmacs;
  stats->frames++;
  stats->inferred++;
  stats->gmacs += gmacs;
  return update_latency(stats);
}

GstStructure *gst_vitgate_stats_to_structure(const GstVitgateStats *stats)
{
  const guint n = in_window(stats);
  GstClockTime processing = 0, engine = 0;
  double gmacs = 0;
  GstStructure *s;

  for (guint i = 0; i < n; i++) {
    processing += stats->processing[i];
    engine += stats->engine[i];
    gmacs += stats->spent[i];
  }
  s = gst_structure_new_empty("application/x-vitgate-stats");
  if (stats->precision) {
    structure_set_string(s, "model", stats->model);
    structure_set_string(s, "model-name", stats->model_name);
    structure_set_string(s, "precision", stats->precision);
  }
  structure_set_double(s, "compute", stats->compute);
  structure_set_uint64(s, "frames", stats->frames);
  structure_set_uint64(s, "inferred", stats->inferred);
  structure_set_uint64(s, "reused", stats->reused);
  structure_set_uint64(s, "skipped", stats->skipped);
  for (guint i = 0; i < GST_VITGATE_N_PASSES; i++)
    structure_set_uint64(s, vitgate_pass_name((VitgatePass)i), stats->passes[i]);
  structure_set_double(s, "mean-compute", stats->mean_compute);
  structure_set_double(s, "gmacs", stats->gmacs);
  structure_set_uint64(s, "mean-time", n ? processing / n : 0);
  structure_set_uint64(s, "p95-time", gst_vitgate_times_limit(stats->processing, n, n / 20));
  structure_set_uint64(s, "worst-time", worst_processing(stats));
  structure_set_uint64(s, "mean-engine-time", n ? engine / n : 0);
  structure_set_double(s, "mean-gmacs", n ? gmacs / n : 0.0);
  return s;
}
