/* Where a model comes from, recorded in its file. */
#pragma once

#include "train/run/run.h"

/* Gives the student its name, and records in it where it comes from. @command: its name
 * Returns: (transfer none): what was written */
JsonObject *provenance_record(const Run *run, const char *command);
