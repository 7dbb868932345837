#include "teacher.h"

#include <string.h>

#include "model.h"

struct _Teacher {
  VitgateSession *session;
  const VitgateModelInfo *info;
  guint *classes;
  guint n_classes;
  float *logits, *tokens;
};

Teacher *teacher_new(VitgateModel *model, guint max_batch, guint threads, const guint *classes,
                     guint n_classes, GError **error)
{
  const VitgateSessionOptions options = { .threads = threads, .max_batch = max_batch };
  Teacher *teacher = g_new0(Teacher, 1);
  teacher->session = vitgate_session_new(model, &options, error);
  if (!teacher->session) {
    g_free(teacher);
    return NULL;
  }
  teacher->info = vitgate_model_get_info(model);
  teacher->n_classes = classes ? n_classes : teacher->info->n_classes;
  teacher->classes = g_new(guint, teacher->n_classes);
  for (guint i = 0; i < teacher->n_classes; i++)
    teacher->classes[i] = classes ? classes[i] : i;
  teacher->logits = g_new(float, (gsize)max_batch * teacher->n_classes);
  teacher->tokens = g_new(float, (gsize)max_batch * teacher->info->n_tokens * teacher->info->dim);
  return teacher;
}

void teacher_free(Teacher **teacher)
{
  Teacher *t = g_steal_pointer(teacher);
  if (!t)
    return;
  vitgate_session_free(&t->session);
  g_free(t->classes);
  g_free(t->logits);
  g_free(t->tokens);
  g_free(t);
}

gboolean teacher_run(Teacher *teacher, const float *tensors, guint n, GError **error)
{
  const VitgateResult *results = vitgate_session_forward(teacher->session, tensors, n, error);
  if (!results)
    return FALSE;
  const gsize size = (gsize)teacher->info->n_tokens * teacher->info->dim;
  for (guint i = 0; i < n; i++) {
    for (guint c = 0; c < teacher->n_classes; c++)
      teacher->logits[(gsize)i * teacher->n_classes + c] = results[i].logits[teacher->classes[c]];
    vitgate__session_get_tokens(teacher->session, i, teacher->tokens + i * size);
  }
  return TRUE;
}

const float *teacher_get_logits(const Teacher *teacher)
{
  return teacher->logits;
}

const float *teacher_get_tokens(const Teacher *teacher)
{
  return teacher->tokens;
}
