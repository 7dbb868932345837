/* Photographs that a network is not trained on, in memory, and what the teacher says of them. */
#pragma once

#include "data/batches.h"
#include "train/learn/teacher.h"
#include "train/learn/trainer.h"

typedef struct {
  guint n, n_classes;
  gsize pixels;   /* of an image */
  float *tensors; /* [n][pixels] */
  float *logits;  /* (nullable) [n][n_classes] the teacher's */
  int *labels;    /* [n] classes; -1: none */
} HeldOut;

/* What a network makes of held-out photographs; means over them. */
typedef struct {
  double ratio;      /* compute, over the dense teacher's */
  gboolean taught;   /* there is a teacher */
  double divergence; /* Kullback-Leibler, from the teacher's classes to the network's */
  double agreement;  /* share with the teacher's class */
  guint labelled, right;
} HeldOutOutcome;

/* Reads up to @max_images of the collection's held-out part, or of all of it where nothing is held
 * out, spread over it evenly, in an order that is mixed and always the same.
 * @teacher: (nullable): NULL: there will be no logits
 * @labelled: those with labels alone, unless there are none
 * @batch: images at a time; at most the teacher's
 * @threads: that decode
 * Returns: (transfer full): or NULL with the batches' error */
HeldOut *held_out_new(const Collection *collection, Teacher *teacher, guint max_images, guint batch,
                      guint threads, gboolean labelled, GError **error);
void held_out_free(HeldOut **held_out);

/* Called after each batch: @pass holds the network's logits and decisions of the images from
 * @first on. */
typedef void (*HeldOutVisit)(gpointer data, const TrainingPass *pass, guint first);

/* Runs a network on the first @n images: decisions by @bias, each image for itself.
 * @batch: images at a time; at most the trainer's */
void held_out_run(const HeldOut *held_out, Trainer *trainer, double bias, guint n, guint batch,
                  HeldOutVisit visit, gpointer data);

/* The same, to measure it. */
HeldOutOutcome held_out_measure(const HeldOut *held_out, Trainer *trainer, double bias, guint n,
                                guint batch);
