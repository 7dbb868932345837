/* The vision transformer: its weights, ready for the kernels, and its forward pass. */
#pragma once

#include "base/team.h"
#include "network/dial.h"
#include "network/families/t2t.h"
#include "network/gate.h"
#include "network/linear.h"

/* A module or gate that the description leaves out has zeroed fields. */
typedef struct {
  LayerNorm norm1, norm2;
  Linear qkv; /* of the tail: keys and values alone */
  Linear q;   /* of the tail */
  Linear proj, fc1, fc2;
  Gate attention_gate, mlp_gate;
} Block;

/* The weights of one model; immutable once made. */
typedef struct {
  const Description *description;
  VitgatePrecision precision;
  guint n_prefix;   /* class token, distillation token */
  guint tail;       /* the last block with attention: patch tokens end there */
  T2t stem;         /* where the description has one */
  float *embedding; /* [n_tokens][dim]: position embeddings, plus the token on prefix rows */
  Linear patch;     /* [values of a patch] to [dim] */
  Block *blocks;    /* [depth] */
  LayerNorm norm;
  Linear head, head_dist;
  float *memory; /* holds all of the above */
} Vit;

/* Reads, checks and packs the weights of a file that fits @description, which must outlive it.
 * @precision: not AUTO
 * Returns: (transfer full): or NULL with VITGATE_ERROR_TENSOR, _IO or _MEMORY */
Vit *vitgate__vit_load(const Description *description, const Safetensors *file,
                       VitgatePrecision precision, GError **error);

void vitgate__vit_free(Vit **vit);

/* How a call decides. */
typedef struct {
  const Dial *dial;
  guint group; /* images that share each gate's decision, neighbours in the batch: 1: none do */
} VitSettings;

/* What one image took. */
typedef struct {
  double gmacs;
  guint n_tokens; /* that merging left, up to the tail */
  guint8 *ran;    /* [2 * depth] whether each block's attention and MLP ran */
} VitOutcome;

/* The memory of one session's forward pass. */
typedef struct _VitWork VitWork;

/* Returns: (transfer full): or NULL where memory is lacking */
VitWork *vitgate__vit_work_new(const Vit *vit, guint n_members, guint max_batch);

void vitgate__vit_work_free(VitWork **work);

/* Runs the network on every member of @team.
 * @logits: (out caller-allocates): [n_images][n_classes]
 * @tensors: [n_images][3][image_size][image_size]
 * Returns: (transfer none): [n_images], valid until the next call */
const VitOutcome *vitgate__vit_forward(const Vit *vit, VitWork *work, Team *team,
                                       const VitSettings *settings, float *logits,
                                       const float *tensors, guint n_images);

/* The class (and distillation) token of an image of the last call, behind the final norm.
 * @tokens: (out caller-allocates): [n_prefix][dim] */
void vitgate__vit_get_tokens(const Vit *vit, const VitWork *work, guint image, float *tokens);
