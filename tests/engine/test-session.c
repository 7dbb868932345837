/* Sessions: their options and arguments, concurrent use, and the order of the best classes. */
#include <float.h>
#include <math.h>
#include <pthread.h>

#include "fixture.h"
#include "frame.h"
#include "model-file.h"

#define N_CLASSES 10 /* of the model "small" */

static Frame *new_frame(guint seed)
{
  Frame *frame = frame_new(VITGATE_PIXELS_NV12, 64 + seed, 48, 0);
  frame_fill_random(frame, seed + 1, 0);
  return frame;
}

static const VitgateResult *classify(VitgateSession *session, const VitgateImage *images, guint n)
{
  g_autoptr(GError) error = NULL;
  const VitgateResult *results = vitgate_session_classify(session, images, n, &error);
  assert_success(results, error);
  return results;
}

/* ---- Probabilities ---- */

/* Writes the logits and probabilities of a random picture.
 * @activation: (nullable): JSON of the field */
static void classify_with(const char *activation, float *logits, float *probabilities)
{
  g_autoptr(ModelFile) file = model_file_read("small");
  model_file_set(file, "activation", activation);
  g_autoptr(VitgateModel) model = model_file_open(file, "activation.safetensors");
  g_autoptr(VitgateSession) session = fixture_session(model, 1, 1);
  g_autoptr(Frame) frame = new_frame(3);
  const VitgateResult *result = classify(session, &frame->image, 1);
  memcpy(logits, result->logits, N_CLASSES * sizeof *logits);
  memcpy(probabilities, result->probabilities, N_CLASSES * sizeof *logits);
}

START_TEST(each_class_may_have_a_probability_of_its_own)
{
  float softmax_logits[N_CLASSES], softmax[N_CLASSES], logits[N_CLASSES], sigmoid[N_CLASSES];
  classify_with(NULL, softmax_logits, softmax);
  classify_with("\"sigmoid\"", logits, sigmoid);
  ck_assert_mem_eq(logits, softmax_logits, sizeof logits);
  for (guint i = 0; i < N_CLASSES; i++)
    assert_each(fabs(sigmoid[i] - 1 / (1 + exp(-(double)logits[i]))) < 1e-6,
                "class %u: %g of the logit %g", i, sigmoid[i], logits[i]);
  classify_with("\"softmax\"", logits, sigmoid);
  ck_assert_mem_eq(sigmoid, softmax, sizeof softmax);
}
END_TEST

/* Returns: (transfer full): a model with one class and that logit for every picture */
static VitgateModel *single_class(float logit)
{
  g_autoptr(ModelFile) file = model_file_tiny();
  model_file_put(file, "head.weight", TENSOR_F32, 2, (const guint64[]){ 1, 4 });
  Tensor *bias = model_file_put(file, "head.bias", TENSOR_F32, 1, (const guint64[]){ 1 });
  *(float *)bias->data = logit;
  model_file_set(file, "n_classes", "1");
  return model_file_open(file, "single.safetensors");
}

START_TEST(a_single_class_has_a_sigmoid)
{
  static const float logits[] = { 0, 1.5f, -1.5f, 200, -200 };
  static const float expected[] = { 0.5f, 0.817574f, 0.182426f, 1, 0 };
  for (guint i = 0; i < G_N_ELEMENTS(logits); i++) {
    g_autoptr(VitgateModel) model = single_class(logits[i]);
    g_autoptr(VitgateSession) session = fixture_session(model, 1, 1);
    g_autoptr(Frame) frame = new_frame(0);
    guint index;
    ck_assert_int_eq(vitgate_model_get_info(model)->activation, VITGATE_ACTIVATION_SIGMOID);
    const VitgateResult *result = classify(session, &frame->image, 1);
    ck_assert_float_eq_tol(result->probabilities[0], expected[i], 1e-6);
    ck_assert_uint_eq(vitgate_result_top_k(result, 1, 0.5f, &index, NULL), logits[i] >= 0);
  }
}
END_TEST

/* ---- Fits ---- */

/* Returns: (transfer full): the tensor of @image in a session of @options on a model that squashes
 * to 36 pixels before its crop to 32 */
static float *fitted(VitgateFit fit, const VitgateImage *image)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(ModelFile) file = model_file_read("small");
  model_file_set(file, "preprocessing.fit", "\"squash\"");
  g_autoptr(VitgateModel) model = model_file_open(file, "fit.safetensors");
  const VitgateModelInfo *info = vitgate_model_get_info(model);
  ck_assert_int_eq(info->fit, VITGATE_FIT_SQUASH);
  ck_assert_uint_eq(info->resize, 36);
  const VitgateSessionOptions options = { .fit = fit };
  g_autoptr(VitgateSession) session = fixture_session_with(model, &options);
  float *tensor = g_new(float, 3 * 32 * 32);
  ck_assert(vitgate_session_preprocess(session, image, tensor, &error));
  return tensor;
}

/* Returns: (transfer full): the same by the converter itself */
static float *converted(VitgateFit fit, guint resize, const VitgateImage *image)
{
  const Preprocessing p = { .resize = resize,
                            .bicubic = TRUE,
                            .mean = { 0.485f, 0.456f, 0.406f },
                            .std = { 0.229f, 0.224f, 0.225f },
                            .fit = fit };
  return frame_tensor(image, 32, &p);
}

START_TEST(a_session_s_fit_overrides_the_model_s)
{
  static const struct {
    VitgateFit asked, fit;
    guint resize;
  } cases[] = { { VITGATE_FIT_MODEL, VITGATE_FIT_SQUASH, 36 },
                { VITGATE_FIT_CROP, VITGATE_FIT_CROP, 36 },
                { VITGATE_FIT_SQUASH, VITGATE_FIT_SQUASH, 32 },
                { VITGATE_FIT_LETTERBOX, VITGATE_FIT_LETTERBOX, 32 } };
  g_autoptr(Frame) frame = new_frame(5);
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree float *found = fitted(cases[i].asked, &frame->image);
    g_autofree float *expected = converted(cases[i].fit, cases[i].resize, &frame->image);
    assert_each(!memcmp(found, expected, 3 * 32 * 32 * sizeof *found), "%s",
                vitgate_fit_name(cases[i].asked));
  }
}
END_TEST

START_TEST(fits_have_names)
{
  g_autoptr(GError) error = NULL;
  for (VitgateFit fit = VITGATE_FIT_MODEL; fit <= VITGATE_FIT_LETTERBOX; fit++) {
    VitgateFit found;
    ck_assert(vitgate_fit_parse(vitgate_fit_name(fit), &found, &error));
    ck_assert_int_eq(found, fit);
  }
  VitgateFit none;
  ck_assert(!vitgate_fit_parse("zoom", &none, &error));
  assert_error(error, VITGATE_ERROR_ARGUMENT,
               "unknown fit \"zoom\", expected one of model, crop, squash, letterbox");
}
END_TEST

/* ---- Options and arguments ---- */

START_TEST(options_out_of_range_are_refused)
{
  static const struct {
    VitgateSessionOptions options;
    const char *part;
  } cases[] = {
    { { .threads = VITGATE_MAX_THREADS + 1 }, "threads is 65, expected at most 64" },
    { { .threads = G_MAXUINT }, "threads is 4294967295" },
    { { .max_batch = VITGATE_MAX_BATCH + 1 }, "max_batch is 1025, expected at most 1024" },
    { { .max_batch = G_MAXUINT }, "max_batch is 4294967295" },
    { { .granularity = VITGATE_GRANULARITY_BATCH + 1 }, "granularity is 3, expected at most 2" },
    { { .granularity = (VitgateGranularity)-1 }, "granularity is 4294967295" },
    { { .fit = VITGATE_FIT_LETTERBOX + 1 }, "fit is 4, expected at most 3" },
    { { .group_size = VITGATE_MAX_BATCH + 1 }, "group_size is 1025, expected at most 1024" },
    { { .reserved = { [6] = "of a newer version" } }, "reserved field 6 of the session's options" },
  };
  g_autoptr(VitgateModel) model = fixture_model("small");
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    ck_assert_ptr_null(vitgate_session_new(model, &cases[i].options, &error));
    assert_error(error, VITGATE_ERROR_ARGUMENT, cases[i].part);
  }
}
END_TEST

START_TEST(the_largest_options_are_accepted)
{
  g_autoptr(VitgateModel) model = fixture_model("small");
  g_autoptr(Frame) frame = new_frame(0);
  g_autoptr(VitgateSession) one = fixture_session(model, 1, 1);
  const float expected = classify(one, &frame->image, 1)->probabilities[0];
  g_autoptr(VitgateSession) many = fixture_session(model, VITGATE_MAX_THREADS, 1);
  ck_assert_float_eq_tol(classify(many, &frame->image, 1)->probabilities[0], expected, 1e-5);

  g_autoptr(VitgateSession) batch = fixture_session(model, 1, VITGATE_MAX_BATCH);
  g_autofree VitgateImage *images = g_new(VitgateImage, VITGATE_MAX_BATCH);
  for (guint i = 0; i < VITGATE_MAX_BATCH; i++)
    images[i] = frame->image;
  const VitgateResult *results = classify(batch, images, VITGATE_MAX_BATCH);
  for (guint i = 0; i < VITGATE_MAX_BATCH; i++)
    assert_each(results[i].probabilities[0] == expected, "image %u of the batch", i);
}
END_TEST

START_TEST(a_session_without_options_takes_one_image)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(VitgateModel) model = fixture_model("small");
  VitgateSession *session = fixture_session_with(model, NULL);
  g_autoptr(Frame) frame = new_frame(0);
  const VitgateImage two[] = { frame->image, frame->image };
  classify(session, two, 1);
  ck_assert_ptr_null(vitgate_session_classify(session, two, 2, &error));
  assert_error(error, VITGATE_ERROR_ARGUMENT, "2 images, expected 1 to max_batch (1)");
  vitgate_session_free(&session);
  ck_assert_ptr_null(session);
  vitgate_session_free(&session);
}
END_TEST

START_TEST(batches_out_of_range_are_refused)
{
  g_autoptr(VitgateModel) model = fixture_model("small");
  g_autoptr(VitgateSession) session = fixture_session(model, 1, 3);
  g_autoptr(Frame) frame = new_frame(0);
  const guint sizes[] = { 0, 4, G_MAXUINT };
  for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
    g_autoptr(GError) error = NULL;
    ck_assert_ptr_null(vitgate_session_classify(session, &frame->image, sizes[i], &error));
    assert_error(error, VITGATE_ERROR_ARGUMENT, "expected 1 to max_batch (3)");
    ck_assert_ptr_null(vitgate_session_forward(session, NULL, sizes[i], &error));
    assert_error(error, VITGATE_ERROR_ARGUMENT, "expected 1 to max_batch (3)");
    ck_assert_ptr_null(vitgate_session_forward(session, NULL, sizes[i], NULL));
  }
}
END_TEST

START_TEST(an_error_leaves_the_session_unchanged)
{
  g_autoptr(VitgateModel) model = fixture_model("small");
  g_autoptr(VitgateSession) session = fixture_session(model, 2, 3);
  g_autoptr(Frame) good = new_frame(0);
  g_autoptr(GError) error = NULL;
  float before[N_CLASSES], tensor[3 * 32 * 32];
  memcpy(before, classify(session, &good->image, 1)->logits, sizeof before);

  VitgateImage images[3] = { good->image, good->image, good->image };
  images[1].strides[1] = 5;
  ck_assert_ptr_null(vitgate_session_classify(session, images, 3, &error));
  assert_error(error, VITGATE_ERROR_IMAGE, "image 2 of 3: plane 1 of a NV12 image");
  ck_assert_ptr_null(vitgate_session_classify(session, images, 3, NULL));
  images[0].width = 0;
  ck_assert_ptr_null(vitgate_session_classify(session, images, 1, &error));
  assert_error(error, VITGATE_ERROR_IMAGE, "NV12 image of 0x48 pixels");
  ck_assert(!vitgate_session_preprocess(session, images, tensor, &error));
  assert_error(error, VITGATE_ERROR_IMAGE, "NV12 image of 0x48 pixels");

  ck_assert_mem_eq(classify(session, &good->image, 1)->logits, before, sizeof before);
}
END_TEST

START_TEST(classifying_equals_its_two_halves)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(VitgateModel) model = fixture_model("small");
  g_autoptr(VitgateSession) session = fixture_session(model, 1, 2);
  g_autoptr(Frame) first = new_frame(0), second = new_frame(5);
  const VitgateImage images[] = { first->image, second->image };
  float whole[2][N_CLASSES], tensors[2][3 * 32 * 32];
  const VitgateResult *results = classify(session, images, 2);
  for (guint i = 0; i < 2; i++) {
    memcpy(whole[i], results[i].logits, sizeof whole[i]);
    ck_assert_int_gt(results[i].preprocess_ns, 0);
    ck_assert(vitgate_session_preprocess(session, &images[i], tensors[i], &error));
  }
  results = fixture_forward(session, tensors[0], 2);
  for (guint i = 0; i < 2; i++)
    ck_assert_mem_eq(results[i].logits, whole[i], sizeof whole[i]);
  ck_assert(memcmp(whole[0], whole[1], sizeof whole[0]));
}
END_TEST

/* ---- Concurrent sessions ---- */

#define N_STREAMS 4
#define N_FRAMES  12

typedef struct {
  VitgateSession *session;
  Frame *const *frames; /* [N_FRAMES] */
  guint first;          /* so that streams are at different frames at the same time */
  float logits[N_FRAMES][N_CLASSES];
  gboolean failed;
} Stream;

static void *run_stream(void *data)
{
  Stream *stream = data;
  for (guint i = 0; i < N_FRAMES; i++) {
    const guint f = (stream->first + i) % N_FRAMES;
    const VitgateResult *result =
        vitgate_session_classify(stream->session, &stream->frames[f]->image, 1, NULL);
    if (!result)
      stream->failed = TRUE;
    else
      memcpy(stream->logits[f], result->logits, sizeof stream->logits[f]);
  }
  return NULL;
}

START_TEST(sessions_of_one_model_run_concurrently)
{
  g_autoptr(VitgateModel) model = fixture_model("small");
  Frame *frames[N_FRAMES];
  Stream streams[N_STREAMS], alone = { fixture_session(model, 1, 1), frames };
  pthread_t threads[N_STREAMS];
  for (guint i = 0; i < N_FRAMES; i++)
    frames[i] = new_frame(i % 3);
  run_stream(&alone);
  for (guint i = 0; i < N_STREAMS; i++) {
    streams[i] = (Stream){ fixture_session(model, i % 3 + 1, 1), frames, i };
    ck_assert_int_eq(pthread_create(&threads[i], NULL, run_stream, &streams[i]), 0);
  }
  for (guint i = 0; i < N_STREAMS; i++)
    pthread_join(threads[i], NULL);
  for (guint i = 0; i < N_STREAMS; i++) {
    ck_assert(!streams[i].failed);
    for (guint f = 0; f < N_FRAMES; f++)
      for (guint c = 0; c < N_CLASSES; c++)
        assert_each(fabsf(streams[i].logits[f][c] - alone.logits[f][c]) <= ORDER_TOLERANCE,
                    "stream %u, frame %u, class %u: %.7g, alone %.7g", i, f, c,
                    streams[i].logits[f][c], alone.logits[f][c]);
    vitgate_session_free(&streams[i].session);
  }
  vitgate_session_free(&alone.session);
  for (guint i = 0; i < N_FRAMES; i++)
    frame_free(frames[i]);
}
END_TEST

/* A pipeline may push frames from a thread other than the one that made the session. */
START_TEST(a_session_may_change_its_thread)
{
  g_autoptr(VitgateModel) model = fixture_model("small");
  Frame *frames[N_FRAMES];
  for (guint i = 0; i < N_FRAMES; i++)
    frames[i] = new_frame(i);
  Stream here = { fixture_session(model, 2, 1), frames };
  Stream there = { here.session, frames };
  pthread_t thread;
  run_stream(&here);
  ck_assert_int_eq(pthread_create(&thread, NULL, run_stream, &there), 0);
  pthread_join(thread, NULL);
  ck_assert(!here.failed && !there.failed);
  ck_assert_mem_eq(here.logits, there.logits, sizeof here.logits);
  vitgate_session_free(&here.session);
  for (guint i = 0; i < N_FRAMES; i++)
    frame_free(frames[i]);
}
END_TEST

/* ---- The best classes ---- */

static guint top_k(const float *probabilities, guint n_classes, guint k, float threshold,
                   guint *indices, float *scores)
{
  const VitgateResult result = { .n_classes = n_classes, .probabilities = probabilities };
  return vitgate_result_top_k(&result, k, threshold, indices, scores);
}

static const float mixed[] = { 0.1f, 0.3f, 0.05f, 0.3f, 0.2f, 0.05f };

START_TEST(the_best_classes_come_first_and_equal_ones_by_index)
{
  static const guint expected[] = { 1, 3, 4, 0, 2, 5 };
  for (guint k = 0; k <= 6; k++) {
    guint indices[7] = { 0 };
    float scores[7] = { 0 };
    indices[k] = 4711;
    scores[k] = 4711;
    ck_assert_uint_eq(top_k(mixed, 6, k, 0, indices, scores), k);
    ck_assert_mem_eq(indices, expected, k * sizeof *indices);
    for (guint i = 0; i < k; i++)
      ck_assert(scores[i] == mixed[expected[i]]);
    ck_assert_uint_eq(indices[k], 4711);
    ck_assert(scores[k] == 4711);
  }
}
END_TEST

START_TEST(at_most_all_classes_are_found)
{
  guint indices[100];
  float scores[100];
  ck_assert_uint_eq(top_k(mixed, 6, 100, 0, indices, scores), 6);
  ck_assert_uint_eq(top_k(mixed, 6, G_MAXUINT, 0, indices, scores), 6);
  ck_assert_uint_eq(indices[5], 5);
  ck_assert_uint_eq(top_k(mixed, 6, 3, 0, indices, NULL), 3);
  ck_assert_uint_eq(top_k(mixed, 6, 0, 0, NULL, NULL), 0);
}
END_TEST

START_TEST(each_class_may_have_a_threshold)
{
  static const float thresholds[] = { 0.1f, 0.31f, 0.05f, 0.3f, 0.9f, 0.04f };
  static const guint expected[] = { 3, 0, 2, 5 };
  const VitgateResult result = { .n_classes = 6, .probabilities = mixed };
  guint indices[6];
  float scores[6];
  ck_assert_uint_eq(vitgate_result_top_k_above(&result, 6, thresholds, indices, scores), 4);
  ck_assert_mem_eq(indices, expected, sizeof expected);
  for (guint i = 0; i < 4; i++)
    ck_assert(scores[i] == mixed[expected[i]]);
  ck_assert_uint_eq(vitgate_result_top_k_above(&result, 2, thresholds, indices, NULL), 2);
  ck_assert_mem_eq(indices, expected, 2 * sizeof *expected);
}
END_TEST

START_TEST(classes_below_the_threshold_are_skipped)
{
  guint indices[6];
  ck_assert_uint_eq(top_k(mixed, 6, 6, 0.1f, indices, NULL),
                    4); /* one probability equals the threshold */
  ck_assert_uint_eq(top_k(mixed, 6, 6, 0.25f, indices, NULL), 2);
  ck_assert_uint_eq(indices[1], 3);
  ck_assert_uint_eq(top_k(mixed, 6, 1, 0.25f, indices, NULL), 1);
  ck_assert_uint_eq(indices[0], 1);
  ck_assert_uint_eq(top_k(mixed, 6, 6, 1.0f, indices, NULL), 0);
  ck_assert_uint_eq(top_k(mixed, 6, 6, -1.0f, indices, NULL), 6);
}
END_TEST

START_TEST(classes_whose_probability_is_nan_are_skipped)
{
  static const float broken[] = { NAN, 0.5f, NAN, 0.25f };
  static const guint expected[] = { 1, 3 };
  guint indices[4];
  ck_assert_uint_eq(top_k(broken, 4, 4, 0, indices, NULL), 2);
  ck_assert_mem_eq(indices, expected, sizeof expected);
  ck_assert_uint_eq(top_k(broken, 4, 4, NAN, indices, NULL), 0);
}
END_TEST

/* Compares with a full sort that keeps the order of equal values. */
START_TEST(any_row_is_ordered_as_by_a_sort)
{
  enum { N = 60 };
  guint32 random = 5;
  for (guint round = 0; round < 500; round++) {
    float row[N];
    guint sorted[N], indices[N];
    for (guint i = 0; i < N; i++) {
      row[i] = (float)(fixture_random(&random) % 20) / 20.0f;
      sorted[i] = i;
      for (guint j = i; j > 0 && row[sorted[j - 1]] < row[sorted[j]]; j--) {
        guint swap = sorted[j];
        sorted[j] = sorted[j - 1];
        sorted[j - 1] = swap;
      }
    }
    const guint k = round % (N + 1);
    assert_each(top_k(row, N, k, 0, indices, NULL) == k &&
                    !memcmp(indices, sorted, k * sizeof *indices),
                "the best %u of row %u", k, round);
  }
}
END_TEST

int main(void)
{
  TCase *arguments = tcase_create("arguments"), *concurrent = tcase_create("concurrent"),
        *best = tcase_create("best"), *probabilities = tcase_create("probabilities"),
        *fits = tcase_create("fits");
  tcase_add_test(arguments, options_out_of_range_are_refused);
  tcase_add_test(arguments, the_largest_options_are_accepted);
  tcase_add_test(arguments, a_session_without_options_takes_one_image);
  tcase_add_test(arguments, batches_out_of_range_are_refused);
  tcase_add_test(arguments, an_error_leaves_the_session_unchanged);
  tcase_add_test(arguments, classifying_equals_its_two_halves);
  tcase_add_test(concurrent, sessions_of_one_model_run_concurrently);
  tcase_add_test(concurrent, a_session_may_change_its_thread);
  tcase_add_test(best, the_best_classes_come_first_and_equal_ones_by_index);
  tcase_add_test(best, at_most_all_classes_are_found);
  tcase_add_test(best, classes_below_the_threshold_are_skipped);
  tcase_add_test(best, each_class_may_have_a_threshold);
  tcase_add_test(best, classes_whose_probability_is_nan_are_skipped);
  tcase_add_test(best, any_row_is_ordered_as_by_a_sort);
  tcase_add_test(probabilities, each_class_may_have_a_probability_of_its_own);
  tcase_add_test(probabilities, a_single_class_has_a_sigmoid);
  tcase_add_test(fits, a_session_s_fit_overrides_the_model_s);
  tcase_add_test(fits, fits_have_names);
  return fixture_run("session", arguments, concurrent, best, probabilities, fits, NULL);
}
