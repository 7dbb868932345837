/* Reads the key file: what to watch, and where results go. Every error names file, group, key and
 * reason. */
#pragma once

#include <gio/gio.h>

#include "config/camera-config.h"
#include "config/frame-lines.h"
#include "config/kafka-config.h"
#include "config/page-config.h"

typedef struct {
  char *file;        /* NULL: no log */
  char *events_file; /* NULL without a log */
  guint64 size;      /* maximum of each file */
  guint files;       /* maximum number of either */
  FrameLines frames;
  gboolean frames_unset; /* the key is not in the file */
} LogConfig;

typedef struct {
  char *host; /* NULL: no broker */
  guint port;
  char *topic;
  gboolean home_assistant; /* describe the cameras to it */
  char *discovery_prefix;  /* of its topics */
  BrokerConfig broker;
} MqttConfig;

typedef struct {
  gatomicrefcount references;
  char *path;
  char *checksum;       /* SHA-256 of the file's text */
  double sync_interval; /* seconds; 0: after each line */
  char *status_socket;  /* NULL: none */
  FetchConfig fetch;    /* of models */
  LogConfig log;
  MqttConfig mqtt;
  KafkaConfig kafka;
  PageConfig *page;   /* (nullable): NULL: no page */
  GPtrArray *cameras; /* of CameraConfig, in the file's order */
} Config;

/* Returns: (transfer full) (nullable): NULL with an error of G_IO_ERROR or G_KEY_FILE_ERROR */
Config *config_load(const char *path, GError **error);

/* Reads a text as the key file @path, which need not exist.
 * Returns: as config_load() */
Config *config_parse(const char *path, const char *text, gsize length, GError **error);

Config *config_ref(Config *self);
void config_unref(Config *self);

/* Returns: whether all keys of @a and @b are the same */
gboolean config_mqtt_equal(const MqttConfig *a, const MqttConfig *b);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Config, config_unref)
