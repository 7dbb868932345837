/* A session allocates nothing per frame, and fails with an error if there is too little memory.
 *
 * These tests replace the allocators of the C library and limit the address space. Neither works
 * with a sanitizer, which has its own allocators. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "frame.h"
#include "model-file.h"
#include "network/families/families.h"
#include "stream-fixture.h"

#define EXIT_SKIPPED 77 /* reports a skipped test to meson */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#if !SANITIZED && defined(__GLIBC__)
#define CAN_COUNT 1

static atomic_uint n_allocations;
static atomic_bool counting;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static void count(void)
{
  if (atomic_load(&counting))
    atomic_fetch_add(&n_allocations, 1);
}

__attribute__((visibility("default"))) void *malloc(size_t size)
{
  count();
  return __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t n, size_t size)
{
  count();
  return __libc_calloc(n, size);
}

__attribute__((visibility("default"))) void *realloc(void *memory, size_t size)
{
  count();
  return __libc_realloc(memory, size);
}

__attribute__((visibility("default"))) void *memalign(size_t alignment, size_t size)
{
  count();
  return __libc_memalign(alignment, size);
}

__attribute__((visibility("default"))) void *aligned_alloc(size_t alignment, size_t size)
{
  count();
  return __libc_memalign(alignment, size);
}

__attribute__((visibility("default"))) int posix_memalign(void **memory, size_t alignment,
                                                          size_t size)
{
  count();
  *memory = __libc_memalign(alignment, size);
  return *memory ? 0 : ENOMEM;
}

/* ---- Frames ---- */

START_TEST(allocations_are_counted)
{
  atomic_store(&counting, TRUE);
  char *volatile memory = malloc(10);
  free(memory);
  char *volatile text = g_strdup_printf("%d", _i);
  g_free(text);
  atomic_store(&counting, FALSE);
  ck_assert_uint_ge(atomic_load(&n_allocations), 2);
}
END_TEST

/* The first frame of a format and size allocates tables; later ones allocate nothing. */
START_TEST(frames_allocate_nothing)
{
  static const guint threads[] = { 1, 3 };
  g_autoptr(VitgateModel) model = fixture_model("small");
  for (guint t = 0; t < G_N_ELEMENTS(threads); t++) {
    g_autoptr(VitgateSession) session = fixture_session(model, threads[t], 2);
    g_autoptr(Frame) frame = frame_new(_i, 101, 73, 11);
    frame_fill_random(frame, 1, 0);
    VitgateImage images[2] = { frame->image, frame->image };
    guint best[5];
    float scores[5];
    ck_assert_ptr_nonnull(vitgate_session_classify(session, images, 2, NULL));
    atomic_store(&n_allocations, 0);
    atomic_store(&counting, TRUE);
    guint n_failed = 0;
    for (guint i = 0; i < 6; i++) {
      images[0].full_range = i % 2;
      images[0].matrix = i % 3;
      const VitgateResult *result = vitgate_session_classify(session, images, i % 2 + 1, NULL);
      n_failed += !result || vitgate_result_top_k(result, 5, 0, best, scores) != 5;
    }
    atomic_store(&counting, FALSE);
    ck_assert_uint_eq(n_failed, 0);
    ck_assert_uint_eq(atomic_load(&n_allocations), 0);
  }
}
END_TEST

/* After the first frame, a part may have any position and size. */
START_TEST(moving_parts_allocate_nothing)
{
  enum { WIDTH = 101, HEIGHT = 73 };
  g_autoptr(VitgateModel) model = fixture_model("small");
  g_autoptr(VitgateSession) session = fixture_session(model, 2, 1);
  g_autoptr(Frame) frame = frame_new(_i, WIDTH, HEIGHT, 11);
  guint32 random = 6;
  frame_fill_random(frame, 1, 0);
  VitgateImage image = frame->image;
  ck_assert_ptr_nonnull(vitgate_session_classify(session, &image, 1, NULL));
  atomic_store(&n_allocations, 0);
  atomic_store(&counting, TRUE);
  guint n_failed = 0;
  for (guint i = 0; i < 15; i++) {
    image.chroma_site = i % 3;
    image.part = (VitgateRectangle){ 0 };
    if (i % 5) { /* otherwise the centre crop */
      image.part.width = i == 1 ? WIDTH : 1 + fixture_random(&random) % WIDTH;
      image.part.height = i == 2 ? HEIGHT : 1 + fixture_random(&random) % HEIGHT;
      image.part.x = fixture_random(&random) % (WIDTH - image.part.width + 1);
      image.part.y = fixture_random(&random) % (HEIGHT - image.part.height + 1);
    }
    n_failed += !vitgate_session_classify(session, &image, 1, NULL);
  }
  atomic_store(&counting, FALSE);
  ck_assert_uint_eq(n_failed, 0);
  ck_assert_uint_eq(atomic_load(&n_allocations), 0);
}
END_TEST

START_TEST(a_forward_pass_allocates_nothing)
{
  static const char *const models[] = { "small", "odd",  "distilled",     "cut",
                                        "f16",   "timm", "t2t-performer", "t2t-transformer" };
  g_autoptr(VitgateModel) model = fixture_model(models[_i]);
  const guint size = vitgate_model_get_info(model)->image_size;
  g_autoptr(VitgateSession) session = fixture_session(model, 2, 3);
  g_autofree float *tensors = g_new0(float, (gsize)3 * 3 * size * size);
  atomic_store(&counting, TRUE);
  for (guint i = 0; i < 10; i++)
    vitgate_session_forward(session, tensors, i % 3 + 1, NULL); /* not even the first */
  atomic_store(&counting, FALSE);
  ck_assert_uint_eq(atomic_load(&n_allocations), 0);
}
END_TEST

START_TEST(token_gates_merging_and_the_record_of_patches_allocate_nothing)
{
  static BlockShape blocks[] = {
    { 1, 4, .attention_tokens = { TRUE, 1 }, .mlp_tokens = { TRUE, 4 } },
    { 1, 4, .attention_tokens = { TRUE, 0 }, .mlp_gate = TRUE },
    { 1, 4 },
  };
  static double thresholds[] = { 0.5, 0.5, 1 };
  static CalibrationPoint point = { 0.5, 1, 0, thresholds };
  const Description d = {
    .name = "token gates",
    .family = &vitgate__family_vit,
    .image_size = 16,
    .patch_size = 2,
    .dim = 4,
    .head_dim = 2,
    .depth = 3,
    .blocks = blocks,
    .n_classes = 3,
    .layer_norm_eps = 1e-6,
    .preprocessing = { .resize = 16, .mean = { 0.5f, 0.5f, 0.5f }, .std = { 0.5f, 0.5f, 0.5f } },
    .dense_gmacs = 1,
    .dense_parameters = 1000,
    .calibration = &point,
    .n_calibration = 1,
    .default_compute = 0.5,
    .unknown = { TRUE, 1, 2 },
  };
  g_autoptr(ModelFile) file = model_file_new(&d);
  g_autoptr(VitgateModel) model = model_file_open(file, "tokens");
  const VitgateSessionOptions options = { .threads = 2, .max_batch = 3, .patches = TRUE };
  g_autoptr(VitgateSession) session = fixture_session_with(model, &options);
  g_autofree float *tensors = fixture_tensors(1, 3 * 3 * 16 * 16);
  atomic_store(&counting, TRUE);
  for (guint i = 0; i < 10; i++)
    vitgate_session_forward(session, tensors, i % 3 + 1, NULL);
  atomic_store(&counting, FALSE);
  ck_assert_uint_eq(atomic_load(&n_allocations), 0);
}
END_TEST

/* A stream allocates nothing for a frame, whatever its pass. As for images, the first frame of a
 * format and size allocates tables. */
START_TEST(frames_of_streams_allocate_nothing)
{
  const VitgatePrecision precision = stream_precisions[_i % 3];
  g_autoptr(VitgateModel) model = stream_model(precision);
  if (!model)
    return;
  const VitgateSessionOptions options = { .threads = 2, .max_batch = 2, .patches = _i / 3 };
  const VitgateStreamOptions eager = stream_eager();
  g_autoptr(VitgateSession) session = fixture_session_with(model, &options);
  g_autoptr(VitgateStream) first = stream_new(model, &eager), second = stream_new(model, NULL);
  VitgateStream *streams[] = { first, second };
  g_autofree float *tensors = fixture_tensors(1, 2 * STREAM_IMAGE);
  g_autoptr(Frame) frame = frame_new(VITGATE_PIXELS_RGB, 101, 73, 11);
  frame_fill_random(frame, 1, 0);
  vitgate_session_classify(session, &frame->image, 1, NULL);
  guint passes[4] = { 0 };
  atomic_store(&counting, TRUE);
  for (guint i = 0; i < 100; i++) {
    if (i % 10 < 3)
      stream_change_patch(tensors, i % STREAM_PATCHES, .2f);
    if (i % 10 == 9)
      vitgate_stream_expire(first);
    for (guint j = 0; j < 2; j++)
      vitgate_stream_look(streams[j], session, tensors + j * STREAM_IMAGE);
    const VitgateResult *results = vitgate_session_follow(session, streams, tensors, 2, NULL);
    passes[results[0].decision->pass]++;
    passes[results[1].decision->pass]++;
  }
  for (guint i = 0; i < 20; i++) {
    frame->planes[0][3 * i] ^= 0xff;
    vitgate_session_classify_next(session, first, &frame->image, NULL);
    vitgate_stream_set_options(first, &eager, NULL);
    if (i % 5 == 0)
      vitgate_stream_forget(first);
  }
  atomic_store(&counting, FALSE);
  for (guint pass = 0; pass < 4; pass++)
    ck_assert_uint_gt(passes[pass], 0);
  ck_assert_uint_eq(atomic_load(&n_allocations), 0);
}
END_TEST

/* ---- Too little memory ---- */

/* Limits the address space to @more bytes beyond what is in use.
 * Returns: FALSE if it cannot be limited */
static gboolean try_limit(gsize more)
{
  g_autofree char *statm = NULL;
  if (!g_file_get_contents("/proc/self/statm", &statm, NULL, NULL))
    return FALSE;
  const rlim_t used = (rlim_t)g_ascii_strtoull(statm, NULL, 10) * 4096;
  const struct rlimit limit = { used + more, RLIM_INFINITY };
  return !setrlimit(RLIMIT_AS, &limit);
}

static void limit_memory(gsize more)
{
  ck_assert(try_limit(more));
}

START_TEST(a_session_too_large_for_memory_is_refused)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(VitgateModel) model = fixture_model("small");
  limit_memory(8 << 20); /* the session needs 12 MiB */
  const VitgateSessionOptions large = { .max_batch = VITGATE_MAX_BATCH }, small = { 0 };
  ck_assert_ptr_null(vitgate_session_new(model, &large, &error));
  assert_error(error, VITGATE_ERROR_MEMORY, "1024 images");
  g_autoptr(VitgateSession) session = vitgate_session_new(model, &small, &error);
  assert_success(session, error);
}
END_TEST

/* Matching 4,097 tokens takes 16 MiB. */
static VitgateModel *open_many_tokens(guint heads, const char *dial)
{
  BlockShape blocks[] = { { heads, 4 } };
  Description d = {
    .name = "many tokens",
    .family = &vitgate__family_vit,
    .image_size = 64,
    .patch_size = 1,
    .dim = 4,
    .head_dim = 2,
    .depth = 1,
    .blocks = blocks,
    .n_classes = 3,
    .layer_norm_eps = 1e-6,
    .preprocessing = { .resize = 64, .mean = { 0.5f, 0.5f, 0.5f }, .std = { 0.5f, 0.5f, 0.5f } },
    .dense_gmacs = 1,
    .dense_parameters = 1000,
  };
  g_autoptr(ModelFile) file = model_file_new(&d);
  model_file_set(file, "calibration", dial);
  if (dial)
    model_file_set(file, "default_compute", "0.5");
  return model_file_open(file, "many");
}

START_TEST(only_models_that_merge_allocate_memory_for_it)
{
  static const char *const never = "[{\"compute\": 0.5, \"agreement\": 1, \"gate_bias\": 0, "
                                   "\"merge_thresholds\": [1]}]";
  static const char *const merging = "[{\"compute\": 0.5, \"agreement\": 1, \"gate_bias\": 0, "
                                     "\"merge_thresholds\": [0.9]}]";
  g_autoptr(GError) error = NULL;
  g_autoptr(VitgateModel) plain = open_many_tokens(1, NULL), still = open_many_tokens(1, never),
                          merges = open_many_tokens(1, merging);
  limit_memory(12 << 20);
  g_autoptr(VitgateSession) refused = vitgate_session_new(merges, NULL, &error);
  ck_assert_ptr_null(refused);
  assert_error(error, VITGATE_ERROR_MEMORY, "1 images");
  g_autoptr(VitgateSession) first = vitgate_session_new(plain, NULL, &error);
  assert_success(first, error);
  g_autoptr(VitgateSession) second = vitgate_session_new(still, NULL, &error);
  assert_success(second, error);
}
END_TEST

START_TEST(a_stream_too_large_for_memory_is_refused)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(VitgateModel) model = open_many_tokens(64, NULL);
  limit_memory(8 << 20);
  ck_assert_ptr_null(vitgate_stream_new(model, NULL, &error));
  assert_error(error, VITGATE_ERROR_MEMORY, "not enough memory for the keys and values");
  VitgateStreamOptions without = vitgate_stream_default_options();
  without.temporal = FALSE;
  g_autoptr(VitgateStream) stream = vitgate_stream_new(model, &without, &error);
  assert_success(stream, error);
}
END_TEST

/* The features that a file stores for teaching are 16 MiB here. */
START_TEST(stored_features_take_no_memory)
{
  enum { VIEWS = 100000, DIM = 84 };
  g_autoptr(GError) error = NULL;
  const Description d = {
    .name = "taught",
    .family = &vitgate__family_vit,
    .image_size = 4,
    .patch_size = 2,
    .dim = DIM,
    .head_dim = 2,
    .n_classes = 3,
    .layer_norm_eps = 1e-6,
    .preprocessing = { .resize = 4, .mean = { 0.5f, 0.5f, 0.5f }, .std = { 0.5f, 0.5f, 0.5f } },
    .dense_gmacs = 1,
    .dense_parameters = 1000,
  };
  g_autoptr(ModelFile) file = model_file_new(&d);
  model_file_set(file, "teach", "{\"views\": 100000}");
  model_file_put(file, "teach.features", TENSOR_F16, 2, (const guint64[]){ VIEWS, DIM });
  g_autofree char *path = model_file_write(file, "taught");
  limit_memory(4 << 20);
  g_autoptr(VitgateModel) model = vitgate_model_open(path, &error);
  assert_success(model, error);
  g_autoptr(VitgateSession) session = vitgate_session_new(model, NULL, &error);
  assert_success(session, error);
}
END_TEST

START_TEST(threads_that_cannot_be_started_are_an_error)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(VitgateModel) model = fixture_model("small");
  limit_memory(64 << 20); /* each thread's stack takes 8 MiB */
  const VitgateSessionOptions options = { .threads = VITGATE_MAX_THREADS };
  ck_assert_ptr_null(vitgate_session_new(model, &options, &error));
  assert_error(error, VITGATE_ERROR_MEMORY, "64 threads");
}
END_TEST

START_TEST(a_frame_too_large_for_memory_is_refused)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(VitgateModel) model = fixture_model("small");
  g_autoptr(VitgateSession) session = fixture_session(model, 1, 1);
  g_autoptr(Frame) wide = frame_new(VITGATE_PIXELS_RGBX, 32767, 40, 0);
  g_autoptr(Frame) good = frame_new(VITGATE_PIXELS_RGBX, 40, 40, 0);
  limit_memory(1 << 20); /* 16 rows of this width take 8 MiB as floats */
  ck_assert_ptr_null(vitgate_session_classify(session, &wide->image, 1, &error));
  assert_error(error, VITGATE_ERROR_MEMORY, "RGBx image of 32767x40");
  assert_success(vitgate_session_classify(session, &good->image, 1, &error), error);
}
END_TEST

/* Emulators of other machines do not apply the limit. This runs before the tests, so it cannot use
 * libcheck's assertions.
 * Returns: whether the limit works */
static gboolean limits_are_kept(void)
{
  const pid_t child = fork();
  if (!child) {
    _exit(!try_limit(8 << 20) ||
          mmap(NULL, 1 << 28, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return !status;
}

static TCase *new_case(void)
{
  TCase *memory = tcase_create("memory");
  tcase_add_test(memory, allocations_are_counted);
  tcase_add_loop_test(memory, frames_allocate_nothing, 0, VITGATE_PIXELS_N_FORMATS);
  tcase_add_loop_test(memory, moving_parts_allocate_nothing, 0, VITGATE_PIXELS_N_FORMATS);
  tcase_add_loop_test(memory, a_forward_pass_allocates_nothing, 0, 8);
  tcase_add_test(memory, token_gates_merging_and_the_record_of_patches_allocate_nothing);
  tcase_add_loop_test(memory, frames_of_streams_allocate_nothing, 0, 6);
  if (!limits_are_kept()) {
    printf("not tested: sessions without enough memory, since it cannot be limited here\n");
    return memory;
  }
  tcase_add_test(memory, a_session_too_large_for_memory_is_refused);
  tcase_add_test(memory, only_models_that_merge_allocate_memory_for_it);
  tcase_add_test(memory, a_stream_too_large_for_memory_is_refused);
  tcase_add_test(memory, stored_features_take_no_memory);
  tcase_add_test(memory, threads_that_cannot_be_started_are_an_error);
  tcase_add_test(memory, a_frame_too_large_for_memory_is_refused);
  return memory;
}
#endif

int main(void)
{
#ifdef CAN_COUNT
  return fixture_run("memory", new_case(), NULL);
#else
  printf("skipped: a sanitizer or another C library has its own allocators\n");
  return EXIT_SKIPPED;
#endif
}
