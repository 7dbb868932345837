#include "train/network/published.h"

#include "base/command-error.h"

#define IMAGE_SIZE    224
#define PATCH_SIZE    16
#define HEAD_DIM      64
#define T2T_TOKEN_DIM 64
#define T2T_FEATURES  32

typedef struct {
  const char *name;
  StemKind stem;
  guint dim, depth, mlp_ratio;
  gboolean distilled;
} Published;

static const Published published[] = {
  { "deit_tiny_patch16_224", STEM_PATCHES, 192, 12, 4, FALSE },
  { "deit_small_patch16_224", STEM_PATCHES, 384, 12, 4, FALSE },
  { "deit_base_patch16_224", STEM_PATCHES, 768, 12, 4, FALSE },
  { "deit_tiny_distilled_patch16_224", STEM_PATCHES, 192, 12, 4, TRUE },
  { "deit_small_distilled_patch16_224", STEM_PATCHES, 384, 12, 4, TRUE },
  { "deit_base_distilled_patch16_224", STEM_PATCHES, 768, 12, 4, TRUE },
  { "t2t_vit_7", STEM_PERFORMER, 256, 7, 2, FALSE },
  { "t2t_vit_10", STEM_PERFORMER, 256, 10, 2, FALSE },
  { "t2t_vit_12", STEM_PERFORMER, 256, 12, 2, FALSE },
  { "t2t_vit_14", STEM_PERFORMER, 384, 14, 3, FALSE },
  { "t2t_vit_19", STEM_PERFORMER, 448, 19, 3, FALSE },
  { "t2t_vit_24", STEM_PERFORMER, 512, 24, 3, FALSE },
  { "t2t_vit_t_14", STEM_TRANSFORMER, 384, 14, 3, FALSE },
  { "t2t_vit_t_19", STEM_TRANSFORMER, 448, 19, 3, FALSE },
  { "t2t_vit_t_24", STEM_TRANSFORMER, 512, 24, 3, FALSE },
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
  d->stem = p->stem;
  d->token_dim = p->stem ? T2T_TOKEN_DIM : 0;
  d->n_features = p->stem == STEM_PERFORMER ? T2T_FEATURES : 0;
  d->image_size = image_size ? image_size : IMAGE_SIZE;
  d->patch_size = PATCH_SIZE;
  d->dim = p->dim;
  d->head_dim = HEAD_DIM;
  d->depth = p->depth;
  d->blocks = g_new0(BlockShape, p->depth);
  for (guint b = 0; b < p->depth; b++)
    d->blocks[b] = (BlockShape){ .heads = p->dim / HEAD_DIM, .neurons = p->mlp_ratio * p->dim };
  d->distilled = p->distilled;
  d->qkv_unbiased = p->stem != STEM_PATCHES;
  d->n_classes = n_classes;
  d->layer_norm_eps = p->stem ? 1e-5 : 1e-6;
  d->preprocessing = (Preprocessing){
    .resize = (guint)(d->image_size / (p->stem ? 0.9 : 0.875)),
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
