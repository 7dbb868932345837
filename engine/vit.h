/* The vision transformer: its weights, ready for the kernels, and its forward pass. */
#pragma once

#include "description.h"
#include "linear.h"
#include "team.h"

typedef struct {
  float *scale, *shift; /* [dim] */
} LayerNorm;

/* A module that the description leaves out has zeroed fields. */
typedef struct {
  LayerNorm norm1, norm2;
  Linear qkv, proj, fc1, fc2;
} Block;

/* The weights of one model; immutable once made. */
typedef struct {
  const Description *description;
  guint n_prefix;   /* class token, distillation token */
  float *embedding; /* [n_tokens][dim]: position embeddings, plus the token on prefix rows */
  Linear patch;     /* [3 * patch * patch] to [dim] */
  Block *blocks;    /* [depth] */
  LayerNorm norm;
  Linear head, head_dist;
  float *memory; /* holds all of the above */
} Vit;

/* Reads, checks and packs the weights of a file that fits @description, which must outlive it.
 * Returns: (transfer full): or NULL with VITGATE_ERROR_TENSOR or _MEMORY */
Vit *vitgate__vit_load(const Description *description, const Safetensors *file, GError **error);

void vitgate__vit_free(Vit **vit);

/* The memory of one session's forward pass. */
typedef struct _VitWork VitWork;

/* Returns: (transfer full): or NULL where memory is lacking */
VitWork *vitgate__vit_work_new(const Vit *vit, guint n_members, guint max_batch);

void vitgate__vit_work_free(VitWork **work);

/* Runs the network on every member of @team.
 * @logits: (out caller-allocates): [n_images][n_classes]
 * @tensors: [n_images][3][image_size][image_size] */
void vitgate__vit_forward(const Vit *vit, VitWork *work, Team *team, float *logits,
                          const float *tensors, guint n_images);
