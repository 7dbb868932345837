/* The teacher's head with all its classes, for a student that keeps only some of them: what the
 * teacher says of the others tells more of an image than those alone. The student's class token
 * goes through this head too, in training alone; the head itself does not learn. */
#pragma once

#include "train/network/network.h"

typedef struct {
  guint n, dim;
  real *weight; /* [n][dim] */
  real *bias;   /* [n] */
} WideHead;

/* @path: the teacher's file; @description: its own
 * Returns: (transfer full): or NULL with VITGATE_ERROR_* */
WideHead *wide_head_load(const char *path, const Description *description, GError **error);
void wide_head_free(WideHead **head);

/* logits[n] of a normalised class token[dim] */
void wide_head_logits(const WideHead *head, real *logits, const real *token);

/* dtoken[dim] += the gradient by dlogits[n] */
void wide_head_backward(const WideHead *head, real *dtoken, const real *dlogits);
