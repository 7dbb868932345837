/* vitgate bench: measures speed on this machine, compared with a large matrix product. */
#include <math.h>

#include "base/blas.h"
#include "base/clean-text.h"
#include "commands/bench-parts.h"
#include "commands/bench-training.h"
#include "commands/command.h"
#include "data/decode.h"
#include "data/photo-reader.h"
#include "report/report.h"
#include "vitgate.h"

/* The yardstick: a product large enough to reach the machine's full rate. */
#define SGEMM_SIZE  2048
#define SGEMM_GMACS (1e-9 * SGEMM_SIZE * SGEMM_SIZE * SGEMM_SIZE)

/* Network and product take turns, so that other load on the machine affects both. After a product,
 * the threads of OpenBLAS spin for a while; network runs in that time are not counted. */
#define ROUNDS         5
#define SGEMM_SECONDS  0.25
#define SETTLE_SECONDS 0.1

#define MAX_FRAMES       256
#define MAX_FRAME_BYTES  ((gsize)512 << 20)
#define SYNTHETIC_WIDTH  640
#define SYNTHETIC_HEIGHT 480

typedef struct {
  const char *path;
  guint threads, batch_size;
  double seconds;
  VitgatePrecision precision;
  const VitgateModelInfo *info;
  VitgateSession *session;
  Blas *blas;        /* NULL: no yardstick */
  GPtrArray *frames; /* (element-type GdkPixbuf) */
  gboolean synthetic, parts;
  guint next_frame;
  float *a, *b, *c; /* [SGEMM_SIZE][SGEMM_SIZE] */
  GArray *ms;       /* (element-type double): per image, one value per call */
  GArray *preprocess_ms, *forward_ms;
  GArray *shares; /* (element-type double): network divided by product, one value per round */
  double images, gmacs, network_seconds;
  double sgemm_gmacs, sgemm_seconds;
} Bench;

static double seconds_since(gint64 start)
{
  return (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
}

/* ---- Frames ---- */

/* Draws soft colours with edges and texture, always the same. A plain area would not do, since the
 * network's work may depend on the image. */
static GdkPixbuf *draw_frame(void)
{
  GdkPixbuf *pixels =
      gdk_pixbuf_new(GDK_COLORSPACE_RGB, FALSE, 8, SYNTHETIC_WIDTH, SYNTHETIC_HEIGHT);
  int stride = gdk_pixbuf_get_rowstride(pixels);
  guint8 *bytes = gdk_pixbuf_get_pixels(pixels);
  guint32 noise = 1;
  for (int y = 0; y < SYNTHETIC_HEIGHT; y++)
    for (int x = 0; x < SYNTHETIC_WIDTH; x++) {
      guint8 *pixel = bytes + y * stride + 3 * x;
      int dx = x - SYNTHETIC_WIDTH / 2, dy = y - SYNTHETIC_HEIGHT / 2;
      gboolean inside = dx * dx + dy * dy < 150 * 150;
      noise = noise * 1664525u + 1013904223u;
      int grain = (int)(noise >> 27);
      pixel[0] = (guint8)((inside ? 190 : 60 + x / 8) + grain);
      pixel[1] = (guint8)((inside ? 90 + y / 8 : 110 + y / 10) + grain);
      pixel[2] = (guint8)((inside ? 40 : 200 - y / 6) + grain);
    }
  return pixels;
}

static gboolean load_frames(Bench *bench, const char *data, GError **error)
{
  g_autoptr(Dataset) dataset = dataset_open(data, error);
  if (!dataset)
    return FALSE;
  g_autoptr(PhotoReader) reader = photo_reader_new(dataset, NULL, 0);
  gsize n_bytes = 0;
  while (bench->frames->len < MAX_FRAMES && n_bytes < MAX_FRAME_BYTES) {
    g_autoptr(DecodedPhotograph) photograph = photo_reader_next(reader);
    if (!photograph)
      break;
    if (!photograph->pixels)
      continue;
    n_bytes += gdk_pixbuf_get_byte_length(photograph->pixels);
    g_ptr_array_add(bench->frames, g_steal_pointer(&photograph->pixels));
  }
  if (bench->frames->len == 0) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_DATA, "%s: no photograph can be used", data);
    return FALSE;
  }
  return TRUE;
}

/* ---- Measuring ---- */

static gboolean run_network(Bench *bench, double seconds, gboolean counted, GError **error)
{
  g_autofree VitgateImage *images = g_new(VitgateImage, bench->batch_size);
  double images_before = bench->images;
  gint64 start = g_get_monotonic_time();
  do {
    for (guint i = 0; i < bench->batch_size; i++)
      images[i] =
          decode_as_image(bench->frames->pdata[(bench->next_frame + i) % bench->frames->len]);
    gint64 call = g_get_monotonic_time();
    const VitgateResult *results =
        vitgate_session_classify(bench->session, images, bench->batch_size, error);
    double took = seconds_since(call), preprocess = 0;
    if (!results)
      return FALSE;
    if (!counted)
      continue;
    bench->next_frame = (bench->next_frame + bench->batch_size) % bench->frames->len;
    for (guint i = 0; i < bench->batch_size; i++) {
      bench->gmacs += results[i].gmacs;
      preprocess += (double)results[i].preprocess_ns / 1e6 / bench->batch_size;
    }
    double ms = 1e3 * took / bench->batch_size, forward = (double)results[0].forward_ns / 1e6;
    g_array_append_val(bench->ms, ms);
    g_array_append_val(bench->preprocess_ms, preprocess);
    g_array_append_val(bench->forward_ms, forward);
    bench->images += bench->batch_size;
    bench->network_seconds += took;
  } while (seconds_since(start) < seconds || (counted && bench->images == images_before));
  return TRUE;
}

static void run_sgemm(Bench *bench, double seconds)
{
  gint64 start = g_get_monotonic_time();
  do {
    gint64 call = g_get_monotonic_time();
    bench->blas->sgemm(BLAS_ROW_MAJOR, BLAS_NO_TRANS, BLAS_NO_TRANS, SGEMM_SIZE, SGEMM_SIZE,
                       SGEMM_SIZE, 1.0f, bench->a, SGEMM_SIZE, bench->b, SGEMM_SIZE, 0.0f, bench->c,
                       SGEMM_SIZE);
    bench->sgemm_seconds += seconds_since(call);
    bench->sgemm_gmacs += SGEMM_GMACS;
  } while (seconds_since(start) < seconds);
}

static gboolean run_round(Bench *bench, GError **error)
{
  double gmacs = bench->gmacs, seconds = bench->network_seconds;
  double sgemm_gmacs = bench->sgemm_gmacs, sgemm_seconds = bench->sgemm_seconds;
  if (bench->blas)
    run_sgemm(bench, SGEMM_SECONDS);
  if (!run_network(bench, SETTLE_SECONDS, FALSE, error) ||
      !run_network(bench, bench->seconds / ROUNDS, TRUE, error))
    return FALSE;
  if (bench->blas) {
    double network = (bench->gmacs - gmacs) / (bench->network_seconds - seconds);
    double product = (bench->sgemm_gmacs - sgemm_gmacs) / (bench->sgemm_seconds - sgemm_seconds);
    double share = network / product;
    g_array_append_val(bench->shares, share);
  }
  return TRUE;
}

static gboolean measure(Bench *bench, GError **error)
{
  if (bench->blas) {
    gsize n = (gsize)SGEMM_SIZE * SGEMM_SIZE;
    bench->a = g_new(float, n);
    bench->b = g_new(float, n);
    bench->c = g_new0(float, n);
    for (gsize i = 0; i < n; i++) {
      bench->a[i] = (float)(i % 17) / 17.0f;
      bench->b[i] = (float)(i % 13) / 13.0f;
    }
    run_sgemm(bench, 0);
    bench->sgemm_gmacs = bench->sgemm_seconds = 0;
  }
  gboolean fine = run_network(bench, SETTLE_SECONDS, FALSE, error);
  for (guint round = 0; fine && round < ROUNDS; round++)
    fine = run_round(bench, error);
  return fine;
}

/* ---- Reporting ---- */

static void print_json(Bench *bench)
{
  g_autoptr(JsonBuilder) json = json_builder_new();
  json_builder_begin_object(json);
  report_setting(json, bench->info, bench->path, bench->threads, bench->batch_size);
  report_begin(json, "ms_per_image");
  report_number(json, "min", report_quantile(bench->ms, 0));
  report_number(json, "median", report_quantile(bench->ms, 0.5));
  report_number(json, "p95", report_quantile(bench->ms, 0.95));
  report_number(json, "preprocess", report_quantile(bench->preprocess_ms, 0.5));
  report_number(json, "forward", report_quantile(bench->forward_ms, 0.5));
  json_builder_end_object(json);
  report_count(json, "images", (guint64)bench->images);
  report_count(json, "frames", bench->frames->len);
  report_boolean(json, "synthetic", bench->synthetic);
  report_number(json, "images_per_second", bench->images / bench->network_seconds);
  report_number(json, "gmacs_per_image", bench->gmacs / bench->images);
  report_number(json, "gmacs_per_second", bench->gmacs / bench->network_seconds);
  report_number(json, "sgemm_gmacs_per_second",
                bench->blas ? bench->sgemm_gmacs / bench->sgemm_seconds : NAN);
  report_number(json, "share_of_sgemm", bench->blas ? report_quantile(bench->shares, 0.5) : NAN);
  json_builder_end_object(json);
  report_print(json);
}

static void print_text(Bench *bench)
{
  g_autofree char *name = vitgate__clean_text(bench->info->name);
  g_print("%s, %s, %u thread%s, batches of %u, %u %s\n", name,
          vitgate_precision_name(bench->info->precision), bench->threads,
          bench->threads == 1 ? "" : "s", bench->batch_size, bench->frames->len,
          bench->synthetic ? "drawn frame of 640 x 480" : "photographs");
  g_print("  ms per image       min %.2f, median %.2f, p95 %.2f\n", report_quantile(bench->ms, 0),
          report_quantile(bench->ms, 0.5), report_quantile(bench->ms, 0.95));
  g_print("  of these           pre-processing %.2f, network %.2f (medians)\n",
          report_quantile(bench->preprocess_ms, 0.5), report_quantile(bench->forward_ms, 0.5));
  g_print("  images per second  %.1f\n", bench->images / bench->network_seconds);
  g_print("  GMAC/s             %.1f (%.3f GMACs per image)\n",
          bench->gmacs / bench->network_seconds, bench->gmacs / bench->images);
  if (bench->blas)
    g_print("  sgemm %d³ GMAC/s %.1f; the network reaches %.0f %% of it\n", SGEMM_SIZE,
            bench->sgemm_gmacs / bench->sgemm_seconds, 100 * report_quantile(bench->shares, 0.5));
}

/* ---- The command ---- */

static void clear_bench(Bench *bench)
{
  vitgate_session_free(&bench->session);
  blas_close(&bench->blas);
  g_clear_pointer(&bench->frames, g_ptr_array_unref);
  g_clear_pointer(&bench->ms, g_array_unref);
  g_clear_pointer(&bench->preprocess_ms, g_array_unref);
  g_clear_pointer(&bench->forward_ms, g_array_unref);
  g_clear_pointer(&bench->shares, g_array_unref);
  g_free(bench->a);
  g_free(bench->b);
  g_free(bench->c);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Bench, clear_bench)

static int run(Bench *bench, const char *data, gboolean as_json, GError **error)
{
  g_autoptr(VitgateModel) model = vitgate_model_open_with(bench->path, bench->precision, error);
  if (!model)
    return 1;
  bench->info = vitgate_model_get_info(model);
  bench->ms = g_array_new(FALSE, FALSE, sizeof(double));
  bench->preprocess_ms = g_array_new(FALSE, FALSE, sizeof(double));
  bench->forward_ms = g_array_new(FALSE, FALSE, sizeof(double));
  bench->shares = g_array_new(FALSE, FALSE, sizeof(double));
  bench->frames = g_ptr_array_new_with_free_func(g_object_unref);
  bench->synthetic = !data;
  if (!data)
    g_ptr_array_add(bench->frames, draw_frame());
  else if (!load_frames(bench, data, error))
    return 1;

  if (bench->parts) {
    const PartsBenchOptions options = { .path = bench->path,
                                        .model = model,
                                        .frames = bench->frames,
                                        .seconds = bench->seconds,
                                        .as_json = as_json };
    return parts_bench(&options, error) ? 0 : 1;
  }
  VitgateSessionOptions options = { .threads = bench->threads, .max_batch = bench->batch_size };
  bench->session = vitgate_session_new(model, &options, error);
  if (!bench->session)
    return 1;
  g_autoptr(GError) no_blas = NULL;
  bench->blas = blas_open(bench->threads, &no_blas);
  if (no_blas)
    command_note("no comparison with a large matrix product: %s", no_blas->message);
  if (!measure(bench, error))
    return 1;
  if (as_json)
    print_json(bench);
  else
    print_text(bench);
  return 0;
}

typedef struct {
  gboolean train, parts, as_json;
  int batch_size, threads; /* NOT_GIVEN: the default */
  double seconds;
  char *data, *precision;
} Options;

static void clear_options(Options *o)
{
  g_free(o->data);
  g_free(o->precision);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, clear_options)

#define NOT_GIVEN G_MININT

/* Fills in the defaults. */
static gboolean check(Options *o, GError **error)
{
  if (o->batch_size == NOT_GIVEN)
    o->batch_size = o->train ? 32 : 1;
  if (o->threads == NOT_GIVEN)
    o->threads = o->train ? 2 : 1;
  if (o->seconds == NOT_GIVEN)
    o->seconds = o->train ? 20 : 5;
  if (!command_check_range("--batch-size", o->batch_size, 1, VITGATE_MAX_BATCH, error) ||
      !command_check_range("--threads", o->threads, 1, VITGATE_MAX_THREADS, error))
    return FALSE;
  if (!(o->seconds > 0 && o->seconds <= 3600)) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE,
                "--seconds is %g, expected more than 0 and at most 3600", o->seconds);
    return FALSE;
  }
  if (o->parts && (o->train || o->batch_size != 1 || o->threads != 1)) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE,
                "--parts measures inferences of one image on one thread; it cannot be used with %s",
                o->train          ? "--train"
                : o->threads != 1 ? "more threads"
                                  : "larger batches");
    return FALSE;
  }
  if (o->train && o->data) {
    g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE,
                "--data cannot be used with --train, whose images are random");
    return FALSE;
  }
  return TRUE;
}

int command_bench(int argc, char **argv, GError **error)
{
  g_auto(Options) o = { .batch_size = NOT_GIVEN, .threads = NOT_GIVEN, .seconds = NOT_GIVEN };
  const GOptionEntry entries[] = {
    { "train", 0, 0, G_OPTION_ARG_NONE, &o.train, "Measure training instead of inference", NULL },
    { "parts", 0, 0, G_OPTION_ARG_NONE, &o.parts,
      "Show where the time of an inference goes, on one thread", NULL },
    { "batch-size", 'b', 0, G_OPTION_ARG_INT, &o.batch_size,
      "Images per call or training step (default: 1, or 32 with --train)", "N" },
    { "threads", 't', 0, G_OPTION_ARG_INT, &o.threads,
      "Number of threads (default: 1, or 2 with --train)", "T" },
    { "seconds", 's', 0, G_OPTION_ARG_DOUBLE, &o.seconds,
      "Seconds to run the network (default: 5), or with --train the steps of each precision "
      "(default: 20)",
      "S" },
    { "data", 'd', 0, G_OPTION_ARG_FILENAME, &o.data,
      "Archive or folder of photographs (default: a drawn frame)", "TAR|DIR" },
    { "precision", 0, 0, G_OPTION_ARG_STRING, &o.precision,
      COMMAND_PRECISION_HELP "; with --train: float32 or bf16 (default: both, if the CPU has bf16)",
      "P" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &o.as_json, "Print the result as a JSON object", NULL },
    G_OPTION_ENTRY_NULL,
  };
  const CommandSyntax syntax = {
    entries, "MODEL", "Measures speed on this machine.",
    "Times include pre-processing and the network, but not reading and decoding of\n"
    "images. In turn with the network, OpenBLAS multiplies matrices of 2048 x 2048\n"
    "on the same number of threads. The share of its rate that the network reaches\n"
    "shows how well the machine is used.\n"
    "\n"
    "--parts shows the time of each part of an inference (norm, products, softmax,\n"
    "...) and how near its products are to the limit: the rate of a product whose\n"
    "numbers stay in the first-level cache. Every second inference is measured, so\n"
    "that the cost of measuring is known.\n"
    "\n"
    "With --train, bench measures whole training steps (forward, backward,\n"
    "optimizer) on random images. The targets are fixed and random, so the teacher's\n"
    "own run is not counted.\n"
  };
  g_autofree char *path = command_parse_one(&syntax, argc, argv, "model file", error);
  if (!path || !check(&o, error))
    return 1;
  if (o.train) {
    const TrainBenchOptions options = { .path = path,
                                        .threads = (guint)o.threads,
                                        .batch_size = (guint)o.batch_size,
                                        .seconds = o.seconds,
                                        .precision = o.precision,
                                        .as_json = o.as_json };
    return train_bench(&options, error) ? 0 : 1;
  }
  g_auto(Bench) bench = { .path = path,
                          .threads = (guint)o.threads,
                          .batch_size = (guint)o.batch_size,
                          .seconds = o.seconds,
                          .parts = o.parts };
  if (!vitgate_precision_parse(o.precision ? o.precision : "auto", &bench.precision, error))
    return 1;
  return run(&bench, o.data, o.as_json, error);
}
