#include "base/times.h"

static GDateTime *make(gint64 time)
{
  g_autoptr(GDateTime) seconds = g_date_time_new_from_unix_utc(time / G_USEC_PER_SEC);
  return g_date_time_add(seconds, time % G_USEC_PER_SEC);
}

char *time_to_utc(gint64 time)
{
  g_autoptr(GDateTime) utc = make(time);
  return g_date_time_format(utc, "%Y-%m-%dT%H:%M:%S.%fZ");
}

char *time_to_local(gint64 time)
{
  g_autoptr(GDateTime) utc = make(time);
  g_autoptr(GDateTime) local = g_date_time_to_local(utc);
  return g_date_time_format(local, "%Y-%m-%d %H:%M:%S");
}

guint64 time_to_nanoseconds(double seconds)
{
  return (guint64)(seconds * 1e9);
}
