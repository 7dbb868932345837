/* The controls of token gates: the logits that they put in place of an image's own, and that a
 * session decides by them. */
#include <stdlib.h>

#include "file/architecture.h"
#include "fixture.h"
#include "model.h"
#include "network/families/families.h"
#include "network/logit-control.h"
#include "reference-model.h"
#include "session.h"

enum { SIDE = 5, N_PATCHES = SIDE * SIDE, N_PREFIX = 2, N_TOKENS = N_PATCHES + N_PREFIX };
enum { N_IMAGES = 5, N_MODULES = 4 };

static BlockShape blocks[] = {
  { 1, 10, .attention_tokens = { TRUE, 3 }, .mlp_tokens = { TRUE, 0 } },
  { 2, 0, .attention_tokens = { TRUE, 12 } },
  { 1, 4 },
};
static const Description description = {
  .family = &vitgate__family_vit,
  .name = "controlled",
  .image_size = 3 * SIDE,
  .patch_size = 3,
  .dim = 12,
  .head_dim = 6,
  .depth = G_N_ELEMENTS(blocks),
  .blocks = blocks,
  .distilled = TRUE,
  .n_classes = 4,
  .layer_norm_eps = 1e-6,
  .preprocessing = { .resize = 15, .mean = { .5f, .5f, .5f }, .std = { .5f, .5f, .5f } },
  .dense_gmacs = 4e-4,
  .dense_parameters = 9000,
};

/* ---- Logits ---- */

typedef struct {
  ImageState images[N_IMAGES];
  float logits[N_IMAGES][N_TOKENS];
} Batch;

/* @least: the smallest number of patch tokens; images after the first have more */
static void fill(Batch *batch, guint least, guint32 seed)
{
  guint32 random = seed;
  memset(batch, 0, sizeof *batch);
  for (guint i = 0; i < N_IMAGES; i++) {
    batch->images[i].token_logits = batch->logits[i];
    batch->images[i].n_tokens = N_PREFIX + MIN(N_PATCHES, least + 5 * i);
    fixture_fill(batch->logits[i], N_TOKENS, -1, 1, &random);
  }
}

static int compare(gconstpointer a, gconstpointer b)
{
  const float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

START_TEST(random_permutes_the_logits_of_an_image)
{
  static Batch own, found, again;
  LogitControl *control = vitgate__logit_control_new(LOGIT_CONTROL_RANDOM, &description);
  LogitControl *other = vitgate__logit_control_new(LOGIT_CONTROL_RANDOM, &description);
  for (guint module = 0; module < N_MODULES; module++) {
    fill(&own, 8, 1);
    fill(&found, 8, 1);
    fill(&again, 8, 1);
    vitgate__logit_control_apply(control, found.images, N_IMAGES, module, N_PREFIX);
    for (guint i = 0; i < N_IMAGES; i++) /* the same as one by one */
      vitgate__logit_control_apply(other, &again.images[i], 1, module, N_PREFIX);
    for (guint i = 0; i < N_IMAGES; i++) {
      const guint n = own.images[i].n_tokens - N_PREFIX;
      ck_assert_mem_eq(found.logits[i], again.logits[i], sizeof found.logits[i]);
      ck_assert_mem_ne(found.logits[i], own.logits[i], sizeof found.logits[i]);
      qsort(found.logits[i] + N_PREFIX, n, sizeof(float), compare);
      qsort(own.logits[i] + N_PREFIX, n, sizeof(float), compare);
      ck_assert_mem_eq(found.logits[i], own.logits[i], sizeof found.logits[i]);
    }
  }
  vitgate__logit_control_free(&control);
  vitgate__logit_control_free(&other);
}
END_TEST

/* Otherwise a place in the image would keep its meaning. */
START_TEST(random_permutes_each_image_and_module_differently)
{
  enum { N = 12 };
  float seen[N * N_MODULES][N_TOKENS];
  guint n = 0;
  static Batch batch;
  LogitControl *control = vitgate__logit_control_new(LOGIT_CONTROL_RANDOM, &description);
  for (guint i = 0; i < N; i++)
    for (guint module = 0; module < N_MODULES; module++) {
      fill(&batch, N_PATCHES, 1);
      vitgate__logit_control_apply(control, batch.images, 1, module, N_PREFIX);
      memcpy(seen[n++], batch.logits[0], sizeof batch.logits[0]);
      for (guint j = 0; j + 1 < n; j++)
        ck_assert_mem_ne(seen[j], seen[n - 1], sizeof seen[j]);
    }
  vitgate__logit_control_free(&control);
}
END_TEST

/* The first image of a session has none before it. In the second call, it is that of the last. */
START_TEST(shuffled_takes_the_logits_of_the_image_before)
{
  static Batch own, found;
  const guint least = _i ? 4 : N_PATCHES; /* numbers of tokens differ, or all are equal */
  LogitControl *control = vitgate__logit_control_new(LOGIT_CONTROL_SHUFFLED, &description);
  const float *before = NULL;
  guint n_before = 0;
  float kept[N_TOKENS];
  for (guint call = 0; call < 3; call++) {
    fill(&own, least, call + 1);
    fill(&found, least, call + 1);
    vitgate__logit_control_apply(control, found.images, N_IMAGES, 2, N_PREFIX);
    for (guint i = 0; i < N_IMAGES; i++) {
      const guint n = own.images[i].n_tokens - N_PREFIX;
      for (guint t = 0; t < n; t++) {
        const float *source = before ? before + t * n_before / n : own.logits[i] + N_PREFIX + t;
        assert_each(found.logits[i][N_PREFIX + t] == *source, "call %u, image %u, token %u", call,
                    i, t);
      }
      before = own.logits[i] + N_PREFIX;
      n_before = n;
    }
    memcpy(kept, own.logits[N_IMAGES - 1], sizeof kept);
    before = kept + N_PREFIX;
  }
  vitgate__logit_control_free(&control);
}
END_TEST

START_TEST(position_takes_the_mean_of_all_images_so_far)
{
  static Batch own, found;
  double sums[N_PATCHES] = { 0 };
  guint n_seen = 0;
  LogitControl *control = vitgate__logit_control_new(LOGIT_CONTROL_POSITION, &description);
  for (guint call = 0; call < 3; call++) {
    fill(&own, N_PATCHES, call + 1);
    fill(&found, N_PATCHES, call + 1);
    vitgate__logit_control_apply(control, found.images, N_IMAGES, 1, N_PREFIX);
    for (guint i = 0; i < N_IMAGES; i++) {
      n_seen++;
      for (guint p = 0; p < N_PATCHES; p++) {
        sums[p] += own.logits[i][N_PREFIX + p];
        ck_assert_float_eq_tol(found.logits[i][N_PREFIX + p], sums[p] / n_seen, 1e-6f);
      }
    }
  }
  vitgate__logit_control_free(&control);
}
END_TEST

/* Means have one value for each patch; a token that stands for several takes one of theirs. */
START_TEST(position_copes_with_merged_tokens)
{
  static Batch batch;
  LogitControl *control = vitgate__logit_control_new(LOGIT_CONTROL_POSITION, &description);
  for (guint least = 1; least <= N_PATCHES; least++) {
    fill(&batch, least, 3);
    for (guint i = 0; i < N_IMAGES; i++)
      for (guint t = 0; t < N_TOKENS; t++)
        batch.logits[i][t] = 0.5f;
    vitgate__logit_control_apply(control, batch.images, N_IMAGES, 0, N_PREFIX);
    for (guint i = 0; i < N_IMAGES; i++)
      for (guint t = N_PREFIX; t < batch.images[i].n_tokens; t++)
        ck_assert_float_eq(batch.logits[i][t], 0.5f);
  }
  vitgate__logit_control_free(&control);
}
END_TEST

/* ---- Sessions ---- */

typedef struct {
  VitgateModel *model;
  float *inputs;
  gsize image;
} Setup;

static void setup_init(Setup *s)
{
  g_autoptr(ModelFile) file = reference_model(&description, 5);
  s->image = (gsize)3 * description.image_size * description.image_size;
  s->inputs = fixture_tensors(4, N_IMAGES * s->image);
  s->model = model_file_open(file, "controlled");
}

static void setup_clear(Setup *s)
{
  vitgate_model_unref(&s->model);
  g_free(s->inputs);
}

static VitgateSession *new_session(const Setup *s, guint threads, LogitControlKind kind)
{
  const VitgateSessionOptions options = { .threads = threads,
                                          .max_batch = N_IMAGES,
                                          .patches = TRUE };
  VitgateSession *session = fixture_session_with(s->model, &options);
  vitgate__session_set_gate_control(session, kind);
  return session;
}

/* Module 0 has the same input in every image, whatever its gate decides by. */
START_TEST(a_session_decides_by_its_control)
{
  Setup s;
  setup_init(&s);
  g_autoptr(VitgateSession) plain = new_session(&s, 1, LOGIT_CONTROL_NONE);
  g_autoptr(VitgateSession) controlled = new_session(&s, 1, _i);
  const VitgateResult *own = fixture_forward(plain, s.inputs, N_IMAGES);
  const VitgateResult *found = fixture_forward(controlled, s.inputs, N_IMAGES);
  for (guint i = 1; i < N_IMAGES; i++) {
    const VitgateResult *same = _i == LOGIT_CONTROL_SHUFFLED ? &own[i - 1] : &own[i];
    if (_i != LOGIT_CONTROL_POSITION)
      ck_assert_uint_eq(found[i].module_tokens[0], same->module_tokens[0]);
    if (_i == LOGIT_CONTROL_SHUFFLED)
      ck_assert_mem_eq(found[i].patches, same->patches, N_PATCHES);
    else
      ck_assert_mem_ne(found[i].patches, same->patches, N_PATCHES);
  }
  setup_clear(&s);
}
END_TEST

START_TEST(threads_and_batches_do_not_change_a_control)
{
  Setup s;
  setup_init(&s);
  g_autoptr(VitgateSession) single = new_session(&s, 1, _i);
  VitgateSession *sessions[4];
  const VitgateResult *found[4];
  for (guint t = 0; t < 4; t++) {
    sessions[t] = new_session(&s, t + 1, _i);
    found[t] = fixture_forward(sessions[t], s.inputs, N_IMAGES);
  }
  for (guint i = 0; i < N_IMAGES; i++) {
    const VitgateResult *alone = fixture_forward(single, s.inputs + i * s.image, 1);
    for (guint t = 0; t < 4; t++) {
      ck_assert_mem_eq(found[t][i].logits, alone->logits, description.n_classes * sizeof(float));
      ck_assert_mem_eq(found[t][i].patches, alone->patches, 2 * description.depth * N_PATCHES);
    }
  }
  for (guint t = 0; t < 4; t++)
    vitgate_session_free(&sessions[t]);
  setup_clear(&s);
}
END_TEST

int main(void)
{
  TCase *controls = tcase_create("logit-control");
  tcase_add_test(controls, random_permutes_the_logits_of_an_image);
  tcase_add_test(controls, random_permutes_each_image_and_module_differently);
  tcase_add_loop_test(controls, shuffled_takes_the_logits_of_the_image_before, 0, 2);
  tcase_add_test(controls, position_takes_the_mean_of_all_images_so_far);
  tcase_add_test(controls, position_copes_with_merged_tokens);
  tcase_add_loop_test(controls, a_session_decides_by_its_control, LOGIT_CONTROL_RANDOM,
                      LOGIT_CONTROL_N_KINDS);
  tcase_add_loop_test(controls, threads_and_batches_do_not_change_a_control, LOGIT_CONTROL_RANDOM,
                      LOGIT_CONTROL_N_KINDS);
  return fixture_run("logit-control", controls, NULL);
}
