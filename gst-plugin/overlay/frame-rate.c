/* frame-rate.c: measures the frames per second that pass, once a second. */
#include "overlay/frame-rate.h"

double gst_vitgate_frame_rate_count(GstVitgateFrameRate *rate, GstClockTime now)
{
  if (rate->begin == 0) {
    rate->begin = now;
    return 0;
  }
  rate->frames++;
  if (now - rate->begin >= GST_SECOND) {
    rate->rate = rate->frames * (double)GST_SECOND / (now - rate->begin);
    rate->frames = 0;
    rate->begin = now;
  }
  return rate->rate;
}
