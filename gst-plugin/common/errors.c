/* errors.c: posts errors of the engine as messages on the pipeline's bus. */
#include "common/errors.h"

#include <vitgate.h>

void gst_vitgate_error_place(const GError *error, GQuark *domain, gint *code)
{
  if (error->domain == GST_RESOURCE_ERROR) {
    *domain = error->domain;
    *code = error->code;
    return;
  }
  *domain = GST_LIBRARY_ERROR;
  *code = GST_LIBRARY_ERROR_FAILED;
  if (error->domain != VITGATE_ERROR)
    return;

  switch ((VitgateError)error->code) {
  case VITGATE_ERROR_NOT_FOUND:
    *domain = GST_RESOURCE_ERROR;
    *code = GST_RESOURCE_ERROR_NOT_FOUND;
    break;
  case VITGATE_ERROR_IO:
    *domain = GST_RESOURCE_ERROR;
    *code = GST_RESOURCE_ERROR_OPEN_READ;
    break;
  case VITGATE_ERROR_MEMORY:
    *domain = GST_RESOURCE_ERROR;
    *code = GST_RESOURCE_ERROR_NO_SPACE_LEFT;
    break;
  case VITGATE_ERROR_FORMAT:
  case VITGATE_ERROR_UNSUPPORTED:
  case VITGATE_ERROR_TENSOR:
  case VITGATE_ERROR_METADATA:
    *code = GST_LIBRARY_ERROR_INIT;
    break;
  case VITGATE_ERROR_LABELS:
  case VITGATE_ERROR_ARGUMENT:
    *code = GST_LIBRARY_ERROR_SETTINGS;
    break;
  case VITGATE_ERROR_IMAGE:
    *domain = GST_STREAM_ERROR;
    *code = GST_STREAM_ERROR_FORMAT;
    break;
  }
}

static void post(GstElement *element, GstMessageType type, const char *doing, const GError *error)
{
  GQuark domain;
  gint code;

  gst_vitgate_error_place(error, &domain, &code);
  gst_element_message_full(element, type, domain, code,
                           g_strdup_printf("%s: %s", doing, error->message),
                           g_strdup_printf("%s %d", g_quark_to_string(error->domain), error->code),
                           __FILE__, G_STRFUNC, __LINE__);
}

void gst_vitgate_post_error(GstElement *element, const char *doing, const GError *error)
{
  post(element, GST_MESSAGE_ERROR, doing, error);
}

void gst_vitgate_post_warning(GstElement *element, const char *doing, const GError *error)
{
  post(element, GST_MESSAGE_WARNING, doing, error);
}
