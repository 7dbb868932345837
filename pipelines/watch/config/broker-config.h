/* The keys that [mqtt] and [kafka] have in common: how a broker is connected, and what waits for
 * it. */
#pragma once

#include "config/config-key.h"
#include "config/frame-lines.h"

typedef struct {
  gboolean tls;
  char *ca_file;
  char *client_certificate, *client_key;
  char *credentials_file, *credentials_env;
  char *client_id;
  char *spool;
  guint64 spool_size;
  FrameLines frames;
  double retry_min, retry_max; /* seconds */
} BrokerConfig;

extern const Key broker_keys[];
extern const BrokerConfig broker_defaults;

/* Returns: FALSE with an error of key_fail() */
gboolean broker_config_check(const BrokerConfig *self, const KeySource *source, const char *group,
                             GError **error);

/* @copy: (out): free it with broker_config_clear() */
void broker_config_copy(BrokerConfig *copy, const BrokerConfig *self);
void broker_config_clear(BrokerConfig *self);
