/* The program's status, and its text for people. */
#pragma once

#include <glib.h>

#include "camera/camera.h"
#include "fleet/node.h"
#include "output/outputs.h"

typedef struct {
  const char *name;
  gint64 claim; /* of a camera of the fleet; 0: this machine's own */
  CameraStatus camera;
  double frame_rate; /* frames/s since the last status */
} StatusCamera;

typedef struct {
  GArray *cameras; /* of StatusCamera */
  OutputsStatus outputs;
  gboolean has_fleet;
  char *fleet_name, *fleet_node; /* (nullable): without a fleet */
  FleetNodeStatus fleet;
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
