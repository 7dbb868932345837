/* gstvitgate.h: registers the element vitgate. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

GST_ELEMENT_REGISTER_DECLARE(vitgate);

G_END_DECLS
