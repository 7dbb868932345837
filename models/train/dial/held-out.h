/* Photographs that a network is not trained on, held in memory, with the teacher's output. */
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

/* A network's results on held-out photographs, as means over them. */
typedef struct {
  double ratio;          /* compute ratio */
  gboolean taught;       /* there is a teacher */
  double divergence;     /* Kullback-Leibler, from the teacher's classes to the network's */
  double agreement;      /* share of photographs given the teacher's class */
  guint labelled, right; /* photographs with a label; with the right class */
} HeldOutOutcome;

/* Reads up to @max_images of the collection's held-out part, or of the whole collection if nothing
 * is held out. They are spread evenly over it, and shuffled in an order that is always the same.
 * @teacher: (nullable): NULL: no logits
 * @labelled: only photographs with labels, unless there are none
 * @batch: images at a time; at most the teacher's
 * @threads: number of decoding threads
 * Returns: (transfer full): the photographs, or NULL with the batches' error */
HeldOut *held_out_new(const Collection *collection, Teacher *teacher, guint max_images, guint batch,
                      guint threads, gboolean labelled, GError **error);
void held_out_free(HeldOut **held_out);

/* Called after each batch. @pass holds the network's logits and decisions for the images from
 * @first on. */
typedef void (*HeldOutVisit)(gpointer data, const TrainingPass *pass, guint first);

/* Runs a network on the first @n images. Gates decide for each image alone, with @bias.
 * @batch: images at a time; at most the trainer's */
void held_out_run(const HeldOut *held_out, Trainer *trainer, double bias, guint n, guint batch,
                  HeldOutVisit visit, gpointer data);

/* Runs a network as held_out_run() does, and measures it. */
HeldOutOutcome held_out_measure(const HeldOut *held_out, Trainer *trainer, double bias, guint n,
                                guint batch);
