#include "reference-model.h"

#include <math.h>
#include <stdlib.h>

#include "file/architecture.h"
#include "fixture.h"
#include "model.h"

ModelFile *reference_model(const Description *d, guint32 seed)
{
  ModelFile *file = model_file_new(d);
  guint32 random = seed;
  for (guint t = 0; t < model_file_n_tensors(file); t++) {
    Tensor *tensor = model_file_tensor(file, t);
    const gboolean scale = strstr(tensor->name, "norm") && g_str_has_suffix(tensor->name, "weight");
    const float reach = strstr(tensor->name, "_gate.fc") ? 0.8f : 0.4f;
    for (gsize i = 0; i < vitgate__tensor_n_elements(tensor); i++)
      ((float *)tensor->data)[i] = (scale ? 1 : 0) + fixture_uniform(&random, -reach, reach);
  }
  return file;
}

static int compare(gconstpointer a, gconstpointer b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Splits the images at the widest of the three gaps around their median, but not at the middle of
 * the gap, where the mean of the two logits beside it would be zero. */
static void balance(ModelFile *file, guint module, const ReferenceImage *images, guint n)
{
  g_autofree char *name =
      g_strdup_printf("blocks.%u.%s_gate.fc2.bias", module / 2, module % 2 ? "mlp" : "attn");
  g_autofree double *raw = g_new(double, n);
  for (guint i = 0; i < n; i++)
    raw[i] = 6 * atanh(images[i].gate_logits[module] / 6);
  qsort(raw, n, sizeof *raw, compare);
  guint best = n / 2;
  for (guint i = n / 2 - 1; i <= n / 2 + 1; i++)
    if (raw[i] - raw[i - 1] > raw[best] - raw[best - 1])
      best = i;
  *(float *)model_file_find(file, name)->data -= (float)(0.4 * raw[best] + 0.6 * raw[best - 1]);
}

void reference_balance_gates(ModelFile *file, const Description *d, const float *tensors, guint n)
{
  const ReferenceSettings settings = { .thresholds = { 1, 1, 1, 1, 1, 1, 1, 1 }, .group = 1 };
  for (guint module = 0; module < 2 * d->depth; module++) {
    const BlockShape *shape = &d->blocks[module / 2];
    if (!(module % 2 ? shape->mlp_gate : shape->attention_gate))
      continue;
    ReferenceImage *images = reference_run_blocks(file, d, &settings, tensors, n, module / 2 + 1);
    balance(file, module, images, n);
    reference_free(images, n);
  }
}

float *reference_embed(const char *name, const float *tensors, guint n_images)
{
  g_autoptr(ModelFile) file = model_file_read(name);
  for (guint t = model_file_n_tensors(file); t > 0; t--)
    if (g_str_has_prefix(model_file_tensor(file, t - 1)->name, "blocks."))
      model_file_remove(file, model_file_tensor(file, t - 1)->name);
  model_file_set(file, "blocks", "[]");
  model_file_set(file, "depth", "0");
  g_autoptr(VitgateModel) model = model_file_open(file, "embedding");
  const Vit *vit = vitgate__model_get_vit(model);
  const Description *d = vit->description;
  const gsize n = (gsize)vitgate__description_n_tokens(d) * d->dim;
  VitWork *work = vitgate__vit_work_new(vit, 1, 1, FALSE);
  Team *team = vitgate__team_new(1);
  Dial dial = { 0 };
  const VitSettings plain = { .dial = &dial, .group = 1 };
  float *tokens = g_new(float, n_images *n);
  g_autofree float *logits = g_new(float, d->n_classes);
  for (guint i = 0; i < n_images; i++) {
    vitgate__vit_forward(vit, work, team, &plain, logits,
                         tensors + i * 3 * (gsize)d->image_size * d->image_size, 1);
    memcpy(tokens + i * n, work->images[0].x, n * sizeof *tokens);
  }
  vitgate__team_free(&team);
  vitgate__vit_work_free(&work);
  return tokens;
}
