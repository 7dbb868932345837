#include "stream-fixture.h"

#include "network/families/families.h"
#include "reference-model.h"

static BlockShape blocks[] = {
  { 2, 37, .mlp_tokens = { TRUE, 5 } },
  { 3, 50, .attention_tokens = { TRUE, 3 }, .mlp_gate = TRUE },
  { 3, 19 },
  { 1, 22 },
};
/* Tokens merge below the dial's default. */
static double merging[] = { .5, .5, .5, .5 }, never[] = { 1, 1, 1, 1 };
static CalibrationPoint points[] = { { .2, 1, 0, merging }, { .8, 1, 0, never } };
const Description stream_description = {
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
  .calibration = points,
  .n_calibration = 2,
  .default_compute = .8,
};

const VitgatePrecision stream_precisions[3] = { VITGATE_PRECISION_FLOAT32, VITGATE_PRECISION_INT8,
                                                VITGATE_PRECISION_BF16 };

VitgateModel *stream_model(VitgatePrecision precision)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(ModelFile) file = reference_model(&stream_description, 3);
  g_autofree char *path = model_file_write(file, "stream");
  VitgateModel *model = vitgate_model_open_with(path, precision, &error);
  if (g_error_matches(error, VITGATE_ERROR, VITGATE_ERROR_UNSUPPORTED))
    return NULL;
  assert_success(model, error);
  return model;
}

VitgateStreamOptions stream_eager(void)
{
  VitgateStreamOptions options = vitgate_stream_default_options();
  options.eager = TRUE;
  return options;
}

VitgateStream *stream_new(VitgateModel *model, const VitgateStreamOptions *options)
{
  g_autoptr(GError) error = NULL;
  VitgateStream *stream = vitgate_stream_new(model, options, &error);
  assert_success(stream, error);
  return stream;
}

void stream_change_patch(float *tensor, guint p, float change)
{
  for (guint i = 0; i < 3 * 16; i++)
    tensor[(i / 16 * STREAM_SIZE + p / STREAM_SIDE * 4 + i / 4 % 4) * STREAM_SIZE +
           p % STREAM_SIDE * 4 + i % 4] += change / stream_description.preprocessing.std[0];
}

const VitgateResult *stream_follow(VitgateSession *session, VitgateStream *stream,
                                   const float *tensor)
{
  g_autoptr(GError) error = NULL;
  vitgate_stream_look(stream, session, tensor);
  const VitgateResult *result = vitgate_session_follow(session, &stream, tensor, 1, &error);
  assert_success(result, error);
  return result;
}

void stream_check_alone(VitgateModel *model, const VitgateResult *result, const float *tensor)
{
  g_autoptr(VitgateSession) session = fixture_session(model, 1, 1);
  const VitgateResult *alone = fixture_forward(session, tensor, 1);
  ck_assert_mem_eq(result->logits, alone->logits, STREAM_CLASSES * sizeof(float));
  ck_assert_mem_eq(result->probabilities, alone->probabilities, STREAM_CLASSES * sizeof(float));
  ck_assert_double_eq(result->gmacs, alone->gmacs);
}
