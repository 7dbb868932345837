/* Names of tensors: timm's, which are ours, and those of others who publish the same networks.
 *
 * Known are timm's own, facebookresearch/deit's (keys under "model."), those of yitu's T2T-ViT
 * ("state_dict_ema", "module."), and Hugging Face's for ViTForImageClassification and
 * DeiTForImageClassification with or without teacher. */
#pragma once

#include "file/safetensors.h"

/* What was found. */
typedef struct {
  const char *names;     /* whose names these are, for people: "timm's names" */
  gboolean hugging_face; /* they are Hugging Face's */
  gboolean deit;         /* and those of its DeiT */
  char *prefix;          /* stands before every name: "model." or "" */
  char *rival;           /* (nullable) another network in the file, which might be meant as well */
  GPtrArray *left_out;   /* (element-type utf8) tensors that a classifier does not use */
} Dialect;

/* Gives the tensors of @file timm's names; queries, keys and values that are stored apart become
 * one tensor. What has no name there keeps its own.
 * @dialect: (out caller-allocates): to be cleared
 * Returns: FALSE with VITGATE_ERROR_UNSUPPORTED where these are the names of no network that is
 * known, or of two, _TENSOR, _FORMAT, _IO or _MEMORY */
gboolean vitgate__names_translate(Safetensors *file, Dialect *dialect, GError **error);

void vitgate__dialect_clear(Dialect *dialect);
