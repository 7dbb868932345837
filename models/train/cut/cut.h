/* Removes units from a network for good, and puts units in order. */
#pragma once

#include "train/cut/ranking.h"
#include "train/network/network.h"

/* Copies a network without its choices of structure. If @network searches its structure, the mask
 * is multiplied into the weights that read the masked units.
 * Returns: (transfer full): the copy */
Network *network_copy_plain(const Network *network);

/* Puts every module's units in order of importance. The network's output does not change, except by
 * the masks of a search, which apply to positions. @rankings is updated to the new order. */
void order_units(Network *network, Ranking *const *rankings);

/* Creates a network with only the most important units of each module. A module without any units
 * is removed with its norm; its last layer's bias, which is all that remained of it, is added to
 * the module before it. Modules that remain keep their gates.
 * @network: without choices
 * @rankings: [2 depth]
 * @shapes: [depth] how many units stay
 * @name: of the new model
 * @description: (out) (transfer full): of the new network; must outlive it
 * Returns: (transfer full): the network */
Network *cut_network(const Network *network, Ranking *const *rankings, const BlockShape *shapes,
                     const char *name, Description **description);
