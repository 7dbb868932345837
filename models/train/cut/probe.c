#include "train/cut/probe.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/ranks-sum.h"
#include "base/ranks.h"
#include "file/architecture.h"
#include "train/cut/sensitivity.h"
#include "train/learn/loss.h"
#include "train/network/pass-attention.h"
#include "train/network/pass-head.h"
#include "train/network/pass-mlp.h"
#include "train/network/training-kernels.h"

/* Images per thread and batch. */
#define IMAGES_AT_ONCE 8

/* Images on which the sensitivity to errors is measured. */
#define SENSITIVITY_IMAGES 256

/* Maximum number of images for trial cuts of single modules. */
#define TRIAL_IMAGES 96

/* ---- Sums ---- */

static void add_scaled(double *sums, double factor, const real *values, gsize n)
{
  for (gsize i = 0; i < n; i++)
    sums[i] += factor * (double)values[i];
}

/* Computes sums[m][n] += factor a[m]^T b[n]. */
static void add_outer(double *sums, double factor, const real *a, guint m, const real *b, guint n)
{
  for (guint i = 0; i < m; i++)
    add_scaled(sums + (gsize)i * n, factor * (double)a[i], b, n);
}

/* ---- Walking ---- */

typedef enum { MEASURE, COMPARE, TRY, ADVANCE } Purpose;

typedef struct {
  Probe *probe;
  guint module, first; /* first image of the batch */
  Purpose purpose;
  Moments **moments;  /* [members] */
  double *divergence; /* [members] sum over images */
} Walk;

static gboolean is_mlp(guint module)
{
  return module % 2;
}

/* Return where a module reads its tokens and where it writes them. */
static real *entry_of(Share *share, guint module)
{
  Activations *a = &share->blocks[module / 2];
  return is_mlp(module) ? a->z : a->x;
}

static real *exit_of(Share *share, guint module)
{
  return is_mlp(module) ? share->blocks[module / 2 + 1].x : share->blocks[module / 2].z;
}

/* Sets the rows of a block for all tokens, with none of them merged. */
static void set_rows(Share *share, guint block)
{
  Activations *a = &share->blocks[block];
  const guint n_tokens = vitgate__description_n_tokens(share->pass->network->description);
  for (guint i = 0; i <= share->n; i++)
    a->rows[i] = a->queries[i] = a->merged[i] = i * n_tokens;
  for (guint row = 0; row < share->n * n_tokens; row++) {
    a->size[row] = 1;
    a->log_size[row] = 0;
  }
}

static void run_module(Share *share, guint module, const real *tokens)
{
  const guint n_tokens = vitgate__description_n_tokens(share->pass->network->description);
  set_rows(share, module / 2);
  if (tokens != entry_of(share, module))
    memcpy(entry_of(share, module), tokens,
           (gsize)share->n * n_tokens * share->pass->network->description->dim * sizeof *tokens);
  for (guint i = 0; i < share->n; i++)
    share->pass->decisions.open[module * share->pass->capacity + share->first + i] = 1;
  (is_mlp(module) ? pass_mlp : pass_attention)(share, module / 2);
}

static double row_weight(const Probe *c, guint module, guint row)
{
  return c->token_weights[2 * module + (row % c->n_tokens >= c->network->n_prefix)];
}

/* Subtracts the weighted mean from the rows of x[rows][n], and multiplies each row by the root of
 * its weight. The rounding of products then depends on how much the rows vary, not on their mean.
 * @weight: of all rows together
 * Returns: (transfer full): [n] the mean */
static real *centre_rows(const Probe *c, guint module, double weight, real *x, guint rows, guint n)
{
  real *mean = g_new0(real, n);
  for (guint row = 0; row < rows; row++)
    training_kernels()->add_scaled(mean, (real)(row_weight(c, module, row) / weight),
                                   x + (gsize)row * n, n);
  for (guint row = 0; row < rows; row++) {
    const real root = (real)sqrt(row_weight(c, module, row));
    for (guint j = 0; j < n; j++)
      x[(gsize)row * n + j] = root * (x[(gsize)row * n + j] - mean[j]);
  }
  return mean;
}

/* Computes sums[m][n] += a[rows][m]^T b[rows][n]. */
static void add_products(const Share *share, double *sums, const real *a, guint m, const real *b,
                         guint n, guint rows)
{
  g_autofree real *part = g_new(real, (gsize)m * n);
  matmul(share->scratch, part, n, (Operand){ .data = a, .stride = m, .transposed = TRUE },
         (Operand){ .data = b, .stride = n }, NULL, FALSE, m, n, rows);
  add_scaled(sums, 1, part, (gsize)m * n);
}

/* Adds the share's moments to @m.
 * @wanted: (nullable) [rows][dim] wanted outputs; overwritten */
static void measure(const Walk *walk, Share *share, Moments *m, real *wanted)
{
  const Probe *c = walk->probe;
  const guint rows = share->n * c->n_tokens;
  Activations *a = &share->blocks[walk->module / 2];
  real *inputs = is_mlp(walk->module) ? a->g : a->heads;
  const double *weights = c->token_weights + 2 * walk->module;
  const double weight = share->n * (c->network->n_prefix * weights[0] +
                                    (c->n_tokens - c->network->n_prefix) * weights[1]);
  m->weight += weight;
  g_autofree real *mean = centre_rows(c, walk->module, weight, inputs, rows, m->n);
  add_scaled(m->mean_in, weight, mean, m->n);
  add_products(share, m->square, inputs, m->n, inputs, m->n, rows);
  add_outer(m->square, weight, mean, m->n, mean, m->n);
  if (!wanted)
    return;
  g_autofree real *mean_out = centre_rows(c, walk->module, weight, wanted, rows, m->n_out);
  add_scaled(m->mean_out, weight, mean_out, m->n_out);
  add_products(share, m->cross, wanted, m->n_out, inputs, m->n, rows);
  add_outer(m->cross, weight, mean_out, m->n_out, mean, m->n);
}

/* Runs the modules after the walk's module and classifies.
 * Returns: the sum of the images' divergence */
static double finish_forward(const Walk *walk, Share *share)
{
  const Probe *c = walk->probe;
  const Description *d = c->network->description;
  const guint n = d->n_classes;
  for (guint module = walk->module + 1; module < 2 * d->depth; module++)
    run_module(share, module, entry_of(share, module));
  set_rows(share, d->depth);
  pass_classify(share);
  double sum = 0;
  for (guint i = 0; i < share->n; i++)
    sum += loss_divergence(c->logits + (gsize)(walk->first + share->first + i) * n,
                           share->logits + (gsize)i * n, n);
  return sum;
}

static void walk_batch(gpointer data, guint member)
{
  const Walk *walk = data;
  Probe *c = walk->probe;
  TrainingPass *pass = c->pass;
  Share *share = &pass->shares[member];
  const guint n = vitgate__team_size(c->team);
  share->first = pass->n_images * member / n;
  share->n = pass->n_images * (member + 1) / n - share->first;
  if (!share->n)
    return;
  const gsize of_image = (gsize)c->n_tokens * c->network->description->dim;
  const gsize from = (walk->first + share->first) * of_image, size = share->n * of_image;
  real *stream = c->stream + from, *reference = c->reference + from;
  g_autofree real *wanted = NULL;
  if (walk->purpose == COMPARE) {
    run_module(share, walk->module, reference);
    memcpy(reference, exit_of(share, walk->module), size * sizeof *reference);
    wanted = g_new(real, size);
    for (gsize i = 0; i < size; i++)
      wanted[i] = reference[i] - stream[i];
  }
  run_module(share, walk->module, stream);
  if (walk->purpose == TRY)
    walk->divergence[member] += finish_forward(walk, share);
  else if (walk->purpose != ADVANCE)
    measure(walk, share, walk->moments[member], wanted);
  else
    memcpy(stream, exit_of(share, walk->module), size * sizeof *stream);
}

/* Returns: the multiply-adds (1e9) of a walk for one image */
static double work_of(const Probe *c, guint module, Purpose purpose)
{
  const Description *d = c->network->description;
  const guint tokens = c->n_tokens, heads = d->blocks[module / 2].heads,
              neurons = d->blocks[module / 2].neurons;
  const double run = is_mlp(module) ? vitgate__mlp_gmacs(d, neurons, tokens)
                                    : vitgate__attention_gmacs(d, heads, tokens, tokens);
  const double n_in = is_mlp(module) ? neurons : heads * d->head_dim;
  double work = run;
  if (purpose == MEASURE || purpose == COMPARE)
    work += 1e-9 * tokens * n_in * n_in;
  if (purpose == COMPARE)
    work += run + 1e-9 * tokens * n_in * d->dim;
  for (guint later = module + 1; purpose == TRY && later < 2 * d->depth; later++)
    work += work_of(c, later, ADVANCE);
  return work;
}

double probe_ranking_work(const Probe *c, guint module, guint n_tries)
{
  return (c->n_images - c->n_trials) * work_of(c, module, MEASURE) +
         (double)n_tries * c->n_trials * work_of(c, module, TRY) +
         c->n_images * work_of(c, module, ADVANCE);
}

double probe_compensation_work(const Probe *c, guint module)
{
  return c->n_images * (work_of(c, module, COMPARE) + work_of(c, module, ADVANCE));
}

static void pack_weights(gpointer data, guint member)
{
  training_pass_pack(&((Probe *)data)->pass->shares[member]);
}

/* Runs the images from @first to @end through the module. */
static void walk_images(Walk *walk, guint first, guint end)
{
  Probe *c = walk->probe;
  const double work = work_of(c, walk->module, walk->purpose);
  vitgate__team_run(c->team, pack_weights, c);
  for (walk->first = first; walk->first < end; walk->first += c->pass->n_images) {
    c->pass->n_images = MIN(c->pass->capacity, end - walk->first);
    vitgate__team_run(c->team, walk_batch, walk);
    c->work += c->pass->n_images * work;
    if (c->progress)
      progress_update(c->progress, c->work);
  }
}

static Moments *find_moments(Probe *c, guint module, Purpose purpose, guint n_images)
{
  const guint n = vitgate__team_size(c->team);
  const Description *d = c->network->description;
  const BlockShape shape = d->blocks[module / 2];
  const guint n_in = is_mlp(module) ? shape.neurons : shape.heads * d->head_dim;
  g_autofree Moments **moments = g_new0(Moments *, n);
  for (guint i = 0; i < n; i++)
    moments[i] = moments_new(n_in, d->dim, purpose == COMPARE);
  Walk walk = { .probe = c, .module = module, .purpose = purpose, .moments = moments };
  walk_images(&walk, 0, n_images);
  for (guint i = 1; i < n; i++) {
    moments_add(moments[0], moments[i]);
    moments_free(&moments[i]);
  }
  moments_share(moments[0]);
  return moments[0];
}

Moments *probe_measure(Probe *c, guint module)
{
  Moments *moments = find_moments(c, module, MEASURE, c->n_images - c->n_trials);
  moments_finish(moments, c->all_images - c->all_trials);
  return moments;
}

Moments *probe_compare(Probe *c, guint module)
{
  Moments *moments = find_moments(c, module, COMPARE, c->n_images);
  moments_finish(moments, c->all_images);
  return moments;
}

double probe_try(Probe *c, guint module)
{
  const guint n = vitgate__team_size(c->team);
  g_autofree double *divergence = g_new0(double, n);
  Walk walk = { .probe = c, .module = module, .purpose = TRY, .divergence = divergence };
  walk_images(&walk, c->n_images - c->n_trials, c->n_images);
  double sum = 0;
  for (guint i = 0; i < n; i++)
    sum += divergence[i];
  ranks_sum_now(&sum, 1);
  return sum / c->all_trials;
}

void probe_advance(Probe *c, guint module)
{
  Walk walk = { .probe = c, .module = module, .purpose = ADVANCE };
  walk_images(&walk, 0, c->n_images);
}

void probe_rewind(Probe *c)
{
  if (c->n_images)
    memcpy(c->stream, c->reference,
           (gsize)c->n_images * c->n_tokens * c->network->description->dim * sizeof *c->stream);
}

/* ---- Start ---- */

static void run_forward(gpointer data, guint member)
{
  training_pass_forward(&((Probe *)data)->pass->shares[member]);
}

/* Appends the tokens of the batch's images before the first block, and their logits. */
static void keep_images(Probe *c, gsize *room)
{
  const guint n_classes = c->network->description->n_classes;
  const gsize of_image = (gsize)c->n_tokens * c->network->description->dim;
  const guint n = c->n_images + c->pass->n_images;
  if (n > *room) {
    *room = MAX(n, 2 * *room);
    c->reference = g_renew(real, c->reference, *room * of_image);
    c->logits = g_renew(real, c->logits, *room * c->network->description->n_classes);
  }
  for (guint member = 0; member < vitgate__team_size(c->team); member++) {
    const Share *share = &c->pass->shares[member];
    memcpy(c->reference + (c->n_images + share->first) * of_image, share->blocks[0].x,
           share->n * of_image * sizeof *c->reference);
    memcpy(c->logits + (gsize)(c->n_images + share->first) * n_classes, share->logits,
           (gsize)share->n * n_classes * sizeof *c->logits);
  }
  c->n_images = n;
}

/* Checks the logits of the last @n images. */
static gboolean check_finite(const Probe *c, guint n, GError **error)
{
  const gsize n_classes = c->network->description->n_classes;
  for (gsize i = (c->n_images - n) * n_classes; i < c->n_images * n_classes; i++)
    if (!isfinite(c->logits[i])) {
      vitgate__set_error(error, VITGATE_ERROR_ARGUMENT,
                         "the network's output on the calibration images is not finite");
      return FALSE;
    }
  return TRUE;
}

/* How images are read. */
typedef struct {
  Sensitivity *sensitivity;
  ImageSource source;
  gpointer data;
  real *tensors; /* of a batch */
  gsize room;    /* images that the probe has memory for */
  gboolean over; /* there are no more */
  Progress progress;
} Reading;

/* Reads images from number @first on.
 * @max: maximum number of images; at most the pass's
 * @n: (out): how many */
static gboolean take_batch(Probe *c, Reading *reading, guint first, guint max, guint *n,
                           GError **error)
{
  GError *failure = NULL;
  *n = reading->source(reading->data, first, reading->tensors, max, &failure);
  if (failure) {
    g_propagate_error(error, failure);
    return FALSE;
  }
  reading->over = !*n;
  if (!*n)
    return TRUE;
  c->pass->n_images = *n;
  c->pass->tensors = reading->tensors;
  c->pass->decisions.bias = 2 * GATE_BOUND; /* all gates open */
  vitgate__team_run(c->team, run_forward, c);
  keep_images(c, &reading->room);
  if (!check_finite(c, *n, error))
    return FALSE;
  if (first < SENSITIVITY_IMAGES)
    sensitivity_add(reading->sensitivity, c->pass, first);
  progress_update(&reading->progress, c->n_images);
  return TRUE;
}

/* Reads this rank's slice of the images from @begin to @end, which have the same uses. */
static gboolean take_slice(Probe *c, Reading *reading, guint begin, guint end, GError **error)
{
  guint at = begin + ranks_slice(end - begin, ranks_own());
  const guint own_end = begin + ranks_slice(end - begin, ranks_own() + 1);
  gboolean fine = TRUE;
  for (guint n = 0; fine && !reading->over && at < own_end; at += n)
    fine = take_batch(c, reading, at, MIN(c->pass->capacity, own_end - at), &n, error);
  return fine;
}

static guint count_trials(guint n_images)
{
  return MIN(TRIAL_IMAGES, n_images / 4);
}

/* Of all images, the first are for the sensitivity, and the last for trials. */
static gboolean take_images(Probe *c, Reading *reading, guint max, GError **error)
{
  const guint sensitive = MIN(SENSITIVITY_IMAGES, max), first_trial = max - count_trials(max);
  const guint first = MIN(sensitive, first_trial), second = MAX(sensitive, first_trial);
  gboolean fine = take_slice(c, reading, 0, first, error);
  guint before = c->n_images;
  fine = fine && take_slice(c, reading, first, second, error);
  before = first == first_trial ? before : c->n_images;
  fine = fine && take_slice(c, reading, second, max, error);
  c->n_trials = c->n_images - before;
  c->all_images = max;
  c->all_trials = max - first_trial;
  if (ranks_count() == 1) { /* the source may have ended */
    c->all_images = c->n_images;
    c->all_trials = c->n_trials = count_trials(c->n_images);
  }
  if (fine && !c->all_images)
    vitgate__set_error(error, VITGATE_ERROR_ARGUMENT, "there are no images to calibrate on");
  return fine && c->all_images > 0;
}

static gboolean read_images(Probe *c, const ProbeOptions *options, Sensitivity *sensitivity,
                            ImageSource source, gpointer data, GError **error)
{
  const guint size = c->network->description->image_size;
  g_autofree real *tensors = g_new(real, (gsize)c->pass->capacity * 3 * size * size);
  const guint own = (options->max_images + ranks_count() - 1) / ranks_count();
  Reading reading = { .sensitivity = sensitivity,
                      .source = source,
                      .data = data,
                      .tensors = tensors,
                      .progress = progress_start_phase("reading photographs", own, "images") };
  const gboolean fine = take_images(c, &reading, options->max_images, error);
  progress_clear(&reading.progress);
  return fine;
}

/* Reserves scratch memory for the products of the moments and of the sensitivity. */
static gboolean reserve_products(const Probe *c)
{
  const Description *d = c->network->description;
  guint widest = d->dim;
  for (guint b = 0; b < d->depth; b++)
    widest = MAX(widest, MAX(d->blocks[b].heads * d->head_dim, d->blocks[b].neurons));
  for (guint i = 0; i < vitgate__team_size(c->team); i++)
    if (!matmul_scratch_reserve(c->pass->shares[i].scratch, widest, widest,
                                IMAGES_AT_ONCE * c->n_tokens))
      return FALSE;
  return TRUE;
}

static gboolean make_pass(Probe *c, gboolean bf16, GError **error)
{
  c->pass = training_pass_new(c->network, c->team, IMAGES_AT_ONCE * vitgate__team_size(c->team),
                              bf16, TRUE, error);
  if (!c->pass)
    return FALSE;
  if (!reserve_products(c)) {
    vitgate__set_error(error, VITGATE_ERROR_MEMORY,
                       "not enough memory for the moments of the modules");
    return FALSE;
  }
  c->pass->tail = c->network->description->depth; /* the errors of all tokens are needed */
  vitgate__team_run(c->team, pack_weights, c);
  return TRUE;
}

static gboolean allocate_results(Probe *c, GError **error)
{
  const Description *d = c->network->description;
  c->token_weights = g_new0(double, 4 * d->depth);
  c->metrics = g_try_new0(double, (gsize)2 * d->depth * d->dim * d->dim);
  c->stream = g_try_new(real, (gsize)c->n_images * c->n_tokens * d->dim + 1);
  if (c->metrics && c->stream)
    return TRUE;
  vitgate__set_error(error, VITGATE_ERROR_MEMORY, "not enough memory for the tokens of %u images",
                     c->n_images);
  return FALSE;
}

Probe *probe_new(Network *network, Team *team, const ProbeOptions *options, ImageSource source,
                 gpointer data, GError **error)
{
  Probe *c = g_new0(Probe, 1);
  c->network = network;
  c->team = team;
  c->n_tokens = vitgate__description_n_tokens(network->description);
  if (!make_pass(c, options->bf16, error)) {
    probe_free(&c);
    return NULL;
  }
  Sensitivity *sensitivity = sensitivity_new(c->pass);
  const gboolean fine =
      read_images(c, options, sensitivity, source, data, error) && allocate_results(c, error);
  if (ranks_all_fine(fine, error)) {
    sensitivity_finish(sensitivity, c->token_weights, c->metrics, options->least_patches);
    probe_rewind(c);
  } else {
    probe_free(&c);
  }
  sensitivity_free(&sensitivity);
  return c;
}

void probe_free(Probe **probe)
{
  Probe *c = g_steal_pointer(probe);
  if (!c)
    return;
  training_pass_free(&c->pass);
  g_free(c->reference);
  g_free(c->stream);
  g_free(c->logits);
  g_free(c->token_weights);
  g_free(c->metrics);
  g_free(c);
}
