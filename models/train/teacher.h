/* The dense model that a student learns from, run by the engine. */
#pragma once

#include "real.h"
#include "vitgate.h"

typedef struct _Teacher Teacher;

/* @classes: (nullable) [n_classes] the teacher's classes that the student has; NULL: all of them
 * Returns: (transfer full): or NULL with the session's error */
Teacher *teacher_new(VitgateModel *model, guint max_batch, guint threads, const guint *classes,
                     guint n_classes, GError **error);
void teacher_free(Teacher **teacher);

/* Runs the teacher on a batch; what it gave stays until the next.
 * Returns: FALSE with the session's error */
gboolean teacher_run(Teacher *teacher, const float *tensors, guint n, GError **error);

/* [n][n_classes] of the student's classes, and [n][n_tokens][dim] behind the final norm. */
const float *teacher_get_logits(const Teacher *teacher);
const float *teacher_get_tokens(const Teacher *teacher);
