/* How it goes: for people a line, for programs an object. */
#pragma once

#include <glib.h>

#include "camera/camera.h"
#include "output/outputs.h"

typedef struct {
  const char *name;
  CameraStatus camera;
  double frame_rate; /* frames/s since the last time */
} StatusCamera;

typedef struct {
  GArray *cameras; /* of StatusCamera */
  OutputsStatus outputs;
  guint64 memory; /* resident, bytes */
} Status;

/* Returns: resident memory of this process in bytes, 0 where unknown */
guint64 status_memory(void);

/* Returns: (transfer full): one line without newline */
char *status_line(const Status *status);
char *status_json(const Status *status);

void status_clear(Status *status);
