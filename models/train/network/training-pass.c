#include "train/network/training-pass.h"

#include <stdlib.h>
#include <string.h>

#include "file/architecture.h"
#include "train/network/training-kernels.h"

/* ---- Memory ---- */

/* Arrays to carve out of one block: what points to them, and how many values each has. */
typedef struct {
  real **array;
  gsize n;
} Part;

static void want(GArray *parts, real **array, gsize n)
{
  Part part = { array, (n + 15) / 16 * 16 };
  g_array_append_val(parts, part);
}

static gsize count_values(const GArray *parts)
{
  gsize total = 0;
  for (guint i = 0; i < parts->len; i++)
    total += g_array_index(parts, Part, i).n;
  return total;
}

static real *carve(const GArray *parts)
{
  const gsize total = count_values(parts);
  real *memory = aligned_alloc(64, total * sizeof *memory), *next = memory;
  if (!memory)
    g_error("no memory for %" G_GSIZE_FORMAT " activations", total);
  for (guint i = 0; i < parts->len; i++) {
    *g_array_index(parts, Part, i).array = next;
    next += g_array_index(parts, Part, i).n;
  }
  return memory;
}

static void want_block(GArray *parts, Activations *a, const Network *network, guint b, guint images,
                       gsize rows)
{
  const Description *d = network->description;
  want(parts, &a->x, rows * d->dim);
  want(parts, &a->size, rows);
  want(parts, &a->log_size, rows);
  if (b == d->depth)
    return;
  const TrainBlock *block = &network->blocks[b];
  const gsize width = (gsize)block->heads * d->head_dim, neurons = block->neurons;
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
  }
}

/* All arrays of a share. */
static GArray *list_parts(Share *share, const Network *network, guint images)
{
  const Description *d = network->description;
  const guint tokens = vitgate__description_n_tokens(d);
  const gsize rows = (gsize)images * tokens;
  gsize width = 0, neurons = 0;
  for (guint b = 0; b < d->depth; b++) {
    width = MAX(width, (gsize)network->blocks[b].heads * d->head_dim);
    neurons = MAX(neurons, network->blocks[b].neurons);
  }
  GArray *parts = g_array_new(FALSE, FALSE, sizeof(Part));
  for (guint b = 0; b <= d->depth; b++)
    want_block(parts, &share->blocks[b], network, b, images, rows);
  want(parts, &share->patches,
       (gsize)images * vitgate__description_n_patches(d) * vitgate__description_patch_values(d));
  for (guint t = 0; t < network->n_prefix; t++) {
    want(parts, &share->pooled[t].in, (gsize)images * d->dim);
    want(parts, &share->pooled[t].mean, images);
    want(parts, &share->pooled[t].inverse, images);
    want(parts, &share->tokens[t], (gsize)images * d->dim);
  }
  want(parts, &share->logits, (gsize)images * d->n_classes);
  want(parts, &share->dtokens, (gsize)images * d->dim);
  want(parts, &share->dpooled, (gsize)images * d->dim);
  want(parts, &share->dlogits, (gsize)images * d->n_classes);
  want(parts, &share->dclass, (gsize)images * d->dim);
  for (guint level = 0; level < pass_count_levels(d); level++)
    want(parts, &share->dentry[level], rows * d->dim);
  want(parts, &share->dx, rows * d->dim);
  want(parts, &share->dz, rows * d->dim);
  want(parts, &share->dh, rows * d->dim);
  want(parts, &share->dqkv, rows * 3 * width);
  want(parts, &share->dheads, rows * width);
  want(parts, &share->dp, rows * neurons);
  want(parts, &share->scores, (gsize)tokens * tokens);
  want(parts, &share->dscores, (gsize)tokens * tokens);
  want(parts, &share->dfeatures, (gsize)4 * d->dim);
  want(parts, &share->heads_mask, width);
  want(parts, &share->neurons_mask, neurons);
  want(parts, &share->dmask, MAX(width, neurons));
  want(parts, &share->gradient, network->n_values);
  return parts;
}

guint pass_count_levels(const Description *d)
{
  const guint tail = vitgate__description_tail(d);
  return tail ? MIN(MAX_LEVELS, 1 + (tail - 1) / LEVEL_BLOCKS) : 1;
}

static void share_init(Share *share, Pass *pass, guint images, gboolean bf16)
{
  const Description *d = pass->network->description;
  const guint tokens = vitgate__description_n_tokens(d);
  share->pass = pass;
  share->scratch = product_scratch_new(bf16);
  share->merge = vitgate__merge_scratch_new(tokens, d->head_dim);
  share->into = g_new0(guint, tokens);
  share->blocks = g_new0(Activations, d->depth + 1);
  for (guint b = 0; b <= d->depth; b++) {
    Activations *a = &share->blocks[b];
    a->rows = g_new0(guint, images + 1);
    a->queries = g_new0(guint, images + 1);
    a->merged = g_new0(guint, images + 1);
    a->into = g_new0(guint, (gsize)images * tokens);
  }
  g_autoptr(GArray) parts = list_parts(share, pass->network, images);
  share->memory = carve(parts);
}

gsize pass_measure(const Network *network, guint max_images, guint n_members)
{
  Share share = { .blocks = g_new0(Activations, network->description->depth + 1) };
  g_autoptr(GArray) parts = list_parts(&share, network, (max_images + n_members - 1) / n_members);
  const gsize values = count_values(parts);
  g_free(share.blocks);
  return values * n_members * sizeof(real);
}

static void share_clear(Share *share, guint depth)
{
  for (guint b = 0; b <= depth; b++) {
    g_free(share->blocks[b].rows);
    g_free(share->blocks[b].queries);
    g_free(share->blocks[b].merged);
    g_free(share->blocks[b].into);
  }
  g_free(share->blocks);
  g_free(share->into);
  free(share->memory);
  product_scratch_free(&share->scratch);
  vitgate__merge_scratch_free(&share->merge);
}

Pass *pass_new(const Network *network, Team *team, guint max_images, gboolean bf16)
{
  Pass *pass = g_new0(Pass, 1);
  const guint n = vitgate__team_size(team), depth = network->description->depth;
  pass->network = network;
  pass->team = team;
  pass->capacity = max_images;
  pass->tail = vitgate__description_tail(network->description);
  pass->n_levels = 1;
  pass->patch_reader = patch_reader_new(network, n);
  pass->shares = g_new0(Share, n);
  for (guint i = 0; i < n; i++)
    share_init(&pass->shares[i], pass, (max_images + n - 1) / n, bf16);
  for (guint way = 0; way < 2; way++) {
    pass->packed[way] = g_new0(void *, N_WEIGHTS(depth));
    for (guint w = 0; w < N_WEIGHTS(depth); w++) {
      gsize size = pass_packed_size(pass, pass->shares[0].scratch, w, way);
      pass->packed[way][w] = size ? aligned_alloc(64, (size + 63) / 64 * 64) : NULL;
    }
  }
  const gsize decisions = (gsize)2 * depth * max_images;
  real **arrays[] = { &pass->decisions.logit, &pass->decisions.soft,   &pass->decisions.open,
                      &pass->decisions.dopen, &pass->decisions.dlogit, &pass->decisions.macs };
  for (guint i = 0; i < G_N_ELEMENTS(arrays); i++)
    *arrays[i] = g_new0(real, decisions);
  pass->decisions.temperature = 1;
  return pass;
}

void pass_free(Pass **pass)
{
  Pass *p = g_steal_pointer(pass);
  if (!p)
    return;
  const guint depth = p->network->description->depth;
  for (guint i = 0; i < vitgate__team_size(p->team); i++)
    share_clear(&p->shares[i], depth);
  for (guint way = 0; way < 2; way++) {
    for (guint w = 0; w < N_WEIGHTS(depth); w++)
      free(p->packed[way][w]);
    g_free(p->packed[way]);
  }
  real *arrays[] = { p->decisions.logit, p->decisions.soft,   p->decisions.open,
                     p->decisions.dopen, p->decisions.dlogit, p->decisions.macs };
  for (guint i = 0; i < G_N_ELEMENTS(arrays); i++)
    g_free(arrays[i]);
  patch_reader_free(&p->patch_reader);
  g_free(p->shares);
  g_free(p);
}

/* ---- Forward ---- */

void pass_pack(Share *share)
{
  const guint n = vitgate__team_size(share->pass->team);
  const guint member = (guint)(share - share->pass->shares);
  if (member == 0)
    patch_reader_pack(share->pass->patch_reader);
  for (guint w = member; w < N_WEIGHTS(share->pass->network->description->depth); w += n)
    pass_pack_weight(share->pass, share->scratch, w);
  vitgate__team_barrier(share->pass->team);
}

static void embed(Share *share)
{
  const Network *network = share->pass->network;
  const Description *d = network->description;
  const guint n_patches = vitgate__description_n_patches(d), prefix = network->n_prefix;
  const guint tokens = n_patches + prefix, values = vitgate__description_patch_values(d);
  Activations *a = &share->blocks[0];
  for (guint i = 0; i < share->n; i++) {
    real *x = a->x + (gsize)i * tokens * d->dim;
    real *patches = share->patches + (gsize)i * n_patches * values;
    const real *tensor =
        share->pass->tensors + (gsize)(share->first + i) * 3 * d->image_size * d->image_size;
    patch_reader_run(share->pass->patch_reader, (guint)(share - share->pass->shares), patches,
                     tensor);
    memcpy(x, network_at(network, network->pos_embed), (gsize)tokens * d->dim * sizeof *x);
    functions()->add_scaled(x, 1, network_at(network, network->cls_token), d->dim);
    if (d->distilled)
      functions()->add_scaled(x + d->dim, 1, network_at(network, network->dist_token), d->dim);
    pass_linear(share, PATCH_OF(d->depth), x + (gsize)prefix * d->dim, patches, TRUE, n_patches);
    a->rows[i + 1] = (i + 1) * tokens;
  }
  for (guint row = 0; row < share->n * tokens; row++) {
    a->size[row] = 1;
    a->log_size[row] = 0;
  }
}

void pass_forward(Share *share)
{
  Pass *pass = share->pass;
  const guint n = vitgate__team_size(pass->team), member = (guint)(share - pass->shares);
  share->first = pass->n_images * member / n;
  share->n = pass->n_images * (member + 1) / n - share->first;
  embed(share);
  for (guint b = 0; b < pass->network->description->depth; b++) {
    pass_gate(share, b, FALSE);
    pass_attention(share, b);
    pass_gate(share, b, TRUE);
    pass_mlp(share, b);
  }
  pass_classify(share);
  vitgate__team_barrier(pass->team);
}

const real *pass_get_logits(const Pass *pass, guint image)
{
  const Share *share = pass->shares;
  while (image >= share->first + share->n)
    share++;
  return share->logits + (gsize)(image - share->first) * pass->network->description->n_classes;
}

/* ---- Back ---- */

static void embed_backward(Share *share)
{
  const Network *network = share->pass->network;
  const Description *d = network->description;
  const guint n_patches = vitgate__description_n_patches(d), prefix = network->n_prefix;
  const guint tokens = n_patches + prefix, values = vitgate__description_patch_values(d);
  for (guint i = 0; i < share->n; i++) {
    const real *dx = share->dx + (gsize)i * tokens * d->dim;
    functions()->add_scaled(share->gradient + network->pos_embed, 1, dx, (gsize)tokens * d->dim);
    functions()->add_scaled(share->gradient + network->cls_token, 1, dx, d->dim);
    if (d->distilled)
      functions()->add_scaled(share->gradient + network->dist_token, 1, dx + d->dim, d->dim);
    pass_linear_backward(share, PATCH_OF(d->depth), NULL, dx + (gsize)prefix * d->dim,
                         share->patches + (gsize)i * n_patches * values, FALSE, n_patches);
  }
}

/* Adds what the loss wants of the tokens that enter a block, if they are compared. */
static void compare_backward(Share *share, guint block)
{
  const Pass *pass = share->pass;
  for (guint level = 0; level < pass->n_levels; level++)
    if (pass_level_block(pass, level) == block)
      functions()->add_scaled(share->dx, 1, share->dentry[level],
                              (gsize)share->blocks[block].rows[share->n] *
                                  pass->network->description->dim);
}

void pass_backward(Share *share)
{
  const Description *d = share->pass->network->description;
  pass_classify_backward(share);
  compare_backward(share, d->depth);
  for (guint b = d->depth; b-- > 0;) {
    pass_mlp_backward(share, b);
    pass_gate_backward(share, b, TRUE);
    pass_attention_backward(share, b);
    pass_gate_backward(share, b, FALSE);
    compare_backward(share, b);
  }
  embed_backward(share);
}
