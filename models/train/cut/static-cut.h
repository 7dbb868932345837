/* Static compression without training: probes a network on photographs, ranks its units,
 * compensates and cuts. */
#pragma once

#include "base/team.h"
#include "data/collection.h"
#include "data/sampler.h"
#include "train/cut/probe.h"
#include "train/cut/ranking.h"
#include "train/network/network.h"

typedef struct {
  guint max_images; /* if there are fewer photographs, each is drawn once */
  guint threads;    /* for decoding */
  double ridge;
  const FolderWeight *weights; /* (nullable) [n_weights] */
  guint n_weights;
  gboolean bf16;
} StaticCutOptions;

/* Probes a network on the collection's training photographs, and ranks its units.
 * @network: without choices
 * @probe: (out) (transfer full)
 * Returns: (transfer full): the rankings, or NULL with the error of the step that failed */
Ranking **static_cut_rank(Network *network, Team *team, const Collection *collection,
                          const StaticCutOptions *options, Probe **probe, GError **error);

/* Cuts the probe's network to @shapes, with compensation.
 * @description: (out) (transfer full): of the result
 * Returns: (transfer full): the cut network, or NULL with VITGATE_ERROR_ARGUMENT */
Network *static_cut_apply(Probe *probe, Ranking **rankings, const BlockShape *shapes, double ridge,
                          Description **description, GError **error);
