/* Taking units out of a network for good, and putting those that stay in order. */
#pragma once

#include "train/cut/ranking.h"
#include "train/network/network.h"

/* A copy without choices: where @network searches its structure, what a unit is worth is multiplied
 * into the weights that read it.
 * Returns: (transfer full) */
Network *network_copy_plain(const Network *network);

/* Puts every module's units in the order of their importance. What the network computes stays the
 * same, but for the masks of a search, which belong to places. @rankings count on in the new order.
 */
void order_units(Network *network, Ranking *const *rankings);

/* A network of those units alone that are the most important of their module. A module without any
 * is gone, with its norm; its last layer's bias, which is all that was left of it, goes into the
 * module before it. Gates are taken along where the module is.
 * @network: without choices
 * @rankings: [2 depth]
 * @shapes: [depth] how many units stay
 * @name: of the new model
 * @description: (out) (transfer full): of the new network, which needs it
 * Returns: (transfer full) */
Network *cut_network(const Network *network, Ranking *const *rankings, const BlockShape *shapes,
                     const char *name, Description **description);
