#include "train/network/published.h"

#include "base/command-error.h"
#include "file/architecture.h"

#define IMAGE_SIZE 224
#define PATCH_SIZE 16
#define HEAD_DIM   64
#define TOKEN_DIM  64 /* in a stem */
#define FEATURES   32 /* of a performer */

typedef struct {
  const char *name;
  const char *family, *kind;
  guint dim, depth, mlp_ratio;
  gboolean distilled;
} Published;

static const Published published[] = {
  { "deit_tiny_patch16_224", "vit", NULL, 192, 12, 4, FALSE },
  { "deit_small_patch16_224", "vit", NULL, 384, 12, 4, FALSE },
  { "deit_base_patch16_224", "vit", NULL, 768, 12, 4, FALSE },
  { "deit_tiny_distilled_patch16_224", "vit", NULL, 192, 12, 4, TRUE },
  { "deit_small_distilled_patch16_224", "vit", NULL, 384, 12, 4, TRUE },
  { "deit_base_distilled_patch16_224", "vit", NULL, 768, 12, 4, TRUE },
  { "t2t_vit_7", "t2t", "performer", 256, 7, 2, FALSE },
  { "t2t_vit_10", "t2t", "performer", 256, 10, 2, FALSE },
  { "t2t_vit_12", "t2t", "performer", 256, 12, 2, FALSE },
  { "t2t_vit_14", "t2t", "performer", 384, 14, 3, FALSE },
  { "t2t_vit_19", "t2t", "performer", 448, 19, 3, FALSE },
  { "t2t_vit_24", "t2t", "performer", 512, 24, 3, FALSE },
  { "t2t_vit_t_14", "t2t", "transformer", 384, 14, 3, FALSE },
  { "t2t_vit_t_19", "t2t", "transformer", 448, 19, 3, FALSE },
  { "t2t_vit_t_24", "t2t", "transformer", 512, 24, 3, FALSE },
};

static const Published *find(const char *name, GError **error)
{
  g_autoptr(GString) known = g_string_new(NULL);
  for (guint i = 0; i < G_N_ELEMENTS(published); i++) {
    if (g_str_equal(published[i].name, name))
      return &published[i];
    g_string_append_printf(known, "%s%s", i ? ", " : "", published[i].name);
  }
  command_fail(error, "--variant is \"%s\", expected one of %s", name, known->str);
  return NULL;
}

Description *published_describe(const char *name, guint image_size, guint n_classes,
                                char *const *labels, char *const *label_ids, GError **error)
{
  const Published *p = find(name, error);
  if (!p)
    return NULL;
  if (image_size % PATCH_SIZE || image_size > DESCRIPTION_MAX_IMAGE) {
    command_fail(error, "--image-size is %u, expected a multiple of %u up to %u", image_size,
                 PATCH_SIZE, DESCRIPTION_MAX_IMAGE);
    return NULL;
  }
  Description *d = g_new0(Description, 1);
  d->name = g_strdup(p->name);
  d->family = vitgate__family_find(p->family, p->kind);
  d->token_dim = p->kind ? TOKEN_DIM : 0;
  d->n_features = g_strcmp0(p->kind, "performer") ? 0 : FEATURES;
  d->image_size = image_size ? image_size : IMAGE_SIZE;
  d->patch_size = PATCH_SIZE;
  d->dim = p->dim;
  d->head_dim = HEAD_DIM;
  d->depth = p->depth;
  d->blocks = g_new0(BlockShape, p->depth);
  for (guint b = 0; b < p->depth; b++)
    d->blocks[b] = (BlockShape){ .heads = p->dim / HEAD_DIM, .neurons = p->mlp_ratio * p->dim };
  d->distilled = p->distilled;
  d->qkv_unbiased = d->family->qkv_unbiased;
  d->n_classes = n_classes;
  d->layer_norm_eps = d->family->layer_norm_eps;
  d->preprocessing = (Preprocessing){
    .resize = (guint)(d->image_size / d->family->crop_share),
    .bicubic = TRUE,
    .mean = { 0.485f, 0.456f, 0.406f }, /* ImageNet's */
    .std = { 0.229f, 0.224f, 0.225f },
  };
  d->labels = g_strdupv((char **)labels);
  d->label_ids = g_strdupv((char **)label_ids);
  d->dense_gmacs = vitgate__description_published_gmacs(d);
  d->dense_parameters = vitgate__description_parameters(d);
  return d;
}
