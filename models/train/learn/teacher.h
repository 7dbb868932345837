/* The model that a student learns from: all its modules run, no token merges. */
#pragma once

#include "train/network/levels.h"
#include "train/network/network.h"

typedef struct _Teacher Teacher;

/* @network: (transfer full): of the student's classes
 * @description: (transfer full): the network's
 * @features: keep the tokens of all levels, see levels.h, not only of the first
 * Returns: (transfer full): the teacher; or NULL with VITGATE_ERROR_MEMORY */
Teacher *teacher_new(Network *network, Description *description, guint max_batch, guint threads,
                     gboolean features, GError **error);
void teacher_free(Teacher **teacher);

const Network *teacher_get_network(const Teacher *teacher);
const Description *teacher_get_description(const Teacher *teacher);

/* Has the teacher keep its tokens at the levels that it has in common with a student.
 * Returns: the levels: of the student's trainer */
Levels teacher_match(Teacher *teacher, const Description *student);

/* Runs the teacher on a batch; what it gave stays until the next.
 * @tensors: [n][3][image_size][image_size] */
void teacher_run(Teacher *teacher, const float *tensors, guint n);

/* [n][n_classes], and [levels][n][n_tokens][dim], see levels.h. */
const float *teacher_get_logits(const Teacher *teacher);
const float *teacher_get_tokens(const Teacher *teacher);

/* [n][dim]: class tokens, normalised for the head. */
const float *teacher_get_class_tokens(const Teacher *teacher);
