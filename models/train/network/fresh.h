/* The random weights that a network starts from. */
#pragma once

#include "train/network/network.h"

/* Initialises all values except those of gates and structure choices. The same seed gives the same
 * values.
 * @prefix: only parameters whose names start with it: "" for all, "head" for the classifier */
void network_start_fresh(Network *network, const char *prefix, guint64 seed);
