/* structure.h: sets one field of a GstStructure. */
#pragma once

#include <gst/gst.h>

static inline void structure_set_string(GstStructure *s, const char *field, const char *value)
{
  gst_structure_set(s, field, G_TYPE_STRING, value, NULL);
}

static inline void structure_set_int(GstStructure *s, const char *field, gint value)
{
  gst_structure_set(s, field, G_TYPE_INT, value, NULL);
}

static inline void structure_set_uint(GstStructure *s, const char *field, guint value)
{
  gst_structure_set(s, field, G_TYPE_UINT, value, NULL);
}

static inline void structure_set_uint64(GstStructure *s, const char *field, guint64 value)
{
  gst_structure_set(s, field, G_TYPE_UINT64, value, NULL);
}

static inline void structure_set_double(GstStructure *s, const char *field, double value)
{
  gst_structure_set(s, field, G_TYPE_DOUBLE, value, NULL);
}
