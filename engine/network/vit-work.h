/* What the parts of the forward pass share: memory, and one member's view of one image. */
#pragma once

#include "network/attend.h"
#include "network/merge.h"
#include "network/token-mean.h"
#include "network/vit.h"

/* Rows that go through a module's products together: their activations stay in the first levels
 * of cache while the weights pass by. */
#define CHUNK LINEAR_ROWS

/* What one member needs for itself. */
typedef struct {
  float *norm;     /* [CHUNK][dim] */
  float *hidden;   /* [CHUNK][most neurons, attention width or values of a patch] */
  float *input;    /* of a product, converted */
  float *scores;   /* of vitgate__attend() */
  float *attend;   /* of the same */
  float *features; /* [4 * dim] of a gate */
  float *qkv;      /* [n_tokens][3 * most heads * head_dim] */
  float *heads;    /* their keys and values, packed; both of these are member 0's where members
                      share an image */
  guint *into;     /* [n_tokens] */
  MergeScratch *merge;
} Scratch;

/* One image on its way through the network. */
typedef struct {
  float *x;        /* [n_tokens][dim] */
  float *size;     /* [n_tokens] patches that a token stands for */
  float *offsets;  /* [n_tokens, rounded up] log size, as scores before scaling want it */
  float *sums;     /* of the patch tokens: token-mean.h */
  gboolean merged; /* sizes differ from one */
  guint n_tokens;
  float logit; /* of the gate at hand */
  VitOutcome outcome;
} ImageState;

struct _VitWork {
  float *memory;
  ImageState *images;   /* [max_batch] */
  VitOutcome *outcomes; /* [max_batch] */
  guint8 *ran;          /* [max_batch][2 * depth] */
  Scratch *scratch;     /* [n_members] */
  T2tWork *stems;       /* [n_members] where the network has a stem */
  guint n_members;
};

/* One member's work on one image. */
typedef struct {
  const Vit *vit;
  const Dial *dial;
  const Scratch *scratch; /* this member's */
  ImageState *image;
  float *qkv, *heads;
  const T2tWork *stems; /* of the members that share the image */
  Team *team;           /* to wait for; NULL: this member works alone */
  guint member, n;      /* which part of the rows is this member's */
  guint first, last;    /* these rows */
  gboolean leads;       /* this member answers for what is done once */
} Job;

static inline void wait_for_others(const Job *job)
{
  vitgate__team_barrier(job->team);
}

/* Deals the rows out anew, after their number has changed. */
static inline void share_rows(Job *job)
{
  job->first = job->image->n_tokens * job->member / job->n;
  job->last = job->image->n_tokens * (job->member + 1) / job->n;
}

/* vitgate__linear() with this member's scratch. */
static inline void vitgate__vit_multiply(const Job *job, const Linear *linear, float *out,
                                         gsize out_stride, const float *in, gsize in_stride,
                                         LinearMode mode, guint rows)
{
  vitgate__linear(linear, job->scratch->input, out, out_stride, in, in_stride, mode, rows);
}

/* norm[rows][dim] = LayerNorm(x[first ...]) */
void vitgate__vit_normalize(const Job *job, const LayerNorm *norm, guint first, guint rows);

/* x += proj(attention(norm1(x))), then tokens merge; in the tail of the class tokens alone.
 * x += fc2(gelu(fc1(norm2(x)))) */
void vitgate__vit_attention(Job *job, guint block);
void vitgate__vit_attend_tail(const Job *job);
void vitgate__vit_mlp(const Job *job, guint block);
