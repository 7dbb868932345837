/* The stem of T2T-ViT: its tensors and costs. */
#include "file/architecture.h"

#include "base/error.h"

#define STEM "tokens_to_token."

Split vitgate__description_split(const Description *d, guint stage)
{
  const guint side = d->image_size / (4u << stage);
  return (Split){ .n_tokens = side * side, .n_values = stage ? 9 * d->token_dim : 3 * 7 * 7 };
}

/* Keys' and queries' features, keys' with values and with ones, queries' with both; or scores and
 * what they weigh. */
static double attention_macs(const Description *d, double tokens)
{
  const double n = d->token_dim, m = d->n_features;
  return d->stem == STEM_PERFORMER ? 2 * n * m + 2 * n * m + m : 2 * tokens * n;
}

double vitgate__stem_gmacs(const Description *d)
{
  double sum = 0, n = d->token_dim;
  for (guint stage = 0; stage < T2T_STAGES; stage++) {
    const Split split = vitgate__description_split(d, stage);
    sum +=
        split.n_tokens * (split.n_values * 3 * n + attention_macs(d, split.n_tokens) + 3 * n * n);
  }
  return 1e-9 * sum;
}

void vitgate__stem_add_tensors(GArray *specs, const Description *d)
{
  const gboolean performer = d->stem == STEM_PERFORMER;
  const guint n = d->token_dim;
  char name[64];
#define NAME(part) (g_snprintf(name, sizeof name, STEM "attention%u." part, stage + 1), name)
  for (guint stage = 0; stage < T2T_STAGES; stage++) {
    const guint n_values = vitgate__description_split(d, stage).n_values;
    vitgate__add_affine(specs, NAME("norm1"), n_values, 0);
    if (performer) {
      vitgate__add_spec(specs, NAME("w"), d->n_features, n);
      vitgate__add_affine(specs, NAME("kqv"), 3 * n, n_values);
      vitgate__add_affine(specs, NAME("proj"), n, n);
    } else {
      vitgate__add_weight(specs, NAME("attn.qkv"), 3 * n, n_values);
      vitgate__add_affine(specs, NAME("attn.proj"), n, n);
    }
    vitgate__add_affine(specs, NAME("norm2"), n, 0);
    vitgate__add_affine(specs, performer ? NAME("mlp.0") : NAME("mlp.fc1"), n, n);
    vitgate__add_affine(specs, performer ? NAME("mlp.2") : NAME("mlp.fc2"), n, n);
  }
#undef NAME
  vitgate__add_affine(specs, STEM "project", d->dim, 9 * n);
}

/* ---- Inference from names and shapes ---- */

/* A performer has directions for its features, a transformer has a projection named as a block's.
 * Returns: FALSE where it is neither */
static gboolean infer_kind(Description *d, const Safetensors *file, GError **error)
{
  const Tensor *directions = vitgate__safetensors_find(file, STEM "attention1.w");
  if (directions) {
    directions = vitgate__find_shaped(file, STEM "attention1.w", 2, error);
    d->stem = STEM_PERFORMER;
    d->n_features = directions ? (guint)MIN(directions->shape[0], DESCRIPTION_MAX_TOKEN_DIM) : 0;
    return directions != NULL;
  }
  d->stem = STEM_TRANSFORMER;
  if (vitgate__safetensors_find(file, STEM "attention1.attn.qkv.weight"))
    return TRUE;
  vitgate__set_error(error, VITGATE_ERROR_UNSUPPORTED,
                     "%s: a T2T-ViT whose stem has neither " STEM
                     "attention1.w (a performer) nor " STEM
                     "attention1.attn.qkv.weight (a transformer): no other is supported",
                     vitgate__safetensors_get_path(file));
  return FALSE;
}

gboolean vitgate__stem_infer(Description *d, const Safetensors *file, GError **error)
{
  const Tensor *project = vitgate__find_shaped(file, STEM "project.weight", 2, error);
  const Tensor *position = project ? vitgate__find_shaped(file, "pos_embed", 3, error) : NULL;
  if (!position || !infer_kind(d, file, error))
    return FALSE;
  const guint side = vitgate__side_of(position->shape[1] - 1);
  const guint64 token_dim = project->shape[1] / 9;
  if (!side || side > DESCRIPTION_MAX_IMAGE / T2T_PATCH || !project->shape[0] ||
      project->shape[0] > DESCRIPTION_MAX_DIM || project->shape[1] % 9 || !token_dim ||
      token_dim > DESCRIPTION_MAX_TOKEN_DIM) {
    g_autofree char *p = vitgate__tensor_describe_shape(project->shape, 2);
    g_autofree char *e = vitgate__tensor_describe_shape(position->shape, 3);
    vitgate__set_error(error, VITGATE_ERROR_UNSUPPORTED,
                       "%s: " STEM "project.weight %s and pos_embed %s are not of a T2T-ViT for a "
                       "square image of at most 4096 pixels a side",
                       vitgate__safetensors_get_path(file), p, e);
    return FALSE;
  }
  d->token_dim = (guint)token_dim;
  d->dim = (guint)project->shape[0];
  d->patch_size = T2T_PATCH;
  d->image_size = side * T2T_PATCH;
  d->layer_norm_eps = 1e-5;
  d->preprocessing.resize = (guint)(d->image_size / 0.9); /* as T2T-ViT is evaluated */
  return TRUE;
}
