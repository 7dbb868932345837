#include "file/description.h"

#include <string.h>

#include "base/error.h"

const char *const vitgate__activation_names[] = { "softmax", "sigmoid", NULL };

const char *const vitgate__fit_names[] = { "model", "crop", "squash", "letterbox", NULL };

const char *vitgate_fit_name(VitgateFit fit)
{
  return vitgate__fit_names[fit];
}

gboolean vitgate_fit_parse(const char *name, VitgateFit *fit, GError **error)
{
  for (guint i = 0; vitgate__fit_names[i]; i++)
    if (!strcmp(name, vitgate__fit_names[i])) {
      *fit = (VitgateFit)i;
      return TRUE;
    }
  g_autofree char *names = g_strjoinv(", ", (char **)vitgate__fit_names);
  vitgate__set_error(error, VITGATE_ERROR_ARGUMENT, "unknown fit \"%s\", expected one of %s", name,
                     names);
  return FALSE;
}

const char *vitgate_activation_name(VitgateActivation activation)
{
  return vitgate__activation_names[activation];
}

void vitgate__description_clear_calibration(Description *d)
{
  for (guint i = 0; i < d->n_calibration; i++)
    g_free(d->calibration[i].thresholds);
  g_clear_pointer(&d->calibration, g_free);
  d->n_calibration = 0;
}

gboolean vitgate__description_clear_taught(Description *d)
{
  const gboolean taught = d->unknown.present || d->teach;
  d->unknown = (UnknownScale){ 0 };
  d->n_views = 0;
  g_clear_pointer(&d->teach, json_object_unref);
  return taught;
}

void vitgate__description_free(Description **description)
{
  Description *d = g_steal_pointer(description);
  if (!d)
    return;
  g_free(d->name);
  g_free(d->blocks);
  g_strfreev(d->labels);
  g_strfreev(d->label_ids);
  vitgate__description_clear_calibration(d);
  vitgate__description_clear_taught(d);
  g_free(d->thresholds);
  g_clear_pointer(&d->provenance, json_object_unref);
  g_free(d);
}
