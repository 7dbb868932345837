/* One run of vitgate compress or train, as its parts share it. */
#pragma once

#include "train/dial/held-out.h"
#include "train/run/compressor.h"
#include "train/run/run-log.h"
#include "train/run/student.h"

/* Shares of the steps. */
#define SEARCH_SHARE 0.25 /* that the search takes */
#define ANNEAL_SHARE 0.4  /* of a stage: targets fall until then */

typedef struct {
  const CompressOptions *options;
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
  guint64 steps;       /* of both stages together; 0: not known yet */
  guint64 draw;        /* of photographs */
  double asked;        /* compute ratio, of the step at hand */
  double merge_offset; /* added to the compute ratio that the dial is asked for */
} Run;

/* ---- Beginning and end: FALSE with COMMAND_ERROR_* or VITGATE_ERROR_* ---- */

/* Loads the teacher with the classes that are kept. */
gboolean run_open_teacher(Run *run, GError **error);

/* Finds out whether there is memory to train @network. */
gboolean run_check_memory(const Run *run, const Network *network, GError **error);

/* Opens the photographs. @student: its classes and pre-processing count */
gboolean run_open_data(Run *run, const Description *student, GError **error);

/* Makes the folder of checkpoint and log. */
gboolean run_open_folder(Run *run, GError **error);

/* Whether the options ask for a checkpoint that is there. */
gboolean run_can_resume(const Run *run);

/* Gives the student its name, and writes down in it where it comes from. @command: its name
 * Returns: (transfer none): what was written */
JsonObject *run_tell_provenance(const Run *run, const char *command);

void run_clear(Run *run);

/* ---- Training ---- */

/* A trainer for the student at hand, in place of the one before. */
void run_make_trainer(Run *run);

/* The compute ratio of the student, all modules running and no token merged. */
double run_whole_ratio(const Run *run);

/* Finds the way that merging takes as its share of the saving grows: the dial of the student
 * before training. */
void run_find_merging(Run *run);

/* Trains the student at hand to the end of its stage, between two checkpoints. SIGINT and SIGTERM
 * end it behind a further one; elsewhere they end the process, and nothing is lost either.
 * Returns: FALSE with COMMAND_ERROR_* or VITGATE_ERROR_*; _INTERRUPTED behind a checkpoint */
gboolean run_train(Run *run, GError **error);

/* Takes student, trainer and place in the run from the checkpoint. */
gboolean run_resume(Run *run, GError **error);
