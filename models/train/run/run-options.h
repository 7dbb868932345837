/* The options of vitgate compress and vitgate train.
 *
 * A table has one row per option: its name, the member of RunOptions that holds its value, its help
 * text, defaults and range, whether a resumed run must have the same value, and its member in a
 * checkpoint, in the log and in a model's provenance. To add an option, add a member to RunOptions
 * and a row to the table. */
#pragma once

#include <json-glib/json-glib.h>

#include "data/sampler.h"
#include "train/learn/sub-groups.h"
#include "train/network/activations.h"
#include "vitgate.h"

typedef enum { RUN_COMPRESS = 1, RUN_TRAIN = 2 } RunCommand;

typedef struct {
  RunCommand command;
  char *teacher;        /* model file; (nullable) for train */
  char *from;           /* (nullable): model file to start from; default: the teacher */
  char *variant;        /* (nullable): published network to start from, see published.h */
  guint image_size;     /* side of the variant's input in pixels; 0: as published */
  char **data;          /* folders and archives */
  char **folders;       /* (nullable): only these top folders */
  gboolean orientation; /* turn photographs as their orientation tags say */
  char *classes;        /* (nullable): file with the labels or ids of the student's classes */
  char *out;            /* model file to write */
  char *name;           /* of the new model */
  char *resume;         /* (nullable): folder of the checkpoint; default: OUT.training */
  double target;        /* mean compute ratio */
  double static_target; /* compute ratio of the cut network with all gates open; 0: from target */
  double parameters_target; /* share of the teacher's, without gates; 0: no limit beyond the compute
                               target */
  gboolean gates, merging, search; /* gates: of any kind */
  gboolean module_gates;
  ModuleControl gate_control;
  gboolean token_gates;
  TokenControl token_control;
  gboolean learn_gates; /* token gates are trained too */
  guint gate_images;    /* maximum number used to fit token gates */
  gboolean static_only; /* neither gates nor merging */
  gboolean fixed_dial;  /* train only for the target */
  gboolean train;
  SubGroups sub_groups;
  guint group_size;
  guint64 steps;            /* training steps; 0: limited by time_limit */
  double time_limit;        /* seconds; 0: limited by steps */
  guint calibration_images; /* maximum number used to rank units */
  guint batch, threads;
  guint64 seed;
  double rate;                /* peak learning rate */
  double gate_rate;           /* peak learning rate of gates and structure choices */
  double gate_spread;         /* weight in the loss of gates that vary too little between images */
  double labels;              /* weight of the labels in the loss */
  double others;              /* weight of classes that are not kept */
  double features;            /* weight of the teacher's tokens between blocks */
  double mixup;               /* share of blended images */
  VitgatePrecision precision; /* of the weights in the file; not auto */
  FolderWeight *folder_weights; /* (nullable) [n_folder_weights] */
  guint n_folder_weights;

  /* Option texts that are parsed into some of the members above. */
  struct {
    char *gates, *granularity, *sub_groups, *precision, *time_limit;
    char **folder_weights;
  } given;
} RunOptions;

/* The kind of an option's argument, and the type of the member that holds it. */
typedef enum {
  RUN_OPTION_FLAG,    /* no argument: gboolean, TRUE if given */
  RUN_OPTION_NO_FLAG, /* no argument: gboolean, FALSE if given */
  RUN_OPTION_COUNT,   /* a whole number: guint */
  RUN_OPTION_LONG,    /* a whole number: guint64 */
  RUN_OPTION_REAL,    /* a number: double */
  RUN_OPTION_TEXT,    /* char * */
  RUN_OPTION_FILE,    /* char *: a path; provenance records only its last part */
  RUN_OPTION_TEXTS,   /* char **: can be repeated */
  RUN_OPTION_FILES,   /* char **: paths; can be repeated */
} RunOptionKind;

typedef struct {
  const char *name; /* without dashes; NULL: not an option, but a value derived from others */
  char letter;      /* or 0 */
  RunOptionKind kind;
  gsize place;             /* offset in RunOptions */
  guint commands;          /* RunCommand bits: commands that have the option */
  guint required;          /* RunCommand bits: commands that require it */
  const char *help[2];     /* for compress, train (NULL: the same); the default is appended */
  const char *argument;    /* as shown in the help */
  const char *defaults[2]; /* for compress, train; NULL: 0, NULL or FALSE */
  double low, high;        /* range of a number */
  const char *expected;    /* the range in words; NULL: any number is valid */
  const char *member;      /* name in checkpoint and log; NULL: may differ when a run is resumed */
  const char *provenance;  /* (nullable): name in the provenance */
  gboolean of_training;    /* recorded in the provenance only if the run trained */
  gboolean (*parse)(RunOptions *options, GError **error); /* (nullable): parses the text given */
  JsonNode *(*describe)(const RunOptions *options); /* (nullable): returns the value of @member */
} RunOption;

/* @n: (out)
 * Returns: (transfer none): the table */
const RunOption *run_options_table(guint *n);

/* Sets the defaults of @command. */
void run_options_init(RunOptions *options, RunCommand command);
void run_options_clear(RunOptions *options);

/* Returns: the address of the option's value */
static inline gpointer run_option_at(const RunOptions *options, const RunOption *option)
{
  return (guint8 *)options + option->place;
}

/* Checks the values against the table and parses the texts.
 * Returns: FALSE with COMMAND_ERROR_USAGE */
gboolean run_options_check(RunOptions *options, GError **error);

/* Returns: (transfer full): the values that must not change when a run is resumed */
JsonObject *run_options_describe(const RunOptions *options);

/* Checks that a run that was started with the options @before can be resumed. An option missing
 * from @before counts as having its default.
 * @path: checkpoint file, for the error message
 * Returns: FALSE with COMMAND_ERROR_USAGE */
gboolean run_options_check_same(const RunOptions *options, JsonObject *before, const char *path,
                                GError **error);

/* Adds the options that a model's provenance records. */
void run_options_record(const RunOptions *options, JsonObject *provenance);

static inline void run_options_cleanup(RunOptions *options)
{
  run_options_clear(options);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RunOptions, run_options_cleanup)
