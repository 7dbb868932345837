/* The forward pass, compared with PyTorch (tests/reference) and with itself in other batches and on
 * other numbers of threads. */
#include <math.h>
#include <stdlib.h>

#include "file/architecture.h"
#include "file/source.h"
#include "fixture.h"
#include "model.h"

/* Errors of the softmax: of exp (2e-7) and of sums, as in test-kernels.c. */
#define PROBABILITY_TOLERANCE 1e-6

#define MAX_BATCH 5
#define N_IMAGES  3 /* in a golden file */

static const char *const models[] = { "small", "odd",  "distilled",     "cut",
                                      "f16",   "bf16", "timm",          "unbiased",
                                      "deit3", "mean", "t2t-performer", "t2t-transformer" };

/* One golden model and its inputs, repeated to fill the largest batch. */
typedef struct {
  VitgateModel *model;
  const VitgateModelInfo *info;
  Safetensors *golden;
  const float *logits; /* [N_IMAGES][n_classes] */
  gsize image;         /* floats per image */
  float *inputs;       /* [MAX_BATCH][3][image_size][image_size] */
} Case;

static Case open_case(int which)
{
  Case c = { .model = fixture_model(models[which]) };
  c.info = vitgate_model_get_info(c.model);
  c.golden = fixture_open_golden("golden", models[which]);
  const Tensor *input = vitgate__safetensors_find(c.golden, "input");
  const Tensor *logits = vitgate__safetensors_find(c.golden, "logits");
  c.image = (gsize)3 * c.info->image_size * c.info->image_size;
  ck_assert_uint_eq(vitgate__tensor_n_elements(input), N_IMAGES * c.image);
  ck_assert_uint_eq(vitgate__tensor_n_elements(logits), N_IMAGES * c.info->n_classes);
  c.logits = logits->data;
  c.inputs = g_new(float, MAX_BATCH *c.image);
  for (guint i = 0; i < MAX_BATCH; i++)
    memcpy(c.inputs + i * c.image, (const float *)input->data + i % N_IMAGES * c.image,
           c.image * sizeof(float));
  return c;
}

static void close_case(Case *c)
{
  vitgate_model_unref(&c->model);
  vitgate__safetensors_close(&c->golden);
  g_free(c->inputs);
}

START_TEST(logits_agree_with_pytorch)
{
  Case c = open_case(_i);
  g_autoptr(VitgateSession) session = fixture_session(c.model, 1, N_IMAGES);
  const VitgateResult *results = fixture_forward(session, c.inputs, N_IMAGES);
  for (guint i = 0; i < N_IMAGES; i++) {
    ck_assert_uint_eq(results[i].n_classes, c.info->n_classes);
    for (guint j = 0; j < c.info->n_classes; j++) {
      float expected = c.logits[i * c.info->n_classes + j];
      assert_each(fabsf(results[i].logits[j] - expected) <= LOGIT_TOLERANCE,
                  "%s: image %u, class %u: %.7g, expected %.7g", models[_i], i, j,
                  results[i].logits[j], expected);
    }
  }
  close_case(&c);
}
END_TEST

/* On one thread an image goes through exactly the same operations in any batch. */
START_TEST(a_batch_gives_the_same_as_single_images)
{
  Case c = open_case(_i);
  g_autoptr(VitgateSession) single = fixture_session(c.model, 1, 1),
                            batch = fixture_session(c.model, 1, MAX_BATCH);
  for (guint n = 1; n <= MAX_BATCH; n++) {
    const VitgateResult *results = fixture_forward(batch, c.inputs, n);
    for (guint i = 0; i < n; i++) {
      const VitgateResult *alone = fixture_forward(single, c.inputs + i * c.image, 1);
      ck_assert_mem_eq(results[i].logits, alone->logits, c.info->n_classes * sizeof(float));
      ck_assert_mem_eq(results[i].probabilities, alone->probabilities,
                       c.info->n_classes * sizeof(float));
    }
  }
  close_case(&c);
}
END_TEST

START_TEST(any_number_of_threads_gives_the_same)
{
  static const guint threads[] = { 2, 3, 5 };
  Case c = open_case(_i);
  g_autoptr(VitgateSession) one = fixture_session(c.model, 1, MAX_BATCH);
  for (guint t = 0; t < G_N_ELEMENTS(threads); t++) {
    g_autoptr(VitgateSession) many = fixture_session(c.model, threads[t], MAX_BATCH);
    for (guint n = 1; n <= MAX_BATCH; n++) {
      const VitgateResult *expected = fixture_forward(one, c.inputs, n), *found;
      found = fixture_forward(many, c.inputs, n);
      for (guint i = 0; i < n; i++)
        for (guint j = 0; j < c.info->n_classes; j++)
          assert_each(fabsf(found[i].logits[j] - expected[i].logits[j]) <= ORDER_TOLERANCE,
                      "%s: %u threads, image %u of %u, class %u: %.7g, expected %.7g", models[_i],
                      threads[t], i, n, j, found[i].logits[j], expected[i].logits[j]);
    }
  }
  close_case(&c);
}
END_TEST

START_TEST(a_repeated_call_gives_the_same_bits)
{
  Case c = open_case(_i);
  g_autoptr(VitgateSession) session = fixture_session(c.model, 2, MAX_BATCH);
  const gsize n_bytes = c.info->n_classes * sizeof(float);
  g_autofree float *first = g_memdup2(fixture_forward(session, c.inputs, 1)->logits, n_bytes);
  fixture_forward(session, c.inputs, MAX_BATCH);
  ck_assert_mem_eq(fixture_forward(session, c.inputs, 1)->logits, first, n_bytes);
  close_case(&c);
}
END_TEST

START_TEST(probabilities_are_the_softmax_of_the_logits)
{
  Case c = open_case(_i);
  g_autoptr(VitgateSession) session = fixture_session(c.model, 1, N_IMAGES);
  const VitgateResult *results = fixture_forward(session, c.inputs, N_IMAGES);
  for (guint i = 0; i < N_IMAGES; i++) {
    double exps = 0, sum = 0;
    for (guint j = 0; j < c.info->n_classes; j++)
      exps += exp(results[i].logits[j]);
    for (guint j = 0; j < c.info->n_classes; j++) {
      double expected = exp(results[i].logits[j]) / exps;
      sum += results[i].probabilities[j];
      assert_each(fabs(results[i].probabilities[j] - expected) <= PROBABILITY_TOLERANCE,
                  "%s: image %u, class %u: %.7g, expected %.7g", models[_i], i, j,
                  results[i].probabilities[j], expected);
    }
    ck_assert_double_eq_tol(sum, 1, PROBABILITY_TOLERANCE);
  }
  close_case(&c);
}
END_TEST

/* ---- Costs, counted from the shapes of the file's tensors ---- */

typedef struct {
  double macs, attention_macs[16], mlp_macs[16];
  guint64 parameters, attention_parameters[16], mlp_parameters[16];
} Count;

/* Returns: the last block that has attention */
static guint find_tail(const Tensor *tensors, guint n)
{
  guint tail = 0;
  for (guint i = 0; i < n; i++)
    if (g_str_has_prefix(tensors[i].name, "blocks.") &&
        g_str_has_suffix(tensors[i].name, "attn.proj.weight"))
      tail = MAX(tail, (guint)atoi(tensors[i].name + strlen("blocks.")));
  return tail;
}

/* Adds the cost of a tensor of block @block. All tokens go through every matrix, and attention
 * multiplies tokens by each other; its width is the input width of its last matrix. From the tail's
 * queries on there are only the special tokens. */
static void count_block(Count *count, const Tensor *tensor, guint block, double tokens,
                        double special, guint tail)
{
  const gboolean attention = strstr(tensor->name, ".attn.") || strstr(tensor->name, ".norm1.") ||
                             strstr(tensor->name, ".ls1.");
  const double behind = block < tail ? tokens : special;
  double macs = 0;
  if (tensor->n_dims == 2 && g_str_has_suffix(tensor->name, "attn.qkv.weight"))
    macs = (2 * tokens + behind) / 3 * (double)tensor->shape[0] * (double)tensor->shape[1];
  else if (tensor->n_dims == 2)
    macs = behind * (double)tensor->shape[0] * (double)tensor->shape[1];
  if (g_str_has_suffix(tensor->name, "attn.proj.weight"))
    macs += 2 * behind * tokens * (double)tensor->shape[1];
  (attention ? count->attention_macs : count->mlp_macs)[block] += macs;
  (attention ? count->attention_parameters : count->mlp_parameters)[block] +=
      vitgate__tensor_n_elements(tensor);
  count->macs += macs;
}

/* Returns the cost of a tensor of the stem. The first stage has sixteen tokens per patch, the
 * second four. A performer multiplies keys and queries by the directions of its features, the
 * features of keys by values and ones, and the features of queries by both results. */
static double count_stem(const Tensor *tensor, double patches)
{
  const double elements = (double)vitgate__tensor_n_elements(tensor);
  const double tokens = strstr(tensor->name, "attention1")   ? 16 * patches
                        : strstr(tensor->name, "attention2") ? 4 * patches
                                                             : patches;
  if (tensor->n_dims != 2)
    return 0;
  if (g_str_has_suffix(tensor->name, ".w"))
    return tokens * (4 * elements + (double)tensor->shape[0]);
  const gboolean attends = g_str_has_suffix(tensor->name, "attn.proj.weight");
  return tokens * elements + (attends ? 2 * tokens * tokens * (double)tensor->shape[1] : 0);
}

static Count count_file(const char *name)
{
  Count count = { 0 };
  g_autofree char *path = fixture_golden("model", name);
  g_autoptr(Source) source = vitgate__source_open(path, NULL);
  const Safetensors *file = source->file;
  const double tokens = (double)vitgate__safetensors_find(file, "pos_embed")->shape[1];
  const double special = vitgate__safetensors_find(file, "dist_token") ? 2 : 1;
  guint n;
  const Tensor *tensors = vitgate__safetensors_list(file, &n);
  const guint tail =
      vitgate__safetensors_find(file, "fc_norm.bias") ? G_MAXUINT : find_tail(tensors, n);
  for (guint i = 0; i < n; i++) {
    const Tensor *tensor = &tensors[i];
    const double elements = (double)vitgate__tensor_n_elements(tensor);
    count.parameters += vitgate__tensor_n_elements(tensor);
    if (g_str_has_prefix(tensor->name, "blocks."))
      count_block(&count, tensor, (guint)atoi(tensor->name + strlen("blocks.")), tokens, special,
                  tail);
    else if (g_str_has_prefix(tensor->name, "tokens_to_token."))
      count.macs += count_stem(tensor, tokens - special);
    else if (tensor->n_dims == 4)
      count.macs += (tokens - special) * elements;
    else if (tensor->n_dims == 2)
      count.macs += elements; /* a head reads one token */
  }
  return count;
}

static void check_gmacs(double found, double macs)
{
  ck_assert_msg(fabs(found * 1e9 - macs) <= macs * COUNT_TOLERANCE,
                "%.17g multiply-adds, counted %.17g", found * 1e9, macs);
}

START_TEST(costs_match_the_tensors)
{
  Case c = open_case(_i);
  const Count count = count_file(models[_i]);
  check_gmacs(c.info->gmacs, count.macs);
  ck_assert_uint_eq(c.info->n_parameters, count.parameters);
  for (guint i = 0; i < c.info->depth; i++) {
    const VitgateBlockInfo *block = &c.info->blocks[i];
    check_gmacs(block->attention_gmacs, count.attention_macs[i]);
    check_gmacs(block->mlp_gmacs, count.mlp_macs[i]);
    ck_assert_uint_eq(block->attention_parameters, count.attention_parameters[i]);
    ck_assert_uint_eq(block->mlp_parameters, count.mlp_parameters[i]);
  }
  g_autoptr(VitgateSession) session = fixture_session(c.model, 1, 1);
  const VitgateResult *result = fixture_forward(session, c.inputs, 1);
  check_gmacs(result->gmacs, count.macs);
  ck_assert_double_eq_tol(result->compute_ratio, result->gmacs / c.info->dense_gmacs,
                          COUNT_TOLERANCE);
  close_case(&c);
}
END_TEST

static guint tokens_after(const Case *c, guint block)
{
  return vitgate__description_tokens_after(vitgate__model_get_description(c->model), block);
}

/* No golden model has gates or a dial, so all modules run, on all tokens. */
START_TEST(modules_that_exist_run)
{
  Case c = open_case(_i);
  g_autoptr(VitgateSession) session = fixture_session(c.model, 1, N_IMAGES);
  const VitgateResult *results = fixture_forward(session, c.inputs, N_IMAGES);
  for (guint i = 0; i < N_IMAGES; i++) {
    ck_assert_uint_eq(results[i].n_tokens, c.info->n_tokens);
    for (guint b = 0; b < c.info->depth; b++) {
      ck_assert_uint_eq(results[i].modules[2 * b], c.info->blocks[b].heads > 0);
      ck_assert_uint_eq(results[i].modules[2 * b + 1], c.info->blocks[b].neurons > 0);
      ck_assert_uint_eq(results[i].module_tokens[2 * b],
                        c.info->blocks[b].heads ? tokens_after(&c, b) : 0);
      ck_assert_uint_eq(results[i].module_tokens[2 * b + 1],
                        c.info->blocks[b].neurons ? tokens_after(&c, b) : 0);
    }
  }
  close_case(&c);
}
END_TEST

START_TEST(a_cut_model_costs_less_than_its_teacher)
{
  g_autoptr(VitgateModel) cut = fixture_model("cut"), small = fixture_model("small");
  const VitgateModelInfo *info = vitgate_model_get_info(cut);
  ck_assert_double_lt(info->gmacs, 0.5 * info->dense_gmacs);
  info = vitgate_model_get_info(small);
  ck_assert_double_lt(info->gmacs, info->dense_gmacs); /* which counts all tokens up to the end */
}
END_TEST

START_TEST(times_are_reported)
{
  Case c = open_case(0);
  g_autoptr(VitgateSession) session = fixture_session(c.model, 1, MAX_BATCH);
  const VitgateResult *results = fixture_forward(session, c.inputs, MAX_BATCH);
  for (guint i = 0; i < MAX_BATCH; i++) {
    ck_assert_int_gt(results[i].forward_ns, 0);
    ck_assert_int_eq(results[i].forward_ns, results[0].forward_ns);
    ck_assert_int_eq(results[i].preprocess_ns, 0);
  }
  close_case(&c);
}
END_TEST

int main(void)
{
  TCase *forward = tcase_create("forward");
  const int n = G_N_ELEMENTS(models);
  tcase_add_loop_test(forward, logits_agree_with_pytorch, 0, n);
  tcase_add_loop_test(forward, a_batch_gives_the_same_as_single_images, 0, n);
  tcase_add_loop_test(forward, any_number_of_threads_gives_the_same, 0, n);
  tcase_add_loop_test(forward, a_repeated_call_gives_the_same_bits, 0, n);
  tcase_add_loop_test(forward, probabilities_are_the_softmax_of_the_logits, 0, n);
  tcase_add_loop_test(forward, costs_match_the_tensors, 0, n);
  tcase_add_loop_test(forward, modules_that_exist_run, 0, n);
  tcase_add_test(forward, a_cut_model_costs_less_than_its_teacher);
  tcase_add_test(forward, times_are_reported);
  return fixture_run("forward", forward, NULL);
}
