/* Several streams on one session, several sessions on one stream, and frames as images. */
#include <math.h>

#include "frame.h"
#include "model-file.h"
#include "model.h"
#include "session.h"
#include "stream-fixture.h"

enum { N = 4, N_FRAMES = 30 };

static const VitgatePrecision *const precisions = stream_precisions;
enum { N_PRECISIONS = G_N_ELEMENTS(stream_precisions) };

/* Streams, each with a picture that changes in its own way. */
typedef struct {
  VitgateModel *model;
  VitgateStream *streams[N];
  float tensors[N * STREAM_IMAGE];
  guint32 random;
} Setup;

/* Returns: FALSE if the machine has no products of this precision */
static gboolean setup_init(Setup *s, VitgatePrecision precision)
{
  *s = (Setup){ .model = stream_model(precision), .random = 8 };
  if (!s->model)
    return FALSE;
  for (guint i = 0; i < N; i++) {
    VitgateStreamOptions options = stream_eager();
    options.eager = i < 3;
    options.interval = 20;
    s->streams[i] = stream_new(s->model, &options);
  }
  fixture_fill(s->tensors, N * STREAM_IMAGE, -1, 1, &s->random);
  return TRUE;
}

static void setup_clear(Setup *s)
{
  for (guint i = 0; i < N; i++)
    vitgate_stream_free(&s->streams[i]);
  vitgate_model_unref(&s->model);
}

static VitgateSession *new_session(VitgateModel *model, guint threads)
{
  return fixture_session_with(
      model, &(VitgateSessionOptions){ .threads = threads, .max_batch = N, .patches = TRUE });
}

/* Stream 0 has one patch that moves, stream 1 stands still half of the time, stream 2 is cut now
 * and then, and stream 3 shows photographs. */
static void change(Setup *s, guint frame)
{
  stream_change_patch(s->tensors, frame % STREAM_PATCHES, frame % 2 ? .1f : -.1f);
  if (frame % 16 < 8)
    stream_change_patch(s->tensors + STREAM_IMAGE, 3 * frame % STREAM_PATCHES, .2f);
  if (frame % 10 == 9)
    fixture_fill(s->tensors + 2 * STREAM_IMAGE, STREAM_IMAGE, -1, 1, &s->random);
  fixture_fill(s->tensors + 3 * STREAM_IMAGE, STREAM_IMAGE, -1, 1, &s->random);
}

static const VitgateResult *follow(VitgateSession *session, VitgateStream *const *streams,
                                   const float *tensors, guint n)
{
  g_autoptr(GError) error = NULL;
  for (guint i = 0; i < n; i++)
    vitgate_stream_look(streams[i], session, tensors + i * STREAM_IMAGE);
  const VitgateResult *results = vitgate_session_follow(session, streams, tensors, n, &error);
  assert_success(results, error);
  return results;
}

static void check_same(const VitgateResult *found, const VitgateResult *expected, guint frame,
                       guint i)
{
  const gsize n_bytes = STREAM_CLASSES * sizeof(float);
  assert_each(
      found->decision->pass == expected->decision->pass &&
          found->decision->reason == expected->decision->reason &&
          found->decision->n_patches == expected->decision->n_patches,
      "frame %u of stream %u: %s because of %s, expected %s because of %s", frame, i,
      vitgate_pass_name(found->decision->pass), vitgate_reason_name(found->decision->reason),
      vitgate_pass_name(expected->decision->pass), vitgate_reason_name(expected->decision->reason));
  assert_each(
      !memcmp(found->decision->marks, expected->decision->marks, STREAM_PATCHES) &&
          !memcmp(found->logits, expected->logits, n_bytes) &&
          !memcmp(found->probabilities, expected->probabilities, n_bytes) &&
          !memcmp(found->modules, expected->modules, STREAM_MODULES) &&
          !memcmp(found->module_tokens, expected->module_tokens, STREAM_MODULES * sizeof(guint)) &&
          !memcmp(found->module_substitutes, expected->module_substitutes,
                  STREAM_MODULES * sizeof(guint)) &&
          !memcmp(found->patches, expected->patches, STREAM_MODULES * STREAM_PATCHES) &&
          found->gmacs == expected->gmacs && found->n_tokens == expected->n_tokens,
      "frame %u of stream %u is not as if it were alone", frame, i);
}

/* Every mixture of passes. Results are looked at after the whole call. */
START_TEST(streams_are_followed_as_if_alone)
{
  Setup together, alone;
  guint n_mixed = 0;
  if (!setup_init(&together, precisions[_i]))
    return;
  setup_init(&alone, precisions[_i]);
  g_autoptr(VitgateSession) session = new_session(together.model, 1);
  VitgateSession *own[N];
  for (guint i = 0; i < N; i++)
    own[i] = new_session(alone.model, 1);
  for (guint f = 0; f < N_FRAMES; f++) {
    change(&together, f);
    change(&alone, f);
    const guint n = f % 5 ? N : 1 + f / 5 % N;
    const VitgateResult *results = follow(session, together.streams, together.tensors, n);
    for (guint i = 0; i < n; i++)
      check_same(&results[i],
                 follow(own[i], &alone.streams[i], alone.tensors + i * STREAM_IMAGE, 1), f, i);
    for (guint i = 1; i < n; i++)
      n_mixed += results[i].decision->pass != results[0].decision->pass;
  }
  ck_assert_uint_gt(n_mixed, N_FRAMES);
  for (guint i = 0; i < N; i++)
    vitgate_session_free(&own[i]);
  setup_clear(&together);
  setup_clear(&alone);
}
END_TEST

/* ... with the settings of the session: merging, and decisions by group. */
START_TEST(independent_frames_are_a_batch)
{
  Setup s;
  VitgateResult first[N];
  if (!setup_init(&s, precisions[_i]))
    return;
  VitgateStreamOptions options = vitgate_stream_default_options();
  g_autoptr(VitgateSession) session = new_session(s.model, 2), plain = new_session(s.model, 2);
  vitgate_session_set_compute(session, .3);
  vitgate_session_set_compute(plain, .3);
  for (guint i = 0; i < N; i++)
    ck_assert(vitgate_stream_set_options(s.streams[i], &options, NULL));
  for (guint i = 0; i < N; i++) {
    vitgate_stream_forget(s.streams[i]);
  }
  for (guint f = 0; f < 5; f++) {
    fixture_fill(s.tensors, N * STREAM_IMAGE, -1, 1, &s.random);
    memcpy(first, follow(session, s.streams, s.tensors, N), sizeof first);
    const VitgateResult *expected = fixture_forward(plain, s.tensors, N);
    for (guint i = 0; i < N; i++) {
      ck_assert_int_eq(first[i].decision->pass, VITGATE_PASS_INDEPENDENT);
      ck_assert_mem_eq(first[i].logits, expected[i].logits, STREAM_CLASSES * sizeof(float));
      ck_assert_double_eq(first[i].gmacs, expected[i].gmacs);
      ck_assert_uint_eq(first[i].n_tokens, expected[i].n_tokens);
      ck_assert_uint_lt(first[i].n_tokens, STREAM_TOKENS);
      ck_assert_ptr_null(expected[i].decision);
    }
  }
  setup_clear(&s);
}
END_TEST

/* One session serves the streams in turn, with batches in between; a stream may go from session to
 * session. */
START_TEST(nothing_leaks_from_stream_to_stream)
{
  Setup shared, alone;
  if (!setup_init(&shared, precisions[_i]))
    return;
  setup_init(&alone, precisions[_i]);
  VitgateSession *own[N], *sessions[2];
  g_autofree float *others = fixture_tensors(5, 3 * STREAM_IMAGE);
  for (guint i = 0; i < N; i++)
    own[i] = new_session(alone.model, 1);
  for (guint i = 0; i < 2; i++)
    sessions[i] = new_session(shared.model, 1);
  for (guint f = 0; f < N_FRAMES; f++) {
    change(&shared, f);
    change(&alone, f);
    for (guint i = 0; i < N; i++) {
      const gsize at = (gsize)i * STREAM_IMAGE;
      VitgateSession *session = sessions[(f + i) % 2];
      if (f % 3 == 0)
        fixture_forward(session, others, 1 + i % 3);
      const VitgateResult *found = follow(session, &shared.streams[i], shared.tensors + at, 1);
      check_same(found, follow(own[i], &alone.streams[i], alone.tensors + at, 1), f, i);
    }
  }
  for (guint i = 0; i < N; i++)
    vitgate_session_free(&own[i]);
  for (guint i = 0; i < 2; i++)
    vitgate_session_free(&sessions[i]);
  setup_clear(&shared);
  setup_clear(&alone);
}
END_TEST

START_TEST(threads_change_no_bit)
{
  static float logits[2][N_FRAMES][N][STREAM_CLASSES];
  for (guint threads = 1; threads <= 4; threads++) {
    Setup s;
    if (!setup_init(&s, precisions[_i]))
      return;
    g_autoptr(VitgateSession) session = new_session(s.model, threads);
    for (guint f = 0; f < N_FRAMES; f++) {
      change(&s, f);
      const VitgateResult *results = follow(session, s.streams, s.tensors, N);
      for (guint i = 0; i < N; i++)
        memcpy(logits[threads > 1][f][i], results[i].logits, sizeof logits[0][0][0]);
    }
    if (threads > 1)
      ck_assert_mem_eq(logits[1], logits[0], sizeof logits[0]);
    setup_clear(&s);
  }
}
END_TEST

/* Sessions of one model may run concurrently, each with its stream. */
static gpointer follow_alone(gpointer data)
{
  Setup *s = data;
  g_autoptr(VitgateSession) session = new_session(s->model, 2);
  gdouble sum = 0;
  for (guint f = 0; f < N_FRAMES; f++) {
    change(s, f);
    const VitgateResult *results = follow(session, s->streams, s->tensors, N);
    for (guint i = 0; i < N; i++)
      sum += results[i].logits[0];
  }
  return g_memdup2(&sum, sizeof sum);
}

START_TEST(sessions_run_concurrently)
{
  Setup setups[3];
  GThread *threads[3];
  double sums[3];
  for (guint t = 0; t < 3; t++) {
    setup_init(&setups[t], VITGATE_PRECISION_FLOAT32);
    threads[t] = g_thread_new("session", follow_alone, &setups[t]);
  }
  for (guint t = 0; t < 3; t++) {
    g_autofree double *sum = g_thread_join(threads[t]);
    sums[t] = *sum;
    setup_clear(&setups[t]);
  }
  ck_assert_double_eq(sums[1], sums[0]);
  ck_assert_double_eq(sums[2], sums[0]);
}
END_TEST

/* ---- Errors ---- */

START_TEST(wrong_calls_are_refused)
{
  g_autoptr(GError) error = NULL;
  Setup s;
  setup_init(&s, VITGATE_PRECISION_FLOAT32);
  g_autoptr(VitgateModel) other = fixture_model("small");
  g_autoptr(VitgateStream) stranger = stream_new(other, NULL);
  g_autoptr(VitgateSession) session = new_session(s.model, 1);
  VitgateStream *streams[] = { s.streams[0], s.streams[1], stranger, s.streams[3], s.streams[2] };
  ck_assert_ptr_null(vitgate_session_follow(session, streams, s.tensors, 1, &error));
  assert_error(error, VITGATE_ERROR_ARGUMENT, "stream 1 of 1 has not looked at its frame");
  for (guint i = 0; i < N; i++)
    vitgate_stream_look(s.streams[i], session, s.tensors + i * STREAM_IMAGE);
  ck_assert_ptr_null(vitgate_session_follow(session, streams, s.tensors, 4, &error));
  assert_error(error, VITGATE_ERROR_ARGUMENT, "stream 3 of 4 is of another model");
  ck_assert_ptr_null(vitgate_session_follow(session, streams, s.tensors, 0, &error));
  assert_error(error, VITGATE_ERROR_ARGUMENT, "0 images, expected 1 to max_batch (4)");
  ck_assert_ptr_null(vitgate_session_follow(session, streams, s.tensors, 5, &error));
  assert_error(error, VITGATE_ERROR_ARGUMENT, "5 images, expected 1 to max_batch (4)");
  /* What was refused had no effect. */
  assert_success(vitgate_session_follow(session, streams, s.tensors, 2, &error), error);
  ck_assert_ptr_null(vitgate_session_follow(session, streams, s.tensors, 2, &error));
  assert_error(error, VITGATE_ERROR_ARGUMENT, "stream 1 of 2 has not looked at its frame");
  vitgate_stream_look(s.streams[0], session, s.tensors);
  vitgate_stream_forget(s.streams[0]);
  ck_assert_ptr_null(vitgate_session_follow(session, streams, s.tensors, 1, &error));
  assert_error(error, VITGATE_ERROR_ARGUMENT, "stream 1 of 1 has not looked at its frame");
  setup_clear(&s);
}
END_TEST

/* Nothing is read beyond the session's smaller tensor. */
START_TEST(a_frame_for_a_stream_of_another_model_is_refused)
{
  g_autoptr(GError) error = NULL;
  Setup s;
  setup_init(&s, VITGATE_PRECISION_FLOAT32);
  g_autoptr(VitgateModel) other = fixture_model("small");
  ck_assert_uint_gt(vitgate_model_get_info(other)->image_size, STREAM_SIZE);
  VitgateStream *stranger = stream_new(other, NULL);
  g_autoptr(VitgateSession) session = fixture_session(s.model, 1, 1);
  g_autoptr(Frame) frame = frame_new(VITGATE_PIXELS_RGB, STREAM_SIZE, STREAM_SIZE, 0);
  frame_fill_random(frame, 3, 0);
  ck_assert_ptr_null(vitgate_session_classify_next(session, stranger, &frame->image, &error));
  assert_error(error, VITGATE_ERROR_ARGUMENT, "stream 1 of 1 is of another model");
  /* A stream that looked with another session has not looked. */
  g_autoptr(VitgateSession) own = fixture_session(other, 1, 1);
  g_autofree float *tensor = fixture_tensors(3, vitgate_model_get_info(other)->image_size *
                                                    vitgate_model_get_info(other)->image_size * 3);
  vitgate_stream_look(stranger, own, tensor);
  vitgate_stream_look(stranger, session, tensor);
  ck_assert_ptr_null(vitgate_session_follow(own, &stranger, tensor, 1, &error));
  assert_error(error, VITGATE_ERROR_ARGUMENT, "stream 1 of 1 has not looked at its frame");
  vitgate_stream_free(&stranger);
  setup_clear(&s);
}
END_TEST

START_TEST(names_are_those_of_the_header)
{
  static const char *const passes[] = { "independent", "full", "updated", "unchanged" };
  static const char *const reasons[] = { "none",    "first",   "motion", "interval",
                                         "settled", "expired", "dial" };
  for (guint i = 0; i < G_N_ELEMENTS(passes); i++)
    ck_assert_str_eq(vitgate_pass_name(i), passes[i]);
  for (guint i = 0; i < G_N_ELEMENTS(reasons); i++)
    ck_assert_str_eq(vitgate_reason_name(i), reasons[i]);
}
END_TEST

/* ---- Images ---- */

START_TEST(images_are_classified_as_frames)
{
  g_autoptr(GError) error = NULL;
  Setup s;
  setup_init(&s, VITGATE_PRECISION_FLOAT32);
  g_autoptr(VitgateSession) session = new_session(s.model, 1), other = new_session(s.model, 1);
  g_autoptr(Frame) frame = frame_new(VITGATE_PIXELS_RGB, STREAM_SIZE, STREAM_SIZE, 0);
  frame_fill_random(frame, 3, 0);
  for (guint f = 0; f < 12; f++) {
    if (f % 3 == 1)
      for (guint i = 0; i < 16; i++)
        *frame_sample(frame, f % 3, 12 + i % 4, 8 + i / 4) ^= 0xff;
    VitgateImage image = frame->image;
    const VitgateResult *found =
        vitgate_session_classify_next(session, s.streams[0], &image, &error);
    assert_success(found, error);
    ck_assert(vitgate_session_preprocess(other, &image, s.tensors, NULL));
    check_same(found, follow(other, &s.streams[1], s.tensors, 1), f, 0);
    ck_assert_int_eq(found->decision->pass, f == 0       ? VITGATE_PASS_FULL
                                            : f % 3 == 1 ? VITGATE_PASS_UPDATED
                                                         : VITGATE_PASS_UNCHANGED);
    ck_assert_int_gt(found->preprocess_ns, 0);
    image.width = 0; /* has no effect on the stream */
    ck_assert_ptr_null(vitgate_session_classify_next(session, s.streams[0], &image, &error));
    ck_assert(g_error_matches(error, VITGATE_ERROR, VITGATE_ERROR_IMAGE));
    g_clear_error(&error);
  }
  ck_assert_ptr_null(vitgate_session_classify(session, &frame->image, 1, NULL)->decision);
  setup_clear(&s);
}
END_TEST

/* Two pictures that stand still, and a session that has converted another one in between. Even if
 * the pixels are the same, an expired result is computed again. */
START_TEST(still_streams_share_a_session)
{
  enum { FRAMES = 30 };
  const VitgateStreamOptions options = stream_eager();
  Setup s;
  setup_init(&s, VITGATE_PRECISION_FLOAT32);
  g_autoptr(VitgateSession) session = new_session(s.model, 1), other = new_session(s.model, 1);
  g_autoptr(Frame) a = frame_new(VITGATE_PIXELS_RGB, STREAM_SIZE, STREAM_SIZE, 0),
                   b = frame_new(VITGATE_PIXELS_RGB, STREAM_SIZE, STREAM_SIZE, 0);
  VitgateStream *found_by[2], *expected_by[2];
  for (guint i = 0; i < 2; i++) {
    found_by[i] = stream_new(s.model, &options);
    expected_by[i] = stream_new(s.model, &options);
  }
  frame_fill_random(a, 3, 0);
  frame_fill_random(b, 4, 0);
  for (guint f = 0; f < FRAMES; f++) {
    const guint which = f < FRAMES / 2 ? f % 2 : f / 6 % 2; /* in turns, then one after the other */
    const VitgateImage *image = which ? &b->image : &a->image;
    if (f % 5 == 4) {
      vitgate_stream_expire(found_by[which]);
      vitgate_stream_expire(expected_by[which]);
    }
    if (f % 8 == 7)
      ck_assert(vitgate_session_classify(session, which ? &a->image : &b->image, 1, NULL));
    ck_assert(vitgate_session_preprocess(other, image, s.tensors, NULL));
    const VitgateResult *expected = follow(other, &expected_by[which], s.tensors, 1);
    check_same(vitgate_session_classify_next(session, found_by[which], image, NULL), expected, f,
               which);
    ck_assert_int_eq(expected->decision->pass == VITGATE_PASS_UNCHANGED, f >= 2 && f % 5 != 4);
  }
  for (guint i = 0; i < 2; i++) {
    vitgate_stream_free(&found_by[i]);
    vitgate_stream_free(&expected_by[i]);
  }
  setup_clear(&s);
}
END_TEST

/* ---- Models ---- */

static const char *const models[] = {
  "small",    "odd",           "distilled",       "cut", "deit3", "mean", "timm",
  "unbiased", "t2t-performer", "t2t-transformer", "f16", "bf16",  NULL
};

/* Checks that the frame is computed as a fresh stream would. */
static void check_fresh(VitgateModel *model, const VitgateResult *found, const float *tensor)
{
  const VitgateStreamOptions options = stream_eager();
  g_autoptr(VitgateSession) session = new_session(model, 1);
  g_autoptr(VitgateStream) stream = stream_new(model, &options);
  const VitgateResult *expected = stream_follow(session, stream, tensor);
  ck_assert_mem_eq(found->logits, expected->logits, found->n_classes * sizeof(float));
  ck_assert_double_eq(found->gmacs, expected->gmacs);
}

/* Models of every family and form, and one without any block. */
START_TEST(every_model_has_streams)
{
  g_autoptr(ModelFile) tiny = model_file_tiny();
  g_autoptr(VitgateModel) model =
      models[_i] ? fixture_model(models[_i]) : model_file_open(tiny, "tiny");
  const guint size = vitgate_model_get_info(model)->image_size;
  const gsize image = (gsize)3 * size * size;
  VitgateStreamOptions options = stream_eager();
  options.unchanged = 0;
  g_autoptr(VitgateSession) session = new_session(model, 2);
  g_autoptr(VitgateStream) stream = stream_new(model, &options);
  g_autofree float *tensor = fixture_tensors(4, image);
  check_fresh(model, stream_follow(session, stream, tensor), tensor);
  for (guint f = 0; f < 4; f++) {
    tensor[f] += 1;
    const VitgateResult *found = stream_follow(session, stream, tensor);
    for (guint c = 0; c < found->n_classes; c++)
      ck_assert(isfinite(found->logits[c]));
    if (found->decision->pass == VITGATE_PASS_FULL)
      check_fresh(model, found, tensor);
    for (guint m = 0; m < 2 * vitgate_model_get_info(model)->depth; m++)
      ck_assert_uint_le(found->module_tokens[m], found->n_tokens);
  }
  vitgate_stream_expire(stream);
  check_fresh(model, stream_follow(session, stream, tensor), tensor);
  const VitgateResult *found = stream_follow(session, stream, tensor);
  ck_assert_int_eq(found->decision->pass, VITGATE_PASS_UNCHANGED);
  ck_assert_double_eq(found->gmacs, 0);
}
END_TEST

/* ---- Memory ---- */

/* DeiT-Tiny without cuts: the bounds that the project promises for the default model. */
START_TEST(keys_and_values_take_little_memory)
{
  static const double limits[] = {
    [VITGATE_PRECISION_FLOAT32] = 3.8e6, [VITGATE_PRECISION_INT8] = 1.2e6
  };
  BlockShape blocks[12];
  Description d = stream_description;
  for (guint b = 0; b < 12; b++)
    blocks[b] = (BlockShape){ .heads = 3, .neurons = 768 };
  d.image_size = 224;
  d.patch_size = 16;
  d.dim = 192;
  d.head_dim = 64;
  d.depth = 12;
  d.blocks = blocks;
  for (guint i = 0; i < 2; i++) {
    const Vit vit = { .description = &d, .precision = precisions[i] };
    const gsize n_bytes = vitgate__kv_cache_size(&vit);
    ck_assert_msg((double)n_bytes <= limits[precisions[i]], "%s: %zu bytes",
                  vitgate_precision_name(precisions[i]), n_bytes);
  }
}
END_TEST

int main(void)
{
  TCase *sharing = tcase_create("sharing");
  tcase_add_loop_test(sharing, streams_are_followed_as_if_alone, 0, N_PRECISIONS);
  tcase_add_loop_test(sharing, independent_frames_are_a_batch, 0, N_PRECISIONS);
  tcase_add_loop_test(sharing, nothing_leaks_from_stream_to_stream, 0, N_PRECISIONS);
  tcase_add_loop_test(sharing, threads_change_no_bit, 0, N_PRECISIONS);
  tcase_add_test(sharing, sessions_run_concurrently);
  tcase_add_test(sharing, wrong_calls_are_refused);
  tcase_add_test(sharing, a_frame_for_a_stream_of_another_model_is_refused);
  tcase_add_test(sharing, names_are_those_of_the_header);
  tcase_add_test(sharing, images_are_classified_as_frames);
  tcase_add_test(sharing, still_streams_share_a_session);
  tcase_add_loop_test(sharing, every_model_has_streams, 0, G_N_ELEMENTS(models));
  tcase_add_test(sharing, keys_and_values_take_little_memory);
  return fixture_run("stream-sharing", sharing, NULL);
}
