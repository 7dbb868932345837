/* The weights of one vision transformer, packed for the kernels. */
#pragma once

#include "file/architecture.h"
#include "network/gate.h"
#include "network/linear.h"
#include "network/unknown.h"

/* A token gate, and the substitute for the tokens that do not run. */
typedef struct {
  float *weight, *bias; /* [dim], [1] of the logit */
  Linear down;          /* [dim] to [rank]; zero unless the substitute is the product of two */
  Linear up;            /* [rank] or [dim] to [dim]; zero if the substitute is a constant */
  float *constant;      /* [dim]; otherwise NULL */
} TokenGateLayers;

/* The fields of a module or gate that does not exist are zero. */
typedef struct {
  LayerNorm norm1, norm2;
  Linear qkv; /* with separate queries: keys and values only */
  Linear q;   /* if they are separate: vitgate__vit_separates_queries() */
  Linear proj, fc1, fc2;
  Gate attention_gate, mlp_gate;
  TokenGateLayers attention_tokens, mlp_tokens;
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
  UnknownLayers unknown;
  float *memory; /* holds all of the above */
} Vit;

/* Reads, checks and packs the weights of a file that fits @description, which must outlive them.
 * @precision: not AUTO
 * Returns: (transfer full): the weights, or NULL with VITGATE_ERROR_TENSOR, _IO or _MEMORY */
Vit *vitgate__vit_load(const Description *description, const Safetensors *file,
                       VitgatePrecision precision, GError **error);

/* Returns: whether the queries of a block are a layer of their own, since they are computed for
 * other rows than its keys and values: in the tail, and with a token gate */
gboolean vitgate__vit_separates_queries(const Vit *vit, guint block);

/* Frees *@vit and sets it to NULL. *@vit may be NULL. */
void vitgate__vit_free(Vit **vit);
