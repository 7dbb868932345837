/* The memory of a training pass: the activations of the batch, one thread's share of them, and the
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
enum {
  QKV,
  PROJ,
  FC1,
  FC2,
  ATTENTION_DOWN, /* of the substitutes of token gates; each before its UP */
  ATTENTION_UP,
  MLP_DOWN,
  MLP_UP,
  N_BLOCK_WEIGHTS
};
#define PATCH_OF(depth)     (N_BLOCK_WEIGHTS * (depth))
#define HEAD_OF(depth)      (N_BLOCK_WEIGHTS * (depth) + 1)
#define HEAD_DIST_OF(depth) (N_BLOCK_WEIGHTS * (depth) + 2)
#define N_WEIGHTS(depth)    (N_BLOCK_WEIGHTS * (depth) + 3)

/* Where the logits of token gates come from. All but the first are controls for experiments. */
typedef enum {
  TOKENS_LEARNED,  /* the token */
  TOKENS_RANDOM,   /* another token of the image, so that as many are open */
  TOKENS_SHUFFLED, /* the token at the same place in another image */
  TOKENS_POSITION, /* the mean of the tokens at the same place in the share's images */
} TokenControl;

/* What the gates of one pass decide. Arrays over images are [2 * depth][n_images]. */
typedef struct {
  gboolean sampling; /* add noise, for training; otherwise a gate opens if logit + bias > 0 */
  gboolean relaxed;  /* apply the soft decision itself, for tests of its gradient */
  TokenControl control;
  guint64 draw; /* number of the pass, for TOKENS_RANDOM */
  double bias;
  double temperature;
  const guint *group; /* [n_images] images of one group share decisions; NULL: each is on its own */
  const real *noise;  /* [2 * depth][n_images], by group; logistic */
  real *logit;        /* of the single image, bounded */
  real *soft;         /* the soft decision of its group */
  real *open;         /* the decision, 0 or 1 */
  real *dopen;        /* gradient of the loss */
  real *dlogit;       /* set by the loss: gradient in addition to that of the decision */
  real *macs;         /* GMACs of the module if its gate is open */
  real *rate;         /* share of tokens that run the module if its gate is open */
} Decisions;

/* Those of a token gate, by row. */
typedef struct {
  real *logit, *soft, *open, *dopen; /* [rows]; 1 for the class and distillation tokens */
  real *hidden, *out;                /* of the substitute: [rows][rank], [rows][dim] */
} TokenActivations;

/* Activations of one block. Without a backward pass, each block has only x, size, log_size and the
 * row numbers to itself; all blocks share the rest. */
typedef struct {
  guint *rows;    /* [n + 1] first row of each image before merging */
  guint *queries; /* [n + 1] the same for the rows that attention is computed for: in the tail, only
                     the class (and distillation) token */
  guint *merged;  /* [n + 1] the same after merging */
  guint *into;    /* [rows] the row that each row merges into */
  real *size;     /* [rows] patches that a token stands for, after merging in the previous block */
  real *log_size;
  real *x, *mean1, *inverse1, *h1, *qkv, *heads, *f; /* f: the module's output */
  real *y, *z;                                       /* before and after merging */
  real *mean2, *inverse2, *h2, *p, *g, *m;
  struct {
    real *in, *mean, *inverse, *norm; /* [n][2 dim], [n], [n], [n][2 dim] */
    real *hidden, *active, *raw;      /* [n][GATE_HIDDEN] twice, [n] */
  } gates[2];                         /* attention, MLP */
  TokenActivations tokens[2];         /* the same */
} Activations;

/* The tokens of an image that enter the first block, as others computed them. */
typedef struct {
  guint n_rows;
  real *x;    /* [n_rows][dim] */
  real *size; /* [n_rows] patches that each stands for */
} EntryTokens;

typedef struct _TrainingPass TrainingPass;

/* One thread's part of the batch. */
typedef struct {
  TrainingPass *pass;
  guint first, n;      /* images */
  Activations *blocks; /* [depth + 1]; the last uses only x, rows and size */
  real *patches;       /* [n * patches][values of a patch] */
  struct {
    real *in, *mean, *inverse; /* [n][dim], [n], [n] */
  } pooled[2];              /* input of the heads, before the norm: the class token or the mean of
                               all patches; the distillation token */
  real *tokens[2];          /* [n][dim] the same after the norm */
  real *logits;             /* [n][n_classes] */
  real *dlogits;            /* set by the loss */
  real *dclass;             /* set by the loss: [n][dim] of tokens[0], in addition to dlogits */
  real *dentry[MAX_LEVELS]; /* set by the loss: of the tokens that enter a level's block */
  real *dtokens, *dpooled, *dx, *dz, *dh, *dqkv, *dheads, *dp, *dout, *scores, *dscores,
      *dfeatures;                          /* scratch of the backward pass */
  double compute_slope;                    /* set by the loss: its gradient by GMACs */
  real *heads_mask, *neurons_mask, *dmask; /* of the current block, during structure search */
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
  gboolean shared;      /* ranks divide the images, see pass-ranks.h */
  gboolean inputs_only; /* the backward pass computes no gradients of linear layers' weights */
  gboolean backward;    /* a backward pass is possible: every block keeps its activations */
  guint tail;           /* patch tokens end after this block's attention; depth: they never end */
  Levels levels;        /* where tokens are compared; by default, as they enter the tail */
  const real *tensors;  /* [n_images][3][image_size][image_size]; if shared: of the rank's own */
  const EntryTokens *const *entries; /* (nullable) [n_images] instead of tensors */
  real *logits;                      /* (nullable) [capacity][n_classes] of all ranks' images */
  Decisions decisions;
  PatchReader *patch_reader;
  /* (nullable): called by each thread when its backward pass has gone through the heads (@stage is
   * the depth), a block (its number) and all (-1) */
  void (*passed)(gpointer data, guint member, int stage);
  gpointer passed_data;
  Share *shares;    /* [team size] */
  void **packed[2]; /* weights packed for the forward and (nullable) the backward products:
                       [N_WEIGHTS(depth)] */
};

/* Allocates a thread's arrays for @images images.
 * Returns: FALSE if out of memory; call share_clear() in that case too */
gboolean share_init(Share *share, TrainingPass *pass, guint images, gboolean bf16);

/* Frees a thread's arrays. @depth: the network's */
void share_clear(Share *share, guint depth);

/* Computes the memory that the activations of a pass take.
 * @backward: as for training_pass_new()
 * Returns: bytes */
gsize training_pass_measure(const Network *network, guint max_images, guint n_members,
                            gboolean backward);
