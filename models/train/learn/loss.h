/* What training minimises, and its gradient at the outputs of a pass. */
#pragma once

#include "train/learn/wide-head.h"
#include "train/network/training-pass.h"

/* The standard deviation over images that a gate's logits shall have: half of the noise's. */
#define GATE_SPREAD 0.9

/* Weights of the parts; 0: left out. */
typedef struct {
  double distillation; /* Kullback-Leibler divergence from the teacher's to the student's classes */
  double temperature;  /* of both, in the former */
  double tokens;       /* mean squared difference of the final tokens */
  double features;     /* the same of the other levels' tokens, together */
  double others;       /* divergence over all of the teacher's classes, where the head is given */
  double labels;       /* cross entropy with labels */
  double smoothing;    /* of the labels */
  double compute;      /* (compute ratio - target)^2: gamma */
  double target;       /* compute ratio */
  double spread;       /* (GATE_SPREAD - s)^2, s: each gate's spread over images where less */
  double dense_gmacs;
  const WideHead *wide; /* (nullable): the teacher's head with all classes */
} LossWeights;

/* Of one batch. */
typedef struct {
  const real *teacher_logits; /* (nullable) [n_images][n_classes] */
  const real *teacher_tokens; /* (nullable) [levels][n_images][n_tokens][dim], see levels.h:
                               without features only the first level */
  const real *teacher_class;  /* (nullable) [n_images][dim]: normalised class tokens */
  const int *labels;          /* (nullable) [n_images]; -1: none */
} LossTargets;

/* Sums over a share's images; divided by the batch's size they are means. */
typedef struct {
  double distillation, others, tokens, features, labels;
  double agreement; /* images with the teacher's class; without a teacher, with their label's */
  guint labelled;
} LossSums;

/* Sets the share's dlogits, dclass and dentry, and adds the compute term to dopen and to the
 * gradient of the structure's alphas; @ratio: the batch's, from loss_compute_ratio(). Returns: the
 * sums over the share's images */
LossSums loss_share(Share *share, const LossWeights *weights, const LossTargets *targets,
                    double ratio);

/* Kullback-Leibler divergence of softmax(q[n]) from softmax(p[n]) */
double loss_divergence(const real *p, const real *q, guint n);

/* Returns: the place of the largest of x[n], the first of them */
guint loss_best(const real *x, guint n);

/* Returns: the mean multiply-adds of an image of the batch over the dense teacher's */
double loss_compute_ratio(const TrainingPass *pass, double dense_gmacs);

/* Returns: what the gates' spread over the batch adds to the loss, unweighted: the mean over gates
 */
double loss_spread(const TrainingPass *pass);

/* The same ratio if every gate were open. */
double loss_open_ratio(const TrainingPass *pass, double dense_gmacs);
