/* Detects when labels of interest appear and vanish. A label appears after it has been seen for
 * some time, and vanishes after it has not been seen for some time. It needs a higher score to
 * appear than to stay. */
#pragma once

#include <glib.h>

/* A class seen in a frame. */
typedef struct {
  char *label;
  double score;
} SeenClass;

typedef struct {
  gboolean appeared; /* FALSE: vanished */
  const char *label; /* as the user wrote it */
  double score;      /* appeared: of that frame; vanished: the best while present */
  guint64 since;     /* when it was first seen, ns */
  guint64 until;     /* when it was last seen, ns */
} Sighting;

typedef void (*SightingFunc)(const Sighting *sighting, gpointer user_data);

typedef struct {
  double threshold, keep_threshold;
  guint64 appear_after, vanish_after; /* ns */
} SightingOptions;

typedef struct _Sightings Sightings;

/* @labels: (nullable): each a class's label, or one of the names in it, such as "beach wagon" for
 * "beach wagon, station wagon", in upper or lower case
 * Returns: (transfer full) */
Sightings *sightings_new(char *const *labels, const SightingOptions *options, SightingFunc func,
                         gpointer user_data);

/* Adds a frame.
 * @time: of the frame, ns; if it goes back, all waiting starts again */
void sightings_see(Sightings *self, guint64 time, const SeenClass *classes, guint n);

/* Labels that are present stay until they are below the new threshold. */
void sightings_set_thresholds(Sightings *self, double threshold, double keep_threshold);

/* Ends the stream: all present labels vanish. */
void sightings_end(Sightings *self);

void sightings_free(Sightings **self);
