/* T2T-ViT (Yuan et al. 2021): its description, tensors and costs. There are two families, which
 * differ in the attention of the stem: a performer's, by random features (Choromanski et al. 2021),
 * or a transformer's with one head. */
#include "base/error.h"
#include "file/json-fields.h"
#include "file/tensor-specs.h"
#include "network/families/families.h"
#include "network/families/t2t-stem.h"

#define STEM "tokens_to_token."

static guint patch_values(const Description *d)
{
  return vitgate__t2t_split(d, T2T_STAGES).n_values;
}

/* ---- Costs ---- */

/* For one token. Performer: features of keys and queries, keys with values and with ones, queries
 * with both. Transformer: scores, and the values that they weight. */
static double attention_macs(const Description *d, double tokens)
{
  const double n = d->token_dim, m = d->n_features;
  return vitgate__t2t_is_performer(d) ? 2 * n * m + 2 * n * m + m : 2 * tokens * n;
}

static double gmacs(const Description *d)
{
  double sum = 0, n = d->token_dim;
  for (guint stage = 0; stage < T2T_STAGES; stage++) {
    const T2tSplit split = vitgate__t2t_split(d, stage);
    sum +=
        split.n_tokens * (split.n_values * 3 * n + attention_macs(d, split.n_tokens) + 3 * n * n);
  }
  return 1e-9 * sum;
}

/* ---- Tensors ---- */

static void add_tensors(GArray *specs, const Description *d)
{
  vitgate__t2t_add_stem_tensors(specs, d);
  vitgate__add_affine(specs, STEM "project", d->dim, patch_values(d));
}

static gboolean matches(const Safetensors *file)
{
  return vitgate__safetensors_find(file, STEM "project.weight") != NULL;
}

static gboolean matches_performer(const Safetensors *file)
{
  return matches(file) && vitgate__safetensors_find(file, STEM "attention1.w");
}

static gboolean infer(Description *d, const Safetensors *file, GError **error)
{
  const Tensor *project = vitgate__find_shaped(file, STEM "project.weight", 2, error);
  const Tensor *position = project ? vitgate__find_shaped(file, "pos_embed", 3, error) : NULL;
  if (!position)
    return FALSE;
  const guint side = vitgate__side_of(position->shape[1] - 1);
  const guint64 token_dim = project->shape[1] / 9;
  if (!side || side > DESCRIPTION_MAX_IMAGE / T2T_PATCH || !project->shape[0] ||
      project->shape[0] > DESCRIPTION_MAX_DIM || project->shape[1] % 9 || !token_dim ||
      token_dim > DESCRIPTION_MAX_TOKEN_DIM) {
    g_autofree char *p = vitgate__tensor_describe_shape(project->shape, 2);
    g_autofree char *e = vitgate__tensor_describe_shape(position->shape, 3);
    vitgate__set_error(error, VITGATE_ERROR_UNSUPPORTED,
                       "%s: " STEM "project.weight %s and pos_embed %s do not fit a T2T-ViT for a "
                       "square image of at most %d pixels a side",
                       vitgate__safetensors_get_path(file), p, e, DESCRIPTION_MAX_IMAGE);
    return FALSE;
  }
  d->token_dim = (guint)token_dim;
  d->dim = (guint)project->shape[0];
  d->patch_size = T2T_PATCH;
  d->image_size = side * T2T_PATCH;
  return TRUE;
}

static gboolean infer_performer(Description *d, const Safetensors *file, GError **error)
{
  const Tensor *directions = vitgate__find_shaped(file, STEM "attention1.w", 2, error);
  if (!directions)
    return FALSE;
  d->n_features = (guint)MIN(directions->shape[0], DESCRIPTION_MAX_TOKEN_DIM);
  return infer(d, file, error);
}

static gboolean infer_transformer(Description *d, const Safetensors *file, GError **error)
{
  if (vitgate__safetensors_find(file, STEM "attention1.attn.qkv.weight"))
    return infer(d, file, error);
  vitgate__set_error(error, VITGATE_ERROR_UNSUPPORTED,
                     "%s: a T2T-ViT whose stem has neither " STEM
                     "attention1.w (performer) nor " STEM
                     "attention1.attn.qkv.weight (transformer); other stems are not supported",
                     vitgate__safetensors_get_path(file));
  return FALSE;
}

/* ---- Description ---- */

static gboolean read_transformer(const JsonFields *fields, const JsonFields *stem, Description *d)
{
  return vitgate__read_uint(stem, "token_dim", 1, DESCRIPTION_MAX_TOKEN_DIM, &d->token_dim) &&
         (d->patch_size == T2T_PATCH ||
          vitgate__field_fail(fields, "patch_size", "16 for family t2t")) &&
         (!d->distilled || vitgate__field_fail(fields, "distilled", "false for family t2t"));
}

static gboolean read_performer(const JsonFields *fields, const JsonFields *stem, Description *d)
{
  return read_transformer(fields, stem, d) &&
         vitgate__read_uint(stem, "features", 1, DESCRIPTION_MAX_TOKEN_DIM, &d->n_features);
}

static void write_transformer(const Description *d, JsonObject *stem)
{
  json_object_set_int_member(stem, "token_dim", d->token_dim);
}

static void write_performer(const Description *d, JsonObject *stem)
{
  write_transformer(d, stem);
  json_object_set_int_member(stem, "features", d->n_features);
}

/* ---- The families ---- */

#define COMMON                                                                                     \
  .name = "t2t", .embedding = STEM "project", .layer_norm_eps = 1e-5, .crop_share = 0.9,           \
  .sinusoidal_position = TRUE, .qkv_unbiased = TRUE, .patch_values = patch_values,                 \
  .add_tensors = add_tensors, .gmacs = gmacs, .measure = vitgate__t2t_measure,                     \
  .load = vitgate__t2t_load, .work_size = vitgate__t2t_work_size,                                  \
  .work_new = vitgate__t2t_work_new, .run = vitgate__t2t_run, .gather = vitgate__t2t_gather,       \
  .reorder = vitgate__t2t_reorder

const Family vitgate__family_t2t_performer = {
  COMMON,
  .kind = "performer",
  .title = "T2T-ViT (performer)",
  .matches = matches_performer,
  .infer = infer_performer,
  .read_stem = read_performer,
  .write_stem = write_performer,
};

const Family vitgate__family_t2t_transformer = {
  COMMON,
  .kind = "transformer",
  .title = "T2T-ViT (transformer)",
  .matches = matches,
  .infer = infer_transformer,
  .read_stem = read_transformer,
  .write_stem = write_transformer,
};
