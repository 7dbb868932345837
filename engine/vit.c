#include "vit.h"

#include <math.h>
#include <string.h>

/* Rows that go through a module's products together: their activations stay in the first levels
 * of cache while the weights pass by. A multiple of every kernel's tile. */
#define CHUNK          48
#define ATTENTION_ROWS 12

/* What one member needs for itself. */
typedef struct {
  float *norm;   /* [CHUNK][dim] */
  float *hidden; /* [CHUNK][most neurons, attention width or values of a patch] */
  float *scores; /* [ATTENTION_ROWS][n_tokens] */
  float *keys;   /* one head's, packed */
  float *values; /* one head's, packed */
  float *qkv;    /* [n_tokens][3 * most heads * head_dim]; member 0's is used by all when they
                    share an image */
} Scratch;

struct _VitWork {
  float *memory;
  float *tokens;    /* [max_batch][n_tokens][dim] */
  Scratch *scratch; /* [n_members] */
};

/* One image on the way through the network, and who works on it. */
typedef struct {
  const Vit *vit;
  const Scratch *scratch; /* this member's */
  float *qkv;
  float *x;          /* [n_tokens][dim] */
  Team *team;        /* to wait for; NULL: this member works alone */
  guint first, last; /* the rows this member answers for */
  gboolean leads;    /* this member answers for the outcome */
} Job;

static gsize round_up(gsize n)
{
  return (n + 15) / 16 * 16;
}

static guint most_heads(const Description *d)
{
  guint most = 0;
  for (guint i = 0; i < d->depth; i++)
    most = MAX(most, d->blocks[i].heads);
  return most;
}

/* Lays out one member's arrays from @memory on, where it is not NULL.
 * Returns: how many floats they take */
static gsize carve_scratch(Scratch *scratch, float *memory, const Description *d)
{
  guint tokens = vitgate__description_n_tokens(d), width = most_heads(d) * d->head_dim;
  guint hidden = MAX(3 * d->patch_size * d->patch_size, width);
  for (guint i = 0; i < d->depth; i++)
    hidden = MAX(hidden, d->blocks[i].neurons);
  const struct {
    float **array;
    gsize size;
  } parts[] = {
    { &scratch->norm, (gsize)CHUNK * d->dim },
    { &scratch->hidden, (gsize)CHUNK * hidden },
    { &scratch->scores, (gsize)ATTENTION_ROWS * tokens },
    { &scratch->keys, vitgate__packed_size(tokens, d->head_dim) },
    { &scratch->values, vitgate__packed_size(d->head_dim, tokens) },
    { &scratch->qkv, (gsize)tokens * 3 * width },
  };
  gsize offset = 0;
  for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
    if (memory)
      *parts[i].array = memory + offset;
    offset += round_up(parts[i].size);
  }
  return offset;
}

VitWork *vitgate__vit_work_new(const Vit *vit, guint n_members, guint max_batch)
{
  const Description *d = vit->description;
  Scratch none;
  gsize each = carve_scratch(&none, NULL, d);
  gsize tokens = round_up((gsize)vitgate__description_n_tokens(d) * d->dim), n_bytes;
  VitWork *work = g_new0(VitWork, 1);
  work->scratch = g_new0(Scratch, n_members);
  if (!g_size_checked_mul(&n_bytes, tokens * sizeof(float), max_batch) ||
      !g_size_checked_add(&n_bytes, n_bytes, each * sizeof(float) * n_members) ||
      posix_memalign((void **)&work->memory, 64, n_bytes)) {
    work->memory = NULL;
    vitgate__vit_work_free(&work);
    return NULL;
  }
  float *next = work->memory + tokens * max_batch;
  work->tokens = work->memory;
  for (guint i = 0; i < n_members; i++)
    next += carve_scratch(&work->scratch[i], next, d);
  return work;
}

void vitgate__vit_work_free(VitWork **work)
{
  VitWork *w = g_steal_pointer(work);
  if (!w)
    return;
  free(w->memory);
  g_free(w->scratch);
  g_free(w);
}

static void wait_for_others(const Job *job)
{
  if (job->team)
    vitgate__team_barrier(job->team);
}

/* norm[rows][dim] = LayerNorm(x[first ...]) */
static void normalize(const Job *job, const LayerNorm *norm, guint first, guint rows)
{
  const Description *d = job->vit->description;
  for (guint i = 0; i < rows; i++)
    vitgate__kernels()->layer_norm(job->scratch->norm + (gsize)i * d->dim,
                                   job->x + (gsize)(first + i) * d->dim, norm->scale, norm->shift,
                                   (float)d->layer_norm_eps, d->dim);
}

/* patches[rows][3 * patch * patch]: the pixels of patches first ..., in the order of the
 * convolution's weights: channel, row, column. */
static void gather_patches(float *patches, const float *tensor, const Description *d, guint first,
                           guint rows)
{
  guint size = d->image_size, patch = d->patch_size, side = size / patch;
  for (guint p = first; p < first + rows; p++) {
    const float *corner = tensor + (gsize)(p / side * patch) * size + p % side * patch;
    for (guint c = 0; c < 3; c++)
      for (guint y = 0; y < patch; y++, patches += patch)
        memcpy(patches, corner + ((gsize)c * size + y) * size, patch * sizeof *patches);
  }
}

/* x = position embeddings + [tokens; patches W^T + b] */
static void embed(const Job *job, const float *tensor)
{
  const Vit *vit = job->vit;
  const Description *d = vit->description;
  memcpy(job->x + (gsize)job->first * d->dim, vit->embedding + (gsize)job->first * d->dim,
         (gsize)(job->last - job->first) * d->dim * sizeof(float));
  for (guint row = MAX(job->first, vit->n_prefix), rows; row < job->last; row += rows) {
    rows = MIN(CHUNK, job->last - row);
    gather_patches(job->scratch->hidden, tensor, d, row - vit->n_prefix, rows);
    vitgate__linear(&vit->patch, job->x + (gsize)row * d->dim, d->dim, job->scratch->hidden,
                    vit->patch.n_in, TRUE, rows);
  }
}

/* out[rows][head_dim] at out_stride = softmax(q k^T / sqrt(head_dim)) v, for one head whose keys
 * and values are packed; q: [rows] at q_stride */
static void attend(const Job *job, float *out, gsize out_stride, const float *q, gsize q_stride,
                   guint rows)
{
  const Kernels *kernels = vitgate__kernels();
  const Description *d = job->vit->description;
  const guint tokens = vitgate__description_n_tokens(d);
  const float factor = 1.0f / sqrtf((float)d->head_dim);
  float *scores = job->scratch->scores;
  kernels->gemm(scores, tokens, q, q_stride, job->scratch->keys, NULL, FALSE, rows, tokens,
                d->head_dim);
  for (guint i = 0; i < rows; i++)
    kernels->softmax(scores + (gsize)i * tokens, factor, tokens);
  kernels->gemm(out, out_stride, scores, tokens, job->scratch->values, NULL, FALSE, rows,
                d->head_dim, tokens);
}

/* x += proj(attention(norm1(x))) */
static void attention_module(const Job *job, const Block *block, guint heads)
{
  const Kernels *kernels = vitgate__kernels();
  const Description *d = job->vit->description;
  const guint width = heads * d->head_dim, tokens = vitgate__description_n_tokens(d);
  for (guint row = job->first, rows; row < job->last; row += rows) {
    rows = MIN(CHUNK, job->last - row);
    normalize(job, &block->norm1, row, rows);
    vitgate__linear(&block->qkv, job->qkv + (gsize)row * 3 * width, 3 * width, job->scratch->norm,
                    d->dim, FALSE, rows);
  }
  wait_for_others(job);

  /* The heads' outputs take the place of their queries. */
  for (guint h = 0; h < heads; h++) {
    float *head = job->qkv + h * d->head_dim;
    kernels->pack_transposed(job->scratch->keys, head + width, 3 * width, tokens, d->head_dim);
    kernels->pack(job->scratch->values, head + 2 * width, 3 * width, d->head_dim, tokens);
    for (guint row = job->first, rows; row < job->last; row += rows) {
      rows = MIN(ATTENTION_ROWS, job->last - row);
      float *q = head + (gsize)row * 3 * width;
      attend(job, q, 3 * width, q, 3 * width, rows);
    }
  }
  vitgate__linear(&block->proj, job->x + (gsize)job->first * d->dim, d->dim,
                  job->qkv + (gsize)job->first * 3 * width, 3 * width, TRUE,
                  job->last - job->first);
  wait_for_others(job);
}

/* x += fc2(gelu(fc1(norm2(x)))) */
static void mlp_module(const Job *job, const Block *block, guint neurons)
{
  const Description *d = job->vit->description;
  for (guint row = job->first, rows; row < job->last; row += rows) {
    rows = MIN(CHUNK, job->last - row);
    normalize(job, &block->norm2, row, rows);
    vitgate__linear(&block->fc1, job->scratch->hidden, neurons, job->scratch->norm, d->dim, FALSE,
                    rows);
    vitgate__kernels()->gelu(job->scratch->hidden, (gsize)rows * neurons);
    vitgate__linear(&block->fc2, job->x + (gsize)row * d->dim, d->dim, job->scratch->hidden,
                    neurons, TRUE, rows);
  }
}

/* logits[n_classes] from the class token, or the mean over the class and distillation tokens */
static void classify(const Job *job, float *logits)
{
  const Vit *vit = job->vit;
  const Description *d = vit->description;
  normalize(job, &vit->norm, 0, vit->n_prefix);
  vitgate__linear(&vit->head, logits, d->n_classes, job->scratch->norm, d->dim, FALSE, 1);
  if (!d->distilled)
    return;
  vitgate__linear(&vit->head_dist, logits, d->n_classes, job->scratch->norm + d->dim, d->dim, TRUE,
                  1);
  for (guint i = 0; i < d->n_classes; i++)
    logits[i] *= 0.5f;
}

static void forward_image(const Job *job, float *logits, const float *tensor)
{
  const Description *d = job->vit->description;
  embed(job, tensor);
  for (guint i = 0; i < d->depth; i++) {
    if (d->blocks[i].heads)
      attention_module(job, &job->vit->blocks[i], d->blocks[i].heads);
    if (d->blocks[i].neurons)
      mlp_module(job, &job->vit->blocks[i], d->blocks[i].neurons);
  }
  wait_for_others(job);
  if (job->leads)
    classify(job, logits);
}

typedef struct {
  const Vit *vit;
  VitWork *work;
  Team *team;
  float *logits;
  const float *tensors;
  guint n_images;
} Call;

/* As many images as the members can share out evenly go one to a member; the members then work on
 * the rest together, each on a part of the rows. */
static void forward_member(gpointer data, guint member)
{
  const Call *call = data;
  const Description *d = call->vit->description;
  const guint tokens = vitgate__description_n_tokens(d), n = vitgate__team_size(call->team);
  const guint alone = call->n_images / n * n;
  const gsize image = (gsize)3 * d->image_size * d->image_size;
  for (guint i = 0; i < call->n_images; i++) {
    gboolean shared = i >= alone;
    if (!shared && i % n != member)
      continue;
    const Scratch *scratch = &call->work->scratch[member];
    Job job = {
      .vit = call->vit,
      .scratch = scratch,
      .qkv = shared ? call->work->scratch[0].qkv : scratch->qkv,
      .x = call->work->tokens + round_up((gsize)tokens * d->dim) * i,
      .team = shared && n > 1 ? call->team : NULL,
      .first = shared ? tokens * member / n : 0,
      .last = shared ? tokens * (member + 1) / n : tokens,
      .leads = !shared || member == 0,
    };
    if (shared)
      wait_for_others(&job); /* nobody may still read scratch[0].qkv of an image of its own */
    forward_image(&job, call->logits + (gsize)i * d->n_classes, call->tensors + i * image);
  }
}

void vitgate__vit_forward(const Vit *vit, VitWork *work, Team *team, float *logits,
                          const float *tensors, guint n_images)
{
  Call call = { vit, work, team, logits, tensors, n_images };
  vitgate__team_run(team, forward_member, &call);
}
