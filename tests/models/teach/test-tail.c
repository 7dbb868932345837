/* Tests that the last blocks compute in training what the engine computes of them, before and after
 * training. Environment, set by meson: VITGATE_GOLDENS is the folder of the golden models;
 * VITGATE_TEST_GATED_MODEL and VITGATE_TEST_TOKEN_MODEL are the paths of models of
 * tests/models/gated_model.py. */
#include "teach/tail.h"

#include <glib/gstdio.h>
#include <math.h>
#include <unistd.h>

#include "fixtures.h"
#include "teach/entry-tokens.h"
#include "teach/taught-file.h"

#define PICTURES 5
#define STEPS    6

/* Float products in another order, through all blocks, of features around 1. */
#define TOLERANCE 2e-3

static char *folder;

static char *golden_path(const char *name)
{
  return g_strdup_printf("%s/model-%s.safetensors", g_getenv("VITGATE_GOLDENS"), name);
}

static void set_up(void)
{
  folder = fixtures_folder();
  for (int i = 0; i < PICTURES; i++) {
    g_autofree char *name = g_strdup_printf("%d.png", i);
    g_autoptr(GBytes) bytes = fixtures_noise("png", 40 + i, 50 - 2 * i);
    fixtures_write(folder, name, g_bytes_get_data(bytes, NULL), (gssize)g_bytes_get_size(bytes));
  }
}

static void tear_down(void)
{
  fixtures_remove(folder);
}

/* Returns: (transfer full): the features that the engine gives */
static Examples *run_engine(const char *path, const Pictures *pictures, FeaturesOptions *options)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(VitgateModel) model = vitgate_model_open(path, &error);
  g_autoptr(GPtrArray) labels = g_ptr_array_new(), sources = g_ptr_array_new();
  ck_assert_msg(model != NULL, "%s: %s", path, error ? error->message : "");
  g_ptr_array_add(labels, "even");
  g_ptr_array_add(labels, "odd");
  Examples *examples = examples_new(labels, vitgate_model_get_info(model)->n_features, 2);
  *options = (FeaturesOptions){ .model = model, .fit = VITGATE_FIT_SQUASH, .threads = 2 };
  ck_assert_msg(features_run(examples, pictures, options, sources, NULL, &error), "%s: %s", path,
                error ? error->message : "");
  examples_sort(examples);
  for (guint i = 0; i < examples->list->len; i++)
    examples_get(examples, i)->shown[i % 2] = 1;
  options->model = vitgate_model_ref(model);
  return examples;
}

/* Returns: the largest difference of features */
static double compare(const Examples *a, const Examples *b)
{
  double most = 0;
  ck_assert_uint_eq(a->list->len, b->list->len);
  for (guint i = 0; i < a->list->len; i++)
    for (guint k = 0; k < a->n_views * a->n_features; k++)
      most = fmax(most, fabs(examples_get(a, i)->features[k] - examples_get(b, i)->features[k]));
  return most;
}

/* Writes the trained blocks.
 * Returns: (transfer full): what the engine makes of them */
static Examples *run_written(const Source *source, const Description *d, const Tail *tail,
                             guint first, const Pictures *pictures)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *path = g_build_filename(g_get_tmp_dir(), "vitgate-tail-XXXXXX", NULL);
  FeaturesOptions options;
  close(g_mkstemp(path));
  ck_assert_msg(taught_file_write_tail(path, source, d, tail_get_network(tail), first, &error),
                "%s: %s", d->name, error ? error->message : "");
  Examples *examples = run_engine(path, pictures, &options);
  vitgate_model_unref(&options.model);
  g_unlink(path);
  return examples;
}

static void check_training(Tail *tail, const TailData *data, const Source *source,
                           const Description *d, guint first, const Pictures *pictures)
{
  const Examples *examples = data->examples;
  g_autoptr(Examples) before = examples_new(examples->labels, examples->n_features, 2);
  g_autoptr(Examples) after = examples_new(examples->labels, examples->n_features, 2);
  for (guint i = 0; i < examples->list->len; i++) {
    examples_add(before, 0, 0, NULL);
    examples_add(after, 0, 0, NULL);
  }
  tail_features(tail, data, before);
  ck_assert_msg(compare(before, examples) <= TOLERANCE, "%s: features differ by %g", d->name,
                compare(before, examples));
  ck_assert(tail_train(tail, data, STEPS, 1, G_MAXINT64));
  tail_features(tail, data, after);
  ck_assert_msg(compare(before, after) > 1e-5, "%s: nothing was learned", d->name);
  g_autoptr(Examples) written = run_written(source, d, tail, first, pictures);
  ck_assert_msg(compare(after, written) <= TOLERANCE, "%s: written features differ by %g", d->name,
                compare(after, written));
}

static void check_model(const char *path, const Pictures *pictures)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Source) source = vitgate__source_open(path, &error);
  g_autoptr(Description) d = source ? vitgate__source_describe(source, 0, &error) : NULL;
  ck_assert_msg(d != NULL, "%s: %s", path, error ? error->message : "");
  FeaturesOptions options;
  g_autoptr(Examples) examples = run_engine(path, pictures, &options);
  g_autofree float *weights = g_new(float, 2 * examples->n_features);
  const float bias[2] = { 0 };
  for (guint k = 0; k < 2 * examples->n_features; k++)
    weights[k] = (float)sin(k);
  const guint first = tail_first(d, 2);
  EntrySet *entries =
      entry_tokens_run(examples, 2, pictures, &options, source->file, d, first, &error);
  ck_assert_msg(entries != NULL, "%s: %s", path, error ? error->message : "");
  Tail *tail = tail_new(entries->network, first, 2, FALSE, entries->gate_bias, 2, &error);
  ck_assert_msg(tail != NULL, "%s: %s", path, error ? error->message : "");
  const TailData data = { .entries = (const EntryTokens *const *)entries->entries,
                          .examples = examples,
                          .n_views = 2 };
  tail_reset(tail, weights, bias);
  check_training(tail, &data, source, d, first, pictures);
  tail_free(&tail);
  entry_tokens_free(&entries);
  vitgate_model_unref(&options.model);
}

START_TEST(a_tail_computes_what_the_engine_does)
{
  static const char *const goldens[] = { "small", "cut",      "deit3", "distilled",      "mean",
                                         "odd",   "unbiased", "timm",  "t2t-transformer" };
  static const char *const variables[] = { "VITGATE_TEST_GATED_MODEL", "VITGATE_TEST_TOKEN_MODEL" };
  const char *const paths[] = { folder, NULL };
  g_autoptr(Pictures) pictures = pictures_open_unlabelled(paths, DECODE_UPRIGHT, NULL);
  ck_assert(pictures && pictures_identify(pictures, FALSE, NULL));
  for (guint i = 0; i < G_N_ELEMENTS(goldens); i++) {
    g_autofree char *path = golden_path(goldens[i]);
    check_model(path, pictures);
  }
  for (guint i = 0; i < G_N_ELEMENTS(variables); i++)
    check_model(g_getenv(variables[i]), pictures);
}
END_TEST

START_TEST(training_stops_in_time)
{
  const char *const paths[] = { folder, NULL };
  g_autofree char *path = golden_path("small");
  g_autoptr(Pictures) pictures = pictures_open_unlabelled(paths, DECODE_UPRIGHT, NULL);
  g_autoptr(Source) source = vitgate__source_open(path, NULL);
  g_autoptr(Description) d = vitgate__source_describe(source, 0, NULL);
  ck_assert(pictures && pictures_identify(pictures, FALSE, NULL));
  FeaturesOptions options;
  g_autoptr(Examples) examples = run_engine(path, pictures, &options);
  g_autofree float *weights = g_new0(float, 2 * examples->n_features);
  const float bias[2] = { 0 };
  const guint first = tail_first(d, 1);
  EntrySet *entries =
      entry_tokens_run(examples, 2, pictures, &options, source->file, d, first, NULL);
  Tail *tail = tail_new(entries->network, first, 2, TRUE, 0, 1, NULL);
  const TailData data = { .entries = (const EntryTokens *const *)entries->entries,
                          .examples = examples,
                          .n_views = 1 };
  tail_reset(tail, weights, bias);
  ck_assert(!tail_train(tail, &data, G_MAXUINT, 1, g_get_monotonic_time() + 10000));
  tail_free(&tail);
  entry_tokens_free(&entries);
  vitgate_model_unref(&options.model);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("tail");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, a_tail_computes_what_the_engine_does);
  tcase_add_test(tests, training_stops_in_time);
  return fixtures_run(tests, "tail");
}
