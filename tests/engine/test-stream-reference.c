/* Long streams with all that may happen in them, frame by frame compared with the slow reference.
 *
 * VITGATE_STREAM_FRAMES: the number of frames of each stream, for a long run; set
 * CK_DEFAULT_TIMEOUT too. */
#include <math.h>
#include <stdlib.h>

#include "file/architecture.h"
#include "network/families/families.h"
#include "reference-model.h"
#include "reference-stream.h"
#include "reference-unknown.h"
#include "stream-fixture.h"

static BlockShape plain_blocks[] = { { 2, 8 }, { 1, 12 }, { 2, 8 } };
static BlockShape gated_blocks[] = {
  { 2, 8, .mlp_tokens = { TRUE, 2 } },
  { 1, 12, .attention_gate = TRUE, .mlp_tokens = { TRUE, 0 } },
  { 0, 6 },
  { 2, 8 },
};
static BlockShape mean_blocks[] = { { 1, 8, .attention_tokens = { TRUE, 2 } }, { 2, 0 } };

static double merging[] = { .9, .9, .9, .9 };
static CalibrationPoint point = { .5, 1, 0, merging };

#define COMMON                                                                                     \
  .family = &vitgate__family_vit, .dim = 8, .head_dim = 4, .n_classes = 4, .layer_norm_eps = 1e-6, \
  .dense_gmacs = 1e-4, .dense_parameters = 900, .calibration = &point, .n_calibration = 1,         \
  .default_compute = .5,                                                                           \
  .preprocessing = { .resize = 36, .mean = { .5f, .5f, .5f }, .std = { .2f, .25f, .3f } }

static const Description descriptions[] = {
  { .name = "plain",
    .image_size = 32,
    .patch_size = 4,
    .depth = 3,
    .blocks = plain_blocks,
    COMMON },
  { .name = "gated",
    .image_size = 35,
    .patch_size = 5,
    .depth = 4,
    .blocks = gated_blocks,
    .distilled = TRUE,
    COMMON },
  { .name = "mean",
    .image_size = 27,
    .patch_size = 3,
    .depth = 2,
    .blocks = mean_blocks,
    .mean_pooling = TRUE,
    COMMON },
};
enum { N_MODELS = G_N_ELEMENTS(descriptions), MOST = 3 * 35 * 35, N_FRAMES = 400 };

typedef struct {
  Description d;
  guint n_patches;
  gsize image;
  ModelFile *file;
  VitgateModel *model;
  VitgateSession *sessions[3];
  VitgateStream *stream;
  ReferenceStream *reference;
  float tensor[MOST];
  guint32 random;
  guint n_passes[4], n_unsure;
} Setup;

static void setup_init(Setup *s, guint which)
{
  const VitgateStreamOptions options = stream_eager();
  *s = (Setup){ .d = descriptions[which], .random = 70 + which };
  reference_add_unknown(&s->d);
  s->n_patches = vitgate__description_n_patches(&s->d);
  s->image = (gsize)3 * s->d.image_size * s->d.image_size;
  s->file = reference_model(&s->d, 5);
  s->model = model_file_open(s->file, s->d.name);
  for (guint i = 0; i < G_N_ELEMENTS(s->sessions); i++)
    s->sessions[i] = fixture_session_with(
        s->model, &(VitgateSessionOptions){ .threads = i + 1, .patches = TRUE });
  s->stream = stream_new(s->model, &options);
  const ReferenceSettings dial = { .thresholds = { .9, .9, .9, .9 }, .group = 1 };
  s->reference = reference_stream_new(s->file, &s->d, &dial, &options);
  fixture_fill(s->tensor, s->image, -2, 2, &s->random);
}

static void setup_clear(Setup *s)
{
  reference_stream_free(s->reference);
  vitgate_stream_free(&s->stream);
  for (guint i = 0; i < G_N_ELEMENTS(s->sessions); i++)
    vitgate_session_free(&s->sessions[i]);
  vitgate_model_unref(&s->model);
  model_file_free(s->file);
}

/* Adds something to a random square up to the size of a patch, at any position. */
static void change_some(Setup *s)
{
  const guint size = s->d.image_size, reach = 1 + fixture_random(&s->random) % s->d.patch_size;
  const guint left = fixture_random(&s->random) % (size - reach);
  const guint top = fixture_random(&s->random) % (size - reach);
  const float value = fixture_uniform(&s->random, -.8f, .8f);
  for (guint i = 0; i < 3 * reach * reach; i++)
    s->tensor[(i / reach / reach * size + top + i / reach % reach) * size + left + i % reach] +=
        value;
}

static void add_noise(Setup *s, float reach)
{
  for (gsize i = 0; i < s->image; i++)
    s->tensor[i] += fixture_uniform(&s->random, -reach, reach);
}

static void change_options(Setup *s)
{
  VitgateStreamOptions options = stream_eager();
  options.interval = fixture_random(&s->random) % 30;
  options.changed = fixture_uniform(&s->random, 0, .05f);
  options.unchanged = fixture_uniform(&s->random, 0, .05f);
  options.eager = fixture_random(&s->random) % 2;
  options.temporal = fixture_random(&s->random) % 8 > 0;
  options.max_compute = fixture_random(&s->random) % 8 ? 0 : .01;
  ck_assert(vitgate_stream_set_options(s->stream, &options, NULL));
  s->reference->options = options;
}

static void forget(Setup *s)
{
  vitgate_stream_forget(s->stream);
  reference_stream_forget(s->reference);
}

static void expire(Setup *s)
{
  vitgate_stream_expire(s->stream);
  s->reference->expired = TRUE;
}

static void happen(Setup *s)
{
  const guint chance = fixture_random(&s->random) % 1000;
  if (chance < 250)
    return;
  if (chance < 700)
    change_some(s);
  else if (chance < 780)
    add_noise(s, fixture_uniform(&s->random, 0, .2f));
  else if (chance < 800)
    fixture_fill(s->tensor, s->image, -2, 2, &s->random);
  else if (chance < 820)
    change_options(s);
  else if (chance < 830)
    expire(s);
  else if (chance < 834)
    forget(s);
}

START_TEST(every_frame_is_as_defined)
{
  const char *wanted = g_getenv("VITGATE_STREAM_FRAMES");
  const guint n = wanted ? (guint)atoi(wanted) : N_FRAMES;
  Setup s;
  setup_init(&s, (guint)_i);
  for (guint f = 0; f < n; f++) {
    char what[32];
    g_snprintf(what, sizeof what, "%s, frame %u", s.d.name, f);
    happen(&s);
    const VitgateResult *found = stream_follow(s.sessions[f % 3], s.stream, s.tensor);
    s.n_passes[found->decision->pass]++;
    if (reference_stream_check(s.reference, s.tensor, found, what))
      continue;
    s.n_unsure++;
    forget(&s);
  }
  for (guint pass = 0; pass < G_N_ELEMENTS(s.n_passes); pass++)
    ck_assert_msg(s.n_passes[pass] > n / 40, "%u frames are %s", s.n_passes[pass],
                  vitgate_pass_name(pass));
  ck_assert_msg(s.n_unsure <= n / 50, "%u of %u frames were not checked", s.n_unsure, n);
  setup_clear(&s);
}
END_TEST

/* ---- Slow light ---- */

/* Returns: the largest difference from logits of the dense network */
static double error_of(const Setup *s, const VitgateResult *found)
{
  double worst = 0;
  float logits[4];
  memcpy(logits, found->logits, sizeof logits);
  const VitgateResult *dense = fixture_forward(s->sessions[0], s->tensor, 1);
  for (guint c = 0; c < 4; c++)
    worst = fmax(worst, fabs(dense->logits[c] - logits[c]));
  return worst;
}

/* Light that changes by 0.1/255 a frame, everywhere or more to the right, up and down again. No
 * patch falls behind by more than leaves a result standing, and errors do not grow. */
START_TEST(slow_light_is_followed)
{
  enum { N = 3000, EARLY = 1000 };
  static double never[] = { 1, 1, 1, 1 };
  point.thresholds = never;
  Setup s;
  double early = 0, late = 0;
  guint n_updated = 0;
  setup_init(&s, 0);
  VitgateStreamOptions options = stream_eager();
  options.interval = 0;
  ck_assert(vitgate_stream_set_options(s.stream, &options, NULL));
  for (guint f = 0; f < N; f++) {
    for (gsize i = 0; i < s.image; i++) {
      const guint x = i % s.d.image_size, colour = (guint)(i / s.d.image_size / s.d.image_size);
      const float share = _i ? x < 24 ? 0 : (float)x / (float)s.d.image_size : 1;
      s.tensor[i] += share * (f / 500 % 2 ? -.1f : .1f) / 255 / s.d.preprocessing.std[colour];
    }
    const VitgateResult *found = stream_follow(s.sessions[0], s.stream, s.tensor);
    assert_each(f == 0 || found->decision->change <= 8.2 / 255, "frame %u: a change of %g/255", f,
                255 * found->decision->change);
    n_updated += found->decision->pass == VITGATE_PASS_UPDATED;
    const double error = error_of(&s, found);
    if (f < EARLY)
      early = fmax(early, error);
    else if (f >= N - EARLY)
      late = fmax(late, error);
  }
  ck_assert_uint_eq(n_updated > 0, _i > 0);
  ck_assert_msg(early > 0 && late <= 1.2 * early, "errors of %g grow to %g", early, late);
  setup_clear(&s);
}
END_TEST

int main(void)
{
  TCase *stream = tcase_create("stream");
  tcase_add_loop_test(stream, every_frame_is_as_defined, 0, N_MODELS);
  tcase_add_loop_test(stream, slow_light_is_followed, 0, 2);
  return fixture_run("stream-reference", stream, NULL);
}
