/* Runs a model file with libvitgate; speaks the lines described in README.md.
 * usage: engine-runner MODEL INPUT.f32 THREADS BATCH */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vitgate.h"

static gboolean answer_logits(VitgateSession *session, const float *input, guint batch,
                              GError **error)
{
  const VitgateResult *results = vitgate_session_forward(session, input, batch, error);
  if (!results)
    return FALSE;
  printf("{\"logits\": [");
  for (guint image = 0; image < batch; image++)
    for (guint i = 0; i < results[image].n_classes; i++)
      printf("%s%.9g", image + i ? ", " : "", results[image].logits[i]);
  printf("]}\n");
  return TRUE;
}

static gboolean answer_time(VitgateSession *session, const float *input, guint batch, int count,
                            GError **error)
{
  printf("{\"ms\": [");
  for (int i = 0; i < count; i++) {
    gint64 start = g_get_monotonic_time();
    if (!vitgate_session_forward(session, input, batch, error))
      return FALSE;
    printf("%s%.3f", i ? ", " : "", (g_get_monotonic_time() - start) / 1e3);
  }
  printf("]}\n");
  return TRUE;
}

static gboolean run(char **arguments, GError **error)
{
  guint batch = atoi(arguments[4]);
  g_autofree char *input = NULL;
  gsize length;
  g_autoptr(VitgateModel) model = vitgate_model_open(arguments[1], error);
  if (!model || !g_file_get_contents(arguments[2], &input, &length, error))
    return FALSE;
  const VitgateModelInfo *info = vitgate_model_get_info(model);
  if (length != sizeof(float) * batch * 3 * info->image_size * info->image_size) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                "%s: %" G_GSIZE_FORMAT " bytes do not "
                "hold %u images for this model",
                arguments[2], length, batch);
    return FALSE;
  }
  VitgateSessionOptions options = { .threads = atoi(arguments[3]), .max_batch = batch };
  g_autoptr(VitgateSession) session = vitgate_session_new(model, &options, error);
  if (!session)
    return FALSE;

  printf("{\"ready\": \"vitgate " VITGATE_VERSION "\"}\n");
  fflush(stdout);
  char line[64];
  while (fgets(line, sizeof line, stdin)) {
    int count;
    if (g_str_has_prefix(line, "logits") &&
        !answer_logits(session, (const float *)input, batch, error))
      return FALSE;
    if (sscanf(line, "time %d", &count) == 1 &&
        !answer_time(session, (const float *)input, batch, count, error))
      return FALSE;
    fflush(stdout);
  }
  return TRUE;
}

int main(int argc, char **argv)
{
  g_autoptr(GError) error = NULL;
  if (argc != 5) {
    fprintf(stderr, "usage: engine-runner MODEL INPUT.f32 THREADS BATCH\n");
    return 2;
  }
  if (!run(argv, &error)) {
    fprintf(stderr, "engine-runner: %s\n", error->message);
    return 1;
  }
  return 0;
}
