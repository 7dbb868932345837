#include "camera/region-shares.h"

static gboolean parse_share(const char *text, guint size, double *share)
{
  char *end;
  const double value = g_ascii_strtod(text, &end);
  while (*end == ' ')
    end++;
  const gboolean percent = *end == '%';
  if (end == text || value < 0 || (!percent && size == 0))
    return FALSE;
  *share = percent ? value / 100 : value / size;
  return TRUE;
}

gboolean region_shares(const char *region, guint width, guint height, double shares[4])
{
  g_auto(GStrv) parts = g_strsplit(region ? region : "0%,0%,100%,100%", ",", -1);
  if (g_strv_length(parts) != 4)
    return FALSE;
  for (guint i = 0; i < 4; i++)
    if (!parse_share(parts[i], i % 2 ? height : width, &shares[i]))
      return FALSE;
  for (guint i = 0; i < 2; i++) {
    shares[i] = MIN(shares[i], 1);
    shares[i + 2] = MIN(shares[i + 2], 1 - shares[i]);
  }
  return TRUE;
}
