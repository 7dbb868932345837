/* Losses and gradients against PyTorch's in tests/reference/goldens/train-*, which
 * tests/reference/make_train_goldens.py writes. VITGATE_GOLDENS is the path of the goldens. The
 * argument "bf16" asks for products in bfloat16. */
#include <check.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include "file/architecture.h"
#include "file/description-json.h"
#include "fixtures.h"
#include "passes.h"

/* Differences are relative to the length of what is compared: the losses, the logits, or the
 * gradient of the module that a parameter belongs to (that of a gate's last bias alone may nearly
 * cancel). */
/* Sums of at most 72 float32 products, forward and backward through four blocks. */
#define FLOAT32_TOLERANCE 1e-5
/* Operands with 8 bits are each off by up to 2^-9. */
#define BF16_OUTPUT_TOLERANCE   0.02
#define BF16_GRADIENT_TOLERANCE 0.05

enum { N_MEMBERS = 2, N_LOSSES = 5 };

/* A golden's runs. */
enum { ALONE, IN_GROUPS };

static gboolean bf16;

typedef struct {
  Safetensors *file;
  Description *description;
  LossWeights weights;
  Network *network;
  Team *team;
  TrainingPass *pass;
  float *images, *teacher_logits, *teacher_tokens, *noise;
  guint *group;
  int *labels;
  guint n_images;
} Golden;

static const Tensor *find(const Golden *golden, const char *name)
{
  const Tensor *tensor = vitgate__safetensors_find(golden->file, name);
  ck_assert_msg(tensor != NULL, "the golden has no '%s'", name);
  return tensor;
}

static float *read_floats(const Golden *golden, const char *name)
{
  const Tensor *tensor = find(golden, name);
  float *values = g_new(float, vitgate__tensor_n_elements(tensor));
  ck_assert(vitgate__tensor_to_float(values, tensor, NULL));
  return values;
}

/* Returns: (transfer none): the bytes of a tensor, valid until the golden is closed */
static const guint8 *read_tensor(const Golden *golden, const Tensor *tensor)
{
  guint8 *bytes = vitgate__safetensors_allocate(golden->file, tensor->name, tensor->n_bytes, NULL);
  ck_assert(bytes && vitgate__tensor_copy(bytes, tensor, NULL));
  return bytes;
}

/* Returns: (transfer none): part @run of a tensor [n_runs][n] */
static const guint8 *read_bytes(const Golden *golden, const char *name, guint run, gsize *n)
{
  const Tensor *tensor = find(golden, name);
  *n = vitgate__tensor_n_elements(tensor) / tensor->shape[0];
  return read_tensor(golden, tensor) + run * *n;
}

static void read_settings(Golden *golden)
{
  const char *text = vitgate__safetensors_get_metadata(golden->file, "training");
  g_autoptr(JsonNode) node = json_from_string(text, NULL);
  JsonObject *settings = json_node_get_object(node);
  const struct {
    const char *name;
    double *value;
  } numbers[] = {
    { "distillation", &golden->weights.distillation },
    { "temperature", &golden->weights.temperature },
    { "tokens", &golden->weights.tokens },
    { "labels", &golden->weights.labels },
    { "smoothing", &golden->weights.smoothing },
    { "compute", &golden->weights.compute },
    { "target", &golden->weights.target },
    { "gate_temperature", &golden->pass->decisions.temperature },
  };
  for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
    *numbers[i].value = json_object_get_double_member(settings, numbers[i].name);
  golden->weights.dense_gmacs = golden->description->dense_gmacs;
  JsonArray *thresholds = json_object_get_array_member(settings, "merge_thresholds");
  for (guint b = 0; b < golden->description->depth; b++)
    golden->network->blocks[b].merge_threshold = json_array_get_double_element(thresholds, b);
}

static void golden_open(Golden *golden, const char *name, guint run)
{
  g_autoptr(GError) error = NULL;
  const char *folder = g_getenv("VITGATE_GOLDENS");
  ck_assert_msg(folder != NULL, "VITGATE_GOLDENS is not set");
  g_autofree char *path = g_strdup_printf("%s/train-%s.safetensors", folder, name);
  memset(golden, 0, sizeof *golden);
  golden->file = vitgate__safetensors_open(path, &error);
  ck_assert_msg(golden->file != NULL, "%s", error ? error->message : "");
  golden->description = vitgate__description_read(golden->file, &error);
  ck_assert_msg(golden->description != NULL, "%s", error ? error->message : "");
  golden->network = network_new(golden->description, FALSE);
  network_learn_token_gates(golden->network, TRUE);
  ck_assert(network_load(golden->network, golden->file, &error));
  golden->images = read_floats(golden, "images");
  golden->teacher_logits = read_floats(golden, "teacher.logits");
  golden->teacher_tokens = read_floats(golden, "teacher.tokens");
  golden->noise = read_floats(golden, "noise");

  const guint8 *labels = read_tensor(golden, find(golden, "labels"));
  gsize n;
  const guint8 *group = read_bytes(golden, "group", run, &n);
  golden->n_images = (guint)n;
  golden->labels = g_new(int, n);
  golden->group = g_new(guint, n);
  for (gsize i = 0; i < n; i++) {
    golden->labels[i] = ((const gint8 *)labels)[i];
    golden->group[i] = group[i];
  }
  golden->team = vitgate__team_new(N_MEMBERS);
  golden->pass =
      training_pass_new(golden->network, golden->team, golden->n_images, bf16, TRUE, NULL);
  golden->pass->n_images = golden->n_images;
  golden->pass->tensors = golden->images;
  golden->pass->decisions.sampling = TRUE;
  golden->pass->decisions.noise = golden->noise;
  golden->pass->decisions.group = run == IN_GROUPS ? golden->group : NULL;
  read_settings(golden);
}

static void golden_close(Golden *golden)
{
  training_pass_free(&golden->pass);
  vitgate__team_free(&golden->team);
  network_free(&golden->network);
  vitgate__description_free(&golden->description);
  vitgate__safetensors_close(&golden->file);
  g_free(golden->images);
  g_free(golden->teacher_logits);
  g_free(golden->teacher_tokens);
  g_free(golden->noise);
  g_free(golden->group);
  g_free(golden->labels);
}

typedef struct {
  double off, length; /* squares */
} Difference;

/* Compares @found with part @run of tensor @name, [n_runs][n]. */
static Difference compare(const Golden *golden, const char *name, guint run, const float *found,
                          gsize n)
{
  g_autofree float *all = read_floats(golden, name);
  const float *expected = all + run * n;
  Difference difference = { 0 };
  ck_assert_uint_eq(vitgate__tensor_n_elements(find(golden, name)) % n, 0);
  for (gsize i = 0; i < n; i++) {
    difference.off += ((double)found[i] - expected[i]) * ((double)found[i] - expected[i]);
    difference.length += (double)expected[i] * expected[i];
  }
  return difference;
}

static void check(const char *name, Difference difference, double bf16_tolerance)
{
  const double off = sqrt(difference.off), length = sqrt(difference.length);
  ck_assert_msg(off <= (bf16 ? bf16_tolerance : FLOAT32_TOLERANCE) * length,
                "%s is off by %.3g of %.3g", name, off, length);
}

/* Checks the gates' decisions and the number of tokens after each block's attention. There is no
 * tolerance, since the goldens' decisions are clear. */
static void check_decisions(const Golden *golden, guint run)
{
  const TrainingPass *pass = golden->pass;
  gsize n_open, n_remaining;
  const guint8 *open = read_bytes(golden, "open", run, &n_open);
  const guint8 *remaining = read_bytes(golden, "remaining", run, &n_remaining);
  ck_assert_uint_eq(n_open, 2 * n_remaining);
  for (gsize i = 0; i < n_open; i++)
    ck_assert_msg(pass->decisions.open[i] == open[i], "module %zu, image %zu: open is %g",
                  i / golden->n_images, i % golden->n_images, (double)pass->decisions.open[i]);
  for (guint m = 0; m < N_MEMBERS; m++) {
    const Share *share = &pass->shares[m];
    for (guint b = 0; b < golden->description->depth; b++)
      for (guint i = 0; i < share->n; i++)
        ck_assert_uint_eq(share->blocks[b].merged[i + 1] - share->blocks[b].merged[i],
                          remaining[b * golden->n_images + share->first + i]);
  }
}

/* The same for token gates, for goldens without merging. */
static void check_tokens(const Golden *golden, guint run)
{
  const guint n_tokens = vitgate__description_n_tokens(golden->description);
  if (!vitgate__safetensors_find(golden->file, "tokens"))
    return;
  gsize n;
  const guint8 *tokens = read_bytes(golden, "tokens", run, &n);
  ck_assert_uint_eq(n, (gsize)2 * golden->description->depth * golden->n_images * n_tokens);
  for (guint module = 0; module < 2 * golden->description->depth; module++)
    for (guint m = 0; m < N_MEMBERS; m++) {
      const Share *share = &golden->pass->shares[m];
      const TokenActivations *a = &share->blocks[module / 2].tokens[module % 2];
      const BlockShape *shape = &golden->description->blocks[module / 2];
      const gboolean gated = (module % 2 ? shape->mlp_tokens : shape->attention_tokens).present;
      for (guint row = 0; gated && row < share->n * n_tokens; row++)
        ck_assert_msg(
            a->open[row] ==
                tokens[((gsize)module * golden->n_images + share->first) * n_tokens + row],
            "module %u, row %u: open is %g", module, row, (double)a->open[row]);
    }
}

static void check_losses(const Golden *golden, guint run, const LossSums *sums, double total)
{
  const double n = golden->n_images,
               ratio = loss_compute_ratio(golden->pass, golden->weights.dense_gmacs);
  const float losses[N_LOSSES] = { (float)(sums->distillation / n), (float)(sums->tokens / n),
                                   (float)(sums->labels / n), (float)ratio, (float)total };
  check("losses", compare(golden, "losses", run, losses, N_LOSSES), BF16_OUTPUT_TOLERANCE);
}

static void check_logits(const Golden *golden, guint run)
{
  const guint n = golden->description->n_classes;
  g_autofree float *logits = g_new(float, golden->n_images *n);
  for (guint i = 0; i < golden->n_images; i++)
    memcpy(logits + i * n, training_pass_get_logits(golden->pass, i), n * sizeof *logits);
  check("logits", compare(golden, "logits", run, logits, (gsize)golden->n_images * n),
        BF16_OUTPUT_TOLERANCE);
}

/* Returns: the length of "blocks.1.attn" in "blocks.1.attn.qkv.weight" */
static gsize module_name_length(const char *name)
{
  const char *last = strrchr(name, '.');
  const char *end = last ? g_strrstr_len(name, last - name, ".") : NULL;
  return end ? (gsize)(end - name) : strlen(name);
}

static gboolean are_of_one_module(const char *a, const char *b)
{
  const gsize n = module_name_length(a);
  return n == module_name_length(b) && !strncmp(a, b, n);
}

static void check_gradient(const Golden *golden, guint run, const float *gradient)
{
  const Parameter *parameters = (const Parameter *)(gpointer)golden->network->parameters->data;
  const guint n = golden->network->parameters->len;
  g_autofree Difference *differences = g_new(Difference, n);
  for (guint i = 0; i < n; i++) {
    g_autofree char *name = g_strconcat("gradient.", parameters[i].name, NULL);
    differences[i] = compare(golden, name, run, gradient + parameters[i].offset, parameters[i].n);
  }
  for (guint i = 0; i < n; i++) {
    Difference difference = { .off = differences[i].off };
    for (guint j = 0; j < n; j++)
      if (are_of_one_module(parameters[i].name, parameters[j].name))
        difference.length += differences[j].length;
    check(parameters[i].name, difference, BF16_GRADIENT_TOLERANCE);
  }
}

static void check_run(const char *name, guint run)
{
  Golden golden;
  golden_open(&golden, name, run);
  const LossTargets targets = { .teacher_logits = golden.teacher_logits,
                                .teacher_tokens = golden.teacher_tokens,
                                .labels = golden.labels };
  LossSums sums;
  const double total = passes_loss(golden.pass, &golden.weights, &targets, &sums);
  check_decisions(&golden, run);
  check_tokens(&golden, run);
  check_losses(&golden, run, &sums, total);
  check_logits(&golden, run);
  g_autofree float *gradient = passes_gradient(golden.pass);
  check_gradient(&golden, run, gradient);
  golden_close(&golden);
}

START_TEST(test_plain_network)
{
  check_run("plain", ALONE);
}
END_TEST

START_TEST(test_gates_by_image)
{
  check_run("gated", ALONE);
}
END_TEST

START_TEST(test_gates_by_group)
{
  check_run("gated", IN_GROUPS);
}
END_TEST

START_TEST(test_merged_tokens_gates_and_distillation_token)
{
  check_run("merged", ALONE);
}
END_TEST

START_TEST(test_token_gates)
{
  check_run("tokens", ALONE);
}
END_TEST

START_TEST(test_token_gates_by_group)
{
  check_run("tokens", IN_GROUPS);
}
END_TEST

START_TEST(test_mean_of_merged_patches)
{
  check_run("averaged", ALONE);
}
END_TEST

int main(int argc, char **argv)
{
  bf16 = argc > 1 && !strcmp(argv[1], "bf16");
  if (bf16 && !matmul_has_bf16()) {
    g_print("SKIP: this CPU cannot multiply bfloat16 matrices\n");
    return 77;
  }
  TCase *tcase = tcase_create("goldens");
  tcase_add_test(tcase, test_plain_network);
  tcase_add_test(tcase, test_gates_by_image);
  tcase_add_test(tcase, test_gates_by_group);
  tcase_add_test(tcase, test_merged_tokens_gates_and_distillation_token);
  tcase_add_test(tcase, test_mean_of_merged_patches);
  tcase_add_test(tcase, test_token_gates);
  tcase_add_test(tcase, test_token_gates_by_group);
  return fixtures_run(tcase, "train-golden");
}
