#include "train/network/training-pass.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "file/architecture.h"
#include "train/network/pass-attention.h"
#include "train/network/pass-gate.h"
#include "train/network/pass-head.h"
#include "train/network/pass-linear.h"
#include "train/network/pass-mlp.h"
#include "train/network/pass-ranks.h"
#include "train/network/training-kernels.h"

/* Returns: the number of shares of all ranks together */
static guint n_parts(const TrainingPass *pass)
{
  return vitgate__team_size(pass->team) * (pass->shared ? ranks_count() : 1);
}

static gboolean allocate_shares(TrainingPass *pass, gboolean bf16)
{
  const guint n = vitgate__team_size(pass->team), parts = n_parts(pass);
  const guint images = (pass->capacity + parts - 1) / parts;
  const gsize rows = (gsize)images * vitgate__description_n_tokens(pass->network->description);
  for (guint i = 0; i < n; i++)
    if (!share_init(&pass->shares[i], pass, images, bf16) ||
        !pass_linear_reserve(&pass->shares[i], (guint)MIN(rows, G_MAXUINT)) ||
        !pass_attention_reserve(&pass->shares[i]))
      return FALSE;
  return TRUE;
}

static gboolean allocate_weights(TrainingPass *pass)
{
  const guint n = N_WEIGHTS(pass->network->description->depth);
  for (guint way = 0; way < (pass->backward ? 2 : 1); way++) {
    pass->packed[way] = g_new0(void *, n);
    for (guint w = 0; w < n; w++) {
      const gsize size = pass_linear_packed_size(pass, pass->shares[0].scratch, w, way);
      pass->packed[way][w] = size ? aligned_alloc(64, (size + 63) / 64 * 64) : NULL;
      if (size && !pass->packed[way][w])
        return FALSE;
    }
  }
  return TRUE;
}

static gboolean allocate_decisions(TrainingPass *pass)
{
  Decisions *d = &pass->decisions;
  const gsize n = (gsize)2 * pass->network->description->depth * pass->capacity;
  real **arrays[] = { &d->logit, &d->soft, &d->open, &d->dopen, &d->dlogit, &d->macs, &d->rate };
  if (pass->shared && ranks_count() > 1)
    pass->logits = g_new0(real, (gsize)pass->capacity * pass->network->description->n_classes);
  for (guint i = 0; i < G_N_ELEMENTS(arrays); i++) {
    *arrays[i] = g_try_new0(real, n);
    if (n && !*arrays[i])
      return FALSE;
  }
  return TRUE;
}

static TrainingPass *pass_new(const Network *network, Team *team, guint max_images, gboolean bf16,
                              gboolean backward, gboolean shared, GError **error)
{
  TrainingPass *pass = g_new0(TrainingPass, 1);
  const guint n = vitgate__team_size(team);
  pass->network = network;
  pass->team = team;
  pass->capacity = max_images;
  pass->shared = shared;
  pass->backward = backward;
  pass->tail = vitgate__description_tail(network->description);
  pass->levels = levels_between(network->description, network->description, FALSE);
  pass->decisions.temperature = 1;
  pass->shares = g_new0(Share, n);
  pass->patch_reader = patch_reader_new(network, n);
  if (pass->patch_reader && allocate_shares(pass, bf16) && allocate_weights(pass) &&
      allocate_decisions(pass))
    return pass;
  vitgate__set_error(error, VITGATE_ERROR_MEMORY,
                     "not enough memory for the activations of %u images (%.1f GB)", max_images,
                     1e-9 * (double)training_pass_measure(network, max_images, n, backward));
  training_pass_free(&pass);
  return NULL;
}

TrainingPass *training_pass_new(const Network *network, Team *team, guint max_images, gboolean bf16,
                                gboolean backward, GError **error)
{
  return pass_new(network, team, max_images, bf16, backward, FALSE, error);
}

TrainingPass *training_pass_new_shared(const Network *network, Team *team, guint max_images,
                                       gboolean bf16, gboolean backward, GError **error)
{
  return pass_new(network, team, max_images, bf16, backward, TRUE, error);
}

void training_pass_free(TrainingPass **pass)
{
  TrainingPass *p = g_steal_pointer(pass);
  if (!p)
    return;
  const guint depth = p->network->description->depth;
  for (guint i = 0; i < vitgate__team_size(p->team); i++)
    share_clear(&p->shares[i], depth);
  for (guint way = 0; way < 2; way++) {
    for (guint w = 0; p->packed[way] && w < N_WEIGHTS(depth); w++)
      free(p->packed[way][w]);
    g_free(p->packed[way]);
  }
  real *arrays[] = { p->decisions.logit,  p->decisions.soft, p->decisions.open, p->decisions.dopen,
                     p->decisions.dlogit, p->decisions.macs, p->decisions.rate };
  for (guint i = 0; i < G_N_ELEMENTS(arrays); i++)
    g_free(arrays[i]);
  patch_reader_free(&p->patch_reader);
  g_free(p->logits);
  g_free(p->shares);
  g_free(p);
}

/* ---- Forward ---- */

void training_pass_pack(Share *share)
{
  const guint n = vitgate__team_size(share->pass->team);
  const guint member = (guint)(share - share->pass->shares);
  if (member == 0)
    patch_reader_pack(share->pass->patch_reader);
  for (guint w = member; w < N_WEIGHTS(share->pass->network->description->depth); w += n)
    pass_linear_pack(share->pass, share->scratch, w);
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
        share->pass->tensors +
        (gsize)(share->first - pass_own_first(share->pass) + i) * 3 * d->image_size * d->image_size;
    patch_reader_run(share->pass->patch_reader, (guint)(share - share->pass->shares), patches,
                     tensor);
    memcpy(x, network_at(network, network->pos_embed), (gsize)tokens * d->dim * sizeof *x);
    training_kernels()->add_scaled(x, 1, network_at(network, network->cls_token), d->dim);
    if (d->distilled)
      training_kernels()->add_scaled(x + d->dim, 1, network_at(network, network->dist_token),
                                     d->dim);
    pass_linear(share, PATCH_OF(d->depth), x + (gsize)prefix * d->dim, patches, TRUE, n_patches);
    a->rows[i + 1] = (i + 1) * tokens;
  }
  for (guint row = 0; row < share->n * tokens; row++) {
    a->size[row] = 1;
    a->log_size[row] = 0;
  }
}

static void enter(Share *share)
{
  const guint dim = share->pass->network->description->dim;
  Activations *a = &share->blocks[0];
  for (guint i = 0; i < share->n; i++) {
    const EntryTokens *entry = share->pass->entries[share->first + i];
    const guint row = a->rows[i];
    memcpy(a->x + (gsize)row * dim, entry->x, (gsize)entry->n_rows * dim * sizeof *a->x);
    for (guint k = 0; k < entry->n_rows; k++) {
      a->size[row + k] = entry->size[k];
      a->log_size[row + k] = (real)log(entry->size[k]);
    }
    a->rows[i + 1] = row + entry->n_rows;
  }
}

void training_pass_forward(Share *share)
{
  TrainingPass *pass = share->pass;
  const guint n = n_parts(pass);
  const guint part = (guint)(share - pass->shares) +
                     (pass->shared ? ranks_own() * vitgate__team_size(pass->team) : 0);
  share->first = pass->n_images * part / n;
  share->n = pass->n_images * (part + 1) / n - share->first;
  if (pass->entries)
    enter(share);
  else
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

static void pack_member(gpointer data, guint member)
{
  training_pass_pack(&((TrainingPass *)data)->shares[member]);
}

void training_pass_pack_all(TrainingPass *pass)
{
  vitgate__team_run(pass->team, pack_member, pass);
}

static void forward_member(gpointer data, guint member)
{
  training_pass_forward(&((TrainingPass *)data)->shares[member]);
}

void training_pass_forward_all(TrainingPass *pass)
{
  vitgate__team_run(pass->team, forward_member, pass);
}

const real *training_pass_get_logits(const TrainingPass *pass, guint image)
{
  const Share *share = pass->shares;
  if (pass->logits)
    return pass->logits + (gsize)image * pass->network->description->n_classes;
  while (image >= share->first + share->n)
    share++;
  return share->logits + (gsize)(image - share->first) * pass->network->description->n_classes;
}

/* ---- Backward ---- */

static void embed_backward(Share *share)
{
  const Network *network = share->pass->network;
  const Description *d = network->description;
  const guint n_patches = vitgate__description_n_patches(d), prefix = network->n_prefix;
  const guint tokens = n_patches + prefix, values = vitgate__description_patch_values(d);
  for (guint i = 0; i < share->n; i++) {
    const real *dx = share->dx + (gsize)i * tokens * d->dim;
    training_kernels()->add_scaled(share->gradient + network->pos_embed, 1, dx,
                                   (gsize)tokens * d->dim);
    training_kernels()->add_scaled(share->gradient + network->cls_token, 1, dx, d->dim);
    if (d->distilled)
      training_kernels()->add_scaled(share->gradient + network->dist_token, 1, dx + d->dim, d->dim);
    pass_linear_backward(share, PATCH_OF(d->depth), NULL, dx + (gsize)prefix * d->dim,
                         share->patches + (gsize)i * n_patches * values, FALSE, n_patches);
  }
}

/* Adds the loss's gradient of the tokens that enter a block, if they are compared. */
static void compare_backward(Share *share, guint block)
{
  const TrainingPass *pass = share->pass;
  for (guint level = 0; level < pass->levels.n; level++)
    if (levels_block(pass->levels, level) == block)
      training_kernels()->add_scaled(share->dx, 1, share->dentry[level],
                                     (gsize)share->blocks[block].rows[share->n] *
                                         pass->network->description->dim);
}

static void report_stage(const Share *share, int stage)
{
  const TrainingPass *pass = share->pass;
  if (pass->passed)
    pass->passed(pass->passed_data, (guint)(share - pass->shares), stage);
}

void training_pass_backward(Share *share)
{
  const Description *d = share->pass->network->description;
  pass_classify_backward(share);
  report_stage(share, (int)d->depth);
  compare_backward(share, d->depth);
  for (guint b = d->depth; b-- > 0;) {
    pass_mlp_backward(share, b);
    pass_gate_backward(share, b, TRUE);
    pass_attention_backward(share, b);
    pass_gate_backward(share, b, FALSE);
    report_stage(share, (int)b);
    compare_backward(share, b);
  }
  if (!share->pass->entries)
    embed_backward(share);
  report_stage(share, -1);
}
