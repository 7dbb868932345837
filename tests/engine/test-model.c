/* What a model reports about itself, and that a file is loaded once. Invalid files are tested in
 * test-model-bad.c. */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <math.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/architecture.h"
#include "file/describe.h"
#include "file/description-json.h"
#include "file/infer.h"
#include "fixture.h"
#include "model-file.h"
#include "network/families/families.h"

static char *write_small(const char *name)
{
  g_autoptr(ModelFile) file = model_file_read("small");
  return model_file_write(file, name);
}

/* ---- Information ---- */

START_TEST(a_model_reports_what_its_file_says)
{
  g_autoptr(VitgateModel) model = fixture_model("small");
  const VitgateModelInfo *info = vitgate_model_get_info(model);
  ck_assert_str_eq(info->name, "golden-small");
  ck_assert_str_eq(info->family, "vit");
  ck_assert_uint_eq(info->image_size, 32);
  ck_assert_uint_eq(info->patch_size, 8);
  ck_assert_uint_eq(info->n_tokens, 17);
  ck_assert_uint_eq(info->dim, 48);
  ck_assert_uint_eq(info->head_dim, 16);
  ck_assert_uint_eq(info->depth, 3);
  for (guint i = 0; i < 3; i++) {
    ck_assert_uint_eq(info->blocks[i].heads, 3);
    ck_assert_uint_eq(info->blocks[i].neurons, 64);
  }
  ck_assert_uint_eq(info->resize, 36);
  ck_assert(info->bicubic);
  ck_assert(info->mean[0] == 0.485f && info->mean[1] == 0.456f && info->mean[2] == 0.406f);
  ck_assert(info->std[0] == 0.229f && info->std[1] == 0.224f && info->std[2] == 0.225f);
}
END_TEST

START_TEST(a_model_lists_its_classes)
{
  g_autoptr(VitgateModel) model = fixture_model("small");
  const VitgateModelInfo *info = vitgate_model_get_info(model);
  ck_assert_uint_eq(info->n_classes, 10);
  ck_assert(info->has_labels);
  for (guint i = 0; i < 10; i++) {
    g_autofree char *label = g_strdup_printf("class %u", i), *id = g_strdup_printf("n%08u", i);
    ck_assert_str_eq(info->labels[i], label);
    ck_assert_str_eq(info->label_ids[i], id);
  }
  ck_assert_ptr_null(info->labels[10]);
  ck_assert_ptr_null(info->label_ids[10]);
}
END_TEST

START_TEST(classes_without_labels_are_numbers)
{
  g_autoptr(VitgateModel) model = fixture_model("odd");
  const VitgateModelInfo *info = vitgate_model_get_info(model);
  ck_assert_uint_eq(info->n_classes, 7);
  ck_assert(!info->has_labels);
  ck_assert_str_eq(info->labels[0], "0");
  ck_assert_str_eq(info->labels[6], "6");
  ck_assert_ptr_null(info->labels[7]);
  ck_assert_ptr_null(info->label_ids);
  ck_assert(!info->bicubic);
}
END_TEST

START_TEST(absent_modules_have_neither_heads_nor_neurons)
{
  static const guint expected[][2] = { { 3, 80 }, { 0, 48 }, { 2, 0 }, { 1, 16 }, { 0, 0 } };
  g_autoptr(VitgateModel) model = fixture_model("cut");
  const VitgateModelInfo *info = vitgate_model_get_info(model);
  ck_assert_uint_eq(info->depth, G_N_ELEMENTS(expected));
  for (guint i = 0; i < info->depth; i++) {
    ck_assert_uint_eq(info->blocks[i].heads, expected[i][0]);
    ck_assert_uint_eq(info->blocks[i].neurons, expected[i][1]);
    ck_assert(!info->blocks[i].attention_parameters == !expected[i][0]);
    ck_assert(!info->blocks[i].mlp_parameters == !expected[i][1]);
  }
}
END_TEST

START_TEST(a_file_without_description_is_described_by_its_tensors)
{
  g_autoptr(VitgateModel) model = fixture_model("timm");
  const VitgateModelInfo *info = vitgate_model_get_info(model);
  ck_assert_str_eq(info->name, "model-timm");
  ck_assert_uint_eq(info->image_size, 24);
  ck_assert_uint_eq(info->patch_size, 8);
  ck_assert_uint_eq(info->n_tokens, 10);
  ck_assert_uint_eq(info->dim, 64);
  ck_assert_uint_eq(info->head_dim, 64);
  ck_assert_uint_eq(info->depth, 2);
  ck_assert_uint_eq(info->blocks[1].heads, 1);
  ck_assert_uint_eq(info->blocks[1].neurons, 48);
  ck_assert_uint_eq(info->n_classes, 9);
  ck_assert(!info->has_labels);
  /* A file from timm does not record these: DeiT's evaluation and ImageNet's statistics. */
  ck_assert_uint_eq(info->resize, 27);
  ck_assert(info->bicubic);
  ck_assert(info->mean[0] == 0.485f && info->std[2] == 0.225f);
  ck_assert_double_lt(info->gmacs, info->dense_gmacs); /* the latter has all tokens up to the end */
}
END_TEST

/* Published costs of DeiT-Ti, -S and -B, plain and distilled. */
START_TEST(costs_match_the_published_ones)
{
  static const struct {
    guint dim, heads;
    double gmacs[2];
  } known[] = { { 192, 3, { 1.254, 1.261 } },
                { 384, 6, { 4.599, 4.624 } },
                { 768, 12, { 17.564, 17.657 } } };
  for (guint i = 0; i < 2 * G_N_ELEMENTS(known); i++) {
    const guint dim = known[i / 2].dim;
    BlockShape blocks[12];
    for (guint b = 0; b < 12; b++)
      blocks[b] = (BlockShape){ .heads = known[i / 2].heads, .neurons = 4 * dim };
    const Description d = { .family = &vitgate__family_vit,
                            .image_size = 224,
                            .patch_size = 16,
                            .dim = dim,
                            .head_dim = 64,
                            .depth = 12,
                            .blocks = blocks,
                            .n_classes = 1000,
                            .distilled = i % 2 };
    ck_assert_double_eq_tol(vitgate__description_published_gmacs(&d), known[i / 2].gmacs[i % 2],
                            5.1e-4);
  }
}
END_TEST

START_TEST(a_distillation_token_is_found_without_description)
{
  g_autoptr(ModelFile) file = model_file_read("distilled");
  model_file_describe(file, NULL);
  g_autofree char *path = model_file_write(file, "distilled.safetensors");
  g_autoptr(GError) error = NULL;
  g_autoptr(Safetensors) tensors = vitgate__safetensors_open(path, &error);
  g_autoptr(Description) d = vitgate__description_infer(tensors, &(Hints){ .heads = 2 }, &error);
  assert_success(d, error);
  ck_assert(d->distilled);
  ck_assert_uint_eq(vitgate__description_n_tokens(d), 27);
  ck_assert_uint_eq(d->image_size, 30);
  ck_assert_uint_eq(d->head_dim, 24);
  ck_assert_uint_eq(d->blocks[0].heads, 2);
}
END_TEST

/* A description is written as JSON, read and written again. */
START_TEST(a_description_survives_writing)
{
  static const char *const models[] = { "small", "odd", "distilled", "cut" };
  for (guint i = 0; i < G_N_ELEMENTS(models); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(Safetensors) file = fixture_open_golden("model", models[i]);
    g_autoptr(Description) d = vitgate__describe(file, NULL, &error);
    assert_success(d, error);
    g_autofree char *once = vitgate__description_to_json(d);
    g_autoptr(ModelFile) copy = model_file_read(models[i]);
    model_file_describe(copy, once);
    g_autofree char *path = model_file_write(copy, "copy");
    g_autoptr(Safetensors) written = vitgate__safetensors_open(path, &error);
    g_autoptr(Description) again = vitgate__describe(written, NULL, &error);
    assert_success(again, error);
    g_autofree char *twice = vitgate__description_to_json(again);
    ck_assert_str_eq(once, twice);
    ck_assert(again->layer_norm_eps == d->layer_norm_eps);
    ck_assert(again->dense_gmacs == d->dense_gmacs);
    ck_assert_uint_eq(again->dense_parameters, d->dense_parameters);
    ck_assert(
        !memcmp(again->preprocessing.mean, d->preprocessing.mean, sizeof d->preprocessing.mean));
    ck_assert(!memcmp(again->preprocessing.std, d->preprocessing.std, sizeof d->preprocessing.std));
    ck_assert(json_object_get_int_member(again->provenance, "seed") > 0);
  }
}
END_TEST

/* ---- One copy ---- */

START_TEST(a_file_is_loaded_once_by_any_path)
{
  g_autofree char *path = write_small("a"), *symbolic = fixture_path("b"),
                  *hard = fixture_path("c");
  g_autofree char *folder = g_path_get_dirname(path);
  g_autofree char *detour = g_build_filename(folder, ".", "..", ".", NULL);
  g_autofree char *base = g_path_get_basename(folder);
  g_autofree char *roundabout = g_build_filename(detour, base, "a", NULL);
  ck_assert_int_eq(symlink(path, symbolic), 0);
  ck_assert_int_eq(link(path, hard), 0);
  g_autoptr(VitgateModel) model = fixture_open_model(path);
  const char *const others[] = { path, symbolic, hard, roundabout };
  for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
    g_autoptr(VitgateModel) other = fixture_open_model(others[i]);
    ck_assert_ptr_eq(model, other);
  }
}
END_TEST

START_TEST(a_copy_is_another_model)
{
  const struct timespec then[2] = { { 1000000000, 0 }, { 1000000000, 0 } };
  g_autofree char *path = write_small("model"), *copy = write_small("copy");
  ck_assert_int_eq(utimensat(AT_FDCWD, path, then, 0), 0);
  ck_assert_int_eq(utimensat(AT_FDCWD, copy, then, 0), 0);
  g_autoptr(VitgateModel) model = fixture_open_model(path), other = fixture_open_model(copy);
  ck_assert_ptr_ne(model, other);
}
END_TEST

START_TEST(references_are_counted)
{
  g_autofree char *path = write_small("model");
  VitgateModel *first = fixture_open_model(path), *second = fixture_open_model(path);
  VitgateModel *third = vitgate_model_ref(first);
  ck_assert_ptr_eq(first, third);
  vitgate_model_unref(&first);
  ck_assert_ptr_null(first);
  vitgate_model_unref(&second);
  ck_assert_str_eq(vitgate_model_get_info(third)->name, "golden-small");
  g_autoptr(VitgateModel) again = fixture_open_model(path);
  ck_assert_ptr_eq(again, third);
  vitgate_model_unref(&third);
  vitgate_model_unref(&third); /* does nothing */
}
END_TEST

START_TEST(a_session_keeps_its_model)
{
  VitgateModel *model = fixture_model("small");
  g_autoptr(VitgateSession) session = fixture_session(model, 1, 1);
  vitgate_model_unref(&model);
  g_autofree float *tensor = g_new0(float, 3 * 32 * 32);
  fixture_forward(session, tensor, 1);
}
END_TEST

START_TEST(a_replaced_file_is_another_model)
{
  g_autofree char *path = write_small("model");
  g_autoptr(VitgateModel) before = fixture_open_model(path);
  g_autoptr(ModelFile) file = model_file_read("odd");
  g_free(model_file_write(file, "model"));
  g_autoptr(VitgateModel) after = fixture_open_model(path);
  ck_assert_ptr_ne(before, after);
  ck_assert_str_eq(vitgate_model_get_info(before)->name, "golden-small");
  ck_assert_str_eq(vitgate_model_get_info(after)->name, "golden-odd");
}
END_TEST

/* The file keeps its inode and length; only the time differs. */
START_TEST(an_overwritten_file_is_another_model)
{
  g_autofree char *path = write_small("model"), *other = NULL, *contents = NULL;
  gsize n;
  g_autoptr(ModelFile) file = model_file_read("small");
  model_file_set(file, "name", "\"golden-SMALL\"");
  other = model_file_write(file, "other");
  ck_assert(g_file_get_contents(other, &contents, &n, NULL));
  g_autoptr(VitgateModel) before = fixture_open_model(path);

  int target = open(path, O_WRONLY);
  ck_assert_int_eq(write(target, contents, n), (gssize)n);
  /* File system clocks are coarse: two writes may get the same time. */
  const struct timespec later[2] = { { 2000000000, 0 }, { 2000000000, 0 } };
  ck_assert_int_eq(futimens(target, later), 0);
  close(target);
  g_autoptr(VitgateModel) after = fixture_open_model(path);
  ck_assert_ptr_ne(before, after);
  ck_assert_str_eq(vitgate_model_get_info(before)->name, "golden-small");
  ck_assert_str_eq(vitgate_model_get_info(after)->name, "golden-SMALL");
}
END_TEST

START_TEST(a_model_outlives_its_file)
{
  g_autofree char *path = write_small("model");
  g_autoptr(VitgateModel) model = fixture_open_model(path);
  g_autoptr(GError) error = NULL;
  ck_assert_int_eq(truncate(path, 0), 0); /* a mapping would be invalid now */
  ck_assert_int_eq(g_remove(path), 0);
  g_autoptr(VitgateSession) session = fixture_session(model, 1, 1);
  g_autofree float *tensor = g_new0(float, 3 * 32 * 32);
  fixture_forward(session, tensor, 1);
  ck_assert_ptr_null(vitgate_model_open(path, &error));
  assert_error(error, VITGATE_ERROR_NOT_FOUND, path);
}
END_TEST

/* ---- Threads ---- */

#define N_THREADS 8
#define N_OPENS   20

typedef struct {
  pthread_barrier_t barrier;
  const char *path;
  VitgateModel *models[N_THREADS];
} Race;

typedef struct {
  Race *race;
  guint index;
} Runner;

static void *open_at_once(void *data)
{
  const Runner *runner = data;
  pthread_barrier_wait(&runner->race->barrier);
  runner->race->models[runner->index] = vitgate_model_open(runner->race->path, NULL);
  return NULL;
}

static void *open_and_close(void *data)
{
  const Runner *runner = data;
  pthread_barrier_wait(&runner->race->barrier);
  for (guint i = 0; i < N_OPENS; i++) {
    VitgateModel *model = vitgate_model_open(runner->race->path, NULL);
    if (!model || vitgate_model_get_info(model)->depth != 3)
      return runner->race; /* libcheck's assertions work only in the main thread */
    vitgate_model_unref(&model);
  }
  return NULL;
}

static void run_race(Race *race, void *(*function)(void *))
{
  pthread_t threads[N_THREADS];
  Runner runners[N_THREADS];
  pthread_barrier_init(&race->barrier, NULL, N_THREADS);
  for (guint i = 0; i < N_THREADS; i++) {
    runners[i] = (Runner){ race, i };
    ck_assert_int_eq(pthread_create(&threads[i], NULL, function, &runners[i]), 0);
  }
  for (guint i = 0; i < N_THREADS; i++) {
    void *failure;
    pthread_join(threads[i], &failure);
    ck_assert_ptr_null(failure);
  }
  pthread_barrier_destroy(&race->barrier);
}

START_TEST(threads_that_open_at_once_share_one_copy)
{
  g_autofree char *path = write_small("model");
  Race race = { .path = path };
  run_race(&race, open_at_once);
  ck_assert_ptr_nonnull(race.models[0]);
  for (guint i = 1; i < N_THREADS; i++)
    ck_assert_ptr_eq(race.models[i], race.models[0]);
  for (guint i = 0; i < N_THREADS; i++)
    vitgate_model_unref(&race.models[i]);
}
END_TEST

START_TEST(threads_may_open_and_close_at_the_same_time)
{
  g_autofree char *path = write_small("model");
  Race race = { .path = path };
  run_race(&race, open_and_close);
}
END_TEST

int main(void)
{
  TCase *info = tcase_create("info"), *sharing = tcase_create("sharing");
  tcase_add_test(info, a_model_reports_what_its_file_says);
  tcase_add_test(info, a_model_lists_its_classes);
  tcase_add_test(info, classes_without_labels_are_numbers);
  tcase_add_test(info, absent_modules_have_neither_heads_nor_neurons);
  tcase_add_test(info, a_file_without_description_is_described_by_its_tensors);
  tcase_add_test(info, costs_match_the_published_ones);
  tcase_add_test(info, a_distillation_token_is_found_without_description);
  tcase_add_test(info, a_description_survives_writing);
  tcase_add_test(sharing, a_file_is_loaded_once_by_any_path);
  tcase_add_test(sharing, a_copy_is_another_model);
  tcase_add_test(sharing, references_are_counted);
  tcase_add_test(sharing, a_session_keeps_its_model);
  tcase_add_test(sharing, a_replaced_file_is_another_model);
  tcase_add_test(sharing, an_overwritten_file_is_another_model);
  tcase_add_test(sharing, a_model_outlives_its_file);
  tcase_add_test(sharing, threads_that_open_at_once_share_one_copy);
  tcase_add_test(sharing, threads_may_open_and_close_at_the_same_time);
  return fixture_run("model", info, sharing, NULL);
}
