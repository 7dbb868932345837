/* Streams: what is computed of a frame, and that it is what the network would compute. */
#include <math.h>

#include "fixture.h"
#include "model-file.h"
#include "model.h"
#include "network/families/families.h"
#include "reference-model.h"
#include "session.h"

static BlockShape blocks[] = {
  { 2, 37, .mlp_tokens = { TRUE, 5 } },
  { 3, 50, .attention_tokens = { TRUE, 3 } },
  { 3, 19 },
  { 1, 22 },
};
static const Description description = {
  .family = &vitgate__family_vit,
  .name = "stream",
  .image_size = 28,
  .patch_size = 4,
  .dim = 27,
  .head_dim = 9,
  .depth = G_N_ELEMENTS(blocks),
  .blocks = blocks,
  .n_classes = 3,
  .layer_norm_eps = 1e-6,
  .preprocessing = { .resize = 28, .mean = { .5f, .5f, .5f }, .std = { .5f, .5f, .5f } },
  .dense_gmacs = 4e-3,
  .dense_parameters = 9000,
};
enum { N_PATCHES = 49, N_TOKENS = 50, IMAGE = 3 * 28 * 28, N_CLASSES = 3 };

static const VitgatePrecision precisions[] = { VITGATE_PRECISION_FLOAT32, VITGATE_PRECISION_INT8,
                                               VITGATE_PRECISION_BF16 };

/* Returns: (transfer full) (nullable): NULL if the machine has no products of this precision */
static VitgateModel *open_model(VitgatePrecision precision)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(ModelFile) file = reference_model(&description, 3);
  g_autofree char *path = model_file_write(file, "stream");
  VitgateModel *model = vitgate_model_open_with(path, precision, &error);
  if (g_error_matches(error, VITGATE_ERROR, VITGATE_ERROR_UNSUPPORTED))
    return NULL;
  assert_success(model, error);
  return model;
}

static void check_equal(const VitgateResult *result, const float *logits, double tolerance,
                        const char *what)
{
  for (guint c = 0; c < N_CLASSES; c++)
    assert_each(fabs((double)result->logits[c] - (double)logits[c]) <= tolerance,
                "%s: logit %u is %.9g, expected %.9g", what, c, (double)result->logits[c],
                (double)logits[c]);
}

/* Int8 values of an update have scales of the pass before, with room to spare. */
static double tolerance_of(VitgatePrecision precision)
{
  return precision == VITGATE_PRECISION_INT8 ? 0.05 : 0;
}

START_TEST(an_update_of_all_tokens_is_the_whole_network)
{
  const guint threads = (guint)_i % 3 + 1;
  const VitgatePrecision precision = precisions[_i / 3];
  VitgateModel *model = open_model(precision);
  guint rows[N_TOKENS];
  for (guint i = 0; i < N_TOKENS; i++)
    rows[i] = i;
  if (!model)
    return;
  VitgateSession *session = fixture_session(model, threads, 1);
  KvCache *cache = vitgate__kv_cache_new(vitgate__model_get_vit(model));
  g_autofree float *tensors = fixture_tensors(7, 2 * IMAGE);
  float logits[2][N_CLASSES];
  for (guint i = 0; i < 2; i++)
    memcpy(logits[i], fixture_forward(session, tensors + i * IMAGE, 1)->logits, sizeof logits[i]);
  const double gmacs = fixture_forward(session, tensors + IMAGE, 1)->gmacs;
  const VitgateResult *update = vitgate__session_get_results(session), *full = update;
  vitgate__session_continue(session, &(CachedPass){ cache, NULL, 0 }, tensors, 0);
  check_equal(full, logits[0], 0, "full pass");
  vitgate__session_continue(session, &(CachedPass){ cache, rows, N_TOKENS }, tensors + IMAGE, 0);
  check_equal(update, logits[1], tolerance_of(precision), "update");
  ck_assert_double_eq_tol(update->gmacs, gmacs, COUNT_TOLERANCE * gmacs);
  vitgate__kv_cache_free(&cache);
  vitgate_session_free(&session);
  vitgate_model_unref(&model);
}
END_TEST

int main(void)
{
  TCase *stream = tcase_create("stream");
  tcase_add_loop_test(stream, an_update_of_all_tokens_is_the_whole_network, 0,
                      3 * G_N_ELEMENTS(precisions));
  return fixture_run("stream", stream, NULL);
}
