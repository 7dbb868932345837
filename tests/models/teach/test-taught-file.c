/* Tests that the engine computes of a taught file what was fitted. */
#include "teach/taught-file.h"

#include <math.h>

#include "base/random.h"
#include "fixture.h"

#define CLASSES 3

/* Products in float32, of weights up to 1 with tens of features. */
#define TOLERANCE 1e-4

typedef struct {
  Examples *examples;
  float *weights, bias[CLASSES];
  OwnDistance distance;
} Head;

static void fill(Random *random, double *values, gsize n)
{
  for (gsize i = 0; i < n; i++)
    values[i] = random_normal(random);
}

static Head head_new(guint n_features)
{
  Random random = { 5 };
  Head head = { .weights = g_new(float, CLASSES *n_features) };
  g_autoptr(GPtrArray) labels = g_ptr_array_new();
  g_ptr_array_add(labels, "a");
  g_ptr_array_add(labels, "b \"c\"\n");
  g_ptr_array_add(labels, "ü");
  head.examples = examples_new(labels, n_features, 1);
  for (guint i = 0; i < 6; i++)
    examples_add(head.examples, i + 1, i, NULL)->shown[i % CLASSES] = 1;
  for (guint i = 0; i < CLASSES * n_features; i++)
    head.weights[i] = (float)random_normal(&random);
  for (guint c = 0; c < CLASSES; c++)
    head.bias[c] = (float)random_normal(&random);
  head.distance = (OwnDistance){ .n_features = n_features,
                                 .n_classes = CLASSES,
                                 .whitening = g_new(double, n_features *n_features),
                                 .points = g_new(double, CLASSES *n_features),
                                 .median = 40,
                                 .limit = 60 };
  fill(&random, head.distance.whitening, (gsize)n_features * n_features);
  fill(&random, head.distance.points, (gsize)CLASSES * n_features);
  return head;
}

static void head_clear(Head *head)
{
  examples_free(&head->examples);
  g_free(head->weights);
  g_free(head->distance.whitening);
  g_free(head->distance.points);
}

/* Returns: (transfer full): the path of a taught file made from a golden model */
static char *write_taught(const char *name, const Head *head)
{
  g_autofree char *base = fixture_golden("model", name);
  g_autofree char *file = g_strconcat("taught-", name, NULL);
  char *path = fixture_path(file);
  g_autoptr(Source) source = vitgate__source_open(base, NULL);
  g_autoptr(Description) description = vitgate__source_describe(source, 0, NULL);
  g_autoptr(JsonObject) provenance = json_object_new();
  g_autoptr(GError) error = NULL;
  Taught taught = { .examples = head->examples,
                    .weights = head->weights,
                    .bias = head->bias,
                    .distance = &head->distance,
                    .name = name,
                    .provenance = provenance };
  taught_file_write(path, source, description, &taught, &error);
  assert_each(!error, "%s: %s", name, error ? error->message : "");
  ck_assert_uint_eq(taught.n_stored, 6);
  return path;
}

static void check_result(const char *name, const VitgateResult *result, const Head *head)
{
  const guint n = head->examples->n_features;
  for (guint c = 0; c < CLASSES; c++) {
    double expected = head->bias[c];
    for (guint k = 0; k < n; k++)
      expected += (double)head->weights[c * n + k] * result->features[k];
    assert_each(fabs(result->logits[c] - expected) <= TOLERANCE * (1 + fabs(expected)),
                "%s: logit %u: %g, expected %g", name, c, result->logits[c], expected);
  }
  const double d = own_distance_find(&head->distance, result->features);
  const double z =
      1.6449 * log(d / head->distance.median) / log(head->distance.limit / head->distance.median);
  const double expected = 0.5 * erfc(-z / sqrt(2));
  assert_each(fabs(result->unknown - expected) <= 1e-3, "%s: unknown %g, expected %g", name,
              result->unknown, expected);
}

START_TEST(logits_and_scores_are_those_of_the_fit)
{
  static const char *const names[] = { "small", "distilled", "mean", "cut", "t2t-transformer" };
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autoptr(VitgateModel) base = fixture_model(names[i]);
    const VitgateModelInfo *info = vitgate_model_get_info(base);
    Head head = head_new(info->n_features);
    g_autofree char *path = write_taught(names[i], &head);
    g_autoptr(VitgateModel) model = fixture_open_model(path);
    g_autoptr(VitgateSession) session = fixture_session(model, 1, 1);
    const gsize n = (gsize)3 * info->image_size * info->image_size;
    g_autofree float *tensor = g_new(float, n);
    Random random = { 9 };
    for (gsize k = 0; k < n; k++)
      tensor[k] = (float)random_normal(&random);
    check_result(names[i], fixture_forward(session, tensor, 1), &head);
    ck_assert_str_eq(vitgate_model_get_info(model)->labels[1], "b \"c\"\n");
    head_clear(&head);
  }
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("taught-file");
  tcase_add_test(tests, logits_and_scores_are_those_of_the_fit);
  return fixture_run("taught-file", tests, NULL);
}
