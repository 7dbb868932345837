/* A network in training: one array of values, its layout, and what the structure search and the
 * gates add to the transformer. */
#pragma once

#include "file/description.h"
#include "network/gate.h"
#include "train/network/real.h"

/* Values that stand together in the file: one tensor. */
typedef struct {
  char name[64];
  guint n_dims;
  guint64 shape[4];
  gsize offset, n;
  gboolean decay;   /* weight decay applies: a matrix */
  gboolean steers;  /* of a gate or a structure choice: learns at a rate of its own */
  gboolean fixed;   /* does not learn */
  gboolean frozen;  /* nor ever will: of a stem, or implied */
  gboolean implied; /* zeros that the file leaves out */
} Parameter;

/* LayerNorm of [class token ‖ mean of patch tokens] (2 dim), Linear to GATE_HIDDEN, GELU, Linear
 * to the logit. Offsets into the values. */
typedef struct {
  gboolean present;
  gsize norm_scale, norm_shift, fc1_weight, fc1_bias, fc2_weight, fc2_bias;
} GateOffsets;

#define MAX_CANDIDATES 64

/* Candidate counts of a module's units (heads, neurons), from which the search chooses: the
 * softmax over their alphas weights nested masks. Units stand in order of importance. */
typedef struct {
  guint n;       /* candidates, at most MAX_CANDIDATES; 0: no search */
  guint *counts; /* [n] ascending; 0: without the module */
  gsize alphas;  /* offset of [n] */
} Choice;

typedef struct {
  guint heads, neurons;
  gsize norm1_scale, norm1_shift, qkv_weight, qkv_bias, proj_weight, proj_bias;
  gsize norm2_scale, norm2_shift, fc1_weight, fc1_bias, fc2_weight, fc2_bias;
  GateOffsets attention_gate, mlp_gate;
  Choice heads_choice, neurons_choice;
  double merge_threshold; /* cosine of keys above which patch tokens merge; above 1: never */
} TrainBlock;

typedef struct {
  const Description *description; /* not owned */
  guint n_prefix;
  gboolean searches;  /* has choices of structure */
  GArray *parameters; /* Parameter */
  gsize n_values;
  real *values; /* [n_values] */
  gsize cls_token, dist_token, pos_embed, patch_weight, patch_bias;
  gsize norm_scale, norm_shift, head_weight, head_bias, head_dist_weight, head_dist_bias;
  TrainBlock *blocks; /* [depth] */
} Network;

/* What gates go by; all but the first are controls for experiments. */
typedef enum {
  GATES_LEARNED,  /* the image, as training finds best */
  GATES_CONSTANT, /* nothing: only the bias learns, and all images are treated alike */
  GATES_RANDOM,   /* the image by a random rule: only the bias learns */
} GateControl;

/* Gives every module of every block but the first a gate. */
void description_add_gates(Description *description);

/* @module: a number as from ATTENTION_OF() and MLP_OF() */
gboolean description_has_gate(const Description *description, guint module);

/* Returns: whether any module has a gate */
gboolean description_has_gates(const Description *description);

/* @description: must outlive the network
 * @search: with choices of structure
 * Returns: (transfer full): a network whose gates are open but for strong reasons, with all other
 * values zero */
Network *network_new(const Description *description, gboolean search);

void network_free(Network **network);

/* Copies the weights of a file that fits the description, LayerScale folded into its layers; what
 * it does not have stays as it is. Returns: FALSE with VITGATE_ERROR_TENSOR where a weight is not
 * finite */
gboolean network_load(Network *network, const Safetensors *file, GError **error);

/* Copies every parameter that both have under one name with one size; of the gates alone. */
void network_copy_values(Network *to, const Network *from);
void network_copy_gates(Network *to, const Network *from);

/* Makes gates that were not trained yet such, and fixes what does not learn. */
void network_control_gates(Network *network, GateControl control, gboolean fresh);

/* Returns: (nullable): the parameter of that name */
const Parameter *network_find(const Network *network, const char *name);

/* Returns: the gate of a block's attention or of its MLP, which may not be present */
static inline const GateOffsets *network_gate(const Network *network, guint block, gboolean mlp)
{
  return mlp ? &network->blocks[block].mlp_gate : &network->blocks[block].attention_gate;
}

static inline real *network_at(const Network *network, gsize offset)
{
  return network->values + offset;
}
