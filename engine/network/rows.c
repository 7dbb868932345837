#include "network/rows.h"

#include <string.h>

#include "network/patches.h"

/* Normalised rows that wait until they fill a chunk. */
typedef struct {
  float *norm; /* [CHUNK][dim] */
  guint rows[CHUNK];
  guint n;
} Waiting;

/* One thread's rows of an image on their way through a module. */
typedef struct {
  const Job *job;
  const Block *block;
  const TokenGateLayers *gate;
  gboolean mlp;
  guint neurons, width; /* of the MLP, or of the attention's queries */
  Waiting open, closed;
  guint n_open, n_closed; /* that have gone through */
} Flow;

const TokenGateLayers *vitgate__rows_gate(const Vit *vit, const Dial *dial, guint b, gboolean mlp)
{
  const TokenGateLayers *gate = mlp ? &vit->blocks[b].mlp_tokens : &vit->blocks[b].attention_tokens;
  return gate->weight && b < vit->tail && dial->gate_bias < TOKEN_GATES_OPEN ? gate : NULL;
}

static void init_flow(Flow *flow, const Job *job, guint b, gboolean mlp)
{
  const Description *d = job->vit->description;
  flow->job = job;
  flow->block = &job->vit->blocks[b];
  flow->gate = mlp ? &flow->block->mlp_tokens : &flow->block->attention_tokens;
  flow->mlp = mlp;
  flow->neurons = d->blocks[b].neurons;
  flow->width = d->blocks[b].heads * d->head_dim;
  flow->open.norm = job->scratch->open;
  flow->closed.norm = job->scratch->closed;
  flow->open.n = flow->closed.n = flow->n_open = flow->n_closed = 0;
}

/* ---- Decisions ---- */

/* Normalises some rows into scratch->norm. */
static void normalize(const Flow *flow, guint row, guint rows)
{
  const Job *job = flow->job;
  const Description *d = job->vit->description;
  vitgate__normalize(flow->mlp ? &flow->block->norm2 : &flow->block->norm1, d->layer_norm_eps,
                     job->scratch->norm, job->image->x + (gsize)row * d->dim, d->dim, rows);
}

/* logits[rows] of the rows in scratch->norm */
static void compute_logits(const Flow *flow, float *logits, guint rows)
{
  float bias[CHUNK];
  for (guint r = 0; r < rows; r++)
    bias[r] = *flow->gate->bias;
  vitgate__kernels()->multiply_vector(logits, flow->job->scratch->norm, flow->gate->weight, bias,
                                      rows, flow->job->vit->description->dim);
}

static void decide(const Flow *flow, const float *logits, guint row, guint rows)
{
  const Job *job = flow->job;
  for (guint r = 0; r < rows; r++)
    job->image->open[row + r] =
        row + r < job->vit->n_prefix || logits[r] + job->dial->gate_bias > 0.0f;
}

void vitgate__rows_weigh(const Job *job, guint b, gboolean mlp)
{
  const ProfilePart part = vitgate__profile_part(PART_GATES);
  Flow flow;
  init_flow(&flow, job, b, mlp);
  for (guint row = job->first, rows; row < job->last; row += rows) {
    rows = vitgate__linear_rows(job->last - row);
    normalize(&flow, row, rows);
    compute_logits(&flow, job->image->token_logits + row, rows);
  }
  vitgate__profile_part(part);
}

/* ---- Products ---- */

static void gather(const Job *job, const guint *rows, guint n)
{
  const guint dim = job->vit->description->dim;
  for (guint i = 0; i < n; i++)
    memcpy(job->scratch->gathered + (gsize)i * dim, job->image->x + (gsize)rows[i] * dim,
           dim * sizeof(float));
}

static void scatter(const Job *job, const guint *rows, guint n)
{
  const guint dim = job->vit->description->dim;
  for (guint i = 0; i < n; i++)
    memcpy(job->image->x + (gsize)rows[i] * dim, job->scratch->gathered + (gsize)i * dim,
           dim * sizeof(float));
}

/* x[rows] += in W^T + b */
static void add_product(const Job *job, const Linear *linear, const float *in, gsize in_stride,
                        const guint *rows, guint n)
{
  const guint dim = job->vit->description->dim;
  gather(job, rows, n);
  vitgate__vit_multiply(job, linear, job->scratch->gathered, dim, in, in_stride, LINEAR_ADD, n);
  scatter(job, rows, n);
}

static void run_open(Flow *flow)
{
  const Job *job = flow->job;
  const Waiting *w = &flow->open;
  const guint dim = job->vit->description->dim, neurons = flow->neurons;
  const gsize stride = 3 * (gsize)flow->width;
  if (flow->mlp) {
    vitgate__vit_multiply(job, &flow->block->fc1, job->scratch->hidden, neurons, w->norm, dim,
                          LINEAR_GELU, w->n);
    add_product(job, &flow->block->fc2, job->scratch->hidden, neurons, w->rows, w->n);
  } else {
    vitgate__vit_multiply(job, &flow->block->q, job->qkv + (job->first + flow->n_open) * stride,
                          stride, w->norm, dim, LINEAR_STORE, w->n);
  }
  flow->n_open += w->n;
  flow->open.n = 0;
}

static void substitute(Flow *flow)
{
  const Job *job = flow->job;
  const TokenGateLayers *gate = flow->gate;
  const Waiting *w = &flow->closed;
  const guint dim = job->vit->description->dim, rank = gate->down.n_out;
  if (gate->constant) {
    for (guint i = 0; i < w->n; i++) {
      float *x = job->image->x + (gsize)w->rows[i] * dim;
      for (guint j = 0; j < dim; j++)
        x[j] += gate->constant[j];
    }
  } else if (rank) {
    vitgate__vit_multiply(job, &gate->down, job->scratch->hidden, rank, w->norm, dim, LINEAR_STORE,
                          w->n);
    add_product(job, &gate->up, job->scratch->hidden, rank, w->rows, w->n);
  } else {
    add_product(job, &gate->up, w->norm, dim, w->rows, w->n);
  }
  flow->n_closed += w->n;
  flow->closed.n = 0;
}

/* ---- Rows ---- */

/* Adds the rows in scratch->norm to those that wait, and runs full chunks. */
static void sort_rows(Flow *flow, guint row, guint rows)
{
  const guint dim = flow->job->vit->description->dim;
  for (guint r = 0; r < rows; r++) {
    const gboolean open = flow->job->image->open[row + r];
    Waiting *w = open ? &flow->open : &flow->closed;
    memcpy(w->norm + (gsize)w->n * dim, flow->job->scratch->norm + (gsize)r * dim,
           dim * sizeof(float));
    w->rows[w->n++] = row + r;
    if (w->n == CHUNK)
      (open ? run_open : substitute)(flow);
  }
}

static void compute_keys_and_values(const Flow *flow, guint row, guint rows)
{
  const Job *job = flow->job;
  const gsize width = flow->width;
  vitgate__vit_multiply(job, &flow->block->qkv, job->qkv + row * 3 * width + width, 3 * width,
                        job->scratch->norm, job->vit->description->dim, LINEAR_STORE, rows);
}

static void run_rows(Flow *flow, guint module, gboolean weighed)
{
  const Job *job = flow->job;
  VitOutcome *outcome = &job->image->outcome;
  const ProfilePart part = vitgate__profile_part(PART_GATES);
  for (guint row = job->first, rows; row < job->last; row += rows) {
    float logits[CHUNK];
    rows = vitgate__linear_rows(job->last - row);
    normalize(flow, row, rows);
    if (!flow->mlp)
      compute_keys_and_values(flow, row, rows);
    if (!weighed)
      compute_logits(flow, logits, rows);
    decide(flow, weighed ? job->image->token_logits + row : logits, row, rows);
    sort_rows(flow, row, rows);
  }
  if (flow->open.n)
    run_open(flow);
  if (flow->closed.n)
    substitute(flow);
  vitgate__profile_part(part);
  __atomic_fetch_add(&outcome->tokens[module], flow->n_open, __ATOMIC_RELAXED);
  __atomic_fetch_add(&outcome->closed[module], flow->n_closed, __ATOMIC_RELAXED);
}

void vitgate__rows_mlp(const Job *job, guint b, gboolean weighed)
{
  Flow flow;
  init_flow(&flow, job, b, TRUE);
  run_rows(&flow, 2 * b + 1, weighed);
  vitgate__patches_record(job, b, TRUE, TRUE, job->image->open);
}

guint vitgate__rows_query(const Job *job, guint b, gboolean weighed)
{
  Flow flow;
  init_flow(&flow, job, b, FALSE);
  run_rows(&flow, 2 * b, weighed);
  vitgate__patches_record(job, b, FALSE, TRUE, job->image->open);
  return flow.n_open;
}

void vitgate__rows_project(const Job *job, guint b)
{
  const Description *d = job->vit->description;
  const gsize stride = 3 * (gsize)d->blocks[b].heads * d->head_dim;
  const ProfilePart part = vitgate__profile_part(PART_GATES);
  guint rows[CHUNK], n = 0, done = 0;
  for (guint row = job->first; row < job->last; row++) {
    if (job->image->open[row])
      rows[n++] = row;
    if (n == CHUNK || (n && row + 1 == job->last)) {
      add_product(job, &job->vit->blocks[b].proj, job->qkv + (job->first + done) * stride, stride,
                  rows, n);
      done += n;
      n = 0;
    }
  }
  vitgate__profile_part(part);
}
