#include "camera/live-settings.h"

LiveSettings live_settings_of(const CameraConfig *camera, const LookConfig *look)
{
  return (LiveSettings){
    .compute = look->compute,
    .latency_budget = camera->latency_budget,
    .threshold = look->threshold,
    .keep_threshold = look->keep_threshold,
    .unknown_threshold = look->unknown_threshold,
    .reuse_threshold = look->reuse_threshold,
    .change_threshold = look->change_threshold,
    .max_age = look->max_age,
    .temporal = look->temporal,
  };
}
