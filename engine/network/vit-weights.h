/* The weights of one vision transformer, packed for the kernels. */
#pragma once

#include "file/architecture.h"
#include "network/gate.h"
#include "network/linear.h"

/* The fields of a module or gate that does not exist are zero. */
typedef struct {
  LayerNorm norm1, norm2;
  Linear qkv; /* in the tail: keys and values only */
  Linear q;   /* in the tail */
  Linear proj, fc1, fc2;
  Gate attention_gate, mlp_gate;
} Block;

/* Immutable after loading. */
typedef struct {
  const Description *description;
  VitgatePrecision precision;
  guint n_prefix;   /* class token, distillation token */
  guint tail;       /* the last block with attention: patch tokens end there */
  Stem *stem;       /* NULL if the family has none */
  float *embedding; /* [n_tokens][dim]: position embeddings, plus the token in prefix rows */
  Linear patch;     /* [patch_values] to [dim] */
  Block *blocks;    /* [depth] */
  LayerNorm norm;
  Linear head, head_dist;
  float *memory; /* holds all of the above */
} Vit;

/* Reads, checks and packs the weights of a file that fits @description, which must outlive them.
 * @precision: not AUTO
 * Returns: (transfer full): the weights, or NULL with VITGATE_ERROR_TENSOR, _IO or _MEMORY */
Vit *vitgate__vit_load(const Description *description, const Safetensors *file,
                       VitgatePrecision precision, GError **error);

/* Frees *@vit and sets it to NULL. *@vit may be NULL. */
void vitgate__vit_free(Vit **vit);
