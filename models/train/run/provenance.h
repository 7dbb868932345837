/* The record in a model's file of where the model comes from. */
#pragma once

#include "train/run/run.h"

/* Sets the student's name and provenance.
 * @command: name of the command
 * Returns: (transfer none): the record, so that callers can add to it */
JsonObject *provenance_record(const Run *run, const char *command);
