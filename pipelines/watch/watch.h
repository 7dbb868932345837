/* Runs the program: cameras, outputs, signals and status. */
#pragma once

#include <glib.h>

#include "config/config.h"

typedef struct {
  const char *path; /* of the key file */
  gboolean json;    /* status as JSON on stdout */
  double interval;  /* seconds between status lines */
  gboolean page;    /* its page was asked for: end if it cannot start */
} WatchOptions;

/* Runs until SIGTERM or SIGINT, or until all cameras are files that have ended. SIGHUP reads the
 * key file again. Returns: FALSE with an error if it cannot start */
gboolean watch_run(const WatchOptions *options, GError **error);

/* Asks the vitgate-watch that runs with this key file, and prints its status: as text, or with
 * options->json as a line of JSON.
 * Returns: FALSE with an error if it does not run or does not answer */
gboolean watch_ask(const WatchOptions *options, GError **error);

/* Prints what config_find_warnings() finds, one line each. */
void watch_print_warnings(const Config *config);
