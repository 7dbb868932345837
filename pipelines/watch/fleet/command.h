/* vitgate-watch --fleet: changes and shows the cameras and nodes of a fleet. */
#pragma once

#include <gio/gio.h>

typedef struct {
  const char *etcd;   /* (nullable): URLs, separated by commas */
  const char *fleet;  /* (nullable): its name */
  const char *config; /* (nullable): key file with a group [fleet] */
  gboolean json;      /* print JSON */
} FleetCommand;

/* Prints to standard output.
 * @words: the command and its arguments; ends with NULL
 * Returns: FALSE with an error; one of G_OPTION_ERROR if the command line is wrong */
gboolean fleet_command_run(const FleetCommand *self, char *const *words, GError **error);
