/* stats.h: an element's statistics: frames, times and GMACs. Not locked: the element's object lock
 * guards them. */
#pragma once

#include "classify/classifier.h"

G_BEGIN_DECLS

/* Number of inferences that the means, the 95th percentile and the latency cover: about 20 s of
 * camera video, so that one slow frame is forgotten and a slow minute is not. */
#define GST_VITGATE_STATS_WINDOW 512

/* Passes that are inferences. */
#define GST_VITGATE_N_PASSES VITGATE_PASS_UNCHANGED

typedef struct {
  guint64 frames;                       /* all frames */
  guint64 inferred;                     /* frames that were inferred */
  guint64 reused;                       /* frames whose picture had hardly changed */
  guint64 skipped;                      /* frames that had no time for an inference */
  double gmacs;                         /* total */
  guint64 passes[GST_VITGATE_N_PASSES]; /* inferred frames by VitgatePass */
  double mean_compute; /* compute ratio: mean over frames that were inferred or found unchanged */
  guint64 looked;      /* how many these were */

  /* In use; NULL: not known yet. */
  char *model; /* path */
  char *model_name;
  const char *precision; /* static */
  double compute;        /* setting of the dial for the last inference */

  /* A ring of the last inferences; times in nanoseconds. */
  GstClockTime processing[GST_VITGATE_STATS_WINDOW];
  GstClockTime engine[GST_VITGATE_STATS_WINDOW];
  double spent[GST_VITGATE_STATS_WINDOW]; /* GMACs */

  GstClockTime latency; /* last reported */
} GstVitgateStats;

/* Resets everything and frees what @stats hold. Call it at the end, too. */
void gst_vitgate_stats_reset(GstVitgateStats *stats);

/* Copies @from to *@to, whose old contents are not freed. */
void gst_vitgate_stats_copy(GstVitgateStats *to, const GstVitgateStats *from);

/* Records the model in use from now on. */
void gst_vitgate_stats_set_model(GstVitgateStats *stats, const GstVitgateClassifier *classifier);

/* Records a frame without an inference. */
void gst_vitgate_stats_add_frame(GstVitgateStats *stats);

/* Records how much was computed of a frame that was inferred or found unchanged. The mean follows
 * the last GST_VITGATE_STATS_WINDOW such frames.
 * @compute_ratio: 0 if it was unchanged */
void gst_vitgate_stats_add_pass(GstVitgateStats *stats, VitgatePass pass, double compute_ratio);

/* Records an inferred frame.
 * @processing: nanoseconds that the frame spent in the element
 * @engine: nanoseconds of these spent in the engine
 * @gmacs: 1e9 multiply-adds used
 * Returns: TRUE if the worst processing time of the window differs from the last reported latency
 * by more than a quarter. @stats->latency is then the new latency, to be reported. */
gboolean gst_vitgate_stats_add_inference(GstVitgateStats *stats, GstClockTime processing,
                                         GstClockTime engine, double gmacs);

/* Returns: (transfer full): the structure that the property "stats" documents. */
GstStructure *gst_vitgate_stats_to_structure(const GstVitgateStats *stats);

G_END_DECLS
