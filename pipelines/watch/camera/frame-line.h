/* Parses a line of vitgatejson. */
#pragma once

#include <glib.h>

#include "camera/sightings.h"

typedef enum {
  RESULT_FRESH,     /* this frame was inferred */
  RESULT_UNCHANGED, /* it is like the one that was */
  RESULT_LATE,      /* there was no time for an inference */
  RESULT_OLD,       /* it was not due, or there is nothing to see */
} ResultState;

/* What one vitgate says about a frame. */
typedef struct {
  char *look;      /* (nullable): name of the look; NULL: the whole frame */
  char *label;     /* (nullable): the best label */
  double score;    /* of that label */
  double compute;  /* compute ratio of the frame: 0 if no inference was made */
  double dial;     /* setting of the dial */
  guint n_classes; /* of the model */
  double gmacs;    /* of this frame: 0 if no inference was made */
  double seconds;  /* duration of the last inference */
  ResultState state;
  gboolean looked;  /* this frame was inferred, or is like the one that was; otherwise the result is
                       an older frame's */
  gboolean unknown; /* the frame shows none of the model's classes, says the model */
  GArray *seen;     /* of SeenClass: the classes of the result and its regions */
} FrameResult;

typedef struct {
  GArray *results;     /* of FrameResult */
  guint width, height; /* of the frame, pixels; 0: unknown */
} FrameLine;

/* @self: (out): on success, free it with frame_line_clear()
 * Returns: FALSE if the line is not a JSON object */
gboolean frame_line_parse(FrameLine *self, const char *line, gsize length);

/* @look: (nullable): name of a look; NULL: the whole frame
 * Returns: (transfer none) (nullable) */
const FrameResult *frame_line_find(const FrameLine *self, const char *look);

void frame_line_clear(FrameLine *self);
