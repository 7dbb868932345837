/* A module on some rows of an image: each row is, bit by bit, what it is if the module or the
 * substitute runs on all rows. */
#include "fixture.h"
#include "model.h"
#include "network/families/families.h"
#include "network/rows.h"
#include "network/vit-modules.h"
#include "reference-model.h"

/* Widths that fill no vector; more rows than two chunks hold. */
static BlockShape blocks[] = {
  { 2, 37, .attention_tokens = { TRUE, 0 }, .mlp_tokens = { TRUE, 0 } },
  { 3, 50, .attention_tokens = { TRUE, 3 }, .mlp_tokens = { TRUE, 5 } },
  { 3, 19, .attention_tokens = { TRUE, 27 }, .mlp_tokens = { TRUE, 14 } },
  { 1, 0 },
};
static const Description description = {
  .family = &vitgate__family_vit,
  .name = "rows",
  .image_size = 28,
  .patch_size = 2,
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
enum { DIM = 27, N_TOKENS = 14 * 14 + 1 };

static const VitgatePrecision precisions[] = { VITGATE_PRECISION_FLOAT32, VITGATE_PRECISION_INT8,
                                               VITGATE_PRECISION_BF16 };
enum { N_PRECISIONS = G_N_ELEMENTS(precisions), N_GATED = 3 };

typedef struct {
  VitgateModel *model;
  const Vit *vit;
  VitWork *work;
  Dial dial;
  float x[N_TOKENS * DIM];
} Setup;

/* Returns: FALSE if the machine has no products of this precision */
static gboolean setup_init(Setup *s, VitgatePrecision precision)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(ModelFile) file = reference_model(&description, 3);
  g_autofree char *path = model_file_write(file, "rows");
  guint32 random = 8;
  s->model = vitgate_model_open_with(path, precision, &error);
  if (g_error_matches(error, VITGATE_ERROR, VITGATE_ERROR_UNSUPPORTED))
    return FALSE;
  assert_success(s->model, error);
  s->vit = vitgate__model_get_vit(s->model);
  s->work = vitgate__vit_work_new(s->vit, 1, 1, FALSE);
  s->dial = (Dial){ 0 };
  for (guint b = 0; b < description.depth; b++)
    s->dial.thresholds[b] = MERGE_NEVER;
  fixture_fill(s->x, N_TOKENS * DIM, -2, 2, &random);
  return TRUE;
}

static void setup_clear(Setup *s)
{
  vitgate__vit_work_free(&s->work);
  vitgate_model_unref(&s->model);
}

typedef enum { SOME, DENSE } Way;

/* x = the tokens after a module
 * @logits: [N_TOKENS]: those above zero are open; DENSE: not used */
static void run(Setup *s, float *x, guint block, gboolean mlp, Way way, const float *logits)
{
  ImageState *image = s->work->images;
  Job job = {
    .vit = s->vit,
    .dial = &s->dial,
    .scratch = s->work->scratch,
    .image = image,
    .qkv = s->work->scratch->qkv,
    .heads = s->work->scratch->heads,
    .n = 1,
    .leads = TRUE,
  };
  image->n_tokens = N_TOKENS;
  share_rows(&job);
  memcpy(image->x, s->x, sizeof s->x);
  if (way == SOME)
    memcpy(image->token_logits, logits, N_TOKENS * sizeof *logits);
  if (mlp)
    way == SOME ? vitgate__rows_mlp(&job, block, TRUE) : vitgate__vit_mlp(&job, block);
  else if (way == SOME)
    vitgate__vit_attend_open(&job, block, TRUE);
  else
    vitgate__vit_attention(&job, block);
  memcpy(x, image->x, sizeof s->x);
}

/* Opens @n_open tokens at pseudo-random places. */
static void choose(float *logits, guint n_open, guint32 *random)
{
  guint order[N_TOKENS];
  for (guint t = 0; t < N_TOKENS; t++) {
    const guint place = fixture_random(random) % (t + 1);
    order[t] = t;
    order[t] = order[place];
    order[place] = t;
  }
  for (guint i = 0; i < N_TOKENS; i++)
    logits[order[i]] = i < n_open ? 1 : -1;
}

static void check_module(Setup *s, guint block, gboolean mlp)
{
  float dense[N_TOKENS * DIM], shut[N_TOKENS * DIM], found[N_TOKENS * DIM], logits[N_TOKENS];
  guint32 random = 17;
  for (guint t = 0; t < N_TOKENS; t++)
    logits[t] = -1;
  run(s, dense, block, mlp, DENSE, NULL);
  run(s, shut, block, mlp, SOME, logits);
  const gsize row = DIM * sizeof(float);
  ck_assert_mem_eq(shut, dense, row); /* the class token always runs */
  ck_assert_mem_ne(shut + DIM, dense + DIM, row);
  for (guint n_open = 0; n_open <= N_TOKENS; n_open++) {
    choose(logits, n_open, &random);
    run(s, found, block, mlp, SOME, logits);
    for (guint t = 0; t < N_TOKENS; t++)
      assert_each(!memcmp(found + t * DIM, (t == 0 || logits[t] > 0 ? dense : shut) + t * DIM, row),
                  "block %u, %s, %u rows open: row %u is another", block, mlp ? "MLP" : "attention",
                  n_open, t);
  }
}

START_TEST(gathered_rows_are_those_computed_densely)
{
  static Setup s;
  if (!setup_init(&s, precisions[_i]))
    return;
  for (guint block = 0; block < N_GATED; block++) {
    check_module(&s, block, FALSE);
    check_module(&s, block, TRUE);
  }
  setup_clear(&s);
}
END_TEST

int main(void)
{
  TCase *rows = tcase_create("rows");
  tcase_add_loop_test(rows, gathered_rows_are_those_computed_densely, 0, N_PRECISIONS);
  return fixture_run("rows", rows, NULL);
}
