#include "reference.h"

#include <math.h>
#include <stdlib.h>

#include "file/architecture.h"
#include "fixture.h"
#include "reference-math.h"
#include "reference-unknown.h"

/* One image on its way through the network. */
typedef struct {
  ModelFile *file;
  const Description *d;
  ReferenceImage *out;
  double *x, *size;     /* [n_tokens][dim], [n_tokens] */
  double *token_logits; /* [n_tokens] of the current module's token gate */
  gboolean *open;       /* [n_tokens] whether the current module runs for each token */
  guint *token_of;      /* [patches] the token that stands for each patch, or NO_TOKEN */
  guint n_tokens, n_prefix, n_patches;
  ReferenceCache *cache; /* (nullable) */
  const guint *rows;     /* (nullable) in an update: [n_tokens] */
} State;

/* In an update, of a patch that is not computed. */
#define NO_TOKEN G_MAXUINT

/* Returns: which token of the whole image token @t is */
static guint slot_of(const State *s, guint t)
{
  return s->rows ? s->rows[t] : t;
}

/* Returns: the number of tokens that attention and the mean see */
static guint n_seen(const State *s)
{
  return s->rows ? s->n_patches + s->n_prefix : s->n_tokens;
}

static const float *whole(const State *s, const char *name)
{
  return model_file_find(s->file, name)->data;
}

static const float *of_block(const State *s, guint b, const char *part)
{
  g_autofree char *name = g_strdup_printf("blocks.%u.%s", b, part);
  return whole(s, name);
}

/* ---- Arithmetic ---- */

/* out[rows][n_out] = in[rows][n_in] W^T + b */
static void linear(State *s, double *out, const double *in, const float *weight, const float *bias,
                   guint rows, guint n_in, guint n_out)
{
  for (guint r = 0; r < rows; r++)
    for (guint o = 0; o < n_out; o++) {
      double sum = bias[o];
      for (guint i = 0; i < n_in; i++)
        sum += in[r * n_in + i] * weight[o * n_in + i];
      out[r * n_out + o] = sum;
    }
  s->out->macs += (double)rows * n_in * n_out;
}

/* Returns: (transfer full): [rows][dim] */
static double *normalize(const State *s, const float *scale, const float *shift, guint rows)
{
  const guint dim = s->d->dim;
  double *out = g_new(double, rows *dim);
  for (guint r = 0; r < rows; r++)
    reference_layer_norm(out + r * dim, s->x + r * dim, scale, shift, s->d->layer_norm_eps, dim);
  return out;
}

/* ---- Modules ---- */

static void embed(State *s, const float *tensor)
{
  const Description *d = s->d;
  const guint size = d->image_size, patch = d->patch_size, side = size / patch;
  const guint n = 3 * patch * patch;
  const float *positions = whole(s, "pos_embed"); /* finding a tensor takes long */
  g_autofree double *pixels = g_new(double, n);
  for (guint t = s->n_prefix; t < s->n_tokens; t++) {
    const guint p = slot_of(s, t) - s->n_prefix, top = p / side * patch, left = p % side * patch;
    for (guint i = 0; i < n; i++)
      pixels[i] =
          tensor[(i / patch / patch * size + top + i / patch % patch) * size + left + i % patch];
    linear(s, s->x + t * d->dim, pixels, whole(s, "patch_embed.proj.weight"),
           whole(s, "patch_embed.proj.bias"), 1, n, d->dim);
  }
  for (guint i = 0; i < d->dim; i++) {
    s->x[i] = whole(s, "cls_token")[i];
    if (d->distilled)
      s->x[d->dim + i] = whole(s, "dist_token")[i];
  }
  for (guint i = 0; i < s->n_tokens * d->dim; i++)
    s->x[i] += positions[slot_of(s, i / d->dim) * d->dim + i % d->dim];
}

/* Lowers the image's margin to the distance between @a and @b. */
static void note_margin(State *s, double a, double b)
{
  s->out->margin = MIN(s->out->margin, fabs(a - b));
}

/* Returns: the token that patch token @t merges into, or @t if it does not merge
 * @keys: [n_tokens][n] */
static guint find_target(State *s, const double *keys, guint n, guint t, double threshold)
{
  double best = -2, second = -2;
  guint target = t;
  for (guint j = s->n_prefix + 1; j < s->n_tokens; j += 2) {
    const double c = reference_cosine(keys + t * n, keys + j * n, n);
    second = MAX(second, MIN(c, best));
    if (c > best) {
      best = c;
      target = j;
    }
  }
  note_margin(s, best, threshold);
  if (best > threshold)
    note_margin(s, best, second);
  return best > threshold ? target : t;
}

static void merge(State *s, const double *keys, guint n, double threshold)
{
  const guint dim = s->d->dim, before = s->n_tokens, patches = before - s->n_prefix;
  g_autofree guint *target = g_new(guint, before);
  for (guint t = 0; t < before; t++)
    target[t] =
        t >= s->n_prefix && (t - s->n_prefix) % 2 == 0 ? find_target(s, keys, n, t, threshold) : t;
  s->out->macs += (double)(patches - patches / 2) * (patches / 2) * n;
  for (guint t = 0; t < before; t++)
    for (guint i = 0; i < dim; i++)
      s->x[t * dim + i] *= s->size[t];
  for (guint t = 0; t < before; t++)
    if (target[t] != t) {
      reference_add(s->x + target[t] * dim, s->x + t * dim, dim);
      s->size[target[t]] += s->size[t];
    }
  s->n_tokens = 0;
  for (guint p = 0; p < s->n_patches; p++)
    s->token_of[p] = target[s->token_of[p]];
  for (guint t = 0; t < before; t++)
    if (target[t] == t) {
      const guint to = s->n_tokens++;
      for (guint p = 0; p < s->n_patches; p++)
        if (s->token_of[p] == t)
          s->token_of[p] = to; /* to is at most t, so no later token is mistaken for it */
      for (guint i = 0; i < dim; i++)
        s->x[to * dim + i] = s->x[t * dim + i] / s->size[t];
      s->size[to] = s->size[t];
    }
}

/* out[width] = attention of all heads for one query */
static void attend(State *s, double *out, const double *q, const double *k, const double *v,
                   guint heads)
{
  const guint n = s->d->head_dim, width = heads * n, n_keys = n_seen(s);
  g_autofree double *weights = g_new(double, n_keys);
  for (guint h = 0; h < heads; h++) {
    double sum = 0;
    for (guint t = 0; t < n_keys; t++) {
      double dot = 0;
      for (guint i = 0; i < n; i++)
        dot += q[h * n + i] * k[t * width + h * n + i];
      sum += weights[t] = exp(dot / sqrt(n) + log(s->size[t]));
    }
    for (guint i = 0; i < n; i++) {
      out[h * n + i] = 0;
      for (guint t = 0; t < n_keys; t++)
        out[h * n + i] += weights[t] / sum * v[t * width + h * n + i];
    }
  }
  s->out->macs += 2.0 * width * n_keys;
}

/* Copies rows into the cache. Returns: all rows of the cache, or @rows without one */
static const double *keep(const State *s, double *cached, const double *rows, guint width)
{
  for (guint t = 0; s->cache && t < s->n_tokens; t++)
    memcpy(cached + slot_of(s, t) * width, rows + t * width, width * sizeof *rows);
  return s->cache ? cached : rows;
}

/* Adds the substitute to the tokens that are not open.
 * @h: [n_tokens][dim] the output of the module's norm */
static void run_substitutes(State *s, guint b, gboolean mlp, const double *h)
{
  const guint dim = s->d->dim;
  const BlockShape *shape = &s->d->blocks[b];
  const guint rank = mlp ? shape->mlp_tokens.rank : shape->attention_tokens.rank;
  const char *name = mlp ? "mlp_substitute" : "attn_substitute";
  g_autofree char *whole = g_strdup_printf("%s.weight", name),
                  *down = g_strdup_printf("%s.down.weight", name),
                  *up = g_strdup_printf("%s.up.weight", name),
                  *bias = g_strdup_printf("%s.bias", name);
  g_autofree double *y = g_new(double, dim), *some = g_new(double, dim);
  g_autofree float *none = g_new0(float, dim);
  for (guint t = 0; t < s->n_tokens; t++) {
    if (s->open[t])
      continue;
    if (2 * rank >= dim) {
      linear(s, y, h + t * dim, of_block(s, b, whole), of_block(s, b, bias), 1, dim, dim);
    } else if (rank) {
      linear(s, some, h + t * dim, of_block(s, b, down), none, 1, dim, rank);
      linear(s, y, some, of_block(s, b, up), of_block(s, b, bias), 1, rank, dim);
    } else {
      for (guint i = 0; i < dim; i++)
        y[i] = of_block(s, b, bias)[i];
    }
    reference_add(s->x + t * dim, y, dim);
  }
}

static void run_attention(State *s, guint b, gboolean gated, gboolean tail, double threshold)
{
  const guint heads = s->d->blocks[b].heads, n = s->d->head_dim, width = heads * n;
  const guint dim = s->d->dim, rows = s->n_tokens;
  const float *weight = of_block(s, b, "attn.qkv.weight");
  g_autofree float *no_bias = g_new0(float, 3 * width);
  const float *bias = s->d->qkv_unbiased ? no_bias : of_block(s, b, "attn.qkv.bias");
  g_autofree double *x = normalize(s, of_block(s, b, "norm1.weight"), of_block(s, b, "norm1.bias"),
                                   rows),
                    *q = g_new(double, width), *k = g_new(double, rows *width),
                    *v = g_new(double, rows *width), *found = g_new(double, width),
                    *y = g_new(double, dim), *keys = g_new0(double, rows *n);
  const float *proj = of_block(s, b, "attn.proj.weight"),
              *proj_bias = of_block(s, b, "attn.proj.bias");
  linear(s, k, x, weight + width * dim, bias + width, rows, dim, width);
  linear(s, v, x, weight + 2 * width * dim, bias + 2 * width, rows, dim, width);
  const double *all_k = keep(s, s->cache ? s->cache->keys[b] : NULL, k, width),
               *all_v = keep(s, s->cache ? s->cache->values[b] : NULL, v, width);
  for (guint r = 0; r < rows; r++) {
    if (!s->open[r])
      continue;
    linear(s, q, x + r * dim, weight, bias, 1, dim, width);
    attend(s, found, q, all_k, all_v, heads);
    linear(s, y, found, proj, proj_bias, 1, width, dim);
    reference_add(s->x + r * dim, y, dim);
  }
  if (gated)
    run_substitutes(s, b, FALSE, x);
  for (guint r = 0; r < rows; r++)
    for (guint h = 0; h < heads; h++)
      reference_add(keys + r * n, k + r * width + h * n, n);
  if (!tail && threshold < 1)
    merge(s, keys, n, threshold);
}

static void run_mlp(State *s, guint b, gboolean gated)
{
  const guint dim = s->d->dim, neurons = s->d->blocks[b].neurons, rows = s->n_tokens;
  const float *fc1 = of_block(s, b, "mlp.fc1.weight"), *bias1 = of_block(s, b, "mlp.fc1.bias"),
              *fc2 = of_block(s, b, "mlp.fc2.weight"), *bias2 = of_block(s, b, "mlp.fc2.bias");
  g_autofree double *x = normalize(s, of_block(s, b, "norm2.weight"), of_block(s, b, "norm2.bias"),
                                   rows),
                    *hidden = g_new(double, neurons), *y = g_new(double, dim);
  for (guint r = 0; r < rows; r++) {
    if (!s->open[r])
      continue;
    linear(s, hidden, x + r * dim, fc1, bias1, 1, dim, neurons);
    for (guint i = 0; i < neurons; i++)
      hidden[i] = reference_gelu(hidden[i]);
    linear(s, y, hidden, fc2, bias2, 1, neurons, dim);
    reference_add(s->x + r * dim, y, dim);
  }
  if (gated)
    run_substitutes(s, b, TRUE, x);
}

static void classify_mean(State *s)
{
  const guint dim = s->d->dim;
  g_autofree double *mean = g_new0(double, dim);
  double *x = s->out->features = g_new(double, dim);
  const double *all = keep(s, s->cache ? s->cache->tokens : NULL, s->x, dim);
  double patches = 0;
  for (guint t = s->n_prefix; t < n_seen(s); t++)
    patches += s->size[t];
  for (guint t = s->n_prefix; t < n_seen(s); t++)
    for (guint i = 0; i < dim; i++)
      mean[i] += all[t * dim + i] * s->size[t] / patches;
  reference_layer_norm(x, mean, whole(s, "fc_norm.weight"), whole(s, "fc_norm.bias"),
                       s->d->layer_norm_eps, dim);
  linear(s, s->out->logits, x, whole(s, "head.weight"), whole(s, "head.bias"), 1, dim,
         s->d->n_classes);
}

static void classify(State *s)
{
  const guint dim = s->d->dim, n = s->d->n_classes;
  if (s->d->mean_pooling) {
    classify_mean(s);
    return;
  }
  double *x = normalize(s, whole(s, "norm.weight"), whole(s, "norm.bias"), s->n_prefix);
  g_autofree double *more = g_new(double, n);
  s->out->features = x;
  linear(s, s->out->logits, x, whole(s, "head.weight"), whole(s, "head.bias"), 1, dim, n);
  if (!s->d->distilled || s->d->class_head_only)
    return;
  linear(s, more, x + dim, whole(s, "head_dist.weight"), whole(s, "head_dist.bias"), 1, dim, n);
  for (guint i = 0; i < n; i++)
    s->out->logits[i] = (s->out->logits[i] + more[i]) / 2;
}

/* ---- Gates ---- */

double reference_gate_logit(const Gate *gate, const double *features, guint dim, double eps)
{
  g_autofree double *x = g_new(double, 2 * dim);
  double raw = gate->fc2_bias[0];
  reference_layer_norm(x, features, gate->norm_scale, gate->norm_shift, eps, 2 * dim);
  for (guint h = 0; h < 16; h++) {
    double sum = gate->fc1_bias[h];
    for (guint i = 0; i < 2 * dim; i++)
      sum += gate->fc1_weight[h * 2 * dim + i] * x[i];
    raw += gate->fc2_weight[h] * reference_gelu(sum);
  }
  return 6 * tanh(raw / 6);
}

static Gate find_gate(const State *s, guint b, gboolean mlp)
{
  float *found[6];
  static const char *const parts[] = { "norm.weight", "norm.bias",  "fc1.weight",
                                       "fc1.bias",    "fc2.weight", "fc2.bias" };
  for (guint i = 0; i < 6; i++) {
    g_autofree char *name = g_strdup_printf("%s_gate.%s", mlp ? "mlp" : "attn", parts[i]);
    found[i] = (float *)of_block(s, b, name);
  }
  return (Gate){ found[0], found[1], found[2], found[3], found[4], found[5] };
}

static void weigh(State *s, guint b, gboolean mlp)
{
  const guint dim = s->d->dim;
  const Gate gate = find_gate(s, b, mlp);
  g_autofree double *features = g_new0(double, 2 * dim);
  double patches = 0;
  for (guint t = s->n_prefix; t < s->n_tokens; t++)
    patches += s->size[t];
  memcpy(features, s->x, dim * sizeof *features);
  for (guint t = s->n_prefix; t < s->n_tokens; t++)
    for (guint i = 0; i < dim; i++)
      features[dim + i] += s->x[t * dim + i] * s->size[t] / patches;
  s->out->gate_logits[2 * b + mlp] =
      reference_gate_logit(&gate, features, dim, s->d->layer_norm_eps);
  s->out->macs += 16.0 * 2 * dim + 16;
}

/* Returns: whether the module runs for image @i: whether the mean logit of its group plus the bias
 * is above zero */
static gboolean decide(State *states, guint n, guint i, guint module,
                       const ReferenceSettings *settings)
{
  double sum = 0;
  guint members = 0;
  for (guint j = 0; j < n; j++)
    if (j / settings->group == i / settings->group) {
      sum += states[j].out->gate_logits[module];
      members++;
    }
  note_margin(&states[i], sum / members, -settings->gate_bias);
  return sum / members + settings->gate_bias > 0;
}

/* ---- Token gates ---- */

static void weigh_tokens(State *s, guint b, gboolean mlp)
{
  const guint dim = s->d->dim;
  const float *weight = of_block(s, b, mlp ? "mlp_token_gate.weight" : "attn_token_gate.weight"),
              *bias = of_block(s, b, mlp ? "mlp_token_gate.bias" : "attn_token_gate.bias"),
              *scale = of_block(s, b, mlp ? "norm2.weight" : "norm1.weight"),
              *shift = of_block(s, b, mlp ? "norm2.bias" : "norm1.bias");
  g_autofree double *h = normalize(s, scale, shift, s->n_tokens);
  for (guint t = s->n_prefix; t < s->n_tokens; t++)
    linear(s, &s->token_logits[t], h + t * dim, weight, bias, 1, dim, 1);
}

/* Decides for each token of image @i: by the mean of the logits at its position in the group. */
static void decide_tokens(State *states, guint n, guint i, const ReferenceSettings *settings)
{
  State *s = &states[i];
  for (guint t = 0; t < s->n_tokens; t++) {
    double sum = 0;
    guint members = 0;
    for (guint j = 0; j < n && t >= s->n_prefix; j++)
      if (j / settings->group == i / settings->group) {
        sum += states[j].token_logits[t];
        members++;
      }
    s->open[t] = !members || sum / members + settings->gate_bias > 0;
    if (members)
      note_margin(s, sum / members, -settings->gate_bias);
  }
}

/* ---- The whole ---- */

static void record_patches(State *s, guint module, gboolean runs)
{
  for (guint p = 0; p < s->n_patches; p++) {
    const guint t = s->token_of[p];
    if (t == NO_TOKEN)
      continue;
    s->out->patches[module * s->n_patches + p] =
        (runs && s->open[t] ? VITGATE_PATCH_RAN : 0) | (s->size[t] > 1 ? VITGATE_PATCH_MERGED : 0);
  }
}

static void run_module(State *states, guint n, guint b, gboolean mlp, guint tail,
                       const ReferenceSettings *settings)
{
  const BlockShape *shape = &states->d->blocks[b];
  const gboolean gated = mlp ? shape->mlp_gate : shape->attention_gate;
  const gboolean by_token = (mlp ? shape->mlp_tokens.present : shape->attention_tokens.present) &&
                            b < tail && settings->gate_bias < 100;
  if (!(mlp ? shape->neurons : shape->heads))
    return;
  for (guint i = 0; by_token && i < n; i++)
    weigh_tokens(&states[i], b, mlp);
  for (guint i = 0; gated && !states->rows && i < n; i++)
    weigh(&states[i], b, mlp);
  for (guint i = 0; i < n; i++) {
    State *s = &states[i];
    if (gated &&
        !(s->rows ? s->cache->ran[2 * b + mlp] : decide(states, n, i, 2 * b + mlp, settings))) {
      if (b < tail)
        record_patches(s, 2 * b + mlp, FALSE);
      continue;
    }
    s->out->modules[2 * b + mlp] = 1;
    for (guint t = 0; t < s->n_tokens; t++)
      s->open[t] = t < s->n_prefix || mlp || b != tail;
    if (by_token)
      decide_tokens(states, n, i, settings);
    if (b < tail)
      record_patches(s, 2 * b + mlp, TRUE);
    for (guint t = 0; t < s->n_tokens; t++)
      s->out->module_tokens[2 * b + mlp] += s->open[t];
    if (mlp)
      run_mlp(s, b, by_token);
    else
      run_attention(s, b, by_token, b == tail, settings->thresholds[b]);
  }
}

/* Takes tokens that the engine embedded. Their cost includes the stem; the heads count later. */
static void take_embedded(State *s, const float *tokens)
{
  const Description *d = s->d;
  for (guint i = 0; i < s->n_tokens * d->dim; i++)
    s->x[i] = tokens[slot_of(s, i / d->dim) * d->dim + i % d->dim];
  s->out->macs = 1e9 * vitgate__description_fixed_gmacs(d, s->n_tokens - s->n_prefix) -
                 (double)vitgate__description_n_class_heads(d) * d->dim * d->n_classes -
                 1e9 * vitgate__unknown_gmacs(d);
}

static void start(State *s, ModelFile *file, const Description *d, ReferenceImage *out,
                  const ReferenceSettings *settings, const float *tensor, const float *embedded)
{
  const guint prefix = d->distilled ? 2 : 1, side = d->image_size / d->patch_size;
  const guint all = side * side + prefix;
  *s = (State){ file, d, out, .n_prefix = prefix, .n_patches = side * side };
  s->cache = settings->cache;
  s->rows = settings->rows;
  s->n_tokens = s->rows ? settings->n_rows : all;
  s->x = g_new(double, s->n_tokens * d->dim);
  s->size = g_new(double, all);
  s->token_logits = g_new(double, s->n_tokens);
  s->open = g_new(gboolean, s->n_tokens);
  s->token_of = g_new(guint, s->n_patches);
  for (guint p = 0; p < s->n_patches; p++)
    s->token_of[p] = s->rows ? NO_TOKEN : prefix + p;
  for (guint t = prefix; s->rows && t < s->n_tokens; t++)
    s->token_of[s->rows[t] - prefix] = t;
  out->patches = g_new0(guint8, 2 * d->depth * s->n_patches);
  out->logits = g_new(double, d->n_classes);
  out->margin = INFINITY;
  for (guint t = 0; t < all; t++)
    s->size[t] = 1;
  if (embedded)
    take_embedded(s, embedded);
  else
    embed(s, tensor);
}

ReferenceImage *reference_run_blocks(ModelFile *file, const Description *d,
                                     const ReferenceSettings *settings, const float *tensors,
                                     guint n, guint n_blocks)
{
  const gsize image = (gsize)3 * d->image_size * d->image_size;
  const gsize tokens = (gsize)vitgate__description_n_tokens(d) * d->dim;
  ReferenceImage *images = g_new0(ReferenceImage, n);
  g_autofree State *states = g_new0(State, n);
  guint tail = d->depth;
  for (guint b = 0; b < d->depth && !d->mean_pooling; b++)
    if (d->blocks[b].heads)
      tail = b;
  for (guint i = 0; i < n; i++)
    start(&states[i], file, d, &images[i], settings, tensors + i * image,
          settings->embedded ? settings->embedded + i * tokens : NULL);
  for (guint b = 0; b < n_blocks; b++) {
    run_module(states, n, b, FALSE, tail, settings);
    for (guint i = 0; i < n && b <= tail; i++) {
      images[i].n_tokens = states[i].n_tokens;
      if (b == tail)
        states[i].n_tokens = states[i].n_prefix;
    }
    run_module(states, n, b, TRUE, tail, settings);
  }
  for (guint i = 0; i < n; i++) {
    classify(&states[i]);
    images[i].unknown = reference_unknown(file, d, images[i].features, &images[i].macs);
    g_free(states[i].x);
    g_free(states[i].size);
    g_free(states[i].token_logits);
    g_free(states[i].open);
    g_free(states[i].token_of);
  }
  if (settings->cache && !settings->rows)
    memcpy(settings->cache->ran, images->modules, sizeof images->modules);
  return images;
}

ReferenceImage *reference_forward(ModelFile *file, const Description *d,
                                  const ReferenceSettings *settings, const float *tensors, guint n)
{
  return reference_run_blocks(file, d, settings, tensors, n, d->depth);
}

void reference_free(ReferenceImage *images, guint n)
{
  for (guint i = 0; i < n; i++) {
    g_free(images[i].logits);
    g_free(images[i].features);
    g_free(images[i].patches);
  }
  g_free(images);
}

static void check_image(const VitgateResult *found, const ReferenceImage *expected,
                        const Description *d, double min_margin, const char *what)
{
  assert_each(expected->margin > min_margin,
              "%s: the test's images are too close to a decision: %g", what, expected->margin);
  for (guint m = 0; m < 2 * d->depth; m++)
    assert_each(found->modules[m] == expected->modules[m], "%s, module %u: %u, expected %u", what,
                m, found->modules[m], expected->modules[m]);
  for (guint m = 0; m < 2 * d->depth; m++)
    assert_each(found->module_tokens[m] == expected->module_tokens[m],
                "%s, module %u: %u tokens, expected %u", what, m, found->module_tokens[m],
                expected->module_tokens[m]);
  if (found->patches)
    ck_assert_mem_eq(found->patches, expected->patches,
                     2 * d->depth * vitgate__description_n_patches(d));
  for (guint c = 0; c < d->n_classes; c++)
    assert_each(fabs(found->logits[c] - expected->logits[c]) <= LOGIT_TOLERANCE,
                "%s, class %u: %.7g, expected %.7g", what, c, found->logits[c],
                expected->logits[c]);
  reference_check_features(found, expected->features, expected->unknown, d, what);
  assert_each(fabs(found->gmacs * 1e9 - expected->macs) <= COUNT_TOLERANCE * expected->macs,
              "%s: %.12g multiply-adds, counted %.12g", what, found->gmacs * 1e9, expected->macs);
  ck_assert_double_eq_tol(found->compute_ratio, found->gmacs / d->dense_gmacs, COUNT_TOLERANCE);
  ck_assert_uint_eq(found->n_tokens, expected->n_tokens);
}

void reference_check(const VitgateResult *found, const ReferenceImage *expected, guint n,
                     const Description *d, double min_margin, const char *what)
{
  for (guint i = 0; i < n; i++) {
    g_autofree char *which = g_strdup_printf("%s, image %u of %u", what, i, n);
    check_image(&found[i], &expected[i], d, min_margin, which);
  }
}
