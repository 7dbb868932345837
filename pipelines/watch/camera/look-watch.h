/* Follows what is seen in one look, or in the whole frame of a camera: labels of interest, the
 * state, and what the status shows. Any thread may call these functions. */
#pragma once

#include "camera/frame-line.h"
#include "config/look-config.h"

/* Frames that the mean compute ratio follows. */
#define COMPUTE_WINDOW 512

/* Upper limits of the latency histogram, seconds; a last bucket has no limit. */
#define N_LATENCY_LIMITS 10
extern const double look_latency_limits[N_LATENCY_LIMITS];

/* What was counted since the program started, or the camera's keys changed. */
typedef struct {
  guint64 frames;                          /* with a result */
  guint64 inferred, reused, late;          /* frames */
  double gmacs, seconds;                   /* of all inferences */
  guint64 latencies[N_LATENCY_LIMITS + 1]; /* inferences in each bucket */
} LookCounts;

typedef struct {
  const char *name; /* (nullable): NULL: the whole frame */
  char *label;      /* (nullable): best label of the last frame */
  double score;
  char *state;        /* (nullable) */
  const char *region; /* (nullable): as in the key file */
  double dial;        /* setting of the dial at the last frame */
  double latency;     /* duration of the last inference, seconds; 0: none yet */
  guint n_classes;    /* of the model; 0: unknown */
  LookCounts counts;
  char **present; /* (nullable): labels of interest that are present, as the user wrote them */
  double compute; /* mean compute ratio of the last COMPUTE_WINDOW frames or so */
} LookStatus;

typedef struct _LookWatch LookWatch;

/* @line: (transfer full): an event, with a newline */
typedef void (*LookEventFunc)(char *line, gpointer user_data);

/* @camera: its name
 * @config: must stay as it is while the watch exists
 * @func: called by the thread that calls one of the functions below
 * Returns: (transfer full) */
LookWatch *look_watch_new(const char *camera, const LookConfig *config, LookEventFunc func,
                          gpointer user_data);

/* Returns: (transfer none) (nullable): the name of the look; NULL: the whole frame */
const char *look_watch_get_name(const LookWatch *self);

/* Adds the result of a frame.
 * @result: (nullable): NULL: there is none
 * @time: running time of the frame, ns; G_MAXUINT64 if unknown */
void look_watch_see(LookWatch *self, const FrameResult *result, guint64 time);

/* Ends the stream: all present labels vanish, and the state stays.
 * @lost: whether the camera was lost */
void look_watch_end(LookWatch *self, gboolean lost);

/* Makes the state unknown if the camera has been lost for too long.
 * @seconds: since there was a frame */
void look_watch_check_lost(LookWatch *self, double seconds);

/* Sets the thresholds of labels and states. */
void look_watch_set_thresholds(LookWatch *self, double threshold, double keep_threshold);

/* @status: (out): free it with look_status_clear() */
void look_watch_get_status(LookWatch *self, LookStatus *status);
void look_status_clear(LookStatus *status);

void look_watch_free(LookWatch *self);
