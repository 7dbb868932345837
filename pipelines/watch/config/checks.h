/* Checks of values that several groups of the key file have. Errors are those of key_fail(). */
#pragma once

#include "config/config-key.h"

/* @path: (nullable): must be a regular file that can be read, unless the key file is for other
 * machines */
gboolean check_readable(const KeySource *source, const char *group, const char *key,
                        const char *path, GError **error);

/* A path that does not exist yet is created at the start, with its folders, so its nearest parent
 * is checked.
 * @folder: that must exist */
gboolean check_writable(const KeySource *source, const char *group, const char *key,
                        const char *path, const char *folder, GError **error);

/* @file, @variable: (nullable): where USER:PASSWORD is; at most one of them. They are read, unless
 * the key file is for other machines */
gboolean check_credentials(const KeySource *source, const char *group, const char *file,
                           const char *variable, GError **error);

/* @min, @max: waits between attempts, seconds */
gboolean check_retries(const KeySource *source, const char *group, double min, double max,
                       GError **error);

/* @kind: "camera" or "look"
 * @name: used in lines, and as a level of a topic */
gboolean check_name(const KeySource *source, const char *group, const char *kind, const char *name,
                    GError **error);
