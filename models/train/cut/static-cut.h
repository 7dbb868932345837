/* Static compression without training: a probe of photographs, ranking, allocation,
 * compensation and cut in one go. */
#pragma once

#include "base/team.h"
#include "data/collection.h"
#include "data/sampler.h"
#include "train/cut/probe.h"
#include "train/cut/ranking.h"
#include "train/network/network.h"

typedef struct {
  guint max_images; /* if there are fewer photographs, each is drawn once */
  guint threads;    /* that decode */
  double ridge;
  const FolderWeight *weights; /* (nullable) [n_weights] */
  guint n_weights;
  gboolean bf16;
} StaticCutOptions;

/* Probe and rankings of a network without choices, on the collection's photographs to train
 * on.
 * @probe: (out) (transfer full)
 * Returns: (transfer full): rankings, or NULL with the error of whatever failed */
Ranking **static_cut_rank(Network *network, Team *team, const Collection *collection,
                          const StaticCutOptions *options, Probe **probe, GError **error);

/* The network with @shapes units left, compensated.
 * @description: (out) (transfer full): of the result
 * Returns: (transfer full): or NULL with VITGATE_ERROR_ARGUMENT */
Network *static_cut_apply(Probe *probe, Ranking **rankings, const BlockShape *shapes, double ridge,
                          Description **description, GError **error);
