/* The teacher's head with all its classes, for a student that keeps only some of them. The
 * teacher's answer over all classes says more about an image than the kept classes alone. In
 * training only, the student's class token goes through this head too. The head does not learn. */
#pragma once

#include "train/network/network.h"

typedef struct {
  guint n, dim;
  real *weight; /* [n][dim] */
  real *bias;   /* [n] */
} WideHead;

/* Loads the head from a teacher's file.
 * @description: of the file
 * Returns: (transfer full): the head, or NULL with VITGATE_ERROR_* */
WideHead *wide_head_load(const char *path, const Description *description, GError **error);
void wide_head_free(WideHead **head);

/* Computes logits[n] from a normalised class token[dim]. */
void wide_head_logits(const WideHead *head, real *logits, const real *token);

/* Computes dtoken[dim] += the gradient from dlogits[n]. */
void wide_head_backward(const WideHead *head, real *dtoken, const real *dlogits);
