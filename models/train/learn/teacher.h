/* The model that a student learns from. All its modules run, and no tokens merge. */
#pragma once

#include "train/network/levels.h"
#include "train/network/network.h"

typedef struct _Teacher Teacher;

/* @network: (transfer full): with the student's classes
 * @description: (transfer full): of the network
 * @features: keep the tokens of all levels (see levels.h), not only the first
 * Returns: (transfer full): the teacher; or NULL with VITGATE_ERROR_MEMORY */
Teacher *teacher_new(Network *network, Description *description, guint max_batch, guint threads,
                     gboolean features, GError **error);
void teacher_free(Teacher **teacher);

const Network *teacher_get_network(const Teacher *teacher);
const Description *teacher_get_description(const Teacher *teacher);

/* Makes the teacher keep its tokens at the levels that it has in common with a student.
 * Returns: the levels, for the student's trainer */
Levels teacher_match(Teacher *teacher, const Description *student);

/* Runs the teacher on a batch. The outputs stay valid until the next call.
 * @tensors: [n][3][image_size][image_size] */
void teacher_run(Teacher *teacher, const float *tensors, guint n);

/* Return the logits, [n][n_classes], and the tokens, [levels][n][n_tokens][dim]; see levels.h. */
const float *teacher_get_logits(const Teacher *teacher);
const float *teacher_get_tokens(const Teacher *teacher);

/* Returns: [n][dim] class tokens, normalised for the head */
const float *teacher_get_class_tokens(const Teacher *teacher);
