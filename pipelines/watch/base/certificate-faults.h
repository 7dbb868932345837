/* What is wrong with a server's certificate, in words. */
#pragma once

#include <gio/gio.h>

/* @flags: at least one
 * Returns: (transfer full): "it has expired" and the like, separated by commas */
char *certificate_faults(GTlsCertificateFlags flags);
