/* Sends results to the log and the brokers. May be called from any thread. */
#pragma once

#include "config/config.h"
#include "output/kafka-output.h"
#include "output/log-file.h"
#include "output/mqtt.h"
#include "output/ownership.h"
#include "output/states.h"

typedef struct {
  gboolean has_log, has_mqtt;
  LogFileStatus log, events;
  DeliveryStatus mqtt;
  SpoolStatus spool;
  KafkaOutputStatus kafka;
} OutputsStatus;

typedef struct _Outputs Outputs;

/* Returns: (transfer full) (nullable): NULL with an error that names the file or folder */
Outputs *outputs_new(const Config *config, GError **error);

/* Its functions are called by the thread that has the news, and must return soon. */
typedef struct {
  /* For every line, whatever the log and the broker get.
   * @event: an event; otherwise a frame
   * @line: with a newline */
  void (*line)(const char *camera, gboolean event, const char *line, gsize length,
               gpointer user_data);
  /* After outputs_status_changed(). */
  void (*status)(gpointer user_data);
  gpointer user_data;
} OutputsObserver;

/* Sets or, with NULL, removes the observer. Returns after its last call. */
void outputs_set_observer(Outputs *self, const OutputsObserver *observer);

/* Tells the observer that a camera has another status, such as one more frame. */
void outputs_status_changed(Outputs *self);

/* Applies a new configuration. Outputs that are the same continue; the log file is opened again, in
 * case it was moved.
 * Returns: FALSE with an error if a new output cannot be opened; nothing has changed then */
gboolean outputs_change(Outputs *self, const Config *config, GError **error);

/* Writes a frame's line.
 * @claim: of a fleet's camera, as in its configuration; 0: it is this machine's own. So in all
 * functions below: nothing is published for a claim that this node does not have.
 * @line: as vitgatejson writes it, with a newline
 * @changed: whether its best label differs from that of the frame before */
void outputs_frame(Outputs *self, const char *camera, gint64 claim, const char *line, gsize length,
                   gboolean changed);

/* Writes an event, to the log and to the file of events.
 * @line: a JSON object with a newline */
void outputs_event(Outputs *self, const char *camera, gint64 claim, const char *line, gsize length);

/* Tells whether a camera sends frames. */
void outputs_camera_status(Outputs *self, const char *camera, gint64 claim, gboolean online);

/* Returns: whether outputs_look() is of use */
gboolean outputs_want_looks(Outputs *self);

/* Tells what a look of a camera shows now. */
void outputs_look(Outputs *self, const char *camera, gint64 claim, const LookState *state);

/* Publishes a JPEG picture of a camera of the configuration for Home Assistant, if it finds cameras
 * here. */
void outputs_picture(Outputs *self, const char *camera, GBytes *jpeg);

/* Returns: (transfer none): which cameras are a fleet's: their lines carry the claim, and are
 * dropped once this node no longer owns them */
Ownership *outputs_get_ownership(Outputs *self);

/* Lets the retained messages of a camera be what they are when a new configuration is without it,
 * since another node of the fleet sets them. */
void outputs_hand_over(Outputs *self, const char *camera);

void outputs_sync(Outputs *self);

/* @status: (out): if it has a broker, free its part with delivery_status_clear() */
void outputs_get_status(Outputs *self, OutputsStatus *status);

void outputs_free(Outputs **self);
