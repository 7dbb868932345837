/* errors.h: what the engine reports, as messages on the pipeline's bus. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Where on the bus an error of the engine belongs:
 *
 *   NOT_FOUND                              RESOURCE NOT_FOUND
 *   IO                                     RESOURCE OPEN_READ
 *   MEMORY                                 RESOURCE NO_SPACE_LEFT
 *   FORMAT, UNSUPPORTED, TENSOR, METADATA  LIBRARY  INIT
 *   LABELS, ARGUMENT                       LIBRARY  SETTINGS
 *   IMAGE                                  STREAM   FORMAT
 *   of GStreamer's domain RESOURCE         as it is
 *   anything else                          LIBRARY  FAILED
 */
void gst_vitgate_error_place(const GError *error, GQuark *domain, gint *code);

/* Posts one error message: "@doing: what the engine says". Not to be called under the object
 * lock. @doing says what did not work, such as "Cannot load the model". */
void gst_vitgate_post_error(GstElement *element, const char *doing, const GError *error);

/* The same, for what leaves the element at work. */
void gst_vitgate_post_warning(GstElement *element, const char *doing, const GError *error);

G_END_DECLS
