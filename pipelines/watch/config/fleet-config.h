/* The group [fleet] of the key file: which cameras on etcd this machine may watch, and as what. */
#pragma once

#include "config/config-key.h"

typedef struct {
  char **etcd;     /* URLs without a path; NULL: no fleet */
  char *name;      /* of the fleet */
  char *node;      /* name of this machine in it */
  guint lease;     /* seconds */
  double capacity; /* GMAC/s; 0: measured */
  char *ca_file, *certificate, *key;
  char *credentials_file, *credentials_env;
} FleetConfig;

/* Reads the group, or its defaults if there is none.
 * Returns: FALSE with an error of key_fail() */
gboolean fleet_config_read(FleetConfig *self, const KeySource *source, GError **error);

/* Reads the group of a key file, and nothing else of it.
 * @self: (out): free it with fleet_config_clear(), whatever is returned
 * Returns: FALSE with an error of G_IO_ERROR or G_KEY_FILE_ERROR that names the file */
gboolean fleet_config_load(FleetConfig *self, const char *path, GError **error);

/* @copy: (out): free it with fleet_config_clear() */
void fleet_config_copy(FleetConfig *copy, const FleetConfig *self);
void fleet_config_clear(FleetConfig *self);

/* Returns: whether all keys but the capacity are the same */
gboolean fleet_config_equal(const FleetConfig *a, const FleetConfig *b);

/* Checks a URL of etcd, wherever it comes from.
 * @reason: (out) (transfer full) (optional): what was expected */
gboolean fleet_config_check_url(const char *url, char **reason);

/* Checks the name of a fleet or a node, which is part of etcd's keys. */
gboolean fleet_config_check_name(const char *name);
