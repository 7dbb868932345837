/* Finds the newest frame of a camera by the camera's name, and where its looks look. While it
 * exists, cameras keep their newest frame. May be called from any thread, unless noted. */
#pragma once

#include "page/page.h"

typedef struct _Frames Frames;

/* Returns: (transfer full) */
Frames *frames_new(void);

/* Follows the configuration. Call it in the main context, after cameras were made. */
void frames_update(Frames *self, const PageWatch *watch);

/* Returns: (transfer full) (nullable): NULL: the camera has no frame, or there is none of this name
 */
GstSample *frames_get(Frames *self, const char *camera);

/* Returns: (transfer full) (nullable): the region of the look, as in the key file */
char *frames_get_region(Frames *self, const char *camera, const char *look);

/* Call it in the main context. */
void frames_free(Frames **self);
