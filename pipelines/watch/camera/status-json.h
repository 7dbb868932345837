/* Formats the program's status as JSON, for programs. */
#pragma once

#include <json-glib/json-glib.h>

#include "camera/status.h"

/* Returns: (transfer full): all of it as one line, without a newline */
char *status_json(const Status *status);

/* Adds a camera as an object, with all members; status_json() leaves out those of looks and states
 * that the camera does not have. */
void status_add_camera(JsonBuilder *builder, const StatusCamera *entry);

/* Adds the member "fleet" if there is one. */
void status_add_fleet(JsonBuilder *builder, const Status *status);

/* Adds the members "log", "events" and "mqtt" of the outputs that there are. */
void status_add_outputs(JsonBuilder *builder, const OutputsStatus *outputs);
