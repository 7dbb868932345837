#include "network/families/t2t-stem.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "file/tensor-specs.h"
#include "network/attend.h"

/* Side of a window, in pixels of the image or tokens of a map. */
#define IMAGE_WINDOW 7
#define MAP_WINDOW   3

T2tSplit vitgate__t2t_split(const Description *d, guint stage)
{
  const guint side = d->image_size / (4u << stage);
  return (T2tSplit){ .n_tokens = side * side, .n_values = stage ? 9 * d->token_dim : 3 * 7 * 7 };
}

/* ---- Weights ---- */

void vitgate__t2t_add_stem_tensors(GArray *specs, const Description *d)
{
  const gboolean performer = vitgate__t2t_is_performer(d);
  const guint n = d->token_dim;
  char name[64];
#define NAME(part)                                                                                 \
  (g_snprintf(name, sizeof name, "tokens_to_token.attention%u." part, stage + 1), name)
  for (guint stage = 0; stage < T2T_STAGES; stage++) {
    const guint n_values = vitgate__t2t_split(d, stage).n_values;
    vitgate__add_affine(specs, NAME("norm1"), n_values, 0);
    if (performer) {
      vitgate__add_spec(specs, NAME("w"), d->n_features, n);
      vitgate__add_affine(specs, NAME("kqv"), 3 * n, n_values);
      vitgate__add_affine(specs, NAME("proj"), n, n);
    } else {
      vitgate__add_weight(specs, NAME("attn.qkv"), 3 * n, n_values);
      vitgate__add_affine(specs, NAME("attn.proj"), n, n);
    }
    vitgate__add_affine(specs, NAME("norm2"), n, 0);
    vitgate__add_affine(specs, performer ? NAME("mlp.0") : NAME("mlp.fc1"), n, n);
    vitgate__add_affine(specs, performer ? NAME("mlp.2") : NAME("mlp.fc2"), n, n);
  }
#undef NAME
}

gsize vitgate__t2t_measure(const Description *d, VitgatePrecision precision, gsize *largest)
{
  g_autoptr(GArray) specs = g_array_new(FALSE, FALSE, sizeof(TensorSpec));
  gsize total;
  vitgate__t2t_add_stem_tensors(specs, d);
  vitgate__load_measure(specs, precision, &total, largest);
  return total;
}

static void load_stage(T2tStage *stage, WeightLoader *loader, const Description *d, guint number)
{
  static const char *const names[][4] = { { "attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2" },
                                          { "kqv", "proj", "mlp.0", "mlp.2" } };
  const gboolean performer = vitgate__t2t_is_performer(d);
  const char *const *parts = names[performer];
  const guint n = d->token_dim, n_values = vitgate__t2t_split(d, number).n_values;
  char name[64];
#define NAME(part)                                                                                 \
  (g_snprintf(name, sizeof name, "tokens_to_token.attention%u.%s", number + 1, part), name)
  stage->norm1 = vitgate__load_norm(loader, NAME("norm1"), n_values);
  const float *bias = vitgate__load_affine(loader, NAME(parts[0]), performer, 3 * n, n_values);
  if (number > 0) {
    vitgate__t2t_reorder(d, stage->norm1.scale, 1, FALSE);
    vitgate__t2t_reorder(d, stage->norm1.shift, 1, FALSE);
    vitgate__t2t_reorder(d, loader->scratch, 3 * n, FALSE);
  }
  stage->qkv =
      vitgate__load_packed(loader, loader->precision, loader->scratch, bias, 3 * n, n_values);
  if (performer) {
    float *zeros = loader->scratch + (gsize)d->n_features * n;
    vitgate__load_values(loader, loader->scratch, NAME("w"), NULL);
    memset(zeros, 0, d->n_features * sizeof *zeros);
    stage->features = vitgate__load_packed(loader, VITGATE_PRECISION_FLOAT32, loader->scratch,
                                           zeros, d->n_features, n);
  }
  stage->proj = vitgate__load_linear(loader, NAME(parts[1]), TRUE, n, n);
  stage->norm2 = vitgate__load_norm(loader, NAME("norm2"), n);
  stage->fc1 = vitgate__load_linear(loader, NAME(parts[2]), TRUE, n, n);
  stage->fc2 = vitgate__load_linear(loader, NAME(parts[3]), TRUE, n, n);
#undef NAME
}

Stem *vitgate__t2t_load(WeightLoader *loader, const Description *d)
{
  Stem *stem = g_new0(Stem, 1);
  stem->description = d;
  stem->precision = loader->precision;
  for (guint i = 0; i < T2T_STAGES; i++)
    load_stage(&stem->stages[i], loader, d, i);
  return stem;
}

/* ---- Memory ---- */

/* A performer adds up its keys in blocks of rows. The blocks do not depend on the number of
 * threads, so the sums do not either. A multiple of four divides evenly among threads. */
static guint count_blocks(guint n_tokens)
{
  return ((n_tokens + LINEAR_ROWS - 1) / LINEAR_ROWS + 3) / 4 * 4;
}

/* Points the arrays into @memory, unless it is NULL.
 * Returns: the number of floats that they take */
static gsize carve(StemWork *work, float *memory, const Description *d, VitgatePrecision precision)
{
  const guint n = d->token_dim, m = d->n_features, tokens = vitgate__t2t_split(d, 0).n_tokens;
  const guint values = MAX(vitgate__t2t_split(d, 0).n_values, vitgate__t2t_split(d, 1).n_values);
  const gboolean attends = !vitgate__t2t_is_performer(d);
  const Part parts[] = {
    { &work->maps[0], (gsize)tokens * n },
    { &work->maps[1], (gsize)vitgate__t2t_split(d, 1).n_tokens * n },
    { &work->queries, (gsize)tokens * m },
    { &work->qkv, attends ? (gsize)tokens * 3 * n : 0 },
    { &work->heads, attends ? vitgate__attend_heads_size(precision, 1, tokens, n) : 0 },
    { &work->windows, (gsize)LINEAR_ROWS * values },
    { &work->products, (gsize)LINEAR_ROWS * (3 * n + 1) },
    { &work->features, (gsize)LINEAR_ROWS * m },
    { &work->transposed, (gsize)LINEAR_ROWS * m },
    { &work->packed, vitgate__packed_size(n + 1, MAX(LINEAR_ROWS, m)) },
    { &work->sums, (gsize)count_blocks(tokens) * m * (n + 1) },
    { &work->total, (gsize)m * (n + 1) },
    { &work->input, vitgate__linear_input_size(precision, values) },
    { &work->scores, attends ? vitgate__attend_scores_size(precision, tokens) : 0 },
    { &work->attend, attends ? vitgate__attend_scratch_size(precision, tokens, n) : 0 },
  };
  return vitgate__carve(parts, G_N_ELEMENTS(parts), memory);
}

gsize vitgate__t2t_work_size(const Description *d, VitgatePrecision precision)
{
  StemWork none;
  return carve(&none, NULL, d, precision);
}

StemWork *vitgate__t2t_work_new(const Description *d, VitgatePrecision precision, float *memory,
                                guint n_members)
{
  StemWork *work = g_new0(StemWork, n_members);
  for (guint i = 0; i < n_members; i++)
    memory += carve(&work[i], memory, d, precision);
  return work;
}

/* ---- Soft splits ---- */

/* windows[rows][3 * 7 * 7]: channel, row, column */
static void unfold_image(float *windows, const float *tensor, guint size, guint first, guint rows)
{
  const guint side = size / 4;
  for (guint p = first; p < first + rows; p++) {
    const gint top = (gint)(p / side * 4) - 2, left = (gint)(p % side * 4) - 2;
    const gint begin = MAX(-left, 0), end = MIN(IMAGE_WINDOW, (gint)size - left);
    for (guint c = 0; c < 3; c++)
      for (gint y = top; y < top + IMAGE_WINDOW; y++, windows += IMAGE_WINDOW) {
        if (y < 0 || y >= (gint)size) {
          memset(windows, 0, IMAGE_WINDOW * sizeof *windows);
          continue;
        }
        const float *row = tensor + ((gsize)c * size + (guint)y) * size;
        if (begin == 0 && end == IMAGE_WINDOW) {
          memcpy(windows, row + left, IMAGE_WINDOW * sizeof *windows);
          continue;
        }
        memset(windows, 0, IMAGE_WINDOW * sizeof *windows);
        for (gint x = begin; x < end; x++)
          windows[x] = row[left + x];
      }
  }
}

/* windows[rows][3 * 3 * n]: row, column, channel. Only the top and the left have a border, because
 * the side of the map is even.
 * @map: [side][side][n] */
static void unfold_map(float *windows, const float *map, guint side, guint n, guint first,
                       guint rows)
{
  const gsize row = (gsize)MAP_WINDOW * n;
  for (guint p = first; p < first + rows; p++) {
    const gint top = (gint)(p / (side / 2) * 2) - 1, left = (gint)(p % (side / 2) * 2) - 1;
    for (gint y = top; y < top + MAP_WINDOW; y++, windows += row) {
      const gsize missing = y < 0 ? row : left < 0 ? n : 0;
      memset(windows, 0, missing * sizeof *windows);
      if (missing < row)
        memcpy(windows + missing, map + ((gsize)y * side + (guint)MAX(left, 0)) * n,
               (row - missing) * sizeof *windows);
    }
  }
}

void vitgate__t2t_gather(const Description *d, const StemWork *work, guint base, float *patches,
                         const float *tensor, guint first, guint rows)
{
  unfold_map(patches, work[base].maps[T2T_STAGES - 1], d->image_size / 8, d->token_dim, first,
             rows);
}

/* Files order the values of a window by channel, row and column. */
void vitgate__t2t_reorder(const Description *d, float *rows, guint n, gboolean back)
{
  const guint places = MAP_WINDOW * MAP_WINDOW, channels = d->token_dim;
  g_autofree float *scratch = g_new(float, (gsize)places *channels);
  for (guint i = 0; i < n; i++, rows += (gsize)places * channels) {
    memcpy(scratch, rows, (gsize)places * channels * sizeof *rows);
    for (guint p = 0; p < places; p++)
      for (guint c = 0; c < channels; c++) {
        const guint here = p * channels + c, file = c * places + p;
        rows[back ? file : here] = scratch[back ? here : file];
      }
  }
}

/* ---- Stages ---- */

/* One thread's work on one stage. */
typedef struct {
  const Description *d;
  VitgatePrecision precision;
  const T2tStage *stage;
  const StemWork *own, *shared;
  float *map; /* the values of the stage, then its output */
  guint n_tokens, n_values;
  guint first, last; /* transformer: this thread's rows */
  Team *team;
  guint member, n;
} StageJob;

static void multiply(const StageJob *job, const Linear *linear, float *out, gsize out_stride,
                     const float *in, gsize in_stride, LinearMode mode, guint rows)
{
  vitgate__linear(linear, job->own->input, out, out_stride, in, in_stride, mode, rows);
}

/* products[rows][3 * token_dim] at @stride = qkv of the windows from token @row on */
static void project(const StageJob *job, const float *tensor, guint number, float *products,
                    gsize stride, guint row, guint rows)
{
  const Description *d = job->d;
  float *windows = job->own->windows;
  if (number == 0)
    unfold_image(windows, tensor, d->image_size, row, rows);
  else
    unfold_map(windows, job->shared->maps[number - 1], d->image_size / (2u << number), d->token_dim,
               row, rows);
  vitgate__normalize(&job->stage->norm1, d->layer_norm_eps, windows, windows, job->n_values, rows);
  multiply(job, &job->stage->qkv, products, stride, windows, job->n_values, LINEAR_STORE, rows);
}

/* map += fc2(gelu(fc1(norm2(map)))) */
static void run_mlp(const StageJob *job, guint row, guint rows)
{
  const guint n = job->d->token_dim;
  float *x = job->map + (gsize)row * n;
  vitgate__normalize(&job->stage->norm2, job->d->layer_norm_eps, job->own->windows, x, n, rows);
  multiply(job, &job->stage->fc1, job->own->products, n, job->own->windows, n, LINEAR_GELU, rows);
  multiply(job, &job->stage->fc2, x, n, job->own->products, n, LINEAR_ADD, rows);
}

static void keep_values(const StageJob *job, const float *values, gsize stride, guint row,
                        guint rows)
{
  const guint n = job->d->token_dim;
  for (guint i = 0; i < rows; i++)
    memcpy(job->map + (gsize)(row + i) * n, values + i * stride, n * sizeof *values);
}

/* ---- Performer ---- */

/* out[rows][n_features] = exp(w x - |x|^2 / 2) / sqrt(n_features) */
static void make_features(const StageJob *job, float *out, const float *x, gsize stride, guint rows)
{
  const guint n = job->d->token_dim, m = job->d->n_features;
  const float factor = 1.0f / sqrtf((float)m);
  multiply(job, &job->stage->features, out, m, x, stride, LINEAR_STORE, rows);
  vitgate__kernels()->positive_features(out, x, stride, factor, rows, m, n);
}

/* sums = kp^T [v, 1] over a block of rows
 * @products: [rows][3 * token_dim + 1] keys, queries, values, and ones */
static void add_keys(const StageJob *job, float *sums, const float *products, gsize stride,
                     guint rows)
{
  const StemWork *own = job->own;
  const guint n = job->d->token_dim, m = job->d->n_features;
  make_features(job, own->features, products, stride, rows);
  for (guint i = 0; i < rows; i++)
    for (guint j = 0; j < m; j++)
      own->transposed[j * rows + i] = own->features[i * m + j];
  vitgate__kernels()->pack(own->packed, products + 2 * n, stride, n + 1, rows);
  vitgate__kernels()->gemm(sums, n + 1, own->transposed, rows, own->packed, NULL, FALSE, m, n + 1,
                           rows);
}

/* Adds up the sums of all blocks and packs the total. */
static void pack_total(const StageJob *job)
{
  const guint n = job->d->token_dim, m = job->d->n_features;
  const float *sums = job->shared->sums;
  float *total = job->own->total;
  memset(total, 0, (gsize)m * (n + 1) * sizeof *total);
  for (guint block = 0; block < count_blocks(job->n_tokens); block++, sums += m * (n + 1))
    for (guint i = 0; i < m * (n + 1); i++)
      total[i] += sums[i];
  vitgate__kernels()->pack(job->own->packed, total, n + 1, n + 1, m);
}

/* map = v + proj(qp (kp^T v) / (qp kp^T 1 + eps)) */
static void find_answers(const StageJob *job, guint row, guint rows)
{
  const guint n = job->d->token_dim, m = job->d->n_features;
  float *answers = job->own->products;
  vitgate__kernels()->gemm(answers, n + 1, job->shared->queries + (gsize)row * m, m,
                           job->own->packed, NULL, FALSE, rows, n + 1, m);
  for (guint i = 0; i < rows; i++) {
    float *answer = answers + (gsize)i * (n + 1);
    const float factor = 1.0f / (answer[n] + PERFORMER_EPS);
    for (guint j = 0; j < n; j++)
      answer[j] *= factor;
  }
  multiply(job, &job->stage->proj, job->map + (gsize)row * n, n, answers, n + 1, LINEAR_ADD, rows);
}

static guint first_row(const StageJob *job, guint block)
{
  return (guint)((guint64)job->n_tokens * block / count_blocks(job->n_tokens));
}

/* Computes the keys and queries of one block of rows, and copies its values into the map. */
static void run_block(const StageJob *job, guint number, const float *tensor, guint block)
{
  const guint row = first_row(job, block), rows = first_row(job, block + 1) - row;
  const guint n = job->d->token_dim, m = job->d->n_features, stride = 3 * n + 1;
  float *products = job->own->products;
  project(job, tensor, number, products, stride, row, rows);
  for (guint i = 0; i < rows; i++)
    products[(gsize)i * stride + 3 * n] = 1.0f;
  add_keys(job, job->shared->sums + (gsize)block * m * (n + 1), products, stride, rows);
  make_features(job, job->shared->queries + (gsize)row * m, products + n, stride, rows);
  keep_values(job, products + 2 * n, stride, row, rows);
}

static void run_performer(const StageJob *job, guint number, const float *tensor)
{
  const guint n_blocks = count_blocks(job->n_tokens);
  const guint first = n_blocks * job->member / job->n;
  const guint last = n_blocks * (job->member + 1) / job->n;
  for (guint block = first; block < last; block++)
    run_block(job, number, tensor, block);
  vitgate__team_barrier(job->team);
  pack_total(job);
  for (guint block = first; block < last; block++) {
    const guint row = first_row(job, block), rows = first_row(job, block + 1) - row;
    find_answers(job, row, rows);
    run_mlp(job, row, rows);
  }
}

/* ---- Transformer ---- */

static void run_transformer(const StageJob *job, guint number, const float *tensor)
{
  const guint n = job->d->token_dim;
  float *qkv = job->shared->qkv;
  const Attention attention = {
    .precision = job->precision,
    .heads = 1,
    .head_dim = n,
    .n_tokens = job->n_tokens,
    .factor = 1.0f / sqrtf((float)job->n_values),
    .qkv = qkv,
    .packed = job->shared->heads,
    .scores = job->own->scores,
    .scratch = job->own->attend,
    .team = job->team,
    .member = job->member,
    .n = job->n,
  };
  for (guint row = job->first, rows; row < job->last; row += rows) {
    rows = vitgate__linear_rows(job->last - row);
    float *some = qkv + (gsize)row * 3 * n;
    project(job, tensor, number, some, 3 * n, row, rows);
    keep_values(job, some + 2 * n, 3 * n, row, rows);
  }
  vitgate__team_barrier(job->team);
  vitgate__attend(&attention, job->first, job->last);
  for (guint row = job->first, rows; row < job->last; row += rows) {
    rows = vitgate__linear_rows(job->last - row);
    multiply(job, &job->stage->proj, job->map + (gsize)row * n, n, qkv + (gsize)row * 3 * n, 3 * n,
             LINEAR_ADD, rows);
    run_mlp(job, row, rows);
  }
}

/* ---- The whole stem ---- */

void vitgate__t2t_run(const Stem *stem, const StemWork *work, const StemShare *share,
                      const float *tensor)
{
  const Description *d = stem->description;
  const StemWork *shared = work + share->base;
  const guint member = share->member, n = share->n;
  for (guint i = 0; i < T2T_STAGES; i++) {
    const T2tSplit split = vitgate__t2t_split(d, i);
    const StageJob job = {
      .d = d,
      .precision = stem->precision,
      .stage = &stem->stages[i],
      .own = shared + member,
      .shared = shared,
      .map = shared->maps[i],
      .n_tokens = split.n_tokens,
      .n_values = split.n_values,
      .first = split.n_tokens * member / n,
      .last = split.n_tokens * (member + 1) / n,
      .team = share->team,
      .member = member,
      .n = n,
    };
    /* Until here the first thread may still be working on another image. */
    vitgate__team_barrier(share->team);
    (vitgate__t2t_is_performer(d) ? run_performer : run_transformer)(&job, i, tensor);
  }
  vitgate__team_barrier(share->team);
}
