#include "train/learn/teacher.h"

#include <math.h>
#include <string.h>

#include "file/architecture.h"
#include "train/network/training-pass.h"

/* Images that go through the network together: few, for the sake of the caches. */
#define CHUNK 8

struct _Teacher {
  Description *description;
  Network *network;
  Team *team;
  TrainingPass *pass;
  gboolean packed;
  float *logits, *tokens, *class_tokens;
  const float *tensors;
  guint n;
};

Teacher *teacher_new(Network *network, Description *d, guint max_batch, guint threads,
                     gboolean features)
{
  Teacher *teacher = g_new0(Teacher, 1);
  teacher->description = d;
  teacher->network = network;
  teacher->team = vitgate__team_new(threads);
  teacher->pass = training_pass_new(network, teacher->team, CHUNK * threads, matmul_prefers_bf16());
  teacher->pass->decisions.bias = INFINITY;
  if (features)
    teacher->pass->n_levels = training_pass_count_levels(d);
  teacher->class_tokens = g_new(float, (gsize)max_batch * d->dim);
  teacher->logits = g_new(float, (gsize)max_batch * d->n_classes);
  teacher->tokens = g_new(
      float, (gsize)teacher->pass->n_levels *max_batch *vitgate__description_n_tokens(d) * d->dim);
  return teacher;
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
    for (guint level = 0; level < pass->n_levels; level++)
      memcpy(teacher->tokens + ((gsize)level * teacher->n + at) * tokens,
             share->blocks[training_pass_level_block(pass, level)].x,
             share->n * tokens * sizeof(float));
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
