/* One run of vitgate compress or train, as its parts share it. */
#pragma once

#include "train/dial/held-out.h"
#include "train/run/run-log.h"
#include "train/run/run-options.h"
#include "train/run/student.h"

typedef struct {
  const RunOptions *options;
  VitgateModel *model; /* the teacher; without one the model that the run begins with; or NULL */
  guint *classes;      /* (nullable) [n_classes] the student's among the teacher's */
  guint n_classes;
  Collection *collection;
  Teacher *teacher;  /* NULL: the photographs' labels alone are learned */
  WideHead *wide;    /* (nullable): the teacher's, where the student keeps not all its classes */
  HeldOut *held_out; /* NULL: nothing is to be calibrated or watched */
  RunLog *log;
  char *folder, *checkpoint;

  Student student;
  Trainer *trainer;
  gboolean trained;    /* no step follows */
  guint64 steps;       /* of both stages together; 0: not known yet */
  guint64 draw;        /* of photographs */
  double asked;        /* compute ratio, of the step at hand */
  double merge_offset; /* added to the compute ratio that the dial is asked for */
} Run;

/* Frees what the run holds. */
void run_clear(Run *run);
