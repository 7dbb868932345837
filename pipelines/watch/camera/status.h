/* The program's status, and its text for people. */
#pragma once

#include <glib.h>

#include "camera/camera.h"
#include "output/outputs.h"

typedef struct {
  const char *name;
  CameraStatus camera;
  double frame_rate; /* frames/s since the last status */
} StatusCamera;

typedef struct {
  GArray *cameras; /* of StatusCamera */
  OutputsStatus outputs;
  guint64 memory; /* resident, bytes */
  gint64 since;   /* start of the program, as of g_get_real_time() */
} Status;

/* Returns: the resident memory of this process in bytes; 0 if unknown */
guint64 status_memory(void);

/* Returns: (transfer full): one line, without a newline */
char *status_line(const Status *status);

/* Returns: (transfer full): several lines for people, with newlines */
char *status_text(const Status *status);

void status_clear(Status *status);
