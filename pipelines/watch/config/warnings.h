/* Finds settings that are valid, but unsafe or not what the user may expect. */
#pragma once

#include "config/config.h"

/* Returns: (transfer full) (element-type utf8): one line for each, "FILE: ...", to show at every
 * start */
GPtrArray *config_find_warnings(const Config *config);
