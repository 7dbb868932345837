/* Tests batches of training images: their contents, their order and errors. */
#include "data/batches.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/command-error.h"
#include "data/decode.h"
#include "fixtures.h"
#include "photographs.h"

enum { SIZE = 16, LENGTH = 3 * SIZE * SIZE, N_BATCHES = 9 };

static const Augmentation usual = AUGMENTATION_DEFAULT;
static const Augmentation blended = { .area = { 0.35, 1 }, .aspect = { 0.75, 1.3 }, .mixup = 0.5 };

static char *root;

static void set_up(void)
{
  root = fixtures_folder();
}

static void tear_down(void)
{
  fixtures_remove(root);
}

/* Many shapes: smaller and larger than the input, and larger than what the cache keeps. */
static void write_usual(void)
{
  static const char *const classes[] = { "cat", "cow", "dog", "hen", "none" };
  for (guint i = 0; i < 13; i++) {
    g_autofree char *name = g_strdup_printf("data/top%u/%s/%02u.png", i % 2, classes[i % 5], i);
    photographs_write(root, name, 9 + 7 * i, 90 - 5 * i, i);
  }
}

static Batches *start(const Collection *collection, const BatchesOptions *options)
{
  g_autoptr(GError) error = NULL;
  Batches *batches = batches_new(collection, options, &error);
  ck_assert_msg(batches != NULL, "%s", error ? error->message : "");
  return batches;
}

static const Batch *take(Batches *batches)
{
  g_autoptr(GError) error = NULL;
  const Batch *batch = batches_next(batches, &error);
  ck_assert_msg(batch != NULL, "%s", error ? error->message : "the end");
  return batch;
}

/* Records the contents of the next @n batches: tensors, labels, numbers.
 * Returns: (transfer full) */
static GByteArray *record(Batches *batches, guint n)
{
  GByteArray *bytes = g_byte_array_new();
  for (guint i = 0; i < n; i++) {
    const Batch *batch = take(batches);
    g_byte_array_append(bytes, (const guint8 *)batch->tensors,
                        (guint)(batch->n * LENGTH * sizeof(float)));
    g_byte_array_append(bytes, (const guint8 *)batch->labels, (guint)(batch->n * sizeof(int)));
    g_byte_array_append(bytes, (const guint8 *)batch->photographs,
                        (guint)(batch->n * sizeof(guint)));
    g_byte_array_append(bytes, (const guint8 *)&batch->first_draw, sizeof batch->first_draw);
    batches_release(&batch);
    ck_assert_ptr_null(batch);
  }
  return bytes;
}

/* Records a fresh run, with nothing decoded yet.
 * Returns: (transfer full) */
static GByteArray *record_run(const BatchesOptions *options, guint64 memory)
{
  const CollectionOptions all = { .memory = memory };
  g_autoptr(Collection) collection = photographs_collection(root, SIZE, &all);
  g_autoptr(Batches) batches = start(collection, options);
  return record(batches, N_BATCHES);
}

static void assert_same(const GByteArray *a, const GByteArray *b)
{
  ck_assert_uint_eq(a->len, b->len);
  ck_assert(!memcmp(a->data, b->data, a->len));
}

static const FolderWeight weights[] = { { "top1", 3 } };

static const BatchesOptions kinds[] = {
  { .order.seed = 5, .augmentation = &usual, .batch_size = 4 },
  { .order = { .seed = 5, .weights = weights, .n_weights = 1 },
    .augmentation = &usual,
    .batch_size = 4 },
  { .order.seed = 5, .batch_size = 4 },
  { .order.seed = 5, .augmentation = &blended, .batch_size = 4 },
};

/* ---- Reproducibility ---- */

START_TEST(batches_do_not_depend_on_threads_or_depth)
{
  static const guint threads[] = { 1, 3, 2, 8 }, depths[] = { 1, 3, 7, 2 };
  write_usual();
  photographs_write_broken(root, "data/top0/cat/broken.jpg");
  photographs_write_broken(root, "data/top1/cat/broken.jpg");
  BatchesOptions options = kinds[_i];
  g_autoptr(GByteArray) expected = record_run(&options, COLLECTION_MEMORY);
  for (guint i = 0; i < G_N_ELEMENTS(threads); i++) {
    options.threads = threads[i];
    options.depth = depths[i];
    g_autoptr(GByteArray) found = record_run(&options, COLLECTION_MEMORY);
    assert_same(found, expected);
  }
}
END_TEST

/* As processes that share a batch see it. */
START_TEST(parts_of_batches_make_up_the_whole)
{
  enum { BATCH = 5 };
  static const guint ends[][4] = { { 0, BATCH }, { 0, 2, BATCH }, { 0, 1, 4, BATCH } };
  write_usual();
  photographs_write_broken(root, "data/top0/cat/broken.jpg");
  BatchesOptions whole = kinds[_i];
  whole.batch_size = BATCH;
  const CollectionOptions all = { .memory = G_MAXUINT64 };
  g_autoptr(Collection) collection = photographs_collection(root, SIZE, &all);
  g_autoptr(Batches) wanted = start(collection, &whole);
  for (guint b = 0; b < N_BATCHES; b++) {
    const Batch *batch = take(wanted);
    for (guint n = 1; n <= G_N_ELEMENTS(ends); n++)
      for (guint i = 0; i < n; i++) {
        BatchesOptions some = whole;
        some.first = ends[n - 1][i];
        some.n = ends[n - 1][i + 1] - some.first;
        some.threads = n;
        g_autoptr(Batches) batches = start(collection, &some);
        batches_seek(batches, batch->first_draw);
        const Batch *part = take(batches);
        ck_assert_uint_eq(part->n, some.n);
        ck_assert_uint_eq(part->next_draw, batch->next_draw);
        ck_assert_mem_eq(part->tensors, batch->tensors + some.first * LENGTH,
                         some.n * LENGTH * sizeof(float));
        ck_assert_mem_eq(part->labels, batch->labels + some.first, some.n * sizeof(int));
        ck_assert_mem_eq(part->photographs, batch->photographs + some.first,
                         some.n * sizeof(guint));
        batches_release(&part);
      }
    batches_release(&batch);
  }
}
END_TEST

START_TEST(batches_do_not_depend_on_cache_memory)
{
  static const guint64 budgets[] = { 0, 5000 };
  write_usual();
  g_autoptr(GByteArray) expected = record_run(&kinds[_i], COLLECTION_MEMORY);
  for (guint i = 0; i < G_N_ELEMENTS(budgets); i++) {
    g_autoptr(GByteArray) found = record_run(&kinds[_i], budgets[i]);
    assert_same(found, expected);
  }
}
END_TEST

START_TEST(another_seed_gives_other_batches)
{
  write_usual();
  BatchesOptions options = kinds[_i];
  g_autoptr(GByteArray) first = record_run(&options, COLLECTION_MEMORY);
  options.order.seed++;
  g_autoptr(GByteArray) second = record_run(&options, COLLECTION_MEMORY);
  ck_assert_uint_eq(first->len, second->len);
  ck_assert(memcmp(first->data, second->data, first->len));
}
END_TEST

START_TEST(a_resumed_run_equals_an_uninterrupted_one)
{
  write_usual();
  photographs_write_broken(root, "data/top0/cat/broken.jpg");
  g_autoptr(GByteArray) unbroken = record_run(&kinds[_i], COLLECTION_MEMORY);

  g_autoptr(GByteArray) found = NULL;
  guint64 next_draw;
  {
    g_autoptr(Collection) collection = photographs_collection(root, SIZE, NULL);
    g_autoptr(Batches) batches = start(collection, &kinds[_i]);
    found = record(batches, 3);
    const Batch *batch = take(batches);
    next_draw = batch->first_draw; /* a batch that was never trained on */
  }
  g_autoptr(Collection) collection = photographs_collection(root, SIZE, NULL);
  g_autoptr(Batches) batches = start(collection, &kinds[_i]);
  batches_seek(batches, next_draw);
  g_autoptr(GByteArray) rest = record(batches, N_BATCHES - 3);
  g_byte_array_append(found, rest->data, rest->len);
  assert_same(found, unbroken);
}
END_TEST

START_TEST(seeking_back_repeats_and_keeps_batches_in_use)
{
  write_usual();
  BatchesOptions options = kinds[0];
  options.threads = _i ? 3 : 1;
  g_autoptr(Collection) collection = photographs_collection(root, SIZE, NULL);
  g_autoptr(Batches) batches = start(collection, &options);
  g_autoptr(GByteArray) expected = record(batches, 5);
  const Batch *held = take(batches);
  const float value = held->tensors[0];
  for (guint i = 0; i < 3; i++) {
    batches_seek(batches, 0);
    g_autoptr(GByteArray) found = record(batches, 5);
    assert_same(found, expected);
    ck_assert_float_eq(held->tensors[0], value);
    ck_assert_uint_eq(held->first_draw, 20);
  }
  batches_release(&held);
}
END_TEST

/* ---- Contents ---- */

static void assert_preprocessed(VitgateSession *session, const Collection *collection,
                                const Batch *batch)
{
  for (guint i = 0; i < batch->n; i++) {
    const CollectionItem *item = collection_get(collection, batch->photographs[i]);
    g_autoptr(GBytes) file = dataset_load(item->dataset, item->index, NULL);
    g_autoptr(GdkPixbuf) pixels = decode_pixels(file, DECODE_UPRIGHT, NULL);
    const VitgateImage image = decode_as_image(pixels);
    float expected[LENGTH];
    ck_assert(vitgate_session_preprocess(session, &image, expected, NULL));
    ck_assert_mem_eq(batch->tensors + i * LENGTH, expected, sizeof expected);
    ck_assert_int_eq(batch->labels[i], item->label);
  }
}

START_TEST(without_augmentation_images_equal_those_of_a_session)
{
  write_usual();
  photographs_write(root, "data/top0/cat/exact.png", SIZE, SIZE, 99);
  photographs_write(root, "data/top0/cat/larger.png", 3 * SIZE, 4 * SIZE, 99);
  g_autoptr(GBytes) alpha = fixtures_picture("png", 40, 30, TRUE, 0x20c04010);
  fixtures_write(root, "data/top0/cat/alpha.png", g_bytes_get_data(alpha, NULL),
                 (gssize)g_bytes_get_size(alpha));
  g_autoptr(VitgateModel) model = photographs_model(root, SIZE, SIZE + SIZE / 8);
  g_autoptr(VitgateSession) session = vitgate_session_new(model, NULL, NULL);
  g_autoptr(Collection) collection = photographs_collection(root, SIZE, NULL);

  /* Shrunk pixels left in the cache by training must not be used. */
  g_autoptr(Batches) before = start(collection, &kinds[0]);
  g_byte_array_unref(record(before, N_BATCHES));

  const BatchesOptions options = { .order.once = _i, .batch_size = 8 };
  g_autoptr(Batches) batches = start(collection, &options);
  for (guint i = 0; i < 2; i++) {
    const Batch *batch = take(batches);
    assert_preprocessed(session, collection, batch);
    batches_release(&batch);
  }
}
END_TEST

START_TEST(augmentation_without_variation_is_the_centre_crop)
{
  static const guint sides[] = { SIZE, 2 * SIZE, 23, 7 };
  const Augmentation nothing = { .area = { 1, 1 }, .aspect = { 1, 1 } };
  for (guint i = 0; i < G_N_ELEMENTS(sides); i++) {
    g_autofree char *name = g_strdup_printf("data/%u.png", i);
    photographs_write(root, name, sides[i], sides[i], i);
  }
  g_autoptr(VitgateModel) model = photographs_model(root, SIZE, SIZE);
  g_autoptr(VitgateSession) session = vitgate_session_new(model, NULL, NULL);
  g_autoptr(Collection) collection = photographs_collection(root, SIZE, NULL);
  const BatchesOptions options = { .order.once = TRUE, .augmentation = &nothing };
  g_autoptr(Batches) batches = start(collection, &options);
  const Batch *batch = take(batches);
  ck_assert_uint_eq(batch->n, 4);
  assert_preprocessed(session, collection, batch);
}
END_TEST

START_TEST(an_epoch_has_each_photograph_once)
{
  write_usual();
  g_autoptr(Collection) collection = photographs_collection(root, SIZE, NULL);
  g_autoptr(Batches) batches = start(collection, &kinds[0]);
  guint counts[13] = { 0 }, order[3 * 13];
  for (guint draw = 0; draw < 3 * 13;) {
    const Batch *batch = take(batches);
    ck_assert_uint_eq(batch->n, 4);
    ck_assert_uint_eq(batch->next_draw, batch->first_draw + 4);
    for (guint i = 0; i < 4 && draw < 3 * 13; i++, draw++) {
      order[draw] = batch->photographs[i];
      ck_assert_uint_eq(counts[order[draw]]++, draw / 13);
    }
    batches_release(&batch);
  }
  ck_assert(memcmp(order, order + 13, 13 * sizeof *order));
}
END_TEST

START_TEST(photographs_of_a_heavy_folder_are_drawn_more_often)
{
  enum { N = 4000 };
  write_usual();
  const FolderWeight heavy[] = { { "top1", _i ? 3 : 0 } };
  SamplerOptions options = { .weights = heavy, .n_weights = 1, .seed = 1 };
  g_autoptr(Collection) collection = photographs_collection(root, SIZE, NULL);
  Sampler *sampler = sampler_new(collection, &options, NULL);
  guint counts[13] = { 0 };
  for (guint draw = 0; draw < N; draw++)
    counts[sampler_get(sampler, draw, 0)]++;
  /* top0 has seven photographs of weight 1, top1 has six. */
  const double unit = N / (7 + 6 * heavy[0].weight);
  for (guint i = 0; i < 13; i++) {
    gboolean is_heavy = !strcmp(collection_get_folder(collection, i), "top1");
    double expected = unit * (is_heavy ? heavy[0].weight : 1);
    /* Five standard deviations. */
    ck_assert_double_le(fabs(counts[i] - expected), 5 * sqrt(expected));
  }
  sampler_free(&sampler);
}
END_TEST

START_TEST(held_out_photographs_are_never_trained_on)
{
  write_usual();
  for (guint i = 0; i < 30; i++) {
    g_autofree char *name = g_strdup_printf("data/top2/dog/%02u.png", i);
    photographs_write(root, name, 20, 20, i);
  }
  const CollectionOptions all = { .held_out = 0.2, .memory = COLLECTION_MEMORY };
  g_autoptr(Collection) collection = photographs_collection(root, SIZE, &all);
  ck_assert_uint_gt(collection->n_held_out, 5);
  BatchesOptions options = { .order.part = _i ? SAMPLER_HELD_OUT : SAMPLER_TRAINING,
                             .order.once = _i,
                             .batch_size = 4 };
  g_autoptr(Batches) batches = start(collection, &options);
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
  guint n = _i ? collection->n_held_out : 43 - collection->n_held_out;
  while (g_hash_table_size(seen) < n) {
    const Batch *batch = take(batches);
    for (guint i = 0; i < batch->n; i++) {
      ck_assert_int_eq(collection_get(collection, batch->photographs[i])->held_out, _i);
      g_hash_table_add(seen, GUINT_TO_POINTER(batch->photographs[i]));
    }
    batches_release(&batch);
  }
  g_autoptr(GError) error = NULL;
  if (_i)
    ck_assert_ptr_null(batches_next(batches, &error));
  ck_assert_ptr_null(error);
}
END_TEST

START_TEST(a_single_pass_ends_and_can_be_repeated)
{
  write_usual();
  photographs_write_broken(root, "data/top0/cat/broken.jpg");
  g_autoptr(Collection) collection = photographs_collection(root, SIZE, NULL);
  const BatchesOptions options = { .order.once = TRUE, .batch_size = 5, .threads = _i ? 3 : 1 };
  g_autoptr(Batches) batches = start(collection, &options);
  guint broken = 0;
  while (!g_str_has_suffix(collection_get_photograph(collection, broken)->name, "broken.jpg"))
    broken++;
  for (guint pass = 0; pass < 3; pass++) {
    guint expected = 0;
    for (guint b = 0; b < 3; b++) {
      const Batch *batch = take(batches);
      ck_assert_uint_eq(batch->next_draw, MIN(14, 5 * (b + 1)));
      for (guint i = 0; i < batch->n; i++, expected++) {
        expected += expected == broken;
        ck_assert_uint_eq(batch->photographs[i], expected);
      }
      batches_release(&batch);
    }
    ck_assert_uint_eq(expected, 14);
    for (guint i = 0; i < 2; i++) {
      g_autoptr(GError) error = NULL;
      ck_assert_ptr_null(batches_next(batches, &error));
      ck_assert_ptr_null(error);
    }
    batches_seek(batches, 0);
  }
}
END_TEST

/* ---- Errors ---- */

START_TEST(broken_photographs_are_replaced_and_named_once)
{
  photographs_write(root, "data/a.png", 20, 20, 1);
  photographs_write(root, "data/b.png", 20, 20, 2);
  photographs_write_broken(root, "data/cut.jpg");
  fixtures_write(root, "data/junk.png", "no picture", -1);
  g_autoptr(Collection) collection = photographs_collection(root, SIZE, NULL);
  BatchesOptions options = kinds[_i ? 0 : 2];
  options.threads = 2;
  g_autoptr(Batches) batches = start(collection, &options);
  for (guint b = 0; b < N_BATCHES; b++) {
    const Batch *batch = take(batches);
    ck_assert_uint_eq(batch->n, 4);
    for (guint i = 0; i < 4; i++)
      ck_assert_uint_lt(batch->photographs[i], 2);
    batches_release(&batch);
  }
  ck_assert_uint_eq(pixel_cache_count_bad(collection->pixels), 2);
  g_autoptr(GPtrArray) notes = pixel_cache_take_notes(collection->pixels);
  ck_assert_uint_eq(notes->len, 2);
}
END_TEST

START_TEST(one_photograph_is_enough)
{
  photographs_write(root, "data/a.png", 20, 30, 1);
  g_autoptr(Collection) collection = photographs_collection(root, SIZE, NULL);
  g_autoptr(Batches) batches = start(collection, &kinds[0]);
  const Batch *batch = take(batches);
  ck_assert_uint_eq(batch->n, 4);
  for (guint i = 0; i < 4; i++)
    ck_assert_uint_eq(batch->photographs[i], 0);
  /* Each image is augmented differently. */
  ck_assert_mem_ne(batch->tensors, batch->tensors + LENGTH, LENGTH * sizeof(float));
}
END_TEST

START_TEST(no_usable_photograph_is_an_error)
{
  for (guint i = 0; i < 5; i++) {
    g_autofree char *name = g_strdup_printf("data/%u.jpg", i);
    photographs_write_broken(root, name);
  }
  g_autoptr(Collection) collection = photographs_collection(root, SIZE, NULL);
  const BatchesOptions options = { .order.once = _i & 1, .batch_size = 2, .threads = 1 + _i / 2 };
  g_autoptr(Batches) batches = start(collection, &options);
  for (guint i = 0; i < 2; i++) {
    g_autoptr(GError) error = NULL;
    ck_assert_ptr_null(batches_next(batches, &error));
    assert_error(error, "none of the 5 photographs can be used");
    ck_assert(g_error_matches(error, COMMAND_ERROR, COMMAND_ERROR_DATA));
  }
  g_autoptr(GPtrArray) notes = pixel_cache_take_notes(collection->pixels);
  ck_assert_uint_eq(notes->len, 5);
}
END_TEST

static const Augmentation impossible = { .area = { 0, 1 }, .aspect = { 1, 1 } };
static const FolderWeight nothing_left[] = { { ".", 0 } }, unknown[] = { { "x", 1 } };
static const FolderWeight negative[] = { { ".", -1 } }, endless[] = { { ".", INFINITY } };

static const struct {
  BatchesOptions options;
  CommandError code;
  const char *message;
} bad_options[] = {
  { { .order.part = SAMPLER_HELD_OUT }, COMMAND_ERROR_DATA, "no photographs held out" },
  { { .order = { .weights = nothing_left, .n_weights = 1 } },
    COMMAND_ERROR_DATA,
    "no photographs to train on" },
  { { .order = { .weights = unknown, .n_weights = 1 } }, COMMAND_ERROR_DATA, "\"x\"" },
  { { .order = { .weights = negative, .n_weights = 1 } }, COMMAND_ERROR_USAGE, "is -1" },
  { { .order = { .weights = endless, .n_weights = 1 } }, COMMAND_ERROR_USAGE, "is inf" },
  { { .order = { .weights = unknown, .n_weights = 1, .once = TRUE } },
    COMMAND_ERROR_USAGE,
    "cannot have weights" },
  { { .augmentation = &impossible }, COMMAND_ERROR_USAGE, "invalid range or probability" },
  { { .batch_size = 100000 }, COMMAND_ERROR_USAGE, "images in a batch" },
  { { .depth = 2000 }, COMMAND_ERROR_USAGE, "batches in memory" },
  { { .threads = 65 }, COMMAND_ERROR_USAGE, "65 threads" },
};

START_TEST(invalid_options_are_rejected)
{
  photographs_write(root, "data/a.png", 20, 30, 1);
  g_autoptr(Collection) collection = photographs_collection(root, SIZE, NULL);
  g_autoptr(GError) error = NULL;
  ck_assert_ptr_null(batches_new(collection, &bad_options[_i].options, &error));
  assert_error(error, bad_options[_i].message);
  ck_assert(g_error_matches(error, COMMAND_ERROR, (int)bad_options[_i].code));
}
END_TEST

START_TEST(holding_all_batches_is_an_error)
{
  write_usual();
  g_autoptr(Collection) collection = photographs_collection(root, SIZE, NULL);
  const BatchesOptions options = { .batch_size = 2, .depth = 2 };
  g_autoptr(Batches) batches = start(collection, &options);
  const Batch *first = take(batches), *second = take(batches);
  g_autoptr(GError) error = NULL;
  ck_assert_ptr_null(batches_next(batches, &error));
  assert_error(error, "all 2 batches are in use");
  batches_release(&first);
  first = take(batches);
  ck_assert_uint_eq(first->first_draw, 4);
  batches_release(&first);
  batches_release(&second);
}
END_TEST

START_TEST(batches_can_be_freed_at_any_time)
{
  write_usual();
  g_autoptr(Collection) collection = photographs_collection(root, SIZE, NULL);
  BatchesOptions options = kinds[0];
  options.threads = 4;
  for (guint i = 0; i < 20; i++) {
    g_autoptr(Batches) batches = start(collection, &options);
    if (i % 3 == 1)
      take(batches);
    if (i % 3 == 2)
      batches_seek(batches, i);
  }
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("batches");
  tcase_set_timeout(tests, 60);
  tcase_add_checked_fixture(tests, set_up, tear_down);
  const int n_kinds = G_N_ELEMENTS(kinds);
  tcase_add_loop_test(tests, batches_do_not_depend_on_threads_or_depth, 0, n_kinds);
  tcase_add_loop_test(tests, parts_of_batches_make_up_the_whole, 0, n_kinds);
  tcase_add_loop_test(tests, batches_do_not_depend_on_cache_memory, 0, n_kinds);
  tcase_add_loop_test(tests, another_seed_gives_other_batches, 0, n_kinds);
  tcase_add_loop_test(tests, a_resumed_run_equals_an_uninterrupted_one, 0, n_kinds);
  tcase_add_loop_test(tests, seeking_back_repeats_and_keeps_batches_in_use, 0, 2);
  tcase_add_loop_test(tests, without_augmentation_images_equal_those_of_a_session, 0, 2);
  tcase_add_test(tests, augmentation_without_variation_is_the_centre_crop);
  tcase_add_test(tests, an_epoch_has_each_photograph_once);
  tcase_add_loop_test(tests, photographs_of_a_heavy_folder_are_drawn_more_often, 0, 2);
  tcase_add_loop_test(tests, held_out_photographs_are_never_trained_on, 0, 2);
  tcase_add_loop_test(tests, a_single_pass_ends_and_can_be_repeated, 0, 2);
  tcase_add_loop_test(tests, broken_photographs_are_replaced_and_named_once, 0, 2);
  tcase_add_test(tests, one_photograph_is_enough);
  tcase_add_loop_test(tests, no_usable_photograph_is_an_error, 0, 4);
  tcase_add_loop_test(tests, invalid_options_are_rejected, 0, G_N_ELEMENTS(bad_options));
  tcase_add_test(tests, holding_all_batches_is_an_error);
  tcase_add_test(tests, batches_can_be_freed_at_any_time);
  return fixtures_run(tests, "batches");
}
