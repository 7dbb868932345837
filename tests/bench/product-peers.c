/* Times products of int8 of this engine and of oneDNN 2 on the shapes of DeiT-Tiny, on one thread.
 * Both multiply bytes without a sign by bytes with one, scale by column, add a bias and store
 * float32; both may pack the weights as they like. Ours also scales by row and corrects its zero.
 * They take turns, and the shortest time of each counts.
 * usage: OMP_NUM_THREADS=1 product-peers */
#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/int8.h"

#define MOST_ROWS 197
#define MOST_K    768
#define MOST_N    768
#define MOST      (MOST_N * MOST_K)
#define SECONDS   0.2 /* for a shape */

typedef struct {
  guint m, n, k;
} Shape;

static float x[MOST_ROWS * MOST_K], out[MOST_ROWS * MOST_N], scales[MOST_N], bias[MOST_N];
static float unscaled_bias[MOST_N]; /* oneDNN adds the bias before it scales */
static gint8 weights[MOST];
static Int8Row rows[MOST_ROWS];
static guint8 q[MOST_ROWS * MOST_K * 2] __attribute__((aligned(64)));
static guint8 packed[MOST * 2 + 4 * MOST_N] __attribute__((aligned(64)));

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void check(dnnl_status_t status, const char *what)
{
  if (status != dnnl_success) {
    fprintf(stderr, "product-peers: oneDNN fails to %s (status %d)\n", what, status);
    exit(1);
  }
}

/* ---- oneDNN ---- */

typedef struct {
  dnnl_primitive_t primitive;
  dnnl_memory_t src, weights, bias, dst;
} Peer;

static dnnl_memory_desc_t describe(gint64 height, gint64 width, dnnl_data_type_t type,
                                   dnnl_format_tag_t tag)
{
  dnnl_memory_desc_t desc;
  const dnnl_dims_t dims = { height, width };
  check(dnnl_memory_desc_init_by_tag(&desc, 2, dims, type, tag), "describe memory");
  return desc;
}

static dnnl_memory_t make_memory(const dnnl_memory_desc_t *desc, dnnl_engine_t engine, void *memory)
{
  dnnl_memory_t result;
  check(dnnl_memory_create(&result, desc, engine, memory), "make memory");
  return result;
}

/* Puts w[n][k] in the order that the primitive wants. */
static dnnl_memory_t reorder(const dnnl_memory_desc_t *wanted, const Shape *s, dnnl_engine_t engine,
                             dnnl_stream_t stream)
{
  const dnnl_memory_desc_t plain = describe(s->k, s->n, dnnl_s8, dnnl_ba);
  dnnl_memory_t from = make_memory(&plain, engine, weights),
                to = make_memory(wanted, engine, DNNL_MEMORY_ALLOCATE);
  dnnl_primitive_desc_t desc;
  dnnl_primitive_t primitive;
  const dnnl_exec_arg_t args[] = { { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, to } };
  check(dnnl_reorder_primitive_desc_create(&desc, &plain, engine, wanted, engine, NULL),
        "describe a reordering");
  check(dnnl_primitive_create(&primitive, desc), "make a reordering");
  check(dnnl_primitive_execute(primitive, stream, G_N_ELEMENTS(args), args), "reorder");
  check(dnnl_stream_wait(stream), "reorder");
  dnnl_primitive_destroy(primitive);
  dnnl_primitive_desc_destroy(desc);
  dnnl_memory_destroy(from);
  return to;
}

static Peer make_peer(const Shape *s, dnnl_engine_t engine, dnnl_stream_t stream)
{
  Peer peer;
  dnnl_matmul_desc_t op;
  dnnl_primitive_attr_t attr;
  dnnl_primitive_desc_t desc;
  const dnnl_memory_desc_t src = describe(s->m, s->k, dnnl_u8, dnnl_ab),
                           any = describe(s->k, s->n, dnnl_s8, dnnl_format_tag_any),
                           row = describe(1, s->n, dnnl_f32, dnnl_ab),
                           dst = describe(s->m, s->n, dnnl_f32, dnnl_ab);
  check(dnnl_primitive_attr_create(&attr), "make attributes");
  check(dnnl_primitive_attr_set_output_scales(attr, s->n, 1 << 1, scales), "set scales");
  check(dnnl_matmul_desc_init(&op, &src, &any, &row, &dst), "describe a product");
  check(dnnl_primitive_desc_create(&desc, &op, attr, engine, NULL), "find a product");
  check(dnnl_primitive_create(&peer.primitive, desc), "make a product");
  peer.src = make_memory(&src, engine, q);
  peer.weights =
      reorder(dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0), s, engine, stream);
  peer.bias = make_memory(&row, engine, unscaled_bias);
  peer.dst = make_memory(&dst, engine, out);
  dnnl_primitive_desc_destroy(desc);
  dnnl_primitive_attr_destroy(attr);
  return peer;
}

static void run_peer(const Peer *peer, dnnl_stream_t stream)
{
  const dnnl_exec_arg_t args[] = { { DNNL_ARG_SRC, peer->src },
                                   { DNNL_ARG_WEIGHTS, peer->weights },
                                   { DNNL_ARG_BIAS, peer->bias },
                                   { DNNL_ARG_DST, peer->dst } };
  check(dnnl_primitive_execute(peer->primitive, stream, G_N_ELEMENTS(args), args), "multiply");
  check(dnnl_stream_wait(stream), "multiply");
}

static void free_peer(Peer *peer)
{
  dnnl_primitive_destroy(peer->primitive);
  dnnl_memory_destroy(peer->src);
  dnnl_memory_destroy(peer->weights);
  dnnl_memory_destroy(peer->bias);
  dnnl_memory_destroy(peer->dst);
}

/* ---- Both ---- */

/* Both computed the same product, so that the times are of the same work. */
static void compare(const float *ours, const Shape *s)
{
  for (gsize i = 0; i < (gsize)s->m * s->n; i++)
    if (!(ours[i] - out[i] < 0.01f && out[i] - ours[i] < 0.01f)) {
      fprintf(stderr, "product-peers: %ux%ux%u: value %" G_GSIZE_FORMAT " is %g, oneDNN: %g\n",
              s->m, s->n, s->k, i, ours[i], out[i]);
      exit(1);
    }
}

static void bench(const Shape *s, dnnl_engine_t engine, dnnl_stream_t stream)
{
  const Int8Kernels *kernels = vitgate__int8_kernels();
  double best = SECONDS, peer_best = SECONDS;
  kernels->quantize(q, rows, x, s->k, s->m, s->k);
  kernels->pack(packed, weights, s->k, s->n, s->k);
  for (guint i = 0; i < s->m; i++)
    rows[i] = (Int8Row){ 1, 0 };
  Peer peer = make_peer(s, engine, stream);
  g_autofree float *ours = g_new(float, (gsize)s->m * s->n);
  for (const double end = now() + SECONDS; now() < end;) {
    double start = now();
    kernels->gemm(ours, s->n, q, rows, packed, scales, bias, INT8_STORE, s->m, s->n, s->k);
    best = MIN(best, now() - start);
    start = now();
    run_peer(&peer, stream);
    peer_best = MIN(peer_best, now() - start);
  }
  compare(ours, s);
  free_peer(&peer);
  const double gmacs = 1e-9 * s->m * s->n * s->k;
  printf("%4u rows %3u -> %3u  %7.2f us %6.1f GMAC/s   %7.2f us %6.1f GMAC/s   %5.2f x\n", s->m,
         s->k, s->n, 1e6 * best, gmacs / best, 1e6 * peer_best, gmacs / peer_best,
         peer_best / best);
}

int main(void)
{
  static const guint counts[] = { 1, 2, 4, 6, 12, 24, 48, MOST_ROWS };
  static const guint layers[][2] = { { 576, 192 }, { 192, 192 }, { 768, 192 }, { 192, 768 } };
  const char *threads = g_getenv("OMP_NUM_THREADS");
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  if (!threads || strcmp(threads, "1") || vitgate__int8_kernels()->value_size != 1) {
    fprintf(stderr, "product-peers needs OMP_NUM_THREADS=1 and a CPU with products of bytes\n");
    return 77;
  }
  for (gsize i = 0; i < G_N_ELEMENTS(x); i++)
    x[i] = (float)(i * 7919 % 1009) / 256 - 1;
  for (gsize i = 0; i < G_N_ELEMENTS(weights); i++)
    weights[i] = (gint8)(i * 7907 % 255) - 127;
  for (guint i = 0; i < MOST_N; i++) {
    scales[i] = 1e-6f * (float)(1 + i % 7);
    bias[i] = 0.1f * (float)(i % 5);
    unscaled_bias[i] = bias[i] / scales[i];
  }
  check(dnnl_engine_create(&engine, dnnl_cpu, 0), "start");
  check(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "start");
  printf("%-21s %-29s %-29s oneDNN / ours\n", "", vitgate__int8_kernels()->name, "oneDNN");
  for (guint i = 0; i < G_N_ELEMENTS(counts); i++)
    for (guint j = 0; j < G_N_ELEMENTS(layers); j++)
      bench(&(Shape){ counts[i], layers[j][0], layers[j][1] }, engine, stream);
  dnnl_stream_destroy(stream);
  dnnl_engine_destroy(engine);
  return 0;
}
