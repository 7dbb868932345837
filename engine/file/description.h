/* Everything a model file says about its network besides the weights: the JSON under the key
 * "vitgate" in the header's metadata, field by field in FORMAT.md. A file without it (timm's) is
 * described from the names and shapes of its tensors. */
#pragma once

#include <json-glib/json-glib.h>

#include "file/safetensors.h"
#include "vitgate.h"

#define DESCRIPTION_VERSION 1

/* Bounds on what a file may claim: far above every published model, far below an overflow. */
#define DESCRIPTION_MAX_DEPTH       128
#define DESCRIPTION_MAX_DIM         16384
#define DESCRIPTION_MAX_TOKEN_DIM   1024
#define DESCRIPTION_MAX_NEURONS     32768 /* as many as products of int8 can add up: int8.h */
#define DESCRIPTION_MAX_CLASSES     1000000
#define DESCRIPTION_MAX_IMAGE       4096
#define DESCRIPTION_MAX_CALIBRATION 64

/* Hidden neurons of a module gate. */
#define GATE_HIDDEN 16

/* What is left of one block; 0: the module does not exist. */
typedef struct {
  guint heads;
  guint neurons;
  gboolean attention_gate, mlp_gate; /* a gate decides for each image whether the module runs */
} BlockShape;

/* One setting of the dial, measured on photographs that the model was not trained on. */
typedef struct {
  double compute;     /* mean compute ratio */
  double agreement;   /* share of images with the teacher's class */
  double gate_bias;   /* added to every gate's logit */
  double *thresholds; /* [depth] cosine of keys above which tokens merge; 1 or more: never */
} CalibrationPoint;

typedef struct {
  guint resize; /* pixels of the shorter side; the centre crop is image_size */
  gboolean bicubic;
  float mean[3], std[3];
} Preprocessing;

/* What comes before the blocks. */
typedef enum {
  STEM_PATCHES,     /* a ViT's embedding of patches */
  STEM_PERFORMER,   /* T2T-ViT's, attention by random features (Choromanski et al. 2021) */
  STEM_TRANSFORMER, /* T2T-ViT's, attention of one head */
} StemKind;

/* T2T-ViT's: what a patch covers, and the stages that have attention. */
#define T2T_PATCH  16
#define T2T_STAGES 2

typedef struct {
  char *name;
  StemKind stem;
  guint token_dim;  /* of T2T-ViT's stem */
  guint n_features; /* of a performer, else 0 */
  guint image_size, patch_size;
  guint dim, head_dim;
  guint depth;
  BlockShape *blocks;         /* [depth] */
  gboolean distilled;         /* a distillation token and head follow the class token's */
  gboolean mean_pooling;      /* the head sees the mean of all patch tokens, not the class token */
  gboolean qkv_unbiased;      /* queries, keys and values are products without a bias */
  gboolean layer_scale;       /* a tensor beside each module scales what it adds */
  gboolean no_class_position; /* none was published: pos_embed has zeros there */
  guint n_classes;
  double layer_norm_eps;
  const char *precision; /* as the file stores its matrices: "float32" … "int8"; NULL: float32 */
  Preprocessing preprocessing;
  char **labels;      /* (nullable) [n_classes] */
  char **label_ids;   /* (nullable) [n_classes] */
  double dense_gmacs; /* of the dense teacher */
  guint64 dense_parameters;
  CalibrationPoint *calibration; /* [n_calibration] ascending by compute; NULL: no dial */
  guint n_calibration;
  double default_compute;
  double agreement[VITGATE_N_PRECISIONS]; /* share of photographs with the teacher's class, by
                                             products of each precision; 0: not known */
  JsonObject *provenance;                 /* (nullable) free form */
} Description;

/* What is known from elsewhere of weights without a description; 0: nothing. */
typedef struct {
  guint heads; /* per block; else dim / 64 */
  double layer_norm_eps;
} Hints;

/* Reads the description in @file, or infers it where there is none.
 * @hints: (nullable)
 * Returns: (transfer full): or NULL with VITGATE_ERROR_UNSUPPORTED, _METADATA, _TENSOR or
 * _LABELS */
Description *vitgate__description_read(const Safetensors *file, const Hints *hints, GError **error);

/* The first half of it alone: the metadata, whatever tensors stand beside it. */
Description *vitgate__description_read_text(const Safetensors *file, GError **error);

/* The same for a file without metadata. */
Description *vitgate__description_infer(const Safetensors *file, const Hints *hints,
                                        GError **error);

void vitgate__description_free(Description **description);

/* As the file has it: "vit" or "t2t". */
const char *vitgate__description_family(const Description *description);

/* As the file has it; NULL: STEM_PATCHES. */
const char *vitgate__description_stem(const Description *description);

/* Takes the table of the dial away. */
void vitgate__description_clear_calibration(Description *description);

/* Returns: (transfer full): the JSON text for the metadata key "vitgate" */
char *vitgate__description_to_json(const Description *description);

guint vitgate__description_n_patches(const Description *description);
guint vitgate__description_n_tokens(const Description *description);

/* What a soft split of T2T-ViT's stem makes of the image or of the tokens before. */
typedef struct {
  guint n_tokens;
  guint n_values; /* of one of its windows */
} Split;

/* @stage: T2T_STAGES is the last split, which has no attention */
Split vitgate__description_split(const Description *description, guint stage);

/* The values of a patch, or of the window that takes its place. */
guint vitgate__description_patch_values(const Description *description);

/* The last block with attention; depth: there is none, or the head reads patch tokens. Else nothing
 * reads patch tokens behind it, so only the class (and distillation) tokens go on from there. */
guint vitgate__description_tail(const Description *description);

/* Tokens that go on behind the attention of a block, where none merge. */
guint vitgate__description_tokens_behind(const Description *description, guint block);

/* Multiply-adds for one image of one block's modules, in 1e9.
 * @n_queries: tokens that the attention is computed for */
double vitgate__attention_gmacs(const Description *description, guint heads, guint n_tokens,
                                guint n_queries);
double vitgate__mlp_gmacs(const Description *description, guint neurons, guint n_tokens);

/* The same of one decision of a module gate. */
double vitgate__gate_gmacs(guint dim);

/* Of T2T-ViT's stem up to its last split. */
double vitgate__stem_gmacs(const Description *description);

/* What no gate decides about: embedding, its stem included, and heads. */
double vitgate__description_fixed_gmacs(const Description *description);

/* The whole network for one image, all modules running, in 1e9. */
double vitgate__description_gmacs(const Description *description);

/* The same as it is counted in publications: with all tokens up to the end. */
double vitgate__description_published_gmacs(const Description *description);
guint64 vitgate__attention_parameters(const Description *description, guint heads);
guint64 vitgate__mlp_parameters(const Description *description, guint neurons);
guint64 vitgate__description_parameters(const Description *description);

static inline void vitgate__description_cleanup(Description *description)
{
  vitgate__description_free(&description);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Description, vitgate__description_cleanup)

/* The name, shape and place of every tensor that a network of this description has. */
typedef struct {
  char name[64];
  guint n_dims;
  guint64 shape[4];
} TensorSpec;

/* Returns: (transfer full) (element-type TensorSpec): in the order in which the network uses
 * them, under timm's names */
GArray *vitgate__description_tensors(const Description *description);
