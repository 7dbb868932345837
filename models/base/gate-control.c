#include "base/gate-control.h"

#include <string.h>

#include "base/command-error.h"

static const char *const names[] = {
  [LOGIT_CONTROL_NONE] = "none",
  [LOGIT_CONTROL_RANDOM] = "random",
  [LOGIT_CONTROL_SHUFFLED] = "shuffled",
  [LOGIT_CONTROL_POSITION] = "position",
};

gboolean gate_control_parse(const char *text, LogitControlKind *kind, GError **error)
{
  for (guint i = 0; i < LOGIT_CONTROL_N_KINDS; i++)
    if (!strcmp(text, names[i])) {
      *kind = i;
      return TRUE;
    }
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE,
              "--gate-control is \"%s\", expected none, random, shuffled or position", text);
  return FALSE;
}

const char *gate_control_name(LogitControlKind kind)
{
  return names[kind];
}

gboolean gate_control_has_token_gates(const VitgateModelInfo *model)
{
  for (guint b = 0; b < model->depth; b++)
    if (model->blocks[b].attention_token_gate || model->blocks[b].mlp_token_gate)
      return TRUE;
  return FALSE;
}

gboolean gate_control_check(LogitControlKind kind, const VitgateModelInfo *model, const char *path,
                            GError **error)
{
  if (kind == LOGIT_CONTROL_NONE || gate_control_has_token_gates(model))
    return TRUE;
  g_set_error(error, COMMAND_ERROR, COMMAND_ERROR_USAGE,
              "--gate-control is %s, expected none: %s has no token gates", names[kind], path);
  return FALSE;
}
