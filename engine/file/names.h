/* Names of tensors. The engine uses timm's names. Other publishers of the same networks use other
 * names, which are translated to timm's.
 *
 * Known are the names of timm, facebookresearch/deit (keys under "model."), yitu's T2T-ViT
 * ("state_dict_ema", "module."), and Hugging Face's ViTForImageClassification,
 * DeiTForImageClassification and DeiTForImageClassificationWithTeacher. */
#pragma once

#include "file/safetensors.h"

/* The naming of a file's tensors. */
typedef struct {
  const char *names;        /* whose names these are, for people: "timm's names" */
  gboolean hugging_face;    /* they are Hugging Face's */
  gboolean deit;            /* they are those of Hugging Face's DeiT */
  gboolean class_head_only; /* they are those of DeiTForImageClassification, whose only head reads
                               the class token even if there is a distillation token */
  char *prefix;             /* before every name: "model." or "" */
  char *rival;              /* (nullable) another network in the file that may be the one wanted */
  GPtrArray *left_out;      /* (element-type utf8) tensors that a classifier does not use */
} Dialect;

/* Renames the tensors of @file to timm's names and joins queries, keys and values that are stored
 * separately into one tensor. A tensor that timm does not have keeps its name.
 * @dialect: (out caller-allocates): to be cleared with vitgate__dialect_clear()
 * Returns: FALSE with VITGATE_ERROR_UNSUPPORTED if the names belong to no known network or to two,
 * or with _TENSOR, _FORMAT, _IO or _MEMORY */
gboolean vitgate__names_translate(Safetensors *file, Dialect *dialect, GError **error);

void vitgate__dialect_clear(Dialect *dialect);
