/* held-results.h: holds what an overlay writes for half a second, so that its numbers can be read.
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* How long numbers stay, in stream time. */
#define GST_VITGATE_HOLD (GST_SECOND / 2)

typedef struct {
  GHashTable *results; /* key string -> what is shown of a result or region */
  guint64 round;
} GstVitgateHeldResults;

void gst_vitgate_held_results_init(GstVitgateHeldResults *held);

/* Frees the contents of @held, not @held itself. */
void gst_vitgate_held_results_clear(GstVitgateHeldResults *held);

/* Forgets everything, for example because another stream starts. */
void gst_vitgate_held_results_forget(GstVitgateHeldResults *held);

/* Starts the next frame, and forgets what the last one did not show. */
void gst_vitgate_held_results_next_frame(GstVitgateHeldResults *held);

/* Looks up what to write for @s, a result or one of its regions. A new label or another number of
 * classes counts at once, a new number after GST_VITGATE_HOLD.
 * @key: of whatever @s is about, the same in each frame
 * @time: stream time of the frame; GST_CLOCK_TIME_NONE: unknown, nothing is held
 * Returns: (transfer none): a result without its regions, with their mean compute ratio; valid
 * until the next call. */
const GstStructure *gst_vitgate_held_results_get(GstVitgateHeldResults *held, const char *key,
                                                 const GstStructure *s, GstClockTime time);

G_END_DECLS
