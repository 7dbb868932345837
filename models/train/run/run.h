/* One run of vitgate compress or train, as shared by its parts. */
#pragma once

#include "train/dial/held-out.h"
#include "train/run/run-log.h"
#include "train/run/run-options.h"
#include "train/run/student.h"

#define HELD_OUT_IMAGES 512 /* maximum number of held-out photographs that are used */

typedef struct {
  const RunOptions *options;
  gint64 start; /* monotonic time; the time limit counts from here */
  VitgateModel
      *model;     /* the teacher or, without one, the model that the run starts from; or NULL */
  guint *classes; /* (nullable) [n_classes] indices of the student's among the teacher's */
  guint n_classes;
  Collection *collection;
  Teacher *teacher;  /* NULL: the student learns only from labels */
  WideHead *wide;    /* (nullable): the teacher's, if the student does not keep all its classes */
  HeldOut *held_out; /* NULL: there is nothing to calibrate or measure */
  RunLog *log;
  char *folder, *checkpoint;

  Student student;
  Trainer *trainer;
  gboolean trained;    /* training has ended */
  guint64 steps;       /* of both stages together; 0: not known yet */
  guint64 draw;        /* number of the next draw of photographs */
  double asked;        /* compute ratio asked for in the current step */
  double bias;         /* of the gates in the current step */
  double merge_offset; /* added to the compute ratio that the dial is asked for */

  /* What remains to be done after the current stage, for the time limit. */
  double later_images;  /* held-out images to be run, summed over all measurements */
  double later_seconds; /* for everything else */
} Run;

/* Frees what the run holds. */
void run_clear(Run *run);
