#include "train/network/activations.h"

#include <stdlib.h>

#include "base/arena.h"
#include "file/architecture.h"

/* An array carved out of one block of memory. The engine's Part holds only floats, but the gradient
 * test builds this file with doubles. */
typedef struct {
  real **array;
  gsize n; /* values */
} RealPart;

static void want(GArray *parts, real **array, gsize n)
{
  RealPart part = { array, vitgate__round_up(n) };
  g_array_append_val(parts, part);
}

static gsize count_values(const GArray *parts)
{
  gsize total = 0;
  for (guint i = 0; i < parts->len; i++)
    total += g_array_index(parts, RealPart, i).n;
  return total;
}

/* Returns: (transfer full): the memory, or NULL if out of memory */
static real *carve(const GArray *parts)
{
  const gsize total = count_values(parts);
  real *memory = total < G_MAXSIZE / sizeof *memory - 64
                     ? aligned_alloc(64, (total * sizeof *memory + 63) / 64 * 64)
                     : NULL,
       *next = memory;
  for (guint i = 0; memory && i < parts->len; i++) {
    *g_array_index(parts, RealPart, i).array = next;
    next += g_array_index(parts, RealPart, i).n;
  }
  return memory;
}

static void want_token_gate(GArray *parts, TokenActivations *a, gsize rank, guint dim, gsize rows)
{
  want(parts, &a->logit, rows);
  want(parts, &a->soft, rows);
  want(parts, &a->open, rows);
  want(parts, &a->dopen, rows);
  want(parts, &a->hidden, rows * rank);
  want(parts, &a->out, rows * dim);
}

/* Adds the outputs of a block's modules.
 * @width: of all heads together
 * @tokens: [2] token gates of attention and MLP */
static void want_modules(GArray *parts, Activations *a, const Description *d, gsize width,
                         gsize neurons, const TokenGate *tokens, guint images, gsize rows)
{
  want(parts, &a->y, rows * d->dim);
  want(parts, &a->z, rows * d->dim);
  if (width) {
    want(parts, &a->mean1, rows);
    want(parts, &a->inverse1, rows);
    want(parts, &a->h1, rows * d->dim);
    want(parts, &a->qkv, rows * 3 * width);
    want(parts, &a->heads, rows * width);
    want(parts, &a->f, rows * d->dim);
  }
  if (neurons) {
    want(parts, &a->mean2, rows);
    want(parts, &a->inverse2, rows);
    want(parts, &a->h2, rows * d->dim);
    want(parts, &a->p, rows * neurons);
    want(parts, &a->g, rows * neurons);
    want(parts, &a->m, rows * d->dim);
  }
  for (guint g = 0; g < 2; g++) {
    want(parts, &a->gates[g].in, (gsize)images * 2 * d->dim);
    want(parts, &a->gates[g].norm, (gsize)images * 2 * d->dim);
    want(parts, &a->gates[g].mean, images);
    want(parts, &a->gates[g].inverse, images);
    want(parts, &a->gates[g].hidden, (gsize)images * GATE_HIDDEN);
    want(parts, &a->gates[g].active, (gsize)images * GATE_HIDDEN);
    want(parts, &a->gates[g].raw, images);
    if (tokens[g].present)
      want_token_gate(parts, &a->tokens[g], tokens[g].rank, d->dim, rows);
  }
}

/* Finds a token gate with the largest rank of all. */
static TokenGate largest_token_gate(const Description *d)
{
  TokenGate largest = { 0 };
  for (guint module = 0; module < 2 * d->depth; module++) {
    const TokenGate *gate = description_token_gate(d, module);
    largest.present |= gate->present;
    largest.rank = MAX(largest.rank, gate->rank);
  }
  return largest;
}

/* Finds the largest width of heads and the largest number of neurons over all blocks. */
static void find_widest(const Network *network, gsize *width, gsize *neurons)
{
  const Description *d = network->description;
  *width = *neurons = 0;
  for (guint b = 0; b < d->depth; b++) {
    *width = MAX(*width, (gsize)network->blocks[b].heads * d->head_dim);
    *neurons = MAX(*neurons, network->blocks[b].neurons);
  }
}

static void want_blocks(GArray *parts, Share *share, const Network *network, guint images,
                        gboolean backward)
{
  const Description *d = network->description;
  const gsize rows = (gsize)images * vitgate__description_n_tokens(d);
  gsize width, neurons;
  TokenGate tokens[2];
  find_widest(network, &width, &neurons);
  for (guint b = 0; b <= d->depth; b++) {
    Activations *a = &share->blocks[b];
    want(parts, &a->x, rows * d->dim);
    want(parts, &a->size, rows);
    want(parts, &a->log_size, rows);
    if (!backward || b == d->depth)
      continue;
    tokens[0] = d->blocks[b].attention_tokens;
    tokens[1] = d->blocks[b].mlp_tokens;
    want_modules(parts, a, d, (gsize)network->blocks[b].heads * d->head_dim,
                 network->blocks[b].neurons, tokens, images, rows);
  }
  tokens[0] = tokens[1] = largest_token_gate(d);
  if (!backward)
    want_modules(parts, &share->blocks[0], d, width, neurons, tokens, images, rows);
}

static void want_gradients(GArray *parts, Share *share, const Network *network, guint images)
{
  const Description *d = network->description;
  const guint tokens = vitgate__description_n_tokens(d);
  const gsize rows = (gsize)images * tokens;
  gsize width, neurons;
  find_widest(network, &width, &neurons);
  want(parts, &share->dtokens, (gsize)images * d->dim);
  want(parts, &share->dpooled, (gsize)images * d->dim);
  want(parts, &share->dlogits, (gsize)images * d->n_classes);
  want(parts, &share->dclass, (gsize)images * d->dim);
  for (guint level = 0; level < levels_between(d, d, TRUE).n; level++)
    want(parts, &share->dentry[level], rows * d->dim);
  want(parts, &share->dx, rows * d->dim);
  want(parts, &share->dz, rows * d->dim);
  want(parts, &share->dh, rows * d->dim);
  want(parts, &share->dqkv, rows * 3 * width);
  want(parts, &share->dheads, rows * width);
  want(parts, &share->dp, rows * MAX(neurons, largest_token_gate(d).rank));
  if (largest_token_gate(d).present)
    want(parts, &share->dout, rows * d->dim);
  want(parts, &share->dscores, (gsize)tokens * tokens);
  want(parts, &share->dfeatures, (gsize)4 * d->dim);
  want(parts, &share->dmask, MAX(width, neurons));
  want(parts, &share->gradient, network->n_values);
}

/* Lists all arrays of a share. */
static GArray *list_parts(Share *share, const Network *network, guint images, gboolean backward)
{
  const Description *d = network->description;
  const guint tokens = vitgate__description_n_tokens(d);
  gsize width, neurons;
  find_widest(network, &width, &neurons);
  GArray *parts = g_array_new(FALSE, FALSE, sizeof(RealPart));
  want_blocks(parts, share, network, images, backward);
  want(parts, &share->patches,
       (gsize)images * vitgate__description_n_patches(d) * vitgate__description_patch_values(d));
  for (guint t = 0; t < network->n_prefix; t++) {
    want(parts, &share->pooled[t].in, (gsize)images * d->dim);
    want(parts, &share->pooled[t].mean, images);
    want(parts, &share->pooled[t].inverse, images);
    want(parts, &share->tokens[t], (gsize)images * d->dim);
  }
  want(parts, &share->logits, (gsize)images * d->n_classes);
  want(parts, &share->scores, (gsize)tokens * tokens);
  want(parts, &share->heads_mask, width);
  want(parts, &share->neurons_mask, neurons);
  if (backward)
    want_gradients(parts, share, network, images);
  return parts;
}

/* Makes all blocks use the first block's module arrays. */
static void share_modules(Share *share, guint depth)
{
  for (guint b = 1; b < depth; b++) {
    const Activations own = share->blocks[b];
    Activations *a = &share->blocks[b];
    *a = share->blocks[0];
    a->rows = own.rows;
    a->queries = own.queries;
    a->merged = own.merged;
    a->into = own.into;
    a->x = own.x;
    a->size = own.size;
    a->log_size = own.log_size;
  }
}

gboolean share_init(Share *share, TrainingPass *pass, guint images, gboolean bf16)
{
  const Description *d = pass->network->description;
  const guint tokens = vitgate__description_n_tokens(d);
  share->pass = pass;
  share->scratch = matmul_scratch_new(bf16);
  share->merge = vitgate__merge_scratch_new(tokens, d->head_dim);
  share->into = g_new0(guint, tokens);
  share->blocks = g_new0(Activations, d->depth + 1);
  gboolean complete = share->merge != NULL;
  for (guint b = 0; b <= d->depth; b++) {
    Activations *a = &share->blocks[b];
    a->rows = g_try_new0(guint, (gsize)images + 1);
    a->queries = g_try_new0(guint, (gsize)images + 1);
    a->merged = g_try_new0(guint, (gsize)images + 1);
    a->into = g_try_new0(guint, (gsize)images * tokens);
    complete = complete && a->rows && a->queries && a->merged && a->into;
  }
  g_autoptr(GArray) parts = list_parts(share, pass->network, images, pass->backward);
  share->memory = complete ? carve(parts) : NULL;
  if (share->memory && !pass->backward)
    share_modules(share, d->depth);
  return share->memory != NULL;
}

gsize training_pass_measure(const Network *network, guint max_images, guint n_members,
                            gboolean backward)
{
  Share share = { .blocks = g_new0(Activations, network->description->depth + 1) };
  g_autoptr(GArray) parts =
      list_parts(&share, network, (max_images + n_members - 1) / n_members, backward);
  const gsize values = count_values(parts);
  g_free(share.blocks);
  return values * n_members * sizeof(real);
}

void share_clear(Share *share, guint depth)
{
  for (guint b = 0; share->blocks && b <= depth; b++) {
    g_free(share->blocks[b].rows);
    g_free(share->blocks[b].queries);
    g_free(share->blocks[b].merged);
    g_free(share->blocks[b].into);
  }
  g_free(share->blocks);
  g_free(share->into);
  free(share->memory);
  matmul_scratch_free(&share->scratch);
  vitgate__merge_scratch_free(&share->merge);
}
