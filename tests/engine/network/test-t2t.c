/* The stem of T2T-ViT, compared with PyTorch (tests/reference) stage by stage, and its soft
 * splits. */
#include <math.h>

#include "file/describe.h"
#include "file/description-json.h"
#include "fixture.h"
#include "model-file.h"
#include "network/families/t2t-stem.h"
#include "network/vit.h"

static const char *const models[] = { "t2t-performer", "t2t-transformer" };

/* Maximum error, relative to the root mean square of the values. */
#define STAGE_TOLERANCE 1e-5

#define MAX_MEMBERS 3

/* The stem of a golden model, and the memory for it. */
typedef struct {
  Safetensors *file, *golden;
  Description *d;
  Vit *vit;
  StemWork *work;
  float *memory;
  const float *input;
} Case;

static Case open_case(int which)
{
  g_autoptr(GError) error = NULL;
  Case c = { .file = fixture_open_golden("model", models[which]),
             .golden = fixture_open_golden("golden", models[which]) };
  c.d = vitgate__description_read(c.file, &error);
  assert_success(c.d, error);
  c.vit = vitgate__vit_load(c.d, c.file, VITGATE_PRECISION_FLOAT32, &error);
  assert_success(c.vit, error);
  c.memory = g_new(float, MAX_MEMBERS *c.d->family->work_size(c.d, VITGATE_PRECISION_FLOAT32));
  c.work = c.d->family->work_new(c.d, VITGATE_PRECISION_FLOAT32, c.memory, MAX_MEMBERS);
  c.input = vitgate__safetensors_find(c.golden, "input")->data;
  return c;
}

static void close_case(Case *c)
{
  vitgate__vit_free(&c->vit);
  vitgate__description_free(&c->d);
  vitgate__safetensors_close(&c->golden);
  vitgate__safetensors_close(&c->file);
  g_free(c->work);
  g_free(c->memory);
}

typedef struct {
  const Case *c;
  Team *team;
} Call;

static void run(gpointer data, guint member)
{
  const Call *call = data;
  const guint n = vitgate__team_size(call->team);
  const StemShare share = { n > 1 ? call->team : NULL, member, n, 0 };
  vitgate__t2t_run(call->c->vit->stem, call->c->work, &share, call->c->input);
}

static void check_tokens(const Case *c, guint stage, const float *found, const char *what)
{
  g_autofree char *name = g_strdup_printf("stage.%u", stage);
  const Tensor *golden = vitgate__safetensors_find(c->golden, name);
  const float *expected = golden->data;
  const gsize n = vitgate__tensor_n_elements(golden);
  double squares = 0;
  for (gsize i = 0; i < n; i++)
    squares += (double)expected[i] * expected[i] / (double)n;
  for (gsize i = 0; i < n; i++)
    assert_each(fabs(found[i] - expected[i]) <= STAGE_TOLERANCE * sqrt(squares),
                "%s, %s, value %zu: %.7g, expected %.7g", what, name, i, found[i], expected[i]);
}

START_TEST(stages_agree_with_pytorch)
{
  Case c = open_case(_i);
  for (guint n = 1; n <= MAX_MEMBERS; n++) {
    Call call = { &c, vitgate__team_new(n) };
    g_autofree char *what = g_strdup_printf("%s on %u threads", models[_i], n);
    vitgate__team_run(call.team, run, &call);
    for (guint stage = 0; stage < T2T_STAGES; stage++)
      check_tokens(&c, stage, c.work[0].maps[stage], what);
    vitgate__team_free(&call.team);
  }
  close_case(&c);
}
END_TEST

/* The embedding is the projection of the windows of the last split. */
START_TEST(the_last_split_is_projected)
{
  Case c = open_case(_i);
  Call call = { &c, vitgate__team_new(1) };
  const T2tSplit split = vitgate__t2t_split(c.d, T2T_STAGES);
  g_autofree float *windows = g_new(float, (gsize)split.n_tokens *split.n_values);
  g_autofree float *tokens = g_new(float, (gsize)split.n_tokens *c.d->dim);
  vitgate__team_run(call.team, run, &call);
  for (guint row = 0; row < split.n_tokens; row++) /* one at a time: any row may be a first one */
    vitgate__t2t_gather(c.d, c.work, 0, windows + (gsize)row * split.n_values, c.input, row, 1);
  vitgate__linear(&c.vit->patch, NULL, tokens, c.d->dim, windows, split.n_values, LINEAR_STORE,
                  split.n_tokens);
  check_tokens(&c, T2T_STAGES, tokens, models[_i]);
  vitgate__team_free(&call.team);
  close_case(&c);
}
END_TEST

START_TEST(a_description_is_written_as_it_was_read)
{
  Case c = open_case(_i);
  g_autofree char *first = vitgate__description_to_json(c.d);
  g_autoptr(ModelFile) file = model_file_read(models[_i]);
  model_file_describe(file, first);
  g_autofree char *path = model_file_write(file, "again.safetensors");
  g_autoptr(GError) error = NULL;
  Safetensors *written = vitgate__safetensors_open(path, &error);
  g_autoptr(Description) again = vitgate__describe(written, NULL, &error);
  assert_success(again, error);
  g_autofree char *second = vitgate__description_to_json(again);
  ck_assert_str_eq(first, second);
  vitgate__safetensors_close(&written);
  close_case(&c);
}
END_TEST

/* ---- Bad input ---- */

static const struct {
  const char *field, *json, *part;
  VitgateError code;
} bad_fields[] = {
  { "stem", NULL, "'stem' is absent, expected an object", VITGATE_ERROR_METADATA },
  { "stem", "\"performer\"", "'stem' is \"performer\"", VITGATE_ERROR_METADATA },
  { "stem.kind", "\"convolution\"", "performer or transformer", VITGATE_ERROR_UNSUPPORTED },
  { "stem.token_dim", "0", "'token_dim' is 0", VITGATE_ERROR_METADATA },
  { "stem.token_dim", "7", "tokens_to_token.attention1.", VITGATE_ERROR_TENSOR },
  { "stem.token_dim", "100000", "'token_dim' is 100000", VITGATE_ERROR_METADATA },
  { "stem.features", NULL, "'features' is absent", VITGATE_ERROR_METADATA },
  { "stem.features", "5", "attention1.w' is [4, 8], expected [5, 8]", VITGATE_ERROR_TENSOR },
  { "stem.kind", "\"transformer\"", "attention1.attn.qkv.weight' is missing",
    VITGATE_ERROR_TENSOR },
  { "patch_size", "8", "'patch_size' is 8, expected 16 for family t2t", VITGATE_ERROR_METADATA },
  { "distilled", "true", "'distilled' is true, expected false", VITGATE_ERROR_METADATA },
  { "image_size", "32", "'pos_embed' is [1, 10, 24], expected [1, 5, 24]", VITGATE_ERROR_TENSOR },
  { "family", "\"vit\"", "patch_embed.proj.weight' is missing", VITGATE_ERROR_TENSOR },
};

START_TEST(bad_fields_are_refused)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(ModelFile) file = model_file_read("t2t-performer");
  model_file_set(file, bad_fields[_i].field, bad_fields[_i].json);
  g_autofree char *path = model_file_write(file, "bad.safetensors");
  ck_assert_ptr_null(vitgate_model_open(path, &error));
  assert_error(error, bad_fields[_i].code, bad_fields[_i].part);
}
END_TEST

int main(void)
{
  TCase *stem = tcase_create("stem"), *bad = tcase_create("bad input");
  const int n = G_N_ELEMENTS(models);
  tcase_add_loop_test(stem, stages_agree_with_pytorch, 0, n);
  tcase_add_loop_test(stem, the_last_split_is_projected, 0, n);
  tcase_add_loop_test(stem, a_description_is_written_as_it_was_read, 0, n);
  tcase_add_loop_test(bad, bad_fields_are_refused, 0, G_N_ELEMENTS(bad_fields));
  return fixture_run("t2t", stem, bad, NULL);
}
