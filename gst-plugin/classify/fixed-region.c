/* fixed-region.c: the part of the frame that a user chose. */
#include "classify/fixed-region.h"

#include <gst/gst.h>
#include <math.h>
#include <string.h>

#include "common/visible.h"

/* ---- Reading ------------------------------------------------------------------------------- */

/* Sets @error to what is wrong with a text, and what was expected.
 * Returns: FALSE. */
G_GNUC_PRINTF(2, 3)
static gboolean refuse(GError **error, const char *format, ...)
{
  g_autofree char *reason = NULL;
  va_list arguments;

  va_start(arguments, format);
  reason = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
              "%s, expected x,y,width,height in pixels or, with a %%-sign, in shares of the frame, "
              "such as 25%%,0,50%%,480",
              reason);
  return FALSE;
}

/* Reads a number without a sign, an exponent or any other form that strtod() knows.
 * Returns: FALSE if @text is none, or too large. */
static gboolean parse_length(const char *text, GstVitgateLength *length)
{
  const gsize whole = strspn(text, "0123456789");
  gsize end = whole;

  if (text[end] == '.')
    end += 1 + strspn(text + end + 1, "0123456789");
  length->share = text[end] == '%';
  if (whole == 0 || text[end + length->share] != '\0' || (!length->share && end > whole))
    return FALSE;
  length->value = g_ascii_strtod(text, NULL) / (length->share ? 100 : 1);
  return length->value <= (length->share ? 1 : GST_VITGATE_MAX_SIZE);
}

/* Sums of shares such as 33.3 % and 66.7 % are not exact. */
#define ROUNDING 1e-9

static gboolean check_side(const GstVitgateLength *start, const GstVitgateLength *extent,
                           const char *text, const char *side, GError **error)
{
  if (extent->value <= 0)
    return refuse(error, "\"%s\" has a %s of 0", text, side);
  if (start->share && extent->share && start->value + extent->value > 1 + ROUNDING)
    return refuse(error, "\"%s\" reaches beyond the frame's %s", text, side);
  return TRUE;
}

gboolean gst_vitgate_fixed_region_parse(const char *text, GstVitgateFixedRegion *region,
                                        GError **error)
{
  GstVitgateFixedRegion new_region = { .set = TRUE };
  GstVitgateLength *lengths[] = { &new_region.x, &new_region.y, &new_region.width,
                                  &new_region.height };
  g_auto(GStrv) words = NULL;

  if (!text || !*text) {
    *region = (GstVitgateFixedRegion){ 0 };
    return TRUE;
  }
  words = g_strsplit(text, ",", -1);
  if (g_strv_length(words) != G_N_ELEMENTS(lengths))
    return refuse(error, "\"%s\" has %u numbers", text, g_strv_length(words));
  for (guint i = 0; i < G_N_ELEMENTS(lengths); i++)
    if (!parse_length(g_strstrip(words[i]), lengths[i]))
      return refuse(error, "\"%s\" has \"%s\" as its %s", text, words[i],
                    (const char *[]){ "x", "y", "width", "height" }[i]);
  if (!check_side(&new_region.x, &new_region.width, text, "width", error) ||
      !check_side(&new_region.y, &new_region.height, text, "height", error))
    return FALSE;
  *region = new_region;
  return TRUE;
}

static gboolean equal_lengths(const GstVitgateLength *a, const GstVitgateLength *b)
{
  return a->value == b->value && a->share == b->share;
}

gboolean gst_vitgate_fixed_region_equal(const GstVitgateFixedRegion *a,
                                        const GstVitgateFixedRegion *b)
{
  return a->set == b->set && equal_lengths(&a->x, &b->x) && equal_lengths(&a->y, &b->y) &&
         equal_lengths(&a->width, &b->width) && equal_lengths(&a->height, &b->height);
}

/* ---- Its place ----------------------------------------------------------------------------- */

static double to_pixels(const GstVitgateLength *length, guint side)
{
  return length->value * (length->share ? side : 1);
}

/* @side: of the frame
 * Returns: FALSE if the pixels reach beyond it. */
static gboolean place_side(const GstVitgateLength *start, const GstVitgateLength *extent,
                           guint side, guint *first, guint *n)
{
  const double begin = to_pixels(start, side), end = begin + to_pixels(extent, side);
  const gint64 from = (gint64)floor(begin + 0.5);
  const gint64 length = (gint64)floor(end + 0.5) - from;

  *n = (guint)MAX(length, 1);
  *first = (guint)(extent->share && length < 1 ? MIN(from, (gint64)side - 1) : from);
  return *first + *n <= side;
}

gboolean gst_vitgate_fixed_region_place(const GstVitgateFixedRegion *region, guint width,
                                        guint height, VitgateRectangle *place)
{
  if (!region->set) {
    *place = (VitgateRectangle){ 0, 0, width, height };
    return TRUE;
  }
  return place_side(&region->x, &region->width, width, &place->x, &place->width) &&
         place_side(&region->y, &region->height, height, &place->y, &place->height);
}

/* Writes @length as a user would. */
static void write_length(GString *text, const GstVitgateLength *length)
{
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  g_ascii_formatd(number, sizeof number, "%.6g", length->value * (length->share ? 100 : 1));
  g_string_append_printf(text, "%s%s%s", text->len ? "," : "", number, length->share ? "%" : "");
}

gboolean gst_vitgate_fixed_region_check(const GstVitgateFixedRegion *region, guint width,
                                        guint height, GError **error)
{
  g_autoptr(GString) text = g_string_new(NULL);
  VitgateRectangle place;

  if (gst_vitgate_fixed_region_place(region, width, height, &place))
    return TRUE;
  write_length(text, &region->x);
  write_length(text, &region->y);
  write_length(text, &region->width);
  write_length(text, &region->height);
  g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
              "%s reaches beyond the frame of %ux%u pixels", text->str, width, height);
  return FALSE;
}
