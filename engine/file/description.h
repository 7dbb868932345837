/* The description of a network: everything a model file records besides the weights. Files store it
 * as JSON under the metadata key "vitgate"; FORMAT.md documents every field. */
#pragma once

#include <json-glib/json-glib.h>

#include "file/family.h"
#include "vitgate.h"

/* Limits on what a file may claim. They are far above every published model and keep sizes from
 * overflowing. */
#define DESCRIPTION_MAX_DEPTH       128
#define DESCRIPTION_MAX_DIM         16384
#define DESCRIPTION_MAX_TOKEN_DIM   1024
#define DESCRIPTION_MAX_NEURONS     32768 /* the longest sum an int8 product can hold: int8.h */
#define DESCRIPTION_MAX_CLASSES     1000000
#define DESCRIPTION_MAX_IMAGE       4096
#define DESCRIPTION_MAX_CALIBRATION 64
#define DESCRIPTION_MAX_VIEWS       100000

/* Hidden neurons of a module gate. */
#define GATE_HIDDEN 16

/* A gate that decides for each patch token whether it runs a module (MLP), or asks it (attention:
 * keys and values are computed for all). Other tokens get a substitute, a map of LayerNorm(x): the
 * product of two matrices of the given rank, or one matrix if that is not smaller; of rank 0, a
 * constant. */
typedef struct {
  gboolean present;
  guint rank; /* of the substitute, at most dim */
} TokenGate;

/* What is left of one block. A count of 0 means that the module does not exist. A module has at
 * most one gate. */
typedef struct {
  guint heads;
  guint neurons;
  gboolean attention_gate, mlp_gate; /* a gate decides for each image whether the module runs */
  TokenGate attention_tokens, mlp_tokens;
} BlockShape;

/* One setting of the dial, measured on photographs that were not used for training. */
typedef struct {
  double compute;     /* mean compute ratio */
  double agreement;   /* share of images with the teacher's class */
  double gate_bias;   /* added to the logit of every gate */
  double *thresholds; /* [depth] cosine of keys above which tokens merge; 1 or more: never */
} CalibrationPoint;

/* Scale of the distance from the nearest class, of pictures of the classes. */
typedef struct {
  gboolean present;
  double median; /* of all of them */
  double limit;  /* 95 % are nearer */
} UnknownScale;

typedef struct {
  guint resize; /* pixels of the side or sides that are resized; the centre crop is image_size */
  gboolean bicubic;
  float mean[3], std[3];
  VitgateFit fit; /* MODEL: the file states none; the same as CROP, but for what shows other parts
                     of an image too */
} Preprocessing;

typedef struct _Description {
  char *name;
  const Family *family;
  guint token_dim;  /* width of the tokens in the stem; 0 without a stem */
  guint n_features; /* random features of a performer; 0 for all others */
  guint image_size, patch_size;
  guint dim, head_dim;
  guint depth;
  BlockShape *blocks;         /* [depth] */
  gboolean distilled;         /* a distillation token and head follow the class token's */
  gboolean class_head_only;   /* distilled, but without the distillation token's head */
  gboolean mean_pooling;      /* the head reads the mean of all patch tokens, not the class token */
  gboolean qkv_unbiased;      /* the projection to queries, keys and values has no bias */
  gboolean layer_scale;       /* the output of each module is scaled by its own tensor */
  gboolean no_class_position; /* the class token was published without a position embedding;
                                 pos_embed has zeros there */
  guint n_classes;
  VitgateActivation activation; /* of the logits */
  double layer_norm_eps;
  const char *precision; /* of the matrices in the file: "float32" … "int8"; NULL: float32 */
  Preprocessing preprocessing;
  char **labels;      /* (nullable) [n_classes] */
  char **label_ids;   /* (nullable) [n_classes] */
  double dense_gmacs; /* of the dense teacher */
  guint64 dense_parameters;
  CalibrationPoint *calibration; /* [n_calibration] ascending by compute; NULL: no dial */
  guint n_calibration;
  double default_compute;
  double agreement[VITGATE_N_PRECISIONS]; /* share of photographs with the teacher's class, by the
                                             precision of the products; 0: unknown */
  UnknownScale unknown;
  double *thresholds;     /* (nullable) [n_classes] probability from which each class applies */
  guint n_views;          /* pictures whose features the file stores, to teach it more; 0: none */
  JsonObject *teach;      /* (nullable) free form, with them */
  JsonObject *provenance; /* (nullable) free form */
} Description;

/* NULL terminated, in the order of VitgateActivation and VitgateFit. */
extern const char *const vitgate__activation_names[], *const vitgate__fit_names[];

/* Frees *@description and sets it to NULL. *@description may be NULL. */
void vitgate__description_free(Description **description);

/* Removes the calibration table. The model then has no dial. */
void vitgate__description_clear_calibration(Description *description);

/* Removes what holds for the features of this very network: the score for pictures of none of the
 * classes, and the stored features.
 * Returns: whether there was any */
gboolean vitgate__description_clear_taught(Description *description);

static inline void vitgate__description_cleanup(Description *description)
{
  vitgate__description_free(&description);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Description, vitgate__description_cleanup)
