#include "commands/bench-parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clean-text.h"
#include "base/command-error.h"
#include "base/profile.h"
#include "data/decode.h"
#include "network/linear.h"
#include "report/report.h"

/* The limit is the rate of a product whose operands stay in the first-level cache. */
#define LIMIT_INPUTS  192
#define LIMIT_OUTPUTS 64
#define LIMIT_SECONDS 0.2

/* Products prefetch weights that follow. That takes long where no memory is mapped. */
#define LIMIT_PREFETCH (16 * 1024) /* floats */

typedef struct {
  const PartsBenchOptions *options;
  VitgateSession *session;
  Profile profile; /* of all measured inferences */
  GArray *plain_ms, *measured_ms;
  double limit; /* GMAC/s */
} PartsBench;

static double seconds_since(gint64 start)
{
  return (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
}

/* Returns: the fastest rate of the product in GMAC/s. Other programs can only make it slower. */
static double measure_limit(VitgatePrecision precision)
{
  const guint rows = LINEAR_ROWS, n = LIMIT_OUTPUTS, k = LIMIT_INPUTS;
  const gsize weights = vitgate__linear_size(precision, n, k);
  const gsize inputs = vitgate__linear_input_size(precision, k);
  g_autofree float *weight = g_new(float, (gsize)n *k), *x = g_new(float, (gsize)rows *k);
  g_autofree float *out = g_new(float, (gsize)rows *n), *bias = g_new0(float, n);
  const gsize size = vitgate__round_up(weights + inputs + LIMIT_PREFETCH) * sizeof(float);
  float *packed = memset(aligned_alloc(64, size), 0, size);
  for (guint i = 0; i < n * k; i++)
    weight[i] = (float)(i % 13) - 6;
  for (guint i = 0; i < rows * k; i++)
    x[i] = (float)(i % 17) - 8;
  Linear linear;
  float *input = vitgate__linear_init(&linear, precision, packed, weight, bias, n, k);
  double best = 0;
  for (gint64 start = g_get_monotonic_time(); seconds_since(start) < LIMIT_SECONDS;) {
    Profile profile = { 0 };
    vitgate__profile_start(&profile);
    vitgate__linear(&linear, input, out, n, x, k, LINEAR_STORE, rows);
    vitgate__profile_stop();
    best = MAX(best, profile.macs[PART_PRODUCTS] / (double)profile.ns[PART_PRODUCTS]);
  }
  free(packed);
  return best;
}

static gboolean classify(PartsBench *bench, guint number, gboolean measured, GError **error)
{
  const GPtrArray *frames = bench->options->frames;
  const VitgateImage image = decode_as_image(frames->pdata[number % frames->len]);
  const gint64 start = g_get_monotonic_time();
  if (measured)
    vitgate__profile_start(&bench->profile);
  const gboolean fine = vitgate_session_classify(bench->session, &image, 1, error) != NULL;
  if (measured)
    vitgate__profile_stop();
  const double ms = 1e3 * seconds_since(start);
  g_array_append_val(measured ? bench->measured_ms : bench->plain_ms, ms);
  return fine;
}

/* Each frame is classified twice, so that both kinds see the same frames at the same time. */
static gboolean measure(PartsBench *bench, GError **error)
{
  gboolean fine = classify(bench, 0, FALSE, error); /* fills the caches */
  g_array_set_size(bench->plain_ms, 0);
  const gint64 start = g_get_monotonic_time();
  for (guint i = 0; fine && (i == 0 || seconds_since(start) < bench->options->seconds); i++)
    fine = classify(bench, i, i % 2, error) && classify(bench, i, !(i % 2), error);
  return fine;
}

/* ---- Reporting ---- */

/* The figures of one part. */
typedef struct {
  double ms, share; /* per image; of the measured time */
  double gmacs;     /* of its products, per image */
  double rate;      /* GMAC/s of its products; 0: none */
} PartFigures;

static PartFigures figures_of(const PartsBench *bench, ProfilePart part)
{
  const Profile *profile = &bench->profile;
  double all = 0;
  for (guint i = 0; i < N_PARTS; i++)
    all += (double)profile->ns[i];
  const double ns = (double)profile->ns[part];
  return (PartFigures){ .ms = ns / 1e6 / bench->measured_ms->len,
                        .share = ns / all,
                        .gmacs = profile->macs[part] / 1e9 / bench->measured_ms->len,
                        .rate = ns > 0 ? profile->macs[part] / ns : 0 };
}

/* Returns: how much longer a measured inference takes, as a share */
static double measuring_cost(const PartsBench *bench)
{
  return report_quantile(bench->measured_ms, 0.5) / report_quantile(bench->plain_ms, 0.5) - 1;
}

static void print_text(const PartsBench *bench, const VitgateModelInfo *info)
{
  g_autofree char *name = vitgate__clean_text(info->name);
  g_print("%s, %s, 1 thread, 1 image at a time, %u frame%s\n", name,
          vitgate_precision_name(info->precision), bench->options->frames->len,
          bench->options->frames->len == 1 ? "" : "s");
  g_print("  ms per image  %.2f; %.1f %% more while parts are measured\n",
          report_quantile(bench->plain_ms, 0.5), 100 * measuring_cost(bench));
  g_print("  limit         %.1f GMAC/s: a product in the first-level cache\n\n", bench->limit);
  g_print("  %-16s %7s %7s %8s %9s\n", "part", "ms", "share", "GMAC/s", "of limit");
  for (guint part = 0; part < N_PARTS; part++) {
    const PartFigures f = figures_of(bench, part);
    if (bench->profile.ns[part] == 0)
      continue;
    g_print("  %-16s %7.3f %5.1f %%", vitgate__profile_name(part), f.ms, 100 * f.share);
    if (f.rate > 0)
      g_print(" %8.1f %7.0f %%", f.rate, 100 * f.rate / bench->limit);
    g_print("\n");
  }
}

static void print_json(const PartsBench *bench, const VitgateModelInfo *info)
{
  g_autoptr(JsonBuilder) json = json_builder_new();
  json_builder_begin_object(json);
  report_setting(json, info, bench->options->path, 1, 1);
  report_number(json, "ms_per_image", report_quantile(bench->plain_ms, 0.5));
  report_number(json, "measuring_cost", measuring_cost(bench));
  report_number(json, "limit_gmacs_per_second", bench->limit);
  report_begin(json, "parts");
  for (guint part = 0; part < N_PARTS; part++) {
    const PartFigures f = figures_of(bench, part);
    report_begin(json, vitgate__profile_name(part));
    report_number(json, "ms", f.ms);
    report_number(json, "share", f.share);
    report_number(json, "gmacs", f.gmacs);
    report_number(json, "gmacs_per_second", f.rate > 0 ? f.rate : NAN);
    json_builder_end_object(json);
  }
  json_builder_end_object(json);
  json_builder_end_object(json);
  report_print(json);
}

gboolean parts_bench(const PartsBenchOptions *options, GError **error)
{
  const VitgateModelInfo *info = vitgate_model_get_info(options->model);
  PartsBench bench = { .options = options, .limit = measure_limit(info->precision) };
  bench.plain_ms = g_array_new(FALSE, FALSE, sizeof(double));
  bench.measured_ms = g_array_new(FALSE, FALSE, sizeof(double));
  bench.session = vitgate_session_new(options->model, NULL, error);
  const gboolean fine = bench.session && measure(&bench, error);
  if (fine)
    (options->as_json ? print_json : print_text)(&bench, info);
  vitgate_session_free(&bench.session);
  g_array_unref(bench.plain_ms);
  g_array_unref(bench.measured_ms);
  return fine;
}
