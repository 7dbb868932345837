/* wall-clock.c: finds out at what time of day a frame was taken. */
#include "json/wall-clock.h"

/* NTP counts from 1900, which is 70 years with 17 leap days before 1970. */
#define NTP_TO_UNIX ((70 * 365 + 17) * G_GUINT64_CONSTANT(86400) * GST_SECOND)

static GstStaticCaps unix_caps = GST_STATIC_CAPS("timestamp/x-unix");
static GstStaticCaps ntp_caps = GST_STATIC_CAPS("timestamp/x-ntp");

static const GstVitgateWallClock unknown = { GST_CLOCK_TIME_NONE, NULL };

static GstClockTime reference_time(GstBuffer *buffer, GstStaticCaps *static_caps)
{
  GstCaps *caps = gst_static_caps_get(static_caps);
  GstReferenceTimestampMeta *meta = gst_buffer_get_reference_timestamp_meta(buffer, caps);

  gst_caps_unref(caps);
  return meta ? meta->timestamp : GST_CLOCK_TIME_NONE;
}

GstVitgateWallClock gst_vitgate_wall_clock_of_buffer(GstBuffer *buffer)
{
  GstClockTime time = reference_time(buffer, &unix_caps);

  if (GST_CLOCK_TIME_IS_VALID(time))
    return (GstVitgateWallClock){ time, "unix" };
  time = reference_time(buffer, &ntp_caps);
  /* A camera that does not know the date counts from its own start; such times are ignored. */
  if (GST_CLOCK_TIME_IS_VALID(time) && time >= NTP_TO_UNIX)
    return (GstVitgateWallClock){ time - NTP_TO_UNIX, "ntp" };
  return unknown;
}

GstVitgateWallClock gst_vitgate_wall_clock_of_running_time(GstElement *element,
                                                           GstClockTime running_time)
{
  const GstClockTime base_time = gst_element_get_base_time(element);
  GstClock *clock = gst_element_get_clock(element);
  GstClockTimeDiff age, time;

  if (!clock || !GST_CLOCK_TIME_IS_VALID(base_time) || !GST_CLOCK_TIME_IS_VALID(running_time)) {
    g_clear_pointer(&clock, gst_object_unref);
    return unknown;
  }
  age = GST_CLOCK_DIFF(base_time + running_time, gst_clock_get_time(clock));
  time = g_get_real_time() * GST_USECOND - age;
  gst_object_unref(clock);
  return time < 0 ? unknown : (GstVitgateWallClock){ time, "clock" };
}

char *gst_vitgate_wall_clock_to_string(const GstVitgateWallClock *time)
{
  g_autoptr(GDateTime) date = NULL;

  if (!GST_CLOCK_TIME_IS_VALID(time->time))
    return NULL;
  date = g_date_time_new_from_unix_utc(time->time / GST_SECOND);
  return g_strdup_printf("%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", g_date_time_get_year(date),
                         g_date_time_get_month(date), g_date_time_get_day_of_month(date),
                         g_date_time_get_hour(date), g_date_time_get_minute(date),
                         g_date_time_get_second(date),
                         (int)(time->time % GST_SECOND / GST_USECOND));
}
