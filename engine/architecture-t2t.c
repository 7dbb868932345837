/* The stem of T2T-ViT: its tensors and costs. */
#include "architecture.h"

#include "error.h"

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
