/* Runs a model file with libvitgate, and answers the commands described in README.md.
 * usage: engine-runner MODEL INPUT.f32 THREADS BATCH [PRECISION] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vitgate.h"

typedef struct {
  VitgateSession *session;
  const float *images; /* [n_batches][batch][3][size][size] */
  gsize batch_size;    /* floats of a batch */
  guint batch, n_batches, next;
} Runner;

static gboolean answer_logits(Runner *r, GError **error)
{
  const char *separator = "";
  g_autoptr(GString) gmacs = g_string_new(NULL);
  guint n_classes = 0;
  printf("{\"logits\": [");
  for (guint b = 0; b < r->n_batches; b++) {
    const VitgateResult *results =
        vitgate_session_forward(r->session, r->images + b * r->batch_size, r->batch, error);
    if (!results)
      return FALSE;
    for (guint image = 0; image < r->batch; image++) {
      n_classes = results[image].n_classes;
      g_string_append_printf(gmacs, "%s%.6f", gmacs->len ? ", " : "", results[image].gmacs);
      for (guint i = 0; i < n_classes; i++, separator = ", ")
        printf("%s%.9g", separator, results[image].logits[i]);
    }
  }
  printf("], \"classes\": %u, \"gmacs\": [%s]}\n", n_classes, gmacs->str);
  return TRUE;
}

static gboolean answer_time(Runner *r, int count, GError **error)
{
  printf("{\"ms\": [");
  for (int i = 0; i < count; i++, r->next = (r->next + 1) % r->n_batches) {
    const gint64 start = g_get_monotonic_time();
    if (!vitgate_session_forward(r->session, r->images + r->next * r->batch_size, r->batch, error))
      return FALSE;
    printf("%s%.3f", i ? ", " : "", (double)(g_get_monotonic_time() - start) / 1e3);
  }
  printf("]}\n");
  return TRUE;
}

static gboolean answer(Runner *r, GError **error)
{
  char line[64];
  while (fgets(line, sizeof line, stdin)) {
    int count;
    if (g_str_has_prefix(line, "logits") && !answer_logits(r, error))
      return FALSE;
    if (sscanf(line, "time %d", &count) == 1 && !answer_time(r, count, error))
      return FALSE;
    fflush(stdout);
  }
  return TRUE;
}

static gboolean run(int argc, char **argv, GError **error)
{
  VitgatePrecision precision;
  g_autofree char *input = NULL;
  gsize length;
  if (!vitgate_precision_parse(argc > 5 ? argv[5] : "auto", &precision, error))
    return FALSE;
  g_autoptr(VitgateModel) model = vitgate_model_open_with(argv[1], precision, error);
  if (!model || !g_file_get_contents(argv[2], &input, &length, error))
    return FALSE;
  const VitgateModelInfo *info = vitgate_model_get_info(model);
  const VitgateSessionOptions options = { .threads = (guint)atoi(argv[3]),
                                          .max_batch = (guint)atoi(argv[4]) };
  g_autoptr(VitgateSession) session = vitgate_session_new(model, &options, error);
  if (!session)
    return FALSE;
  Runner runner = { .session = session,
                    .images = (const float *)(gpointer)input,
                    .batch = options.max_batch,
                    .batch_size =
                        (gsize)3 * options.max_batch * info->image_size * info->image_size };
  runner.n_batches = (guint)(length / sizeof(float) / runner.batch_size);
  if (!runner.n_batches) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                "%s: %" G_GSIZE_FORMAT " bytes are less than a batch of %u images", argv[2], length,
                runner.batch);
    return FALSE;
  }
  printf("{\"ready\": \"vitgate " VITGATE_VERSION "\", \"precision\": \"%s\"}\n",
         vitgate_precision_name(info->precision));
  fflush(stdout);
  return answer(&runner, error);
}

int main(int argc, char **argv)
{
  g_autoptr(GError) error = NULL;
  if (argc < 5 || argc > 6) {
    fprintf(stderr, "usage: engine-runner MODEL INPUT.f32 THREADS BATCH [PRECISION]\n");
    return 2;
  }
  if (!run(argc, argv, &error)) {
    fprintf(stderr, "engine-runner: %s\n", error->message);
    return 1;
  }
  return 0;
}
