/* A network in training: one array of values and its layout, including what the structure search
 * and the gates add to the transformer. */
#pragma once

#include "file/description.h"
#include "network/gate.h"
#include "train/network/real.h"

/* One tensor of the file. */
typedef struct {
  char name[64];
  guint n_dims;
  guint64 shape[4];
  gsize offset, n;
  gboolean decay;   /* weight decay applies: a matrix */
  gboolean steers;  /* belongs to a gate or a structure choice: has its own learning rate */
  gboolean fixed;   /* does not learn at present */
  gboolean frozen;  /* never learns: part of a stem, or implied */
  gboolean implied; /* zeros that the file omits */
} Parameter;

/* LayerNorm of [class token ‖ mean of patch tokens] (2 dim), Linear to GATE_HIDDEN, GELU, Linear
 * to the logit. Offsets into the values. */
typedef struct {
  gboolean present;
  gsize norm_scale, norm_shift, fc1_weight, fc1_bias, fc2_weight, fc2_bias;
} GateOffsets;

/* A gate on the tokens of a module, and its substitute. Offsets into the values. */
typedef struct {
  gboolean present;
  gboolean learns; /* straight-through; otherwise it stays as fitted */
  gboolean whole;  /* the substitute is one matrix */
  guint rank;
  gsize weight, bias;       /* [dim], [1] */
  gsize down, up, bias_out; /* [rank][dim], [dim][rank] or [dim][dim], [dim] */
} TokenGateOffsets;

#define MAX_CANDIDATES 64

/* Candidate counts of a module's units (heads or neurons) that the search chooses from. A softmax
 * over their alphas weights nested masks. Units are in order of importance. */
typedef struct {
  guint n;       /* candidates, at most MAX_CANDIDATES; 0: no search */
  guint *counts; /* [n] ascending; 0: the module is removed */
  gsize alphas;  /* offset of [n] */
} Choice;

typedef struct {
  guint heads, neurons;
  gsize norm1_scale, norm1_shift, qkv_weight, qkv_bias, proj_weight, proj_bias;
  gsize norm2_scale, norm2_shift, fc1_weight, fc1_bias, fc2_weight, fc2_bias;
  GateOffsets attention_gate, mlp_gate;
  TokenGateOffsets attention_tokens, mlp_tokens;
  Choice heads_choice, neurons_choice;
  double merge_threshold; /* patch tokens merge if the cosine of their keys is above; > 1: never */
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

/* What gates base their decisions on. All but the first are controls for experiments. */
typedef enum {
  GATES_LEARNED,  /* the image, by a rule that is learned */
  GATES_CONSTANT, /* nothing: only the bias learns, and all images are treated alike */
  GATES_RANDOM,   /* the image, by a random rule: only the bias learns */
} ModuleControl;

/* Adds a gate to every module of every block except the first. */
void description_add_gates(Description *description);

/* @module: from ATTENTION_OF() or MLP_OF() */
gboolean description_has_gate(const Description *description, guint module);

/* Returns: whether any module has a gate */
gboolean description_has_gates(const Description *description);

/* Returns: the token gate of a module, which may not be present */
static inline TokenGate *description_token_gate(const Description *description, guint module)
{
  BlockShape *shape = &description->blocks[module / 2];
  return module % 2 ? &shape->mlp_tokens : &shape->attention_tokens;
}

/* Returns: whether any module has a token gate */
gboolean description_has_token_gates(const Description *description);

/* Creates a network whose gates are nearly always open. All other values are zero.
 * @description: must outlive the network
 * @search: add choices of structure
 * Returns: (transfer full): the network */
Network *network_new(const Description *description, gboolean search);

void network_free(Network **network);

/* Loads the weights of a file that fits the description, with LayerScale folded into its layers.
 * Parameters that the file does not have keep their values.
 * Returns: FALSE with VITGATE_ERROR_TENSOR if a weight is not finite */
gboolean network_load(Network *network, const Safetensors *file, GError **error);

/* Copies every parameter that has the same name and size in both networks. */
void network_copy_values(Network *to, const Network *from);

/* The same for the parameters of gates only. */
void network_copy_gates(Network *to, const Network *from);

/* Sets what gates base their decisions on, and fixes the parameters that are not to learn.
 * @fresh: the gates were not trained yet, so their weights are set too */
void network_control_gates(Network *network, ModuleControl control, gboolean fresh);

/* Sets whether token gates learn. Their substitutes always do. */
void network_learn_token_gates(Network *network, gboolean learn);

/* Returns: (nullable): the parameter with that name */
const Parameter *network_find(const Network *network, const char *name);

/* Returns: the gate of a block's attention or MLP, which may not be present */
static inline const GateOffsets *network_gate(const Network *network, guint block, gboolean mlp)
{
  return mlp ? &network->blocks[block].mlp_gate : &network->blocks[block].attention_gate;
}

static inline const TokenGateOffsets *network_token_gate(const Network *network, guint module)
{
  const TrainBlock *block = &network->blocks[module / 2];
  return module % 2 ? &block->mlp_tokens : &block->attention_tokens;
}

static inline real *network_at(const Network *network, gsize offset)
{
  return network->values + offset;
}
