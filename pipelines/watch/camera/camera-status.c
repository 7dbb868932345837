#include "camera/camera-status.h"

const char *camera_state_name(CameraState state)
{
  static const char *const names[] = {
    [CAMERA_CONNECTING] = "connecting",
    [CAMERA_PLAYING] = "playing",
    [CAMERA_WAITING] = "waiting",
    [CAMERA_ENDED] = "ended",
  };
  return names[state];
}

void camera_status_add_looks(CameraStatus *status, GPtrArray *watches, gboolean whole_frame)
{
  double sum = 0;
  status->whole = (LookStatus){ 0 };
  status->looks = g_array_new(FALSE, FALSE, sizeof(LookStatus));
  g_array_set_clear_func(status->looks, (GDestroyNotify)look_status_clear);
  for (guint i = 0; i < watches->len; i++) {
    LookStatus look;
    look_watch_get_status(watches->pdata[i], &look);
    sum += look.compute;
    if (look.name)
      g_array_append_val(status->looks, look);
    else
      status->whole = look;
  }
  if (!whole_frame)
    status->whole.compute = sum / watches->len;
}

void camera_status_clear(CameraStatus *status)
{
  look_status_clear(&status->whole);
  g_clear_pointer(&status->looks, g_array_unref);
  g_clear_pointer(&status->error, g_free);
  g_clear_pointer(&status->models, g_free);
}
