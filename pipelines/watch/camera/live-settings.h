/* Settings that can change while a camera plays. */
#pragma once

#include "config/camera-config.h"

typedef struct {
  double compute;        /* negative: the element's default, as below */
  double latency_budget; /* of the camera, seconds; 0: none */
  double threshold, keep_threshold;
  double unknown_threshold, reuse_threshold, change_threshold;
  double max_age; /* seconds; 0: no limit */
  guint temporal; /* index of config_temporals */
} LiveSettings;

/* @look: of the camera: a look, or its whole frame */
LiveSettings live_settings_of(const CameraConfig *camera, const LookConfig *look);
