/* Checks a camera's certificate: by the system's authorities, by those of a file, or by its
 * fingerprint. It is given to GStreamer's sources as their GTlsDatabase. */
#pragma once

#include <gio/gio.h>

#include "config/config.h"

#define TYPE_TLS_CHECK (tls_check_get_type())
G_DECLARE_FINAL_TYPE(TlsCheck, tls_check, TLS, CHECK, GTlsDatabase)

/* Reads the file with authorities, if the camera has one.
 * Returns: (transfer full) (nullable): NULL with an error that names the file */
TlsCheck *tls_check_new(const CameraConfig *config, GError **error);

/* Returns: (transfer full) (nullable): why the last certificate was refused, or NULL */
char *tls_check_get_reason(TlsCheck *self);
