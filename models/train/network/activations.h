/* The memory of a training pass: the batch's activations, one member's share of them, and the
 * decisions of the gates. Nothing is computed here. */
#pragma once

#include "base/team.h"
#include "network/merge.h"
#include "train/network/levels.h"
#include "train/network/matmul.h"
#include "train/network/network.h"
#include "train/network/patch-reader.h"

/* Module numbers for arrays over gates: a block's attention and its MLP. */
#define ATTENTION_OF(block) (2 * (block))
#define MLP_OF(block)       (2 * (block) + 1)

/* Weight matrices, in the order of TrainingPass.packed. */
enum { QKV, PROJ, FC1, FC2, N_BLOCK_WEIGHTS };
#define PATCH_OF(depth)     (N_BLOCK_WEIGHTS * (depth))
#define HEAD_OF(depth)      (N_BLOCK_WEIGHTS * (depth) + 1)
#define HEAD_DIST_OF(depth) (N_BLOCK_WEIGHTS * (depth) + 2)
#define N_WEIGHTS(depth)    (N_BLOCK_WEIGHTS * (depth) + 3)

/* What the gates of one pass do; arrays over images are [2 * depth][n_images]. */
typedef struct {
  gboolean sampling; /* training: with noise; else logit + bias > 0 */
  gboolean relaxed;  /* let the soft decision act, for tests of its gradient */
  double bias;
  double temperature;
  const guint *group; /* [n_images] which images decide together; NULL: each for itself */
  const real *noise;  /* [2 * depth][n_images], by group; logistic */
  real *logit;        /* of each image alone, bounded */
  real *soft;         /* of its group */
  real *open;         /* the decision, 0 or 1 */
  real *dopen;        /* gradient of the loss */
  real *dlogit;       /* set by the loss: gradient beside that of the decision */
  real *macs;         /* multiply-adds that the module takes where open, in 1e9 */
} Decisions;

/* Activations of one block. Without the way back only x, size, log_size and the numbers of rows are
 * the block's own; all blocks share the rest. */
typedef struct {
  guint *rows;    /* [n + 1] first row of each image before merging */
  guint *queries; /* [n + 1] the same of those that the attention is computed for: in the tail the
                     class (and distillation) token's */
  guint *merged;  /* [n + 1] the same behind merging */
  guint *into;    /* [rows] where a row goes when merged */
  real *size; /* [rows] patches that a token stands for, behind merging: from the block before */
  real *log_size;
  real *x, *mean1, *inverse1, *h1, *qkv, *heads, *f; /* f: the module's output */
  real *y, *z;                                       /* before and behind merging */
  real *mean2, *inverse2, *h2, *p, *g, *m;
  struct {
    real *in, *mean, *inverse, *norm; /* [n][2 dim], [n], [n], [n][2 dim] */
    real *hidden, *active, *raw;      /* [n][GATE_HIDDEN] twice, [n] */
  } gates[2];                         /* of the attention, of the MLP */
} Activations;

typedef struct _TrainingPass TrainingPass;

/* One member's part of the batch. */
typedef struct {
  TrainingPass *pass;
  guint first, n;      /* images */
  Activations *blocks; /* [depth + 1]; of the last only x, rows and size are used */
  real *patches;       /* [n * patches][values of a patch] */
  struct {
    real *in, *mean, *inverse; /* [n][dim], [n], [n] */
  } pooled[2];              /* what the heads see of the last block's tokens, before the norm: the
                               class token or the mean of all patches; the distillation token */
  real *tokens[2];          /* [n][dim] the same behind the norm */
  real *logits;             /* [n][n_classes] */
  real *dlogits;            /* set by the loss */
  real *dclass;             /* set by the loss: [n][dim] of tokens[0], beside what dlogits bring */
  real *dentry[MAX_LEVELS]; /* set by the loss: of the tokens that enter a level */
  real *dtokens, *dpooled, *dx, *dz, *dh, *dqkv, *dheads, *dp, *scores, *dscores,
      *dfeatures;                          /* scratch of the way back */
  real *heads_mask, *neurons_mask, *dmask; /* of the block at hand, while structure is searched */
  real *gradient;                          /* [n_values], added to */
  MatmulScratch *scratch;
  MergeScratch *merge;
  guint *into; /* [n_tokens] */
  real *memory;
} Share;

struct _TrainingPass {
  const Network *network;
  Team *team;
  guint n_images, capacity;
  gboolean backward;   /* the way back is possible: every block keeps its activations */
  guint tail;          /* behind this block's attention patch tokens end; depth: they never do */
  Levels levels;       /* where tokens are compared: the tail's entry, unless set otherwise */
  const real *tensors; /* [n_images][3][image_size][image_size] */
  Decisions decisions;
  PatchReader *patch_reader;
  Share *shares;    /* [team size] */
  void **packed[2]; /* weights, packed for products forward and, (nullable), back:
                       [N_WEIGHTS(depth)] */
  double cost;      /* mean multiply-adds of an image, in 1e9, after forward */
};

/* Allocates a member's arrays for @images images.
 * Returns: FALSE if out of memory; share_clear() frees what there is then */
gboolean share_init(Share *share, TrainingPass *pass, guint images, gboolean bf16);

/* Frees them. @depth: the network's */
void share_clear(Share *share, guint depth);

/* @backward: as for training_pass_new()
 * Returns: bytes that the activations of a pass take */
gsize training_pass_measure(const Network *network, guint max_images, guint n_members,
                            gboolean backward);
