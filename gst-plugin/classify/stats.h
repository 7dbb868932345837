/* stats.h: what an element did and how long it took. Not locked: the element's object lock
 * guards it. */
#pragma once

#include "classify/classifier.h"

G_BEGIN_DECLS

/* Inferences that the means, the 95th percentile and the latency look back on: about 20 s of
 * camera video, so that one slow frame is forgotten and a slow minute is not. */
#define GST_VITGATE_STATS_WINDOW 512

typedef struct {
  guint64 frames;   /* seen */
  guint64 inferred; /* of these */
  guint64 reused;   /* of these: the scene had hardly changed */
  guint64 skipped;  /* of these: there was no time */
  double gmacs;     /* spent, all together */

  /* In use; NULL: not known yet. */
  char *model; /* path */
  char *model_name;
  const char *precision; /* static */
  double compute;        /* the dial of the last inference */

  /* A ring of the last inferences; times in nanoseconds. */
  GstClockTime processing[GST_VITGATE_STATS_WINDOW];
  GstClockTime engine[GST_VITGATE_STATS_WINDOW];
  double spent[GST_VITGATE_STATS_WINDOW]; /* GMACs */

  GstClockTime latency; /* the one last reported */
} GstVitgateStats;

/* All back to nothing; to be called before the end, too. */
void gst_vitgate_stats_reset(GstVitgateStats *stats);

/* Makes *@to, which holds nothing, a copy of @from. */
void gst_vitgate_stats_copy(GstVitgateStats *to, const GstVitgateStats *from);

/* Notes what is in use from now on. */
void gst_vitgate_stats_set_model(GstVitgateStats *stats, const GstVitgateClassifier *classifier);

/* Notes a frame that took no inference. */
void gst_vitgate_stats_add_frame(GstVitgateStats *stats);

/* Notes an inferred frame.
 * @processing: nanoseconds that the frame spent in the element
 * @engine: nanoseconds of these that the engine worked
 * @gmacs: 1e9 multiply-adds spent
 * Returns: TRUE where the worst processing time of the window has left the latency last reported
 * by a quarter of it. @stats->latency is the new one then, to be announced. */
gboolean gst_vitgate_stats_add_inference(GstVitgateStats *stats, GstClockTime processing,
                                         GstClockTime engine, double gmacs);

/* Returns: (transfer full): the structure that the property "stats" documents. */
GstStructure *gst_vitgate_stats_to_structure(const GstVitgateStats *stats);

G_END_DECLS
