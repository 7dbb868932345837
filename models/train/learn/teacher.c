#include "train/learn/teacher.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "file/architecture.h"
#include "train/network/training-pass.h"
#include "train/network/training-team.h"

/* Images per thread that go through the network together: few, so that they fit into the caches. */
#define CHUNK 8

struct _Teacher {
  Description *description;
  Network *network;
  Team *team;
  TrainingPass *pass;
  gboolean packed;
  guint max_levels; /* levels that there is memory for */
  float *logits, *tokens, *class_tokens;
  const float *tensors;
  guint n;
};

static gboolean allocate(Teacher *teacher, guint max_batch, guint threads, GError **error)
{
  const Description *d = teacher->description;
  teacher->team = training_team_new(threads, error);
  if (!teacher->team)
    return FALSE;
  teacher->pass = training_pass_new(teacher->network, teacher->team, CHUNK * threads,
                                    matmul_prefers_bf16(), FALSE, error);
  if (!teacher->pass)
    return FALSE;
  teacher->class_tokens = g_try_new(float, (gsize)max_batch * d->dim);
  teacher->logits = g_try_new(float, (gsize)max_batch * d->n_classes);
  teacher->tokens = g_try_new(
      float, (gsize)teacher->max_levels *max_batch *vitgate__description_n_tokens(d) * d->dim);
  if (teacher->class_tokens && teacher->logits && teacher->tokens)
    return TRUE;
  vitgate__set_error(error, VITGATE_ERROR_MEMORY,
                     "not enough memory for the teacher's tokens of %u images", max_batch);
  return FALSE;
}

Teacher *teacher_new(Network *network, Description *d, guint max_batch, guint threads,
                     gboolean features, GError **error)
{
  Teacher *teacher = g_new0(Teacher, 1);
  const Levels levels = levels_between(d, d, features);
  teacher->description = d;
  teacher->network = network;
  teacher->max_levels = levels.n;
  if (!allocate(teacher, max_batch, threads, error)) {
    teacher_free(&teacher);
    return NULL;
  }
  teacher->pass->decisions.bias = INFINITY;
  teacher->pass->levels = levels;
  return teacher;
}

Levels teacher_match(Teacher *teacher, const Description *student)
{
  teacher->pass->levels = levels_between(student, teacher->description, teacher->max_levels > 1);
  return teacher->pass->levels;
}

void teacher_free(Teacher **teacher)
{
  Teacher *t = g_steal_pointer(teacher);
  if (!t)
    return;
  training_pass_free(&t->pass);
  vitgate__team_free(&t->team);
  network_free(&t->network);
  vitgate__description_free(&t->description);
  g_free(t->logits);
  g_free(t->class_tokens);
  g_free(t->tokens);
  g_free(t);
}

const Network *teacher_get_network(const Teacher *teacher)
{
  return teacher->network;
}

const Description *teacher_get_description(const Teacher *teacher)
{
  return teacher->description;
}

static void run_member(gpointer data, guint member)
{
  Teacher *teacher = data;
  const Description *d = teacher->network->description;
  const gsize pixels = (gsize)3 * d->image_size * d->image_size;
  const gsize tokens = (gsize)vitgate__description_n_tokens(d) * d->dim;
  TrainingPass *pass = teacher->pass;
  Share *share = &pass->shares[member];
  if (!teacher->packed)
    training_pass_pack(share);
  for (guint first = 0; first < teacher->n; first += pass->capacity) {
    if (member == 0) {
      pass->tensors = teacher->tensors + first * pixels;
      pass->n_images = MIN(pass->capacity, teacher->n - first);
    }
    vitgate__team_barrier(teacher->team);
    training_pass_forward(share);
    const gsize at = first + share->first;
    memcpy(teacher->logits + at * d->n_classes, share->logits,
           (gsize)share->n * d->n_classes * sizeof(float));
    memcpy(teacher->class_tokens + at * d->dim, share->tokens[0],
           (gsize)share->n * d->dim * sizeof(float));
    for (guint level = 0; level < pass->levels.n; level++)
      memcpy(teacher->tokens + ((gsize)level * teacher->n + at) * tokens,
             share->blocks[levels_block(pass->levels, level)].x, share->n * tokens * sizeof(float));
    vitgate__team_barrier(teacher->team);
  }
}

void teacher_run(Teacher *teacher, const float *tensors, guint n)
{
  teacher->tensors = tensors;
  teacher->n = n;
  vitgate__team_run(teacher->team, run_member, teacher);
  teacher->packed = TRUE;
}

const float *teacher_get_logits(const Teacher *teacher)
{
  return teacher->logits;
}

const float *teacher_get_tokens(const Teacher *teacher)
{
  return teacher->tokens;
}

const float *teacher_get_class_tokens(const Teacher *teacher)
{
  return teacher->class_tokens;
}
