/* What a run of vitgate compress or train is to do. */
#pragma once

#include "data/sampler.h"
#include "train/learn/sub-groups.h"
#include "train/network/network.h"
#include "vitgate.h"

typedef struct {
  const char *teacher;        /* path of the model */
  const char *from;           /* (nullable): path of what to begin with; default: the teacher */
  const char *variant;        /* (nullable): published network to begin with, see published.h */
  guint image_size;           /* of the variant; 0: as published */
  const char *const *data;    /* NULL terminated: folders and archives */
  const char *const *folders; /* (nullable): NULL terminated: only these top folders */
  const char *classes;        /* (nullable): file with the labels or ids that the student knows */
  const char *out;            /* path */
  const char *name;           /* of the model */
  const char *resume;         /* (nullable): folder of the checkpoint; default OUT.training */
  double target;              /* mean compute ratio */
  double static_target;       /* compute ratio of the cut network, all modules open; 0: by target */
  double parameters_target;   /* of the teacher's, gates aside; 0: what the compute target leaves */
  gboolean gates, merging, search;
  GateControl gate_control;
  gboolean static_only; /* neither gates nor merging */
  gboolean fixed_dial;  /* training asks for the target alone */
  gboolean train;
  SubGroups sub_groups;
  guint group_size;
  guint64 steps;            /* of training; 0: by time_limit */
  double time_limit;        /* seconds; 0: by steps */
  guint calibration_images; /* most, for the ranking of units */
  guint batch, threads;
  guint64 seed;
  double rate;                        /* of learning */
  double gate_rate;                   /* the same of gates and structure choices */
  double gate_spread;                 /* weight of the gates' spread over images in the loss */
  double labels;                      /* weight of labels in the loss */
  double others;                      /* the same of the classes that are not kept */
  double features;                    /* the same of the teacher's tokens between blocks */
  double mixup;                       /* share of blended images */
  VitgatePrecision precision;         /* of the file, not auto */
  const FolderWeight *folder_weights; /* (nullable) [n_folder_weights] */
  guint n_folder_weights;
} CompressOptions;
