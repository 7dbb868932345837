/* The running program: cameras, outputs, signals, status. */
#pragma once

#include <glib.h>

typedef struct {
  const char *path; /* of the key file */
  gboolean json;    /* status as JSON on stdout */
  double interval;  /* between two of them, seconds */
} WatchOptions;

/* Runs until SIGTERM or SIGINT, or until all files are over; SIGHUP reads the key file again.
 * Returns: FALSE with an error where it cannot start */
gboolean watch_run(const WatchOptions *options, GError **error);
