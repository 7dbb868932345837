/* The options of vitgate compress and vitgate train.
 *
 * One table has a row for each option: its name, the member of RunOptions that holds its value, its
 * help, defaults and range, whether a resumed run must have the same value, and its member in a
 * checkpoint, in the log and in a model's provenance. To add an option, add a member to RunOptions
 * and a row to the table. */
#pragma once

#include <json-glib/json-glib.h>

#include "data/sampler.h"
#include "train/learn/sub-groups.h"
#include "train/network/network.h"
#include "vitgate.h"

typedef enum { RUN_COMPRESS = 1, RUN_TRAIN = 2 } RunCommand;

typedef struct {
  RunCommand command;
  char *teacher;            /* path of the model; (nullable) for train */
  char *from;               /* (nullable): path of the model to start from; default: the teacher */
  char *variant;            /* (nullable): published network to start from, see published.h */
  guint image_size;         /* of the variant; 0: as published */
  char **data;              /* folders and archives */
  char **folders;           /* (nullable): only these top folders */
  char *classes;            /* (nullable): file with the labels or ids that the student knows */
  char *out;                /* path */
  char *name;               /* of the model */
  char *resume;             /* (nullable): folder of the checkpoint; default OUT.training */
  double target;            /* mean compute ratio */
  double static_target;     /* compute ratio of the cut network, all modules open; 0: by target */
  double parameters_target; /* of the teacher's, gates aside; 0: what the compute target leaves */
  gboolean gates, merging, search;
  GateControl gate_control;
  gboolean static_only; /* neither gates nor merging */
  gboolean fixed_dial;  /* training asks for the target alone */
  gboolean train;
  SubGroups sub_groups;
  guint group_size;
  guint64 steps;            /* of training; 0: by time_limit */
  double time_limit;        /* seconds; 0: by steps */
  guint calibration_images; /* at most, for the ranking of units */
  guint batch, threads;
  guint64 seed;
  double rate;                  /* of learning */
  double gate_rate;             /* the same of gates and structure choices */
  double gate_spread;           /* weight of the gates' spread over images in the loss */
  double labels;                /* weight of labels in the loss */
  double others;                /* the same of the classes that are not kept */
  double features;              /* the same of the teacher's tokens between blocks */
  double mixup;                 /* share of blended images */
  VitgatePrecision precision;   /* of the file, not auto */
  FolderWeight *folder_weights; /* (nullable) [n_folder_weights] */
  guint n_folder_weights;

  /* The texts of options that are parsed into some of the above. */
  struct {
    char *gates, *granularity, *sub_groups, *precision, *time_limit;
    char **folder_weights;
  } given;
} RunOptions;

/* What an option takes, and the type of the member that holds it. */
typedef enum {
  RUN_OPTION_FLAG,    /* nothing: gboolean, TRUE if given */
  RUN_OPTION_NO_FLAG, /* nothing: gboolean, FALSE if given */
  RUN_OPTION_COUNT,   /* a whole number: guint */
  RUN_OPTION_LONG,    /* a whole number: guint64 */
  RUN_OPTION_REAL,    /* a number: double */
  RUN_OPTION_TEXT,    /* char * */
  RUN_OPTION_FILE,    /* char *: a path; provenance records its last part */
  RUN_OPTION_TEXTS,   /* char **: may be repeated */
  RUN_OPTION_FILES,   /* the same of paths */
} RunOptionKind;

typedef struct {
  const char *name; /* without dashes; NULL: no option, a value that follows from others */
  char letter;      /* or 0 */
  RunOptionKind kind;
  gsize place;             /* in RunOptions */
  guint commands;          /* RunCommand bits: those that have the option */
  guint required;          /* the same: those that need it */
  const char *help[2];     /* of compress, of train; NULL: the same. The default is added */
  const char *argument;    /* as shown in the help */
  const char *defaults[2]; /* of compress, of train; NULL: 0, NULL or FALSE */
  double low, high;        /* range of a number */
  const char *expected;    /* the range in words; NULL: any number */
  const char *member;      /* in checkpoint and log; NULL: may differ when a run is resumed */
  const char *provenance;  /* (nullable): member of the provenance */
  gboolean of_training;    /* in the provenance only if the run trained */
  gboolean (*parse)(RunOptions *options, GError **error); /* (nullable): the text that is given */
  JsonNode *(*describe)(const RunOptions *options);       /* (nullable): what @member holds */
} RunOption;

/* @n: (out)
 * Returns: (transfer none): the table */
const RunOption *run_options_table(guint *n);

/* Sets the defaults of @command. */
void run_options_init(RunOptions *options, RunCommand command);
void run_options_clear(RunOptions *options);

/* Returns: where the option's value is */
static inline gpointer run_option_at(const RunOptions *options, const RunOption *option)
{
  return (guint8 *)options + option->place;
}

/* Checks the values against the table, and parses the texts.
 * Returns: FALSE with COMMAND_ERROR_USAGE */
gboolean run_options_check(RunOptions *options, GError **error);

/* Returns: (transfer full): what must be the same when a run is resumed */
JsonObject *run_options_describe(const RunOptions *options);

/* Checks that a run that was started with the options @before can be resumed. An option that
 * @before does not name had its default.
 * @path: of the checkpoint, for the error
 * Returns: FALSE with COMMAND_ERROR_USAGE */
gboolean run_options_check_same(const RunOptions *options, JsonObject *before, const char *path,
                                GError **error);

/* Adds the options that a model's provenance has. */
void run_options_record(const RunOptions *options, JsonObject *provenance);

static inline void run_options_cleanup(RunOptions *options)
{
  run_options_clear(options);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RunOptions, run_options_cleanup)
