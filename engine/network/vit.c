#include "network/vit.h"

#include <string.h>

#include "file/architecture.h"
#include "network/patches.h"
#include "network/rows.h"
#include "network/vit-modules.h"

/* ---- Before and after the blocks ---- */

static void start_image(ImageState *image, const Vit *vit, const VitSettings *settings)
{
  const Description *d = vit->description;
  image->slots = settings->rows;
  image->n_tokens = settings->rows ? settings->n_rows : vitgate__description_n_tokens(d);
  image->merged = FALSE;
  image->outcome.gmacs = vitgate__description_fixed_gmacs(d, image->n_tokens - vit->n_prefix);
  image->outcome.n_tokens = image->n_tokens;
  image->outcome.unknown = 0;
  memset(image->outcome.ran, 0, 2 * d->depth);
  memset(image->outcome.tokens, 0, 2 * d->depth * sizeof(guint));
  memset(image->outcome.closed, 0, 2 * d->depth * sizeof(guint));
  for (guint i = 0; i < vitgate__description_n_tokens(d); i++)
    image->size[i] = 1.0f;
  vitgate__patches_start(image, vit);
}

/* Copies the values of the patches of some rows into scratch->hidden. */
static void gather_patches(const Job *job, const float *tensor, guint row, guint rows)
{
  const Description *d = job->vit->description;
  const guint prefix = job->vit->n_prefix, values = vitgate__description_patch_values(d);
  const guint *slots = job->image->slots;
  float *patches = job->scratch->hidden;
  if (!slots) {
    d->family->gather(d, job->stem, job->base, patches, tensor, row - prefix, rows);
    return;
  }
  for (guint r = 0; r < rows; r++)
    d->family->gather(d, job->stem, job->base, patches + (gsize)r * values, tensor,
                      slots[row + r] - prefix, 1);
}

/* x = position embeddings + [class and distillation tokens; patches W^T + b] */
static void embed(const Job *job, const float *tensor)
{
  const ProfilePart part = vitgate__profile_part(PART_PATCHES);
  const Vit *vit = job->vit;
  const Description *d = vit->description;
  const guint *slots = job->image->slots;
  float *x = job->image->x;
  if (vit->stem)
    d->family->run(vit->stem, job->stem, &(StemShare){ job->team, job->member, job->n, job->base },
                   tensor);
  for (guint row = job->first; row < job->last; row++)
    memcpy(x + (gsize)row * d->dim, vit->embedding + (gsize)(slots ? slots[row] : row) * d->dim,
           d->dim * sizeof *x);
  for (guint row = MAX(job->first, vit->n_prefix), rows; row < job->last; row += rows) {
    rows = vitgate__linear_rows(job->last - row);
    gather_patches(job, tensor, row, rows);
    vitgate__vit_multiply(job, &vit->patch, x + (gsize)row * d->dim, d->dim, job->scratch->hidden,
                          vit->patch.n_in, LINEAR_ADD, rows);
  }
  vitgate__profile_part(part);
}

/* Computes mean[dim] of the patch tokens for the leading member. All members that share the image
 * call it. */
static void average_patches(const Job *job, float *mean)
{
  const ImageState *image = job->image;
  const guint n =
      image->slots ? vitgate__description_n_tokens(job->vit->description) : image->n_tokens;
  const guint prefix = job->vit->n_prefix, dim = job->vit->description->dim;
  const float *tokens = image->slots ? job->cache->tokens : image->x;
  wait_for_others(job);
  vitgate__token_sums(image->sums, tokens, image->size, n, prefix, dim, n * job->member / job->n,
                      n * (job->member + 1) / job->n);
  wait_for_others(job);
  if (job->leads)
    vitgate__token_mean(mean, image->sums, image->size, n, prefix, dim);
}

/* Keeps this thread's rows after the last block, if the mean of all tokens is classified. */
static void keep_tokens(const Job *job)
{
  const ImageState *image = job->image;
  const guint dim = job->vit->description->dim;
  for (guint row = job->first; job->cache && job->cache->tokens && row < job->last; row++)
    memcpy(job->cache->tokens + (gsize)(image->slots ? image->slots[row] : row) * dim,
           image->x + (gsize)row * dim, dim * sizeof(float));
}

/* Computes norm[n_prefix][dim], the input of the heads, from the class and distillation tokens or
 * from the mean in features. */
static void pool(const Job *job)
{
  const Vit *vit = job->vit;
  const Description *d = vit->description;
  if (!d->mean_pooling) {
    vitgate__vit_normalize(job, &vit->norm, 0, vit->n_prefix);
    return;
  }
  vitgate__normalize(&vit->norm, d->layer_norm_eps, job->scratch->norm, job->scratch->features,
                     d->dim, 1);
  job->image->outcome.n_tokens = job->image->n_tokens;
}

/* Keeps the input of the heads and scores it, with the memory of gates. */
static void keep_features(const Job *job)
{
  const Vit *vit = job->vit;
  const Description *d = vit->description;
  const guint n = vitgate__description_head_inputs(d);
  VitOutcome *outcome = &job->image->outcome;
  float *whitened = job->scratch->features;
  memcpy(outcome->features, job->scratch->norm, n * sizeof(float));
  if (!d->unknown.present)
    return;
  vitgate__vit_multiply(job, &vit->unknown.whitening, whitened, n, outcome->features, n,
                        LINEAR_STORE, 1);
  outcome->unknown =
      vitgate__unknown_score(&d->unknown, whitened, vit->unknown.means, d->n_classes, n);
}

/* logits[n_classes] from the class token, the mean over the class and distillation tokens if both
 * have heads, or the mean of all patches */
static void classify(const Job *job, float *logits)
{
  const Vit *vit = job->vit;
  const Description *d = vit->description;
  keep_tokens(job);
  if (d->mean_pooling)
    average_patches(job, job->scratch->features);
  else
    wait_for_others(job);
  if (!job->leads)
    return;
  pool(job);
  keep_features(job);
  vitgate__vit_multiply(job, &vit->head, logits, d->n_classes, job->scratch->norm, d->dim,
                        LINEAR_STORE, 1);
  if (vitgate__description_n_class_heads(d) == 1)
    return;
  vitgate__vit_multiply(job, &vit->head_dist, logits, d->n_classes, job->scratch->norm + d->dim,
                        d->dim, LINEAR_ADD, 1);
  for (guint i = 0; i < d->n_classes; i++)
    logits[i] *= 0.5f;
}

/* ---- Blocks ---- */

typedef struct {
  const Vit *vit;
  VitWork *work;
  Team *team;
  const VitSettings *settings;
  float *logits;
  const float *tensors;
  guint n_images;
} Call;

/* Images that divide evenly among the members go to one member each. The members share the
 * remaining images: each works on a part of the rows.
 * Returns: whether this member works on image @i */
static gboolean take_job(const Call *call, guint member, guint i, Job *job)
{
  const guint n = vitgate__team_size(call->team);
  const gboolean shared = i >= call->n_images / n * n;
  if (!shared && i % n != member)
    return FALSE;
  const Scratch *scratch = call->work->scratch;
  *job = (Job){
    .vit = call->vit,
    .dial = call->settings->dial,
    .scratch = &scratch[member],
    .image = &call->work->images[i],
    .qkv = scratch[shared ? 0 : member].qkv,
    .heads = scratch[shared ? 0 : member].heads,
    .cache = call->settings->cache,
    .stem = call->work->stem,
    .base = shared ? 0 : member,
    .team = shared && n > 1 ? call->team : NULL,
    .member = shared ? member : 0,
    .n = shared ? n : 1,
    .leads = !shared || member == 0,
  };
  share_rows(job);
  return TRUE;
}

static const Gate *gate_of(const Vit *vit, guint b, gboolean mlp)
{
  const BlockShape *shape = &vit->description->blocks[b];
  if (mlp)
    return shape->mlp_gate ? &vit->blocks[b].mlp_gate : NULL;
  return shape->attention_gate ? &vit->blocks[b].attention_gate : NULL;
}

static void weigh_image(const Job *job, const Gate *gate)
{
  const ProfilePart part = vitgate__profile_part(PART_GATES);
  const Description *d = job->vit->description;
  ImageState *image = job->image;
  float *features = job->scratch->features;
  average_patches(job, features + d->dim);
  if (job->leads) {
    memcpy(features, image->x, d->dim * sizeof *features);
    image->logit = vitgate__gate_logit(gate, features, d->dim, (float)d->layer_norm_eps);
    image->outcome.gmacs += vitgate__gate_gmacs(d->dim);
  }
  wait_for_others(job);
  vitgate__profile_part(part);
}

/* Returns: whether the gate opens for image @i, by the mean logit of the images in its group, or in
 * an update as in the last full pass */
static gboolean is_open(const Call *call, guint i, guint module)
{
  if (call->settings->rows)
    return call->settings->cache->ran[module];
  const guint group = call->settings->group, first = i / group * group;
  const guint last = MIN(call->n_images, first + group);
  float sum = 0.0f;
  for (guint j = first; j < last; j++)
    sum += call->work->images[j].logit;
  return sum / (float)(last - first) + call->settings->dial->gate_bias > 0.0f;
}

static void count_module(const Job *job, guint b, gboolean mlp)
{
  const Description *d = job->vit->description;
  const BlockShape *shape = &d->blocks[b];
  const guint tokens = job->image->n_tokens;
  const guint queries = b == job->vit->tail ? job->vit->n_prefix : tokens;
  const guint all = job->image->slots ? vitgate__description_n_tokens(d) : tokens;
  VitOutcome *outcome = &job->image->outcome;
  outcome->ran[2 * b + mlp] = 1;
  if (vitgate__rows_gate(job->vit, job->dial, b, mlp))
    return; /* its rows are counted as they run */
  outcome->tokens[2 * b + mlp] = mlp ? tokens : queries;
  outcome->gmacs += mlp ? vitgate__mlp_gmacs(d, shape->neurons, tokens)
                        : vitgate__attention_update_gmacs(d, shape->heads, all, queries, tokens);
}

/* Adds the costs of modules with token gates.
 * @update: keys and values of other tokens are in the cache */
static void count_rows(VitOutcome *outcome, const Vit *vit, const Dial *dial, gboolean update)
{
  const Description *d = vit->description;
  for (guint m = 0; m < 2 * d->depth; m++) {
    const BlockShape *shape = &d->blocks[m / 2];
    const guint open = outcome->tokens[m], all = open + outcome->closed[m];
    const guint keys = update ? vitgate__description_n_tokens(d) : all;
    if (!vitgate__rows_gate(vit, dial, m / 2, m % 2))
      continue;
    outcome->gmacs +=
        vitgate__token_gate_gmacs(d, m % 2 ? &shape->mlp_tokens : &shape->attention_tokens,
                                  all - vit->n_prefix, outcome->closed[m]) +
        (m % 2 ? vitgate__mlp_gmacs(d, shape->neurons, open)
               : vitgate__attention_update_gmacs(d, shape->heads, keys, open, all));
  }
}

/* After the tail nothing reads patch tokens, whether or not its attention ran. */
static void drop_patches(const Call *call, guint member)
{
  Job job;
  for (guint i = 0; i < call->n_images; i++) {
    if (!take_job(call, member, i, &job))
      continue;
    wait_for_others(&job);
    if (job.leads) {
      job.image->outcome.n_tokens = job.image->n_tokens;
      job.image->n_tokens = call->vit->n_prefix;
    }
    wait_for_others(&job);
  }
}

/* Gives all positions the mean of the logits in their group. Groups have images of equally many
 * tokens: a session does not group the images of a model that merges. */
static void average_tokens(const Call *call)
{
  const guint group = call->settings->group;
  ImageState *images = call->work->images;
  for (guint first = 0, last; first < call->n_images && group > 1; first = last) {
    last = MIN(call->n_images, first + group);
    for (guint t = call->vit->n_prefix; t < images[first].n_tokens; t++) {
      float sum = 0.0f;
      for (guint i = first; i < last; i++)
        sum += images[i].token_logits[t];
      for (guint i = first; i < last; i++)
        images[i].token_logits[t] = sum / (float)(last - first);
    }
  }
}

/* Computes the logits of all images before the module runs on any of them. */
static void weigh_tokens(const Call *call, guint member, guint b, gboolean mlp)
{
  Job job;
  for (guint i = 0; i < call->n_images; i++)
    if (take_job(call, member, i, &job))
      vitgate__rows_weigh(&job, b, mlp);
  vitgate__team_barrier(call->team);
  if (member == 0 && call->settings->control)
    vitgate__logit_control_apply(call->settings->control, call->work->images, call->n_images,
                                 2 * b + mlp, call->vit->n_prefix);
  if (member == 0)
    average_tokens(call);
  vitgate__team_barrier(call->team);
}

/* @weighed: as in vitgate__rows_mlp() */
static void run_image(Job *job, guint b, gboolean mlp, gboolean weighed)
{
  const gboolean some = vitgate__rows_gate(job->vit, job->dial, b, mlp) != NULL;
  if (job->leads)
    count_module(job, b, mlp);
  if (!some)
    vitgate__patches_record(job, b, mlp, TRUE, NULL);
  if (mlp && some)
    vitgate__rows_mlp(job, b, weighed);
  else if (mlp)
    vitgate__vit_mlp(job, b);
  else if (some)
    vitgate__vit_attend_open(job, b, weighed);
  else if (b == job->vit->tail)
    vitgate__vit_attend_tail(job);
  else
    vitgate__vit_attention(job, b);
}

static void run_module(const Call *call, guint member, guint b, gboolean mlp)
{
  const Description *d = call->vit->description;
  const Gate *gate = gate_of(call->vit, b, mlp);
  const gboolean weighed = (call->settings->group > 1 || call->settings->control) &&
                           vitgate__rows_gate(call->vit, call->settings->dial, b, mlp);
  Job job;
  if (!(mlp ? d->blocks[b].neurons : d->blocks[b].heads))
    return;
  if (weighed)
    weigh_tokens(call, member, b, mlp);
  for (guint i = 0; gate && !call->settings->rows && i < call->n_images; i++)
    if (take_job(call, member, i, &job))
      weigh_image(&job, gate);
  if (gate && call->settings->group > 1)
    vitgate__team_barrier(call->team);
  for (guint i = 0; i < call->n_images; i++) {
    if (!take_job(call, member, i, &job))
      continue;
    if (job.cache)
      job.heads = job.cache->heads[b];
    if (!gate || is_open(call, i, 2 * b + mlp))
      run_image(&job, b, mlp, weighed);
    else
      vitgate__patches_record(&job, b, mlp, FALSE, NULL);
  }
  if (gate && call->settings->group > 1)
    vitgate__team_barrier(call->team); /* other members read the logits until here */
}

static void forward_member(gpointer data, guint member)
{
  const Call *call = data;
  const Description *d = call->vit->description;
  const gsize pixels = (gsize)3 * d->image_size * d->image_size;
  Job job;
  for (guint i = 0; i < call->n_images; i++)
    if (take_job(call, member, i, &job))
      embed(&job, call->tensors + i * pixels);
  for (guint b = 0; b < d->depth; b++) {
    run_module(call, member, b, FALSE);
    if (b == call->vit->tail)
      drop_patches(call, member);
    run_module(call, member, b, TRUE);
  }
  const ProfilePart part = vitgate__profile_part(PART_HEAD);
  for (guint i = 0; i < call->n_images; i++)
    if (take_job(call, member, i, &job))
      classify(&job, call->logits + (gsize)i * d->n_classes);
  vitgate__profile_part(part);
}

const VitOutcome *vitgate__vit_forward(const Vit *vit, VitWork *work, Team *team,
                                       const VitSettings *settings, float *logits,
                                       const float *tensors, guint n_images)
{
  Call call = { vit, work, team, settings, logits, tensors, n_images };
  for (guint i = 0; i < n_images; i++)
    start_image(&work->images[i], vit, settings);
  vitgate__team_run(team, forward_member, &call);
  for (guint i = 0; i < n_images; i++) {
    count_rows(&work->images[i].outcome, vit, settings->dial, settings->rows != NULL);
    work->outcomes[i] = work->images[i].outcome;
  }
  if (settings->cache && !settings->rows)
    memcpy(settings->cache->ran, work->outcomes->ran, 2 * vit->description->depth);
  return work->outcomes;
}

void vitgate__vit_get_tokens(const Vit *vit, const VitWork *work, guint image, float *tokens)
{
  const Description *d = vit->description;
  vitgate__normalize(&vit->norm, d->layer_norm_eps, tokens, work->images[image].x, d->dim,
                     vit->n_prefix);
}
