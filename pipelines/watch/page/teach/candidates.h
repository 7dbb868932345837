/* Looks at pictures of one task, and stores those that differ from all it has seen: a pipeline
 * "appsrc ! videoconvert ! vitgate … ! appsink" with a thread of its own. Called in the main
 * context. */
#pragma once

#include <gst/video/video.h>

typedef struct {
  const char *folder;   /* of the task: what is known is stored there */
  const char *unsorted; /* folder for pictures */
  const char *region;   /* as the property of vitgate */
  const char *model;    /* (nullable): only pictures that it finds doubtful are stored */
  double threshold;     /* score below which they are doubtful */
} CandidatesOptions;

/* What became of a picture. */
typedef struct {
  gboolean kept;
  const char *name;    /* of the file that was kept, or would have been, without its extension */
  double probability;  /* of the guess; negative: there is no model */
  const char *guess;   /* (nullable) */
  const GError *error; /* (nullable): nothing more can be stored */
} Candidate;

typedef struct _Candidates Candidates;

typedef void (*CandidatesFunc)(const Candidate *candidate, gpointer user_data);

/* @func: called in the main context for each picture that was offered
 * Returns: (transfer full) (nullable): NULL with an error */
Candidates *candidates_new(const CandidatesOptions *options, CandidatesFunc func,
                           gpointer user_data, GError **error);

/* Returns: whether it still looks at a picture */
gboolean candidates_is_busy(Candidates *self);

/* Offers a picture. Call it only if it is not busy.
 * @time: when it was taken */
void candidates_offer(Candidates *self, GstSample *sample, GDateTime *time);

/* Waits until the picture that it looks at is stored, which takes a few hundred ms at most. *@self
 * may be NULL. */
void candidates_free(Candidates **self);
