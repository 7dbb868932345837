#include "commands/bench-training.h"

#include <string.h>

#include "base/clean-text.h"
#include "commands/command.h"
#include "file/architecture.h"
#include "file/source.h"
#include "model.h"
#include "report/report.h"
#include "train/learn/trainer.h"

/* Precisions take turns, so that other load on the machine affects all of them. Each turn makes a
 * new trainer, since keeping two would take twice the memory. */
#define TURNS 5

/* In the first step of a turn, the system still has to provide the trainer's memory. */
#define WARM_UP_STEPS 1

typedef struct {
  const char *precision;
  gboolean bf16;
  GArray *ms; /* (element-type double) time of each counted step */
} Products;

typedef struct {
  const TrainBenchOptions *options;
  VitgateModel *model;
  Network *network;
  float *tensors, *teacher_logits, *teacher_tokens; /* for one batch */
  Products products[2];
  guint n_products;
} TrainBench;

/* ---- Measuring ---- */

static float *draw_values(GRand *random, gsize n)
{
  float *values = g_new(float, n);
  for (gsize i = 0; i < n; i++)
    values[i] = (float)g_rand_double_range(random, -2, 2);
  return values;
}

static gboolean prepare(TrainBench *bench, GError **error)
{
  const TrainBenchOptions *o = bench->options;
  bench->model = vitgate_model_open(o->path, error);
  g_autoptr(Source) source = bench->model ? vitgate__source_open(o->path, error) : NULL;
  if (!source)
    return FALSE;
  const Description *d = vitgate__model_get_description(bench->model);
  bench->network = network_new(d, FALSE);
  if (!network_load(bench->network, source->file, error))
    return FALSE;
  g_autoptr(GRand) random = g_rand_new_with_seed(1);
  const gsize n = o->batch_size, pixels = (gsize)3 * d->image_size * d->image_size;
  bench->tensors = draw_values(random, n * pixels);
  bench->teacher_logits = draw_values(random, n * d->n_classes);
  bench->teacher_tokens = draw_values(random, n * vitgate__description_n_tokens(d) * d->dim);
  return TRUE;
}

static gboolean choose_products(TrainBench *bench, GError **error)
{
  const Products all[] = { { .precision = "float32" }, { .precision = "bf16", .bf16 = TRUE } };
  const char *wanted = bench->options->precision;
  for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
    if ((wanted && strcmp(wanted, all[i].precision)) || (all[i].bf16 && !matmul_has_bf16()))
      continue;
    Products *products = &bench->products[bench->n_products++];
    *products = all[i];
    products->ms = g_array_new(FALSE, FALSE, sizeof(double));
  }
  if (bench->n_products)
    return TRUE;
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE,
              "--precision is \"%s\", expected float32%s", wanted,
              matmul_has_bf16() ? " or bf16" : "; this CPU has no instructions for bf16");
  return FALSE;
}

/* Uses the options of compress that affect the time. */
static Trainer *make_trainer(const TrainBench *bench, gboolean bf16, GError **error)
{
  const TrainerOptions options = {
    .batch = bench->options->batch_size,
    .threads = bench->options->threads,
    .bf16 = bf16,
    .optimizer = OPTIMIZER_DEFAULT(1e-4, 1e-4),
    .loss = { .distillation = 1,
              .temperature = 1,
              .tokens = 1,
              .compute = 1,
              .target = 1,
              .dense_gmacs = bench->network->description->dense_gmacs },
    .temperature = { 1, 1 },
    .sub_groups = SUB_GROUPS_SAMPLE,
  };
  return trainer_new(bench->network, &options, error);
}

static gboolean take_turn(const TrainBench *bench, Products *products, double seconds,
                          GError **error)
{
  const LossTargets targets = { .teacher_logits = bench->teacher_logits,
                                .teacher_tokens = bench->teacher_tokens };
  Trainer *trainer = make_trainer(bench, products->bf16, error);
  gboolean fine = trainer != NULL;
  double spent = 0;
  for (guint step = 0; fine && (step <= WARM_UP_STEPS || spent < seconds); step++) {
    StepReport report;
    const gint64 start = g_get_monotonic_time();
    fine = trainer_step(trainer, bench->tensors, &targets, &report, error);
    const double ms = (double)(g_get_monotonic_time() - start) / 1000;
    if (step < WARM_UP_STEPS)
      continue;
    spent += ms / 1000;
    g_array_append_val(products->ms, ms);
  }
  trainer_free(&trainer);
  return fine;
}

static gboolean measure(TrainBench *bench, GError **error)
{
  const guint turns = bench->n_products > 1 ? TURNS : 1;
  for (guint turn = 0; turn < turns; turn++)
    for (guint i = 0; i < bench->n_products; i++)
      if (!take_turn(bench, &bench->products[i], bench->options->seconds / turns, error))
        return FALSE;
  return TRUE;
}

/* ---- Reporting ---- */

/* @fraction: see report_quantile()
 * Returns: ms per image */
static double quantile(const TrainBench *bench, const Products *products, double fraction)
{
  return report_quantile(products->ms, fraction) / bench->options->batch_size;
}

static void print_json(const TrainBench *bench)
{
  const TrainBenchOptions *o = bench->options;
  g_autoptr(JsonBuilder) json = json_builder_new();
  json_builder_begin_object(json);
  report_string(json, "model", vitgate_model_get_info(bench->model)->name);
  report_string(json, "file", o->path);
  report_count(json, "threads", o->threads);
  report_count(json, "batch_size", o->batch_size);
  json_builder_set_member_name(json, "training");
  json_builder_begin_array(json);
  for (guint i = 0; i < bench->n_products; i++) {
    const Products *products = &bench->products[i];
    json_builder_begin_object(json);
    report_string(json, "precision", products->precision);
    report_number(json, "images_per_second", 1000 / quantile(bench, products, 0.5));
    report_begin(json, "ms_per_image");
    report_number(json, "min", quantile(bench, products, 0));
    report_number(json, "median", quantile(bench, products, 0.5));
    report_number(json, "p95", quantile(bench, products, 0.95));
    json_builder_end_object(json);
    report_count(json, "steps", products->ms->len);
    json_builder_end_object(json);
  }
  json_builder_end_array(json);
  json_builder_end_object(json);
  report_print(json);
}

static void print_text(const TrainBench *bench)
{
  const TrainBenchOptions *o = bench->options;
  g_autofree char *name = vitgate__clean_text(vitgate_model_get_info(bench->model)->name);
  g_print("%s, %u thread%s, batches of %u random images\n", name, o->threads,
          o->threads == 1 ? "" : "s", o->batch_size);
  g_print(
      "Each training step: forward, backward, optimizer. Targets are fixed and random; no teacher\n"
      "runs.\n");
  g_print("  products  images per second   ms per image: median      min      p95   steps\n");
  for (guint i = 0; i < bench->n_products; i++) {
    const Products *products = &bench->products[i];
    const double median = quantile(bench, products, 0.5);
    g_print("  %-8s  %17.1f %22.2f %8.2f %8.2f %7u\n", products->precision, 1000 / median, median,
            quantile(bench, products, 0), quantile(bench, products, 0.95), products->ms->len);
  }
}

/* ---- The whole run ---- */

static void clear_bench(TrainBench *bench)
{
  network_free(&bench->network);
  vitgate_model_unref(&bench->model);
  g_free(bench->tensors);
  g_free(bench->teacher_logits);
  g_free(bench->teacher_tokens);
  for (guint i = 0; i < bench->n_products; i++)
    g_array_unref(bench->products[i].ms);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TrainBench, clear_bench)

gboolean train_bench(const TrainBenchOptions *options, GError **error)
{
  g_auto(TrainBench) bench = { .options = options };
  if (!choose_products(&bench, error) || !prepare(&bench, error) || !measure(&bench, error))
    return FALSE;
  if (options->as_json)
    print_json(&bench);
  else
    print_text(&bench);
  return TRUE;
}
