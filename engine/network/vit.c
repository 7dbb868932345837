#include "network/vit.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "network/vit-work.h"

/* ---- Memory ---- */

static guint most_heads(const Description *d)
{
  guint most = 0;
  for (guint i = 0; i < d->depth; i++)
    most = MAX(most, d->blocks[i].heads);
  return most;
}

static gsize carve_scratch(Scratch *scratch, float *memory, const Vit *vit)
{
  const Description *d = vit->description;
  guint tokens = vitgate__description_n_tokens(d), width = most_heads(d) * d->head_dim;
  guint hidden = MAX(vitgate__description_patch_values(d), width);
  for (guint i = 0; i < d->depth; i++)
    hidden = MAX(hidden, d->blocks[i].neurons);
  const Part parts[] = {
    { &scratch->norm, (gsize)CHUNK * d->dim },
    { &scratch->hidden, (gsize)CHUNK * hidden },
    { &scratch->input, vitgate__linear_input_size(vit->precision, MAX(d->dim, hidden)) },
    { &scratch->scores, vitgate__attend_scores_size(vit->precision, tokens) },
    { &scratch->attend, vitgate__attend_scratch_size(vit->precision, tokens, d->head_dim) },
    { &scratch->features, (gsize)4 * d->dim },
    { &scratch->qkv, (gsize)tokens * 3 * width },
    { &scratch->heads,
      vitgate__attend_heads_size(vit->precision, most_heads(d), tokens, d->head_dim) },
  };
  return vitgate__carve(parts, G_N_ELEMENTS(parts), memory);
}

static gsize carve_image(ImageState *image, float *memory, const Description *d)
{
  const guint tokens = vitgate__description_n_tokens(d);
  const Part parts[] = {
    { &image->x, (gsize)tokens * d->dim },
    { &image->size, tokens },
    { &image->offsets, tokens },
    { &image->sums, vitgate__token_sums_size(tokens, d->dim) },
  };
  return vitgate__carve(parts, G_N_ELEMENTS(parts), memory);
}

VitWork *vitgate__vit_work_new(const Vit *vit, guint n_members, guint max_batch)
{
  const Description *d = vit->description;
  const guint tokens = vitgate__description_n_tokens(d);
  Scratch no_scratch;
  ImageState no_image;
  T2tWork no_stem;
  const gsize each = carve_scratch(&no_scratch, NULL, vit), image = carve_image(&no_image, NULL, d);
  const gsize stem = d->stem ? vitgate__t2t_carve(&no_stem, NULL, &vit->stem) : 0;
  VitWork *work = g_new0(VitWork, 1);
  work->n_members = n_members;
  work->scratch = g_new0(Scratch, n_members);
  work->stems = g_new0(T2tWork, n_members);
  work->images = g_new0(ImageState, max_batch);
  work->outcomes = g_new0(VitOutcome, max_batch);
  work->ran = g_new0(guint8, (gsize)max_batch * 2 * d->depth + 1);
  gboolean complete = !posix_memalign(
      (void **)&work->memory, 64, (image * max_batch + (each + stem) * n_members) * sizeof(float));
  if (!complete)
    work->memory = NULL;
  for (guint i = 0; complete && i < max_batch; i++) {
    carve_image(&work->images[i], work->memory + image * i, d);
    work->images[i].outcome.ran = work->ran + (gsize)i * 2 * d->depth;
  }
  for (guint i = 0; complete && i < n_members; i++) {
    float *memory = work->memory + image * max_batch + (each + stem) * i;
    carve_scratch(&work->scratch[i], memory, vit);
    if (d->stem)
      vitgate__t2t_carve(&work->stems[i], memory + each, &vit->stem);
    work->scratch[i].into = g_new(guint, tokens);
    work->scratch[i].merge = vitgate__merge_scratch_new(tokens, d->head_dim);
    complete = work->scratch[i].merge != NULL;
  }
  if (!complete)
    vitgate__vit_work_free(&work);
  return work;
}

void vitgate__vit_work_free(VitWork **work)
{
  VitWork *w = g_steal_pointer(work);
  if (!w)
    return;
  for (guint i = 0; i < w->n_members; i++) {
    g_free(w->scratch[i].into);
    vitgate__merge_scratch_free(&w->scratch[i].merge);
  }
  free(w->memory);
  g_free(w->ran);
  g_free(w->outcomes);
  g_free(w->images);
  g_free(w->stems);
  g_free(w->scratch);
  g_free(w);
}

/* ---- Before and behind the blocks ---- */

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

static void start_image(ImageState *image, const Vit *vit)
{
  const Description *d = vit->description;
  image->n_tokens = vitgate__description_n_tokens(d);
  image->merged = FALSE;
  image->outcome.gmacs = vitgate__description_fixed_gmacs(d);
  image->outcome.n_tokens = image->n_tokens;
  memset(image->outcome.ran, 0, 2 * d->depth);
  for (guint i = 0; i < image->n_tokens; i++)
    image->size[i] = 1.0f;
}

/* x = position embeddings + [tokens; patches W^T + b]; of windows where a stem makes them */
static void embed(const Job *job, const float *tensor)
{
  const Vit *vit = job->vit;
  const Description *d = vit->description;
  float *x = job->image->x;
  if (d->stem)
    vitgate__t2t_run(&vit->stem, job->stems, job->team, job->member, job->n, tensor);
  memcpy(x + (gsize)job->first * d->dim, vit->embedding + (gsize)job->first * d->dim,
         (gsize)(job->last - job->first) * d->dim * sizeof *x);
  for (guint row = MAX(job->first, vit->n_prefix), rows; row < job->last; row += rows) {
    rows = vitgate__linear_rows(job->last - row);
    if (d->stem)
      vitgate__t2t_unfold(&vit->stem, job->stems, job->scratch->hidden, row - vit->n_prefix, rows);
    else
      gather_patches(job->scratch->hidden, tensor, d, row - vit->n_prefix, rows);
    vitgate__vit_multiply(job, &vit->patch, x + (gsize)row * d->dim, d->dim, job->scratch->hidden,
                          vit->patch.n_in, LINEAR_ADD, rows);
  }
}

/* mean[dim] of the patch tokens, for the member that leads; all members that share the image call
 * it. */
static void average_patches(const Job *job, float *mean)
{
  const ImageState *image = job->image;
  const guint n = image->n_tokens, prefix = job->vit->n_prefix, dim = job->vit->description->dim;
  wait_for_others(job);
  vitgate__token_sums(image->sums, image->x, image->size, n, prefix, dim, job->first, job->last);
  wait_for_others(job);
  if (job->leads)
    vitgate__token_mean(mean, image->sums, image->size, n, prefix, dim);
}

/* norm[n_prefix][dim]: what the heads see, of the class tokens or of the mean in features */
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

/* logits[n_classes] from the class token, the mean over the class and distillation tokens, or the
 * mean of all patches */
static void classify(const Job *job, float *logits)
{
  const Vit *vit = job->vit;
  const Description *d = vit->description;
  if (d->mean_pooling)
    average_patches(job, job->scratch->features);
  else
    wait_for_others(job);
  if (!job->leads)
    return;
  pool(job);
  vitgate__vit_multiply(job, &vit->head, logits, d->n_classes, job->scratch->norm, d->dim,
                        LINEAR_STORE, 1);
  if (!d->distilled)
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

/* As many images as the members can share out evenly go one to a member; the members work on the
 * rest together, each on a part of the rows.
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
    .stems = &call->work->stems[shared ? 0 : member],
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
}

/* The mean logit of the images that decide together with image @i. */
static gboolean is_open(const Call *call, guint i)
{
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
  VitOutcome *outcome = &job->image->outcome;
  outcome->ran[2 * b + mlp] = 1;
  outcome->gmacs += mlp ? vitgate__mlp_gmacs(d, shape->neurons, tokens)
                        : vitgate__attention_gmacs(d, shape->heads, tokens, queries);
}

/* Behind the tail patch tokens are of no use, whether its attention ran or not. */
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

static void run_module(const Call *call, guint member, guint b, gboolean mlp)
{
  const Description *d = call->vit->description;
  const Gate *gate = gate_of(call->vit, b, mlp);
  Job job;
  if (!(mlp ? d->blocks[b].neurons : d->blocks[b].heads))
    return;
  for (guint i = 0; gate && i < call->n_images; i++)
    if (take_job(call, member, i, &job))
      weigh_image(&job, gate);
  if (gate && call->settings->group > 1)
    vitgate__team_barrier(call->team);
  for (guint i = 0; i < call->n_images; i++) {
    if (!take_job(call, member, i, &job) || (gate && !is_open(call, i)))
      continue;
    if (job.leads)
      count_module(&job, b, mlp);
    if (mlp)
      vitgate__vit_mlp(&job, b);
    else if (b == call->vit->tail)
      vitgate__vit_attend_tail(&job);
    else
      vitgate__vit_attention(&job, b);
  }
  if (gate && call->settings->group > 1)
    vitgate__team_barrier(call->team); /* logits are read until here */
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
  for (guint i = 0; i < call->n_images; i++)
    if (take_job(call, member, i, &job))
      classify(&job, call->logits + (gsize)i * d->n_classes);
}

const VitOutcome *vitgate__vit_forward(const Vit *vit, VitWork *work, Team *team,
                                       const VitSettings *settings, float *logits,
                                       const float *tensors, guint n_images)
{
  Call call = { vit, work, team, settings, logits, tensors, n_images };
  for (guint i = 0; i < n_images; i++)
    start_image(&work->images[i], vit);
  vitgate__team_run(team, forward_member, &call);
  for (guint i = 0; i < n_images; i++)
    work->outcomes[i] = work->images[i].outcome;
  return work->outcomes;
}

void vitgate__vit_get_tokens(const Vit *vit, const VitWork *work, guint image, float *tokens)
{
  const Description *d = vit->description;
  vitgate__normalize(&vit->norm, d->layer_norm_eps, tokens, work->images[image].x, d->dim,
                     vit->n_prefix);
}
