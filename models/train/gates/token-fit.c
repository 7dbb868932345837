#include "train/gates/token-fit.h"

#include <math.h>
#include <string.h>

#include "base/command-error.h"
#include "base/error.h"
#include "base/ranks.h"
#include "file/architecture.h"
#include "network/dial.h"
#include "train/cut/sensitivity.h"
#include "train/gates/ridge.h"
#include "train/network/training-kernels.h"

#define FOLDS     5
#define RIDGE     1e-3 /* of the substitutes, over the inputs' mean variance */
#define SHARE     8    /* a substitute takes at most this part of what the module takes */
#define RANK_STEP 4
#define MIN_GATED                                                                                  \
  0.005                /* minimum cost of a module that gets a gate, as a share of the teacher's   \
                        */
#define SMALLEST 1e-30 /* cost */
#define ALL_OPEN ((double)TOKEN_GATES_OPEN - 1) /* gates are computed, and open */

struct _TokenFit {
  Network *network;
  TrainingPass *pass;
  gboolean substitutes_done;
  guint first;         /* number of the batch's first image, counted over all ranks */
  guint n_images;      /* of this rank */
  guint64 first_image; /* a hash of it */
  gboolean vary;       /* images differ */
  Moments **moments;   /* [2 depth] of the substitutes; NULL without a gate */
  FoldSums **folds;    /* [2 depth] of the gates */
  double **costs;      /* [2 depth][rows of a batch] */
  real **parts;        /* [members][dim][dim] scratch */
  MatmulScratch *
      *sums;     /* [members] float32: rounded operands would leave a covariance indefinite */
  guint *failed; /* [members] module whose costs are not finite; G_MAXUINT: none */
};

/* ---- Shape ---- */

/* Returns: GMACs of a module for one token more */
static double token_gmacs(const Description *d, guint module)
{
  return vitgate__token_gmacs(d, module, vitgate__description_n_tokens(d));
}

/* Returns: the rank that takes at most a part of what the module takes */
static guint choose_rank(const Description *d, double gmacs)
{
  const guint most = (guint)(1e9 * gmacs / SHARE / (2.0 * d->dim));
  return 2 * most >= d->dim ? d->dim : most / RANK_STEP * RANK_STEP;
}

guint token_fit_shape(Description *d)
{
  const guint tail = vitgate__description_tail(d), tokens = vitgate__description_n_tokens(d);
  guint n = 0;
  for (guint module = 0; module < 2 * d->depth; module++) {
    const BlockShape *shape = &d->blocks[module / 2];
    const gboolean gated = module % 2 ? shape->mlp_gate : shape->attention_gate;
    const double gmacs = token_gmacs(d, module);
    const gboolean worth = gmacs * tokens >= MIN_GATED * d->dense_gmacs;
    *description_token_gate(d, module) = (TokenGate){ 0 };
    if (module < 2 || module / 2 >= tail || gated || !worth)
      continue;
    *description_token_gate(d, module) = (TokenGate){ TRUE, choose_rank(d, gmacs) };
    n++;
  }
  return n;
}

/* ---- Start ---- */

static guint n_modules(const TokenFit *fit)
{
  return 2 * fit->network->description->depth;
}

TokenFit *token_fit_new(Network *network, Team *team, guint max_images, gboolean bf16,
                        GError **error)
{
  const Description *d = network->description;
  const gsize rows = (gsize)max_images * vitgate__description_n_tokens(d);
  TokenFit *fit = g_new0(TokenFit, 1);
  fit->network = network;
  fit->pass = training_pass_new(network, team, max_images, bf16, TRUE, error);
  if (!fit->pass) {
    token_fit_free(&fit);
    return NULL;
  }
  fit->pass->inputs_only = TRUE;
  fit->pass->decisions.bias = ALL_OPEN;
  fit->moments = g_new0(Moments *, 2 * d->depth + 1);
  fit->folds = g_new0(FoldSums *, 2 * d->depth + 1);
  fit->costs = g_new0(double *, 2 * d->depth + 1);
  fit->failed = g_new(guint, vitgate__team_size(team));
  fit->parts = g_new0(real *, vitgate__team_size(team));
  fit->sums = g_new0(MatmulScratch *, vitgate__team_size(team));
  gboolean complete = TRUE;
  for (guint i = 0; i < vitgate__team_size(team); i++) {
    fit->parts[i] = g_new(real, (gsize)d->dim * d->dim);
    fit->sums[i] = matmul_scratch_new(FALSE);
    complete &=
        matmul_scratch_reserve(fit->sums[i], d->dim, d->dim, vitgate__description_n_tokens(d));
  }
  if (!complete) {
    vitgate__set_error(error, VITGATE_ERROR_MEMORY, "not enough memory to fit token gates");
    token_fit_free(&fit);
    return NULL;
  }
  for (guint module = 0; module < 2 * d->depth; module++)
    if (network_token_gate(network, module)->present) {
      fit->moments[module] = moments_new(d->dim, d->dim, TRUE);
      fit->folds[module] = fold_sums_new(d->dim, FOLDS);
      fit->costs[module] = g_new(double, rows);
    }
  return fit;
}

void token_fit_free(TokenFit **fit)
{
  TokenFit *f = g_steal_pointer(fit);
  if (!f)
    return;
  for (guint module = 0; f->moments && module < n_modules(f); module++) {
    moments_free(&f->moments[module]);
    fold_sums_free(&f->folds[module]);
    g_free(f->costs[module]);
  }
  for (guint i = 0; f->parts && i < vitgate__team_size(f->pass->team); i++) {
    g_free(f->parts[i]);
    matmul_scratch_free(&f->sums[i]);
  }
  g_free(f->parts);
  g_free(f->sums);
  training_pass_free(&f->pass);
  g_free(f->moments);
  g_free(f->folds);
  g_free(f->costs);
  g_free(f->failed);
  g_free(f);
}

/* ---- One batch ---- */

/* A module's rows in a share: first rows of images, inputs and outputs. */
typedef struct {
  const guint *first;
  const real *in, *out;
  const TokenActivations *tokens;
} ModuleRows;

static ModuleRows rows_of(const Share *share, guint module)
{
  const Activations *a = &share->blocks[module / 2];
  return module % 2 ? (ModuleRows){ a->merged, a->h2, a->m, &a->tokens[1] }
                    : (ModuleRows){ a->rows, a->h1, a->f, &a->tokens[0] };
}

/* Computes sums[m][n] += a[rows][m]^T b[rows][n], with rows of sums at @stride. */
static void add_products(const TokenFit *fit, guint member, double *sums, gsize stride,
                         const real *a, guint m, const real *b, guint n, guint rows)
{
  real *part = fit->parts[member];
  matmul(fit->sums[member], part, n, (Operand){ .data = a, .stride = m, .transposed = TRUE },
         (Operand){ .data = b, .stride = n }, NULL, FALSE, m, n, rows);
  for (guint i = 0; i < m; i++)
    for (guint j = 0; j < n; j++)
      sums[i * stride + j] += (double)part[(gsize)i * n + j];
}

static void add_rows(double *sums, gsize stride, const real *x, guint n, guint rows)
{
  for (guint row = 0; row < rows; row++)
    for (guint j = 0; j < n; j++)
      sums[j * stride] += (double)x[(gsize)row * n + j];
}

/* Adds the patch tokens of all shares. Members divide the modules among themselves. */
static void add_moments(const TokenFit *fit, guint member, guint module)
{
  Moments *m = fit->moments[module];
  const guint dim = m->n;
  for (guint s = 0; s < vitgate__team_size(fit->pass->team); s++) {
    const Share *share = &fit->pass->shares[s];
    const ModuleRows rows = rows_of(share, module);
    for (guint i = 0; i < share->n; i++) {
      const guint first = rows.first[i] + fit->network->n_prefix, n = rows.first[i + 1] - first;
      const real *in = rows.in + (gsize)first * dim, *out = rows.out + (gsize)first * dim;
      m->weight += n;
      add_rows(m->mean_in, 1, in, dim, n);
      add_rows(m->mean_out, 1, out, dim, n);
      add_products(fit, member, m->square, dim, in, dim, in, dim, n);
      add_products(fit, member, m->cross, dim, out, dim, in, dim, n);
    }
  }
}

static void substitutes_member(gpointer data, guint member)
{
  const TokenFit *fit = data;
  training_pass_pack(&fit->pass->shares[member]);
  training_pass_forward(&fit->pass->shares[member]);
  for (guint module = member; module < n_modules(fit);
       module += vitgate__team_size(fit->pass->team))
    if (fit->moments[module])
      add_moments(fit, member, module);
}

/* Runs the backward pass from random directions, and adds the squares of the decisions' gradients,
 * (g · (output - substitute))^2. */
static void find_costs(const TokenFit *fit, Share *share)
{
  const Description *d = fit->network->description;
  for (guint draw = 0; draw < TOKEN_FIT_DRAWS; draw++) {
    memset(share->dclass, 0, (gsize)share->n * d->dim * sizeof *share->dclass);
    for (guint level = 0; level < fit->pass->levels.n; level++)
      memset(share->dentry[level], 0,
             (gsize)share->blocks[levels_block(fit->pass->levels, level)].rows[share->n] * d->dim *
                 sizeof(real));
    for (guint i = 0; i < share->n; i++)
      sensitivity_draw(share->dlogits + (gsize)i * d->n_classes,
                       share->logits + (gsize)i * d->n_classes, d->n_classes,
                       (fit->first + share->first + i) * TOKEN_FIT_DRAWS + draw);
    training_pass_backward(share);
    for (guint module = 0; module < n_modules(fit); module++) {
      if (!fit->costs[module])
        continue;
      const ModuleRows rows = rows_of(share, module);
      double *costs = fit->costs[module] + (gsize)share->first * vitgate__description_n_tokens(d);
      for (guint row = 0; row < rows.first[share->n]; row++) {
        const double gradient = (double)rows.tokens->dopen[row];
        costs[row] = (draw ? costs[row] : 0) + gradient * gradient / TOKEN_FIT_DRAWS;
      }
    }
  }
}

/* Replaces the costs of the share's images by their logarithms less the image's mean.
 * Returns: the first module with a cost that is not finite, or G_MAXUINT */
static guint centre_costs(const TokenFit *fit, const Share *share)
{
  const guint tokens = vitgate__description_n_tokens(fit->network->description);
  for (guint i = 0; i < share->n; i++) {
    double sum = 0;
    guint n = 0;
    for (guint pass = 0; pass < 2; pass++)
      for (guint module = 0; module < n_modules(fit); module++) {
        if (!fit->costs[module])
          continue;
        const ModuleRows rows = rows_of(share, module);
        double *costs = fit->costs[module] + (gsize)share->first * tokens;
        for (guint row = rows.first[i] + fit->network->n_prefix; row < rows.first[i + 1]; row++) {
          if (pass) {
            costs[row] -= sum / n;
            continue;
          }
          if (!isfinite(costs[row]))
            return module;
          costs[row] = log(MAX(costs[row], SMALLEST));
          sum += costs[row];
          n++;
        }
      }
  }
  return G_MAXUINT;
}

static void add_folds(const TokenFit *fit, guint member, guint module)
{
  FoldSums *sums = fit->folds[module];
  const guint n = sums->n, m = n + 1,
              tokens = vitgate__description_n_tokens(fit->network->description);
  for (guint s = 0; s < vitgate__team_size(fit->pass->team); s++) {
    const Share *share = &fit->pass->shares[s];
    const ModuleRows rows = rows_of(share, module);
    const double *costs = fit->costs[module] + (gsize)share->first * tokens;
    for (guint i = 0; i < share->n; i++) {
      const gsize fold = (fit->first + share->first + i) % FOLDS;
      const guint first = rows.first[i] + fit->network->n_prefix, count = rows.first[i + 1] - first;
      const real *in = rows.in + (gsize)first * n;
      double *square = sums->square + fold * m * m, *cross = sums->cross + fold * m;
      add_products(fit, member, square, m, in, n, in, n, count);
      add_rows(square + n, m, in, n, count);
      add_rows(square + (gsize)n * m, 1, in, n, count);
      square[m * m - 1] += count;
      for (guint t = 0; t < count; t++) {
        const double cost = costs[first + t];
        for (guint j = 0; j < n; j++)
          cross[j] += cost * (double)in[(gsize)t * n + j];
        cross[n] += cost;
        sums->power[fold] += cost * cost;
      }
    }
  }
}

static void gates_member(gpointer data, guint member)
{
  const TokenFit *fit = data;
  Share *share = &fit->pass->shares[member];
  training_pass_pack(share);
  training_pass_forward(share);
  find_costs(fit, share);
  fit->failed[member] = centre_costs(fit, share);
  vitgate__team_barrier(fit->pass->team);
  for (guint module = member; module < n_modules(fit);
       module += vitgate__team_size(fit->pass->team))
    if (fit->folds[module])
      add_folds(fit, member, module);
}

static gboolean refuse(guint module, const char *what, GError **error)
{
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "token gate of block %u's %s: %s",
              module / 2, module % 2 ? "MLP" : "attention", what);
  return FALSE;
}

gboolean token_fit_add(TokenFit *fit, const real *tensors, guint n_images, guint first,
                       GError **error)
{
  const guint size = fit->network->description->image_size;
  const gsize bytes = (gsize)3 * size * size * sizeof *tensors;
  fit->pass->n_images = n_images;
  fit->pass->tensors = tensors;
  fit->first = first;
  for (guint i = 0; i < n_images && !fit->substitutes_done && !fit->vary; i++) {
    g_autoptr(GBytes) image = g_bytes_new_static((const guint8 *)tensors + i * bytes, bytes);
    const guint64 hash = g_bytes_hash(image);
    if (!fit->n_images && !i)
      fit->first_image = hash;
    fit->vary = hash != fit->first_image;
  }
  vitgate__team_run(fit->pass->team, fit->substitutes_done ? gates_member : substitutes_member,
                    fit);
  fit->n_images += n_images;
  for (guint i = 0; fit->substitutes_done && i < vitgate__team_size(fit->pass->team); i++)
    if (fit->failed[i] != G_MAXUINT)
      return refuse(fit->failed[i], "the cost of skipping a token is not finite", error);
  return TRUE;
}

/* ---- Ends ---- */

/* What a rank knows of its images. */
typedef struct {
  guint64 first_image;
  guint n, vary;
} Seen;

/* Returns: what is known of the images of all ranks */
static Seen see_all(const TokenFit *fit)
{
  g_autofree Seen *seen = g_new0(Seen, ranks_count());
  const Seen own = { fit->first_image, fit->n_images, fit->vary };
  Seen all = { 0 };
  ranks_gather_items(seen, &own, sizeof own);
  for (guint r = 0; r < ranks_count(); r++) {
    if (!all.n)
      all.first_image = seen[r].first_image;
    all.vary |= seen[r].vary || (seen[r].n && seen[r].first_image != all.first_image);
    all.n += seen[r].n;
  }
  return all;
}

static gboolean check_images(const Seen *seen, GError **error)
{
  if (seen->n >= TOKEN_FIT_MIN_IMAGES && seen->vary)
    return TRUE;
  if (seen->n < TOKEN_FIT_MIN_IMAGES)
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                "%u photographs to fit token gates, expected at least %u (--gates none needs none)",
                seen->n, TOKEN_FIT_MIN_IMAGES);
  else
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA,
                "all %u photographs to fit token gates are the same", seen->n);
  return FALSE;
}

gboolean token_fit_end_substitutes(TokenFit *fit, GError **error)
{
  const Seen seen = see_all(fit);
  if (!check_images(&seen, error))
    return FALSE;
  for (guint module = 0; module < n_modules(fit); module++) {
    Moments *m = fit->moments[module];
    const TokenGateOffsets *gate = network_token_gate(fit->network, module);
    if (!m)
      continue;
    moments_share(m);
    moments_finish(m, seen.n);
    if (!ridge_fit_map(m, RIDGE, gate->rank, gate->whole, network_at(fit->network, gate->down),
                       network_at(fit->network, gate->up),
                       network_at(fit->network, gate->bias_out)))
      return refuse(module, "the module's activations are not finite", error);
  }
  fit->substitutes_done = TRUE;
  fit->n_images = 0;
  return TRUE;
}

/* Returns: the logarithm of GMACs that a token saves if it gets the substitute */
static double log_saving(const Description *d, guint module)
{
  return log(token_gmacs(d, module) -
             vitgate__token_gate_gmacs(d, description_token_gate(d, module), 0, 1));
}

/* Subtracts from each gate's logit what its tokens save, and scales all logits alike, so that they
 * have a mean of about 0 and a standard deviation of 1 over all tokens. */
static void settle_logits(TokenFit *fit, const double *variances)
{
  const Description *d = fit->network->description;
  double mean = 0, variance = 0;
  guint n = 0;
  for (guint module = 0; module < n_modules(fit); module++)
    if (fit->folds[module]) {
      mean += log_saving(d, module);
      n++;
    }
  mean /= n;
  for (guint module = 0; module < n_modules(fit); module++)
    if (fit->folds[module])
      variance += (variances[module] + pow(log_saving(d, module) - mean, 2)) / n;
  const real scale = (real)(1 / sqrt(MAX(variance, 1e-12)));
  for (guint module = 0; module < n_modules(fit); module++) {
    const TokenGateOffsets *gate = network_token_gate(fit->network, module);
    if (!fit->folds[module])
      continue;
    real *bias = network_at(fit->network, gate->bias);
    real *weight = network_at(fit->network, gate->weight);
    *bias = (*bias - (real)(log_saving(d, module) - mean)) * scale;
    for (guint i = 0; i < d->dim; i++)
      weight[i] *= scale;
  }
}

gboolean token_fit_end_gates(TokenFit *fit, TokenFitResult *results, GError **error)
{
  g_autofree double *variances = g_new0(double, n_modules(fit) + 1);
  memset(results, 0, n_modules(fit) * sizeof *results);
  for (guint module = 0; module < n_modules(fit); module++) {
    const TokenGateOffsets *gate = network_token_gate(fit->network, module);
    FoldSums *sums = fit->folds[module];
    if (!sums)
      continue;
    fold_sums_share(sums);
    const double explained =
        ridge_fit_folds(sums, network_at(fit->network, gate->weight),
                        network_at(fit->network, gate->bias), &variances[module]);
    if (!isfinite(explained))
      return refuse(module, "its tokens do not vary", error);
    for (guint f = 0; f < FOLDS; f++)
      results[module].n += (guint)sums->square[(f + 1) * (gsize)(sums->n + 1) * (sums->n + 1) - 1];
    results[module].explained = explained;
  }
  settle_logits(fit, variances);
  return TRUE;
}
