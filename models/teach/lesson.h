/* Teaching a model: from its file and pictures to a file with another head. */
#pragma once

#include "file/source.h"
#include "teach/groups.h"
#include "teach/outcome.h"
#include "teach/own-distance.h"
#include "teach/tuning.h"

typedef struct {
  const char *const *data;   /* NULL terminated */
  const char *const *others; /* (nullable): pictures of none of the classes, to measure with */
  const char *model;         /* of the base */
  const char *out;
  const char *name;
  Grouping grouping;
  VitgateFit fit; /* MODEL: all of a picture, squashed if the base would crop it; with add, as the
                     base */
  DecodeOrientation orientation;
  guint threads;
  gboolean several; /* --multi-label */
  gboolean add, forget;
  double fine_tune; /* seconds for training the last blocks too; 0: only the head is fitted */
} LessonOptions;

typedef struct {
  const LessonOptions *options;
  VitgateModel *model;
  Source *source;
  Description *description; /* of the base */
  gboolean several;         /* the options, or the base with --add */
  gboolean listed;          /* labels.tsv names classes */
  guint n_before;           /* with --add: pictures that the base was taught */
  guint n_new;              /* pictures read now */
  guint n_known;            /* with --add: pictures of the data that the base was taught before */
  guint n_repeated, n_unlabelled; /* see pictures.h */
  GPtrArray *unusable;            /* (element-type utf8): paths */
  Pictures *pictures;
  Examples *examples;
  GArray *cut; /* (element-type int): see groups_cut() */
  Cross *cross;
  Tuning *tuning; /* NULL unless it was asked for */
  Outcome *outcome;
  OwnDistance *distance; /* NULL with a sigmoid */
  double *distances;     /* [examples] by cross-validation */
  guint n_others;
  double auroc;          /* of the distance, against the others; NAN: none */
  double others_unknown; /* share of the others beyond the limit */
  guint n_stored;
  gboolean tuned_before; /* with --add: the network was fine-tuned with the pictures before */
  gint64 out_bytes, base_bytes;
  double seconds_pictures, seconds_fit, seconds_tuning, seconds;
} Lesson;

/* Teaches and writes the file. If there are several ranks, all call this; each sees its slice of
 * the pictures, and the first does the rest.
 * Returns: (transfer full): without results on all ranks but the first; or NULL with
 * COMMAND_ERROR_* or VITGATE_ERROR_*, on all ranks if it fails on one */
Lesson *lesson_run(const LessonOptions *options, GError **error);

/* Frees *@lesson, which may be NULL, and nulls it. */
void lesson_free(Lesson **lesson);

static inline void lesson_cleanup(Lesson *lesson)
{
  lesson_free(&lesson);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Lesson, lesson_cleanup)
