/* Reads the key file: what to watch, and where results go. Every error names file, group, key and
 * reason. */
#pragma once

#include <gio/gio.h>

#include "config/camera-config.h"
#include "config/fleet-config.h"
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

typedef struct _Config Config;

struct _Config {
  gatomicrefcount references;
  Config *base; /* (nullable): owns everything but the cameras of a fleet */
  char *path;
  char *text;           /* of the file */
  char *checksum;       /* SHA-256 of the file's text */
  double sync_interval; /* seconds; 0: after each line */
  char *status_socket;  /* NULL: none */
  FetchConfig fetch;    /* of models */
  LogConfig log;
  MqttConfig mqtt;
  KafkaConfig kafka;
  FleetConfig fleet;
  PageConfig *page;   /* (nullable): NULL: no page */
  GPtrArray *cameras; /* of CameraConfig, in the file's order; then those of a fleet */
};

/* Returns: (transfer full) (nullable): NULL with an error of G_IO_ERROR or G_KEY_FILE_ERROR */
Config *config_load(const char *path, GError **error);

/* Reads a text as the key file @path, which need not exist.
 * Returns: as config_load() */
Config *config_parse(const char *path, const char *text, gsize length, GError **error);

/* Reads the text of a camera of a fleet: a group [camera NAME] and its groups [look NAME]. Those of
 * [defaults] come from @base. Errors name the camera, and the line where there is one.
 * @base: (nullable): its folder is where relative paths start
 * Returns: (transfer full) (nullable): NULL with an error of G_KEY_FILE_ERROR */
CameraConfig *config_parse_camera(const Config *base, const char *name, const char *text,
                                  GError **error);

/* Reads a key file that has nothing but cameras and their looks, for other machines. Files that it
 * names need not exist here. Errors name @path, and the line where there is one.
 * @text: @length bytes and a NUL
 * Returns: (transfer full) (nullable): of CameraConfig; NULL with an error of G_KEY_FILE_ERROR */
GPtrArray *config_parse_cameras(const char *path, const char *text, gsize length, GError **error);

/* Makes a configuration of @base, without cameras of a fleet, and of more cameras.
 * @cameras: of CameraConfig; those that are taken are removed from the array
 * @problems: (nullable): to add "camera NAME of the fleet: reason" for each that cannot be added
 * Returns: (transfer full) */
Config *config_with_cameras(Config *base, GPtrArray *cameras, GPtrArray *problems);

/* Returns: (transfer none) (nullable) */
const CameraConfig *config_find_camera(const Config *self, const char *name);

Config *config_ref(Config *self);
void config_unref(Config *self);

/* Returns: whether all keys of @a and @b are the same */
gboolean config_mqtt_equal(const MqttConfig *a, const MqttConfig *b);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Config, config_unref)
