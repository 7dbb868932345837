/* The working memory of a session's forward pass, and one thread's view of one image in it. */
#pragma once

#include "base/team.h"
#include "network/dial.h"
#include "network/kv-cache.h"
#include "network/merge.h"
#include "network/token-mean.h"
#include "network/vit-weights.h"

/* Rows that go through the products of a module together, so that their activations stay in the
 * first cache levels while the weights pass by. */
#define CHUNK LINEAR_ROWS

/* What one image cost. The arrays are [2 * depth]: attention and MLP of each block. */
typedef struct {
  double gmacs;
  guint n_tokens;  /* that remain after merging, up to the tail */
  guint8 *ran;     /* whether the module ran */
  guint *tokens;   /* that it ran for; of attention: as queries */
  guint *closed;   /* tokens that got its substitute */
  guint8 *patches; /* [2 * depth][n_patches] VitgatePatchFlags; NULL unless they are recorded */
  float *features; /* [head_inputs] that the heads read */
  float unknown;   /* score; 0 without one */
} VitOutcome;

/* The memory of one thread. */
typedef struct {
  float *norm; /* [CHUNK][dim] */
  float
      *hidden; /* [CHUNK][largest of neurons, attention width, patch_values and a substitute's rank]
                */
  float *input;    /* of a product, converted */
  float *scores;   /* of vitgate__attend() */
  float *attend;   /* of vitgate__attend() */
  float *features; /* [4 * dim] of a gate; at the end, whitened ones */
  float *qkv;      /* [n_tokens][3 * largest heads * head_dim] */
  float *open;     /* [CHUNK][dim] normalised rows that wait for a module to run on them */
  float *closed;   /* [CHUNK][dim] normalised rows that wait for the substitute */
  float *gathered; /* [CHUNK][dim] rows of x */
  float *heads;    /* their keys and values, packed; threads that share an image use member 0's qkv
                      and heads */
  guint *into;     /* [n_tokens] */
  MergeScratch *merge;
} Scratch;

/* One image on its way through the network. */
typedef struct {
  float *x;        /* [n_tokens][dim] */
  float *size;     /* [n_tokens] patches that a token stands for */
  float *offsets;  /* [n_tokens, rounded up] log size, scaled to be added to unscaled scores */
  float *sums;     /* of the patch tokens: token-mean.h */
  gboolean merged; /* some size is not 1 */
  guint n_tokens;
  const guint *slots;  /* (nullable) [n_tokens] in an update: which tokens are computed */
  float logit;         /* of the current gate */
  float *token_logits; /* [n_tokens] of the current token gate, if images decide together */
  guint8 *open;        /* [n_tokens] whether the current module runs for each token */
  guint *token_of;     /* [n_patches] the token that stands for each patch; NULL unless recorded */
  VitOutcome outcome;
} ImageState;

typedef struct {
  float *memory;
  ImageState *images;   /* [max_batch] */
  VitOutcome *outcomes; /* [max_batch] */
  guint8 *ran;          /* [max_batch][2 * depth] */
  guint *tokens;        /* [2][max_batch][2 * depth] tokens that ran, tokens that did not */
  guint8 *open;         /* [max_batch][n_tokens]; NULL if no module has a token gate */
  guint8 *patches;      /* [max_batch][2 * depth][n_patches], or NULL */
  guint *token_of;      /* [max_batch][n_patches], or NULL */
  Scratch *scratch;     /* [n_members] */
  StemWork *stem;       /* NULL without a stem */
  guint n_members;
} VitWork;

/* Returns: (transfer full): the memory for @n_members threads and @max_batch images, or NULL if out
 * of memory
 * @patches: record what happens to each patch */
VitWork *vitgate__vit_work_new(const Vit *vit, guint n_members, guint max_batch, gboolean patches);

/* Frees *@work and sets it to NULL. *@work may be NULL. */
void vitgate__vit_work_free(VitWork **work);

/* One thread's work on one image. */
typedef struct {
  const Vit *vit;
  const Dial *dial;
  const Scratch *scratch; /* this thread's */
  ImageState *image;
  float *qkv, *heads;
  KvCache *cache; /* (nullable) */
  StemWork *stem;
  Team *team;        /* to wait for; NULL: this thread works alone */
  guint member, n;   /* its number among the threads that share the image */
  guint base;        /* number in the session of the first of them */
  guint first, last; /* its rows */
  gboolean leads;    /* it does what is done once per image */
} Job;

static inline void wait_for_others(const Job *job)
{
  vitgate__team_barrier(job->team);
}

/* Divides the image's rows among the threads again, after their number changed. */
static inline void share_rows(Job *job)
{
  job->first = job->image->n_tokens * job->member / job->n;
  job->last = job->image->n_tokens * (job->member + 1) / job->n;
}

/* Calls vitgate__linear() with this thread's scratch. */
static inline void vitgate__vit_multiply(const Job *job, const Linear *linear, float *out,
                                         gsize out_stride, const float *in, gsize in_stride,
                                         LinearMode mode, guint rows)
{
  vitgate__linear(linear, job->scratch->input, out, out_stride, in, in_stride, mode, rows);
}
