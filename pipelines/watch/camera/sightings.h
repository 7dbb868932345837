/* When labels of interest appear and vanish. A label appears once it has been seen for a while, and
 * vanishes once it has not been seen for a while; to appear it takes a higher score than to stay.
 */
#pragma once

#include <glib.h>

/* A class that a frame shows. */
typedef struct {
  char *label;
  double score;
} SeenClass;

typedef struct {
  gboolean appeared; /* else: vanished */
  const char *label; /* as the user writes it */
  double score;      /* of the frame with which it appeared; the best while it was there */
  guint64 since;     /* when it was first seen, ns */
  guint64 until;     /* when it was last seen, ns */
} Sighting;

typedef void (*SightingFunc)(const Sighting *sighting, gpointer user_data);

typedef struct {
  double threshold, keep_threshold;
  guint64 appear_after, vanish_after; /* ns */
} SightingOptions;

typedef struct _Sightings Sightings;

/* @labels: (nullable): each a class' label, or one of the names in it: "beach wagon" for "beach
 * wagon, station wagon"; upper and lower case are the same
 * Returns: (transfer full) */
Sightings *sightings_new(char *const *labels, const SightingOptions *options, SightingFunc func,
                         gpointer user_data);

/* A frame. @time: of the frame, ns; where it goes back, waiting starts anew */
void sightings_see(Sightings *self, guint64 time, const SeenClass *classes, guint n);

/* There are no more frames: what was there vanishes. */
void sightings_end(Sightings *self);

void sightings_free(Sightings **self);
