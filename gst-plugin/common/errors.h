/* errors.h: posts errors of the engine as messages on the pipeline's bus. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Maps an error of the engine to GStreamer's error domain and code:
 *
 *   NOT_FOUND                              RESOURCE NOT_FOUND
 *   IO                                     RESOURCE OPEN_READ
 *   MEMORY                                 RESOURCE NO_SPACE_LEFT
 *   FORMAT, UNSUPPORTED, TENSOR, METADATA  LIBRARY  INIT
 *   LABELS, ARGUMENT                       LIBRARY  SETTINGS
 *   IMAGE                                  STREAM   FORMAT
 *   of GStreamer's domain RESOURCE         unchanged
 *   anything else                          LIBRARY  FAILED
 */
void gst_vitgate_error_place(const GError *error, GQuark *domain, gint *code);

/* Posts an error message: "@doing: the engine's message". Do not call it with the object lock held.
 * @doing: what did not work, such as "Cannot load the model" */
void gst_vitgate_post_error(GstElement *element, const char *doing, const GError *error);

/* Posts a warning in the same form, for failures after which the element continues. */
void gst_vitgate_post_warning(GstElement *element, const char *doing, const GError *error);

G_END_DECLS
