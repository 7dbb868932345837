/* The loss that training minimises, and its gradient at the outputs of a pass. */
#pragma once

#include "train/learn/wide-head.h"
#include "train/network/training-pass.h"

/* The standard deviation over images that a gate's logits should have: half that of the noise. */
#define GATE_SPREAD 0.9

/* Weights of the terms; 0: not used. */
typedef struct {
  double distillation; /* Kullback-Leibler divergence from the teacher's to the student's classes */
  double temperature;  /* of both, for distillation */
  double tokens;       /* mean squared difference of the final tokens */
  double features;     /* the same for the tokens of all other levels together */
  double others;       /* divergence over all of the teacher's classes, if @wide is given */
  double labels;       /* cross entropy with labels */
  double smoothing;    /* label smoothing */
  double compute;      /* (compute ratio - target)^2: gamma */
  double target;       /* target compute ratio */
  double spread;       /* (GATE_SPREAD - s)^2 if s < GATE_SPREAD; s: a gate's spread over images */
  double dense_gmacs;
  const WideHead *wide; /* (nullable): the teacher's head with all classes */
} LossWeights;

/* What one batch is compared with: [n_images] are those that this rank runs. */
typedef struct {
  const real *teacher_logits; /* (nullable) [n_images][n_classes] */
  const real *teacher_tokens; /* (nullable) [levels][n_images][n_tokens][dim], see levels.h;
                               only the first level if features are not used */
  const real *teacher_class;  /* (nullable) [n_images][dim]: normalised class tokens */
  const int *labels;          /* (nullable) [n_images]; -1: none */
} LossTargets;

/* Sums over a share's images. */
typedef struct {
  double distillation, others, tokens, features, labels;
  double agreement; /* images given the teacher's class or, without a teacher, their label */
  guint labelled;
} LossSums;

/* Sets the share's dlogits, dclass and dentry, and adds the compute term to dopen and to the
 * gradient of the structure's alphas.
 * @ratio: of the batch, from loss_compute_ratio()
 * Returns: the sums over the share's images */
LossSums loss_share(Share *share, const LossWeights *weights, const LossTargets *targets,
                    double ratio);

/* Returns: the Kullback-Leibler divergence of softmax(q[n]) from softmax(p[n]) */
double loss_divergence(const real *p, const real *q, guint n);

/* Returns: the index of the largest of x[n]; the first one if several are equal */
guint loss_best(const real *x, guint n);

/* Returns: the mean GMACs per image of the batch, divided by the dense teacher's */
double loss_compute_ratio(const TrainingPass *pass, double dense_gmacs);

/* Returns: the loss term of the gates' spread over the batch, unweighted: the mean over gates */
double loss_spread(const TrainingPass *pass);

/* Returns: what loss_compute_ratio() would return if every gate were open */
double loss_open_ratio(const TrainingPass *pass, double dense_gmacs);
